"""``tail`` prints what is stored, as it is stored."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pymongo.database import Database

from flask_tracking import ExportError, Filter, MemoryExporter, Settings, Tracking
from flask_tracking.cli import tail
from flask_tracking.cli.record_table import render_row, shorten_id
from flask_tracking.cli.terminal import cell_width
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.exporters.store import Tail
from flask_tracking.record import ExceptionInfo
from flask_tracking.record_summary import summarize

from ..captures import make_record
from ..servers import MongoServer
from .conftest import Invoke

NOON = datetime(2026, 11, 24, 12, 0, 3, tzinfo=timezone.utc)


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What happens in the pauses, one thing in each; then somebody presses Ctrl-C."""
    steps: list[Callable[[], object]] = []

    def sleep(_: float) -> None:
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    monkeypatch.setattr(tail, "sleep", sleep)
    return steps


def test_tail(
    invoke: Invoke,
    memory: MemoryExporter,
    tracking: Tracking,
    between: list[Callable[[], object]],
) -> None:
    """What is stored from now on is printed, a line each, and Ctrl-C ends with a summary."""
    memory.export([make_record(path="/before")])
    failure = dataclasses.replace(
        make_record(path="/b"),
        status_code=500,
        execution_time=2300.0,
        exception=ExceptionInfo("shop.OutOfStock", "no", "Traceback"),
    )
    between += [
        lambda: memory.export([make_record(path="/a\x1b[2J")]),
        lambda: memory.export([dataclasses.replace(failure, date_created=NOON - timedelta(days=1))]),
    ]
    result = invoke("tail")
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()
    assert first.split()[1:] == ["GET", "200", "2.5", "/a\\x1b[2J?a=1", first.split()[-1]]
    assert "  /b?a=1  OutOfStock  " in second
    assert result.stderr.splitlines() == [
        "Waiting for records. Press Ctrl-C to stop.",
        "",
        "2 records in 0s, 1 failed. The slowest took 2,300.0 ms: GET /b?a=1 500 OutOfStock",
    ]


def test_tail_of_nothing(
    invoke: Invoke, tracking: Tracking, between: list[Callable[[], object]]
) -> None:
    """Without any record the summary says so."""
    assert invoke("tail").stderr.endswith("\n0 records in 0s, 0 failed.\n")


def test_filter(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking, between: list[Callable[[], object]]
) -> None:
    """Only what the filter selects is printed, by the argument and by the options."""
    records = [make_record(path=f"/{name}", method=name) for name in ("GET", "PUT", "POST")]
    between += [lambda: memory.export(records)]
    result = invoke("tail", "method:p*", "not path:/PUT", "--method", "post")
    assert result.exit_code == 2 and "Invalid HTTP method" in result.stderr
    result = invoke("tail", "path:/P*", "not path:/PUT", "--method", "post")
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["POST"]


def test_json(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking, between: list[Callable[[], object]]
) -> None:
    """As JSON each record is a line, with its fields by name; nothing in it is obeyed by a terminal."""
    record = dataclasses.replace(make_record(), path="/ü\x9b\x1b", date_created=NOON)
    between += [lambda: memory.export([record])]
    (line,) = invoke("tail", "--json").stdout.splitlines()
    assert line.isprintable() and line.isascii()
    values = json.loads(line)
    assert values["id"] == str(record.id)
    assert (values["path"], values["status_code"]) == ("/ü\x9b\x1b", 200)
    assert values["date_created"] == "2026-11-24T12:00:03.000Z"
    assert values["user_id"] is None


def test_many_at_once(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking, between: list[Callable[[], object]]
) -> None:
    """However many records come at once, all are printed, in their order."""
    records = [make_record(path=f"/{number}") for number in range(2 * tail.BATCH + 7)]
    between += [lambda: memory.export(records)]
    lines = invoke("tail").stdout.splitlines()
    assert [line.split()[4] for line in lines] == [f"{record.path}?a=1" for record in records]


def test_store_that_is_away(invoke: Invoke, app: Flask, between: list[Callable[[], object]]) -> None:
    """While the store is away it is asked again, and nothing that was stored meanwhile is missing."""

    class Shaky(MemoryExporter):
        away = 0

        def _tail(self, wanted: Filter, after: Any, limit: int) -> Tail:
            if after is not None and self.away:
                self.away -= 1
                raise ExportError("MongoDB at x cannot be reached")
            return super()._tail(wanted, after, limit)

    memory = Shaky()
    Tracking(app, exporter=memory)

    def fall() -> None:
        memory.export([make_record(path="/1")])
        memory.away = 2

    between += [fall, lambda: memory.export([make_record(path="/2")]), lambda: None]
    result = invoke("tail")
    assert [line.split()[4] for line in result.stdout.splitlines()] == ["/1?a=1", "/2?a=1"]
    assert result.stderr.splitlines()[1:3] == [
        "MongoDB at x cannot be reached. Trying again every second.",
        "The store answers again.",
    ]
    memory.away = 1
    memory._tail = lambda *_: (_ for _ in ()).throw(ExportError("gone"))  # type: ignore[method-assign]
    assert invoke("tail").exit_code == 1


@pytest.mark.parametrize("width", [40, 60, 80, 200, None])
def test_row(width: int | None) -> None:
    """A line fits the terminal, and has all that a list shows; without a terminal it is whole.

    In 40 cells there are two lines, as in a list.
    """
    record = summarize(
        dataclasses.replace(
            make_record(path="/a" * 50),
            date_created=NOON,
            user_repr="<User ada>",
            exception=ExceptionInfo("OutOfStock", "", ""),
        )
    )
    row = render_row(record, width)
    assert " 200 " in f" {row}" and "/a/a" in row
    if width is None:
        assert row.startswith("12:00:03Z GET     200        2.5  /a/a")
        assert row.endswith(f"/a?a=1  <User ada>  OutOfStock  {record.id}")
    elif width == 40:
        assert list(map(cell_width, row.split("\n"))) == [40, 40]
        assert row.startswith("12:00:03Z GET 200 /a/a/")
        assert shorten_id(str(record.id)) in row and "  2.5 ms  OutOf" in row
    else:
        assert cell_width(row) == width
        assert "GET" in row and ("12:00:03Z" in row) == (width >= 80)
        assert ("<User" in row, "OutOf" in row) == (width >= 80, width >= 60)


FOLLOWED = """
import sys
from flask import Flask
from flask_tracking import Tracking

app = Flask("shop")
app.config.update(TRACKING_MONGODB_URI=sys.argv[1], TRACKING_EXPORT_TIMEOUT_S=2)
Tracking(app)
app.test_cli_runner(catch_exceptions=False)
with app.app_context():
    app.cli.main(args=["tracking", "tail"], prog_name="flask", standalone_mode=True)
"""


@contextlib.contextmanager
def follow(uri: str) -> Iterator[tuple[subprocess.Popen[str], list[tuple[float, str]]]]:
    """Run ``tail`` in a process; yields it, and what it has printed, each line with its time."""
    command = [sys.executable, "-u", "-c", FOLLOWED, uri]
    lines: list[tuple[float, str]] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None

        def read(output: Any = process.stdout) -> None:
            lines.extend((time.monotonic(), line.rstrip("\n")) for line in output)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            wait_for(lines, "Waiting for records")
            yield process, lines
        finally:
            if process.poll() is None:
                process.kill()
            reader.join()


def wait_for(lines: list[tuple[float, str]], text: str, timeout_s: float = 30.0) -> float:
    """Return when a line with `text` was printed."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for at, line in list(lines):
            if text in line:
                return at
        time.sleep(0.01)
    raise AssertionError(f"{text!r} was not printed: {lines}")


@pytest.mark.integration
def test_restart_of_the_database(tmp_path: Path) -> None:
    """A restart of the server, and a collection that is made anew, end nothing."""
    if MongoServer.kind() is None:
        pytest.skip("no MongoDB server")
    server = MongoServer(tmp_path, "--sync-on-commit").start()
    uri = f"{server.uri}tracking"
    exporter = MongoExporter(Settings(mongodb_uri=uri, export_timeout_s=2.0))
    try:
        exporter.open()
        with follow(uri) as (process, lines):
            exporter.export([make_record(path="/first")])
            wait_for(lines, "/first")
            server.kill()
            wait_for(lines, "Trying again")
            server.start()
            wait_for(lines, "The store answers again.")
            exporter.open()
            exporter.export([make_record(path="/second")])
            wait_for(lines, "/second")
            exporter.collection().drop()
            exporter.open()
            exporter.export([make_record(path="/third")])
            wait_for(lines, "/third")
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
            wait_for(lines, "3 records in ")
    finally:
        exporter.close()
        server.kill()


@pytest.mark.integration
def test_records_appear_soon(database_uri: str, database: Database[Any]) -> None:
    """A record is printed soon after it was stored, whenever its request began."""
    exporter = MongoExporter(Settings(mongodb_uri=database_uri))
    exporter.open()
    with follow(database_uri) as (_, lines):
        for number in range(5):
            old = datetime.now(timezone.utc) - timedelta(minutes=number)
            exporter.export([dataclasses.replace(make_record(path=f"/n{number}"), date_created=old)])
            stored = time.monotonic()
            print(f"shown after {1000 * (wait_for(lines, f'/n{number}') - stored):.0f} ms")
    exporter.close()
