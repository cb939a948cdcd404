"""``list`` and ``show``, against a store in memory."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from bson import ObjectId
from click.testing import Result
from flask import Flask

from flask_tracking import Exporter, MemoryExporter, Record, Tracking
from flask_tracking.exporters.base import Exporter as BaseExporter

from ..captures import make_record
from .conftest import Invoke


@pytest.fixture
def records(memory: MemoryExporter, tracking: Tracking) -> list[Record]:
    """Some records of the last hours, the newest last."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    made = [
        dataclasses.replace(
            make_record(path=f"/orders/{number}", method="POST" if number % 2 else "GET"),
            date_created=now - timedelta(hours=10 - number),
            status_code=500 if number == 3 else 200,
            execution_time=100.0 * number,
            user_id=str(number % 3),
        )
        for number in range(10)
    ]
    memory.export(made)
    return made


def paths(result: Result) -> list[str]:
    """Return the paths that a list shows."""
    assert result.exit_code == 0, result.output
    return [word for word in result.output.split() if word.startswith("/orders/")]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ([], "9876543210"),
        (["--limit", "3"], "987"),
        (["--status", "5xx"], "3"),
        (["--status", "200", "--limit", "2"], "98"),
        (["--method", "post"], "97531"),
        (["--path", "/orders/7"], "7"),
        (["--path", "/orders/*", "--slower-than", "0.7s"], "987"),
        (["--slower-than", "850ms"], "9"),
        (["--user", "0"], "9630"),
        (["--since", "150m"], "98"),
        (["--until", "510m"], "10"),
    ],
)
def test_list(invoke: Invoke, records: list[Record], options: list[str], numbers: str) -> None:
    """The newest first, filtered by each option."""
    expected = [f"/orders/{number}?a=1" for number in numbers]
    assert paths(invoke("list", *options)) == expected


def test_list_of_nothing(invoke: Invoke, tracking: Tracking) -> None:
    """Where nothing is found that is said, and it is no failure."""
    result = invoke("list", "--status", "404")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No record is like that.\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--status", "6xx"], "'6xx' is no status. Write one like 404 or a class like 5xx."),
        (["--since", "soon"], "'soon' is no time. Write 2026-11-24T12:00 (UTC) or an age like"),
        (["--slower-than", "slow"], "'slow' is no duration. Write 200ms or 1.5s."),
    ],
)
def test_wrong_options(invoke: Invoke, tracking: Tracking, options: list[str], message: str) -> None:
    """A wrong value is one line that names the fix."""
    result = invoke("list", *options)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {message}")


def test_list_help(invoke: Invoke, tracking: Tracking) -> None:
    """The help names every option."""
    output = invoke("list", "--help").output
    for option in ("--since", "--until", "--status", "--method", "--path", "--slower-than", "--user"):
        assert option in output


def test_show(invoke: Invoke, records: list[Record]) -> None:
    """One record at length."""
    result = invoke("show", str(records[3].id))
    assert result.exit_code == 0
    assert result.output.startswith("POST /orders/3?a=1 HTTP/1.1\n")
    assert "500" in result.output


@pytest.mark.parametrize(
    ("record_id", "message"),
    [
        ("nonsense\x1b", "'nonsense\\x1b' is no id. Ids have 24 hex digits"),
        (str(ObjectId()), "There is no record"),
    ],
)
def test_show_what_is_not_there(
    invoke: Invoke, tracking: Tracking, record_id: str, message: str
) -> None:
    """What is no id, or the id of nothing, is one line."""
    result = invoke("show", record_id)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {message}")


def test_app_that_is_not_tracked_any_more(invoke: Invoke, app: Flask, tracking: Tracking) -> None:
    """A store that cannot be read, or an app without one, is said in one line."""
    tracked = app.extensions["tracking"]

    class WriteOnly(BaseExporter):
        def _store(self, records: Any) -> int:
            return 0

    assert issubclass(WriteOnly, Exporter)
    tracked.exporter = WriteOnly()
    result = invoke("list")
    assert result.stderr == "Error: WriteOnly stores records and cannot be asked for them.\n"
    del app.extensions["tracking"]
    del tracked
    result = invoke("list")
    assert result.exit_code == 1 and "Error: " in result.stderr
