"""What the demo prints, laid out for a terminal of 80 columns or more."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from flask_tracking.queries import Statistics
from shop.traffic import Answer

Document = dict[str, Any]

SHOWN_USER = "ada"
MAX_LINES = 10
SIDES = ("request", "response")


def print_report(answers: Sequence[Answer], documents: Sequence[Document]) -> None:
    """Print what the database knows of the traffic; `documents` are in the order of arrival."""
    excluded = sum(answer.request.is_excluded for answer in answers)
    heading("What was recorded")
    click.echo(f"  {len(answers):4} requests sent, {excluded} of them to paths in TRACKING_EXCLUDE")
    click.echo(f"  {len(documents):4} requests recorded")
    if not documents:
        return
    classes = sorted(Counter(one["status_code"] // 100 for one in documents).items())
    click.echo(f"{'':7}{', '.join(f'{count} x {status}xx' for status, count in classes)}")
    for process, count in sorted(Counter(one["process"] for one in documents).items()):
        click.echo(f"{'':7}{count} by worker process {process.split(':')[1]}")
    _print_slowest(documents)
    _print_failures(documents)
    _print_user(documents, SHOWN_USER)
    _print_secrets(documents)


def _print_slowest(documents: Sequence[Document]) -> None:
    heading("The slowest five")
    slowest = sorted(documents, key=lambda one: -one["execution_time"])[:5]
    print_table(
        ("MS", "STATUS", "USER", "REQUEST", "ID"),
        [
            (_took(one), one["status_code"], one.get("user_id", "-"), _request(one), one["_id"])
            for one in slowest
        ],
    )


def _print_failures(documents: Sequence[Document]) -> None:
    heading("The failures, with their exceptions")
    failures = Counter(
        (one["status_code"], _request(one), describe_exception(one) or "no exception")
        for one in documents
        if one["status_code"] >= 500 or "exception" in one
    )
    for (status, request, exception), count in failures.most_common(MAX_LINES):
        click.echo(f"  {count:4} x {status}  {fit(request, width() - 13)}")
        click.secho(f"{'':13}{fit(exception, width() - 13)}", fg="red")


def _print_user(documents: Sequence[Document], user: str) -> None:
    of_user = [one for one in documents if one.get("user_id") == user]
    newest = of_user[::-1][:MAX_LINES]
    heading(f"The requests of {user}: the newest {len(newest)} of {len(of_user)}")
    print_table(
        ("TIME (UTC)", "MS", "STATUS", "REQUEST", "ID"),
        [
            (
                f"{one['date_created']:%H:%M:%S.%f}"[:-3],
                _took(one),
                one["status_code"],
                _request(one),
                one["_id"],
            )
            for one in newest
        ],
    )


def _print_secrets(documents: Sequence[Document]) -> None:
    """Show what is left of a password and of a session."""
    heading("Secrets, as they are stored")
    login = next((one for one in documents if _request(one) == "POST /login"), None)
    if login is not None:
        click.echo(f"  POST /login  {login['request_body'].decode()}")
    cookie = next((pair for one in documents for pair in headers(one) if pair[0] == "Cookie"), None)
    if cookie is not None:
        click.echo(f"  {': '.join(cookie)}")


def print_routes(counted: Statistics) -> None:
    """Print how long the requests of each route took, as rollups know it when the records are gone."""
    heading("Percentiles by route, in ms")
    print_table(
        ("COUNT", "FAILED", "P50", "P95", "P99", "REQUEST"),
        [
            (group.requests, group.failed, *map(group.percentile_ms, (0.5, 0.95, 0.99)), group.key)
            for group in counted.groups[:MAX_LINES]
        ],
    )
    left = counted.groups[MAX_LINES:]
    if left:
        requests = sum(group.requests for group in left)
        click.echo(f"  and {len(left)} more routes, with {requests} requests: flask tracking stats")


def print_verdict(differences: Mapping[str, Counter[str]]) -> None:
    """Print what differs, or that nothing does."""
    if not differences:
        heading("All is there")
        click.secho(
            "  Each request is recorded once: what was sent, what came back, and no secret.",
            fg="green",
        )
        return
    heading("What was sent and what is recorded differ")
    for what, requests in differences.items():
        click.secho(f"  {requests.total():4} requests were {what}:", fg="red")
        for request, count in requests.most_common(MAX_LINES):
            click.echo(f"  {count:4} x {fit(request, width() - 9)}")
        if len(requests) > MAX_LINES:
            click.echo(f"         and {len(requests) - MAX_LINES} other kinds")


def print_commands(documents: Sequence[Document], uri: str | None) -> None:
    """Print how to look further.

    Args:
        documents: what is recorded.
        uri: where the database goes on running, None if it does not.
    """
    heading("Look further")
    failed = [one for one in documents if "exception" in one]
    record_id = failed[-1]["_id"] if failed and uri else "ID"
    here = Path(__file__)
    if uri is None:
        click.echo("  The database goes away now. To look around in it yourself, run")
        demo = f"{_typed(Path(sys.executable))} {_typed(here.with_name('demo.py'))}"
        click.echo(f"    {'make demo ARGS=--keep' if 'MAKELEVEL' in os.environ else f'{demo} --keep'}")
        click.echo("  and then, in another terminal, what it prints, for example:")
    else:
        click.echo("  In another terminal, in this directory:")
        click.echo(f"    export FLASK_APP={_typed(here.with_name('app.py'))}")
        click.echo(f"    export FLASK_TRACKING_MONGODB_URI={uri}")
    flask = Path(sys.executable).with_name("flask")
    name = "flask" if shutil.which("flask") == str(flask) else _typed(flask)
    for command in (
        "list --status 5xx",
        "list --slow 300ms",
        f"list --user {SHOWN_USER}",
        "list --path '/api/*' --method POST",
        f"show {record_id}",
        "stats --since 1h",
    ):
        click.echo(f"    {name} tracking {command}")


NUMBERS = ("MS", "COUNT", "FAILED", "P50", "P95", "P99")


def print_table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns: numbers stand right, ``REQUEST`` gives way where there is no room."""
    cells = [titles, *[list(map(_cell, row)) for row in rows]]
    sizes = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if is_cut():
        sizes[titles.index("REQUEST")] -= max(0, sum(sizes) + 2 * len(sizes) - width())
    for row in cells:
        line = "".join(
            f"  {fit(cell, size):{'>' if title in NUMBERS else '<'}{size}}"
            for title, cell, size in zip(titles, row, sizes, strict=True)
        )
        click.secho(line.rstrip(), dim=row is titles)


def heading(text: str) -> None:
    """Print the title of a part."""
    click.secho(f"\n{text}", bold=True)


def width() -> int:
    """Return how many columns to use: the terminal's, but 80 at least and 120 at most."""
    return min(max(shutil.get_terminal_size().columns, 80), 120)


def is_cut() -> bool:
    """Return False for a pipe or a file, where lines may have any length."""
    return sys.stdout.isatty() or "COLUMNS" in os.environ


def fit(text: str, size: int) -> str:
    """Cut `text` to `size` characters, if lines are cut at all."""
    return f"{text[: size - 3]}..." if len(text) > size and is_cut() else text


def describe_exception(document: Document) -> str | None:
    """Return the type and the message of a record's exception."""
    exception = document.get("exception")
    return f"{exception['type']}: {exception['message']}" if exception else None


def headers(document: Document) -> list[tuple[str, str]]:
    """Return the headers of a record's request and of its response."""
    return [(name, value) for side in SIDES for name, value in document[f"{side}_headers"]]


def _typed(path: Path) -> str:
    """Return a path as one would type it here."""
    return shlex.quote(os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path))


def _request(document: Document) -> str:
    query = document["query_params"]
    return f"{document['method']} {document['path']}{'?' if query else ''}{query}"


def _cell(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _took(document: Document) -> str:
    return f"{document['execution_time']:.1f}"
