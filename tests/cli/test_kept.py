"""``keep`` and ``unkeep``, and how ``list`` and ``show`` tell what is kept."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone

import click
import pytest
from bson import ObjectId
from flask import Flask

from flask_tracking import Filter, MemoryExporter, Record, Tracking
from flask_tracking.cli.record_table import render_table
from flask_tracking.queries import find_newest
from flask_tracking.record_summary import summarize

from ..captures import make_record
from .conftest import Invoke

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)


@pytest.fixture
def routine(memory: MemoryExporter, tracking: Tracking) -> Record:
    """A stored record that nobody would keep."""
    record = make_record()
    memory.export([record])
    return record


@pytest.fixture
def failure(memory: MemoryExporter, tracking: Tracking) -> Record:
    """A stored record that is kept because it failed."""
    record = dataclasses.replace(make_record(), kept=True, kept_reason="error", status_code=500)
    memory.export([record])
    return record


def test_keep(invoke: Invoke, memory: MemoryExporter, routine: Record) -> None:
    """A record is kept, with the reason, and named."""
    result = invoke("keep", str(routine.id), "--reason", "for the talk")
    assert (result.exit_code, result.stdout) == (0, "Kept (for the talk): GET /orders/7?a=1 200\n")
    stored = memory.get(routine.id)
    assert stored is not None and stored.kept_reason == "for the talk"


def test_keep_without_a_reason(invoke: Invoke, memory: MemoryExporter, routine: Record) -> None:
    """The reason may be left out."""
    assert invoke("keep", str(routine.id)).stdout == "Kept (asked for): GET /orders/7?a=1 200\n"
    assert [record.kept_reason for record in memory.records] == ["asked for"]


def test_keep_twice(invoke: Invoke, failure: Record) -> None:
    """What is kept already is no failure, and its first reason is told."""
    result = invoke("keep", str(failure.id), "--reason", "again")
    assert result.exit_code == 0
    assert result.stdout == "Already kept (error): GET /orders/7?a=1 500\n"


def test_several_by_their_ages(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """Ids and ages can be given in a row: each record is kept once, and none if one is wrong."""
    memory.export([make_record(path=f"/{number}") for number in range(3)])
    wrong = invoke("keep", "-1", "-4")
    assert (wrong.exit_code, wrong.stderr) == (
        1,
        "Error: Record -4 not found: the store has 3 records. Replays are not counted.\n",
    )
    assert not any(one.kept for one in memory.records)
    paths = [one.path for one in find_newest(memory, Filter.all, 3)]
    again = str(find_newest(memory, Filter.all, 1)[0].id)
    kept = invoke("keep", "-1", "-2", again, "--reason", "both").stdout
    assert kept.splitlines() == [f"Kept (both): GET {path}?a=1 200" for path in paths[:2]]
    assert invoke("unkeep", "-2", "-1").stdout.count("No longer kept: ") == 2
    assert not any(one.kept for one in memory.records)


def test_filter_in_several_words(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """A filter needs no quotes where the shell reads nothing into it."""
    memory.export([make_record(path=f"/{number}") for number in range(3)])
    assert invoke("keep", "path:/1", "or", "path:/2").stdout == "Kept (asked for): 2 records.\n"


def test_keep_by_a_filter(
    invoke: Invoke, memory: MemoryExporter, routine: Record, failure: Record
) -> None:
    """All records of a filter that are not kept yet are kept, the newest up to a limit."""
    memory.export([make_record(path=f"/talk/{number}") for number in range(3)])
    limited = invoke("keep", "path:/talk/*", "--reason", "talk", "--limit", "2")
    assert limited.stdout == "Kept (talk): 2 records. More may match: use a higher --limit.\n"
    assert invoke("keep", "path:/talk/* or status:500").stdout == "Kept (asked for): 1 record.\n"
    reasons = [(one.path, one.kept_reason) for one in memory.records]
    assert reasons == [
        ("/orders/7", None),
        ("/orders/7", "error"),
        ("/talk/0", "asked for"),
        ("/talk/1", "talk"),
        ("/talk/2", "talk"),
    ]
    assert "^^^" in invoke("keep", "status:bad").stderr


def test_reason_is_not_obeyed(invoke: Invoke, routine: Record) -> None:
    """Escape characters of a reason are shown, and not sent to the terminal."""
    result = invoke("keep", str(routine.id), "--reason", "red \x1b[31m")
    assert result.stdout.startswith("Kept (red \\x1b[31m): ")


def test_unkeep(invoke: Invoke, memory: MemoryExporter, failure: Record) -> None:
    """A record is kept no longer, and it is said what becomes of it."""
    result = invoke("unkeep", str(failure.id))
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "No longer kept: GET /orders/7?a=1 500",
            "It stays until newer records overwrite it.",
        ],
    )
    assert [record.kept for record in memory.records] == [False]


def test_unkeep_the_only_copy(app: Flask, invoke: Invoke) -> None:
    """A record that was there only as kept is gone, and that is said."""
    memory = MemoryExporter(max_records=1)
    Tracking(app, exporter=memory)
    failure = dataclasses.replace(make_record(), kept=True, kept_reason="error")
    memory.export([failure, make_record()])
    result = invoke("unkeep", str(failure.id))
    assert result.stdout.splitlines()[1:] == [
        "It is deleted: newer records had overwritten all but the kept copy."
    ]
    assert invoke("show", str(failure.id)).exit_code == 1


@pytest.mark.parametrize("command", ["keep", "unkeep"])
@pytest.mark.parametrize(
    ("record_id", "message"),
    [
        (
            "nonsense\x1b",
            "Invalid id 'nonsense\\x1b': expected 24 hex digits, or a short id like 6b0b2833..3982aa.",
        ),
        ("6b060", "Invalid id '6b060': expected 24 hex digits"),
        ("-1", "Record -1 not found: the store has 0 records."),
        ("6b0603d28cdad1b338a9a362", "Record 6b0603d28cdad1b338a9a362 not found. It may have been"),
    ],
)
def test_wrong_ids(
    invoke: Invoke, tracking: Tracking, command: str, record_id: str, message: str
) -> None:
    """What is no id, or the id of nothing, is one line."""
    result = invoke(command, record_id)
    assert (result.exit_code, result.stdout) == (2 if message.startswith("Invalid") else 1, "")
    assert result.stderr.startswith(f"Error: {message}")
    assert result.stderr.count("\n") == 1


def test_unkeep_what_is_not_kept(invoke: Invoke, routine: Record) -> None:
    """What is not kept is an error that names the command that lists what is."""
    result = invoke("unkeep", str(routine.id))
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: Record {routine.id} is not kept. `list --kept` shows kept records.\n",
    )


def test_list_of_kept_ones(invoke: Invoke, routine: Record, failure: Record) -> None:
    """``list`` says which are kept and why; ``--kept`` shows no others."""
    titles, *lines = invoke("list").stdout.splitlines()
    assert titles.split()[-2:] == ["KEPT", "ID"]
    assert [line.split()[-1] for line in lines] == [str(failure.id), str(routine.id)]
    assert ["error" in line for line in lines] == [True, False]
    only = invoke("list", "--kept").stdout.splitlines()[1:]
    assert [line.split()[-1] for line in only] == [str(failure.id)]
    nothing = invoke("list", "--kept", "--status", "404").stderr
    assert nothing == ("No records match status:404 is:kept. There are some without status:404.\n")


def test_show_of_a_kept_one(invoke: Invoke, routine: Record, failure: Record) -> None:
    """``show`` says why a record is kept, and of others nothing."""
    assert "  kept        error\n" in invoke("show", str(failure.id)).stdout
    assert "  kept " not in invoke("show", str(routine.id)).stdout


def make_table(width: int | None) -> list[str]:
    """Show a kept record and two others in so many cells."""
    records = [
        dataclasses.replace(
            make_record(user_id="somebody"),
            id=ObjectId(bytes(11) + bytes([number])),
            date_created=NOON + timedelta(minutes=number),
            status_code=500 if number == 1 else 200,
            kept=number == 1,
            kept_reason="error" if number == 1 else None,
            outcome="error" if number == 1 else "ok",
        )
        for number in range(3)
    ]
    table = render_table([summarize(one) for one in records], width)
    return [click.unstyle(line) for line in table.splitlines()]


@pytest.mark.parametrize("width", [None, 200, 110])
def test_wide_table(width: int | None) -> None:
    """Where there is room the table has the reason, and nothing else marks the record."""
    titles, *lines = make_table(width)
    place = titles.index("KEPT")
    assert [line[place : place + 5].strip() for line in lines] == ["", "error", ""]
    assert not any("*" in line for line in lines)


def test_narrow_table() -> None:
    """Where there is none the record is marked at its status, and the lines keep their width."""
    titles, *lines = make_table(80)
    assert "KEPT" not in titles
    place = titles.index("STATUS")
    assert [line[place : place + 4].strip() for line in lines] == ["200", "500*", "200"]
    assert all(len(line) <= 80 for line in lines)


def test_keep_by_a_filter_again(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """What is kept already is said in so many words."""
    memory.export([make_record(path="/again")])
    assert invoke("keep", "path:/again").stderr == ""
    result = invoke("keep", "path:/again")
    assert result.stderr == "1 matching record is already kept.\n"
    memory.export([make_record(path="/again")])
    invoke("keep", "path:/again")
    assert invoke("keep", "path:/again").stderr == "2 matching records are already kept.\n"
    for limit in ("1", "2"):
        said = invoke("keep", "path:/again", "--limit", limit).stderr
        assert said == "All matching records are already kept.\n"


def test_keep_by_options(app: Flask, invoke: Invoke) -> None:
    """Each term is an option, as of ``list``, and so is a saved filter."""
    app.config["TRACKING_FILTERS"] = {"trouble": "status:5xx"}
    memory = MemoryExporter()
    Tracking(app, exporter=memory)
    memory.export([make_record(path=f"/{one}", status=f"{one} X") for one in (200, 404, 503)])
    assert invoke("keep", "--status", "4xx").stdout == "Kept (asked for): 1 record.\n"
    assert invoke("keep", "--saved", "trouble").stdout == "Kept (asked for): 1 record.\n"
    assert [one.path for one in memory.records if one.kept] == ["/404", "/503"]
    nothing = invoke("keep")
    assert (nothing.exit_code, "Missing argument 'ID...|FILTER'." in nothing.stderr) == (2, True)
