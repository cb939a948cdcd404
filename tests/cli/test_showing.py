"""How commands that read records show them: as JSON, with local times, and by pages."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from datetime import datetime, timezone
from typing import Any

import pytest
from bson import ObjectId
from click.testing import Result
from flask import Flask

from flask_tracking import MemoryExporter, Tracking
from flask_tracking.cli.terminal import echo_pages
from flask_tracking.config.overrides import Override
from flask_tracking.exporters.retention import Usage
from flask_tracking.record import ExceptionInfo

from ..captures import make_record
from .conftest import Invoke


def test_list(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """A line for each record, the newest first, with the columns of a list."""
    assert invoke("list", "--json").stdout == ""
    records = [make_record(path=f"/é{number}") for number in range(3)]
    memory.export(records)
    lines = invoke("list", "--json", "--limit", "2").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["id"] for row in rows] == [str(record.id) for record in reversed(records)][:2]
    assert rows[0]["date_created"] == f"{records[2].date_created:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    assert "request_headers" not in rows[0]
    assert all(line.isascii() for line in lines)


def test_same_names(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """A list and a record in full call everything by the same name, and nest it alike."""
    failure = ExceptionInfo("shop.OutOfStock", "no tea", "Traceback")
    memory.export([dataclasses.replace(make_record(), exception=failure), make_record()])
    other, row = map(json.loads, invoke("list", "--json").stdout.splitlines())
    whole = json.loads(invoke("show", "--json", "-2").stdout)
    assert row.pop("exception") == {"type": whole["exception"]["type"]} == {"type": "shop.OutOfStock"}
    assert other.pop("exception") is None
    known = {name: value for name, value in row.items() if value is not None and value is not False}
    assert known.items() <= {name: whole[name] for name in known}.items()


def test_numbers_that_json_does_not_know(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking
) -> None:
    """They are null, so that every reader of JSON takes the output."""
    data = {"a": [float("nan"), 1.5], "b": {"c": float("-inf")}}
    memory.export([dataclasses.replace(make_record(), custom_data=data, execution_time=float("inf"))])
    (row,) = invoke("list", "--json").stdout.splitlines()
    assert json.loads(row, parse_constant=pytest.fail)["execution_time"] is None
    shown = json.loads(invoke("show", "--json", "-1").stdout, parse_constant=pytest.fail)
    assert shown["custom_data"] == {"a": [None, 1.5], "b": {"c": None}}


def test_show(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """All fields, with bodies as text, or as base64 where they are none."""
    record = dataclasses.replace(
        make_record(),
        request_body=b"\xff",
        response_body="é".encode(),
        custom_data={"id": ObjectId("0123456789abcdef01234567")},
    )
    memory.export([record])
    result = invoke("show", "--json", "-1")
    values = json.loads(result.stdout)
    assert values["id"] == str(record.id)
    assert values["request_body"] == {"base64": "/w=="}
    assert values["response_body"] == "é"
    assert values["request_headers"] == [["Host", "example.org"], ["User-Agent", "curl/8.5.0"]]
    assert values["custom_data"] == {"id": "0123456789abcdef01234567"}
    assert "exception" not in values


@pytest.mark.parametrize("command", [["list"], ["show", "-1"]])
def test_zone(
    invoke: Invoke,
    memory: MemoryExporter,
    tracking: Tracking,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    """Times are local, or with ``--utc`` in UTC; those of JSON always are in UTC."""
    record = dataclasses.replace(
        make_record(), date_created=datetime(2026, 6, 1, 10, tzinfo=timezone.utc)
    )
    memory.export([record])
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert "12:00:00" in invoke(*command).stdout
        assert "+02:00" in invoke(*command).stdout
        assert "10:00:00" in invoke(*command, "--utc").stdout
        assert "2026-06-01T10:00:00.000Z" in invoke(*command, "--json").stdout
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("command", "local", "in_utc"),
    [
        (
            ["stats", "--until", "2026-06-01T10:00"],
            " to 2026-06-02 02:00:00 +02:00",
            " to 2026-06-02 00:00:00Z",
        ),
        (["capacity"], "since 2026-06-01 12:00 +02:00", "since 2026-06-01 10:00Z"),
        (["overrides", "show"], "+02:00, in ", "Z, in "),
    ],
)
def test_zone_of_other_times(
    invoke: Invoke,
    memory: MemoryExporter,
    tracking: Tracking,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    local: str,
    in_utc: str,
) -> None:
    """Other commands have the option, too, and say the zone with each time."""
    arrived = datetime(2026, 6, 1, 10, tzinfo=timezone.utc)
    usage = Usage(name="a", records=9, stored_bytes=9000, oldest=arrived)
    memory.measure = lambda: [usage]  # type: ignore[method-assign]
    end = datetime(2100, 6, 1, tzinfo=timezone.utc)
    memory.store_overrides([Override("slow_ms", 200.0, arrived, end)])
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert local in invoke(*command).stdout
        assert in_utc in invoke(*command, "--utc").stdout
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(("height", "is_paged"), [(10, True), (100, False)])
def test_pager(monkeypatch: pytest.MonkeyPatch, height: int, is_paged: bool) -> None:
    """What is longer than the terminal goes to the pager; what is no terminal gets it as it is."""
    paged: list[str] = []
    monkeypatch.setattr("click.echo_via_pager", paged.append)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, height)))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    echo_pages("line\n" * 50)
    assert bool(paged) is is_paged


def read_lines(result: Result) -> list[dict[str, Any]]:
    """Return the objects that a command printed, a line each."""
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_overrides(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """Each override that is set is an object, with its end."""
    assert read_lines(invoke("overrides", "show", "--json")) == []
    invoke("overrides", "set", "slow_ms=200", "--for", "10m")
    (row,) = read_lines(invoke("overrides", "show", "--json"))
    assert (row["name"], row["value"]) == ("slow_ms", 200)
    assert row["expires_at"].endswith("Z") and row["expires_at"] > row["set_at"]


def test_formats(app: Flask, memory: MemoryExporter, invoke: Invoke) -> None:
    """Each format of secrets is an object, and says whether it is off."""
    app.config["TRACKING_REDACT_OFF"] = ["iban"]
    Tracking(app, exporter=memory)
    rows = {row["id"]: row for row in read_lines(invoke("redact", "formats", "--json"))}
    assert (rows["iban"]["off"], rows["card"]["off"]) == (True, False)
    assert rows["card"].keys() == {"id", "finds", "version", "sources", "off"}


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (["list"], "an object for each record, one per line"),
        (["show"], "one object, the record"),
        (["tail"], "an object for each record, one per line"),
        (["spool", "list"], "an object for each file, one per line"),
        (["spool", "verify"], "an object for each file, one per line"),
        (["redact", "formats"], "an object for each format, one per line"),
        (["redact", "preview"], "one object, the record"),
        (["overrides", "show"], "an object for each setting that is overridden, one per line"),
    ],
)
def test_help_names_the_objects(
    invoke: Invoke, tracking: Tracking, command: list[str], what: str
) -> None:
    """The help of ``--json`` says what an object stands for."""
    words = " ".join(invoke(*command, "--help").stdout.split())
    assert f"--json Print JSON: {what}." in words


def test_preview(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """A record as it would be stored is an object."""
    record = make_record(environ={"HTTP_X_API_KEY": "hunter2hunter2"})
    memory.export([record])
    values = json.loads(invoke("redact", "preview", "--json", str(record.id)).stdout)
    assert ["X-Api-Key", "[redacted]"] in values["request_headers"]
    assert values["redacted"][0]["path"] == "request_headers.X-Api-Key"
