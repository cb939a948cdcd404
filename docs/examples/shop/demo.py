"""Run the shop under gunicorn, send it a few hundred requests, and look at what was recorded.

    python docs/examples/shop/demo.py [--keep]

What MongoDB holds is asked for by PyMongo and compared with what the clients sent and got: the exit
status is 0 only where the two agree. What is started is stopped, what is written is removed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(EXAMPLES))  # this file is run as a script, and the shop is a package

MENDING = "Install the development tools: pip install -e '.[dev]'"
try:
    import click
    from pymongo import MongoClient
    from pymongo.collection import Collection
    from pymongo.errors import PyMongoError
    from requests import RequestException

    from flask_tracking import Settings
    from flask_tracking.exporters.mongo import MongoExporter
    from flask_tracking.queries import Statistics, measure
    from shop import report, servers
    from shop.history import write_history
    from shop.servers import DemoError
    from shop.traffic import Answer, Facts, expected_records, plan_visits, send
except ModuleNotFoundError as error:
    sys.exit(f"The demo needs {error.name}, which is not installed here. {MENDING}")

Document = dict[str, Any]

WORKERS = 2
FLASK = [sys.executable, "-m", "flask", "--app", "shop.app"]
PASSWORD = re.compile(rb"password=(?!\[redacted\])")
SESSION = re.compile(r"session=(?!\[redacted\]|;)")
PATIENCE_S = 8.0
"""What is missing after so long without any new record counts as lost."""


def main() -> int:
    """Run the demo and return the exit status."""
    parser = argparse.ArgumentParser(description="Record a few hundred requests, and look at them.")
    parser.add_argument("--keep", action="store_true", help="keep everything running until Ctrl-C")
    keep = parser.parse_args().keep
    servers.interrupt_in_order()
    try:
        check_modules()
        with tempfile.TemporaryDirectory(prefix="flask-tracking-demo-") as folder:
            return run(Path(folder), keep=keep)
    except DemoError as error:
        click.secho(f"\nThe demo failed: {error}", fg="red", err=True)
        return 1
    except KeyboardInterrupt:
        click.echo("\nStopped.")
        return 130
    except BrokenPipeError:
        # `| head` has read enough. Else the interpreter would complain when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def check_modules() -> None:
    """Raise a `DemoError` that names what the servers need and is not installed, if anything is."""
    modules = ("flask_tracking", "flask_login", "gunicorn", "secantus")
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise DemoError(f"it needs {' and '.join(missing)}, not installed here. {MENDING}")


def run(folder: Path, *, keep: bool) -> int:
    """Run the demo with its files in `folder`, and return the exit status."""
    click.secho("flask-tracking: a tea shop and its flight recorder\n", bold=True)
    visits = plan_visits()
    with contextlib.ExitStack() as stack:
        uri, url, env = start_servers(folder, stack)
        client: MongoClient[Document] = stack.enter_context(MongoClient(uri, tz_aware=True))
        try:
            count = sum(len(visit.requests) for visit in visits)
            with step(f"Sending {count} requests of {len(visits)} visitors"):
                answers = send(url, visits)
            expected = expected_records(answers)
            with step(f"Waiting until {expected.total()} of them are recorded"):
                documents = wait_for_records(client["tracking"]["tracking"], expected)
            with step("Waiting until all of them are counted"):
                counted = wait_for_counts(uri, expected.total())
        except (PyMongoError, RequestException) as error:
            logs = servers.read_ends(sorted(folder.glob("*.log")))
            raise DemoError(f"{error}\n{logs}") from None
        differences = find_differences(answers, expected, documents, counted)
        report.print_report(answers, documents)
        report.print_routes(counted)
        report.print_verdict(differences)
        is_healthy = ask_doctor(env)
        report.print_commands(documents, uri if keep else None)
        if keep:
            with step("Writing two hours of history, for the dashboard"):
                write_history(uri)
            keep_running(url, folder)
    return 0 if is_healthy and not differences else 1


def ask_doctor(env: Mapping[str, str]) -> bool:
    """Print what ``flask tracking doctor`` says of the shop; tell whether it found no error."""
    report.heading("What flask tracking doctor says")
    command = [*FLASK, "tracking", "doctor"]
    done = subprocess.run(
        command, cwd=EXAMPLES, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for line in done.stdout.splitlines():
        click.echo(report.fit(f"  {line}", report.width()).rstrip())
    return done.returncode == 0


def start_servers(folder: Path, stack: contextlib.ExitStack) -> tuple[str, str, dict[str, str]]:
    """Start the database and the shop, to be stopped with `stack`; return URI, URL and environment."""
    database_port, shop_port = servers.free_ports(2)
    uri = f"mongodb://127.0.0.1:{database_port}/tracking"
    url = f"http://127.0.0.1:{shop_port}"
    env = {
        **os.environ,
        "FLASK_DEBUG": "0",
        "FLASK_TRACKING_MONGODB_URI": uri,
        "SHOP_INSTANCE_PATH": str(folder / "instance"),
        "XDG_RUNTIME_DIR": str(folder),  # where gunicorn puts its control socket
    }
    gunicorn = [sys.executable, "-m", "gunicorn", "--workers", str(WORKERS)]
    with (
        step(f"Starting the database: flask tracking serve --port {database_port}"),
        MongoClient[Document](uri, serverSelectionTimeoutMS=500) as client,
    ):
        stack.enter_context(
            servers.running(
                [*FLASK, "tracking", "serve", "--port", str(database_port)],
                cwd=EXAMPLES,
                env=env,
                log=folder / "database.log",
                is_up=lambda: servers.is_database_up(client),
            )
        )
    with step(f"Starting the shop: gunicorn --workers {WORKERS}, at {url}"):
        stack.enter_context(
            servers.running(
                [*gunicorn, "--bind", f"127.0.0.1:{shop_port}", "shop.app:app"],
                cwd=EXAMPLES,
                env=env,
                log=folder / "shop.log",
                is_up=lambda: servers.is_shop_up(url),
            )
        )
    return uri, url, env


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    """Say what is being done, and then how long it took."""
    room = report.width() - 10
    click.echo(f"{report.fit(text, room):<{room}}", nl=False)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        click.echo()
        raise
    click.echo(f"{time.monotonic() - started:8.1f} s")


def wait_for_records(collection: Collection[Document], expected: Counter[Facts]) -> list[Document]:
    """Poll until what is stored is what is expected, or nothing new comes; return it by arrival."""
    documents: list[Document] = []
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = list(collection.find().sort("date_created"))
        if len(found) != len(documents):
            deadline = time.monotonic() + PATIENCE_S
        documents = found
        if Counter(map(recorded_facts, documents)) == expected or time.monotonic() > deadline:
            return documents
        time.sleep(0.1)


def wait_for_counts(uri: str, expected: int) -> Statistics:
    """Poll until the rollups count what is expected: each process stores its own every ten seconds."""
    store = MongoExporter(Settings(mongodb_uri=uri))
    deadline = time.monotonic() + 2 * PATIENCE_S
    try:
        while True:
            counted = measure(store, by="route", since="1h")
            if counted.total.requests >= expected or time.monotonic() > deadline:
                return counted
            time.sleep(0.2)
    finally:
        store.close()


def recorded_facts(document: Document) -> Facts:
    """Return what a record tells of its request."""
    return Facts(
        method=document.get("method", ""),
        path=document.get("path", ""),
        query=document.get("query_params", ""),
        status=document.get("status_code", 0),
        user=document.get("user_id"),
        exception=report.describe_exception(document),
    )


def find_differences(
    answers: Sequence[Answer],
    expected: Counter[Facts],
    documents: Sequence[Document],
    counted: Statistics,
) -> dict[str, Counter[str]]:
    """Compare what was planned, answered, recorded and counted; return what differs."""
    recorded = Counter(map(recorded_facts, documents))
    differences = {
        "answered otherwise than planned": Counter(
            f"{answer.request.method} {answer.request.target} {answer.status}, "
            f"planned was {answer.planned_status}"
            for answer in answers
            if answer.status != answer.planned_status
        ),
        "sent but not recorded": Counter(map(str, (expected - recorded).elements())),
        "recorded but not sent": Counter(map(str, (recorded - expected).elements())),
        "recorded with a password or a session": Counter(
            str(recorded_facts(one)) for one in documents if has_secret(one)
        ),
    }
    if counted.total.requests != expected.total():
        not_alike = expected.total() - counted.total.requests
        differences["not counted by the rollups, or twice"] = Counter({"any": abs(not_alike)})
    return {what: requests for what, requests in differences.items() if requests}


def has_secret(document: Document) -> bool:
    """Tell whether a record holds what a visitor typed as a password, or a cookie's value."""
    cookies = [value for name, value in report.headers(document) if "cookie" in name.lower()]
    is_cookie_shown = any(SESSION.search(value) for value in cookies)
    return is_cookie_shown or PASSWORD.search(document["request_body"]) is not None


def keep_running(url: str, folder: Path) -> None:
    """Wait for Ctrl-C."""
    report.heading("Running until you press Ctrl-C")
    click.echo(f"  The shop        {url}/")
    click.echo(f"  Its dashboard   {url}/_tracking/")
    click.echo(f"  Its log         {folder / 'shop.log'}")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        click.echo("\nStopping.")


if __name__ == "__main__":
    sys.exit(main())
