"""``curl``, ``httpie``, ``python``, ``pytest`` and ``har``, against a store in memory."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import datetime, timedelta, timezone

import pytest
from bson import ObjectId
from flask import Flask
from flask_login import LoginManager

from flask_tracking import MemoryExporter, Record, Tracking
from flask_tracking.reproduce import curl, har, httpie, powershell, pytest_function, python

from ..captures import make_record
from .conftest import Invoke

MADE_AT = datetime(2026, 11, 29, 12, tzinfo=timezone.utc)


@pytest.fixture
def records(memory: MemoryExporter, tracking: Tracking) -> list[Record]:
    """Three records, a minute apart, the newest last; the text of the last one is no ASCII."""
    made = [
        dataclasses.replace(
            make_record(path=f"/{number}"),
            date_created=MADE_AT + timedelta(minutes=number),
            id=ObjectId(f"{int(MADE_AT.timestamp()) + number * 60:08x}{number:016x}"),
            request_headers=(("X-Name", "é"),),
        )
        for number in range(3)
    ]
    memory.export(made)
    return made


def test_printed(invoke: Invoke, records: list[Record]) -> None:
    """Each command prints what its function returns, as UTF-8, and nothing else."""
    record = records[-1]
    plain = records[0] = dataclasses.replace(record, request_headers=())
    for command, text in {
        ("curl",): curl(record),
        ("curl", "--shell", "powershell"): powershell(record),
        ("python",): python(record),
        ("pytest",): pytest_function(record),
        ("har",): json.dumps(har(record), indent=2),
    }.items():
        result = invoke(*command, str(record.id))
        assert (result.exit_code, result.stdout_bytes) == (0, text.rstrip("\n").encode() + b"\n")
        assert result.stderr == ""
    assert httpie(plain).startswith("http ")


def test_httpie_that_cannot(invoke: Invoke, records: list[Record]) -> None:
    """What HTTPie cannot write is one line, and no half command."""
    result = invoke("httpie", "-1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: HTTPie cannot send the header X-Name. Use `curl` instead.\n"


def test_user_of_flask_login(
    invoke: Invoke, app: Flask, memory: MemoryExporter, tracking: Tracking
) -> None:
    """Where the app has Flask-Login, the test logs the recorded user in."""
    LoginManager(app)
    cookie = make_record(environ={"HTTP_COOKIE": "session=[redacted]"})
    memory.export([dataclasses.replace(cookie, user_id="ada")])
    assert 'session["_user_id"] = "ada"' in invoke("pytest", "-1").stdout


def test_several_in_an_archive(invoke: Invoke, records: list[Record]) -> None:
    """An archive has the records in the given order."""
    result = invoke("har", str(records[2].id), "-3")
    entries = json.loads(result.stdout)["log"]["entries"]
    assert [entry["_record_id"] for entry in entries] == [str(records[2].id), str(records[0].id)]
    assert invoke("har").exit_code == 2


def test_archive_of_a_filter(invoke: Invoke, memory: MemoryExporter, records: list[Record]) -> None:
    """An archive of a filter has the newest records that match, the oldest first."""
    memory.export([dataclasses.replace(make_record(), id=ObjectId(), method=None)])
    for words, numbers in (
        (["path:/*"], [0, 1, 2]),
        (["path:/*", "--limit", "3"], [1, 2]),
        (["path:/1", "or", "path:/2"], [1, 2]),
        (["path:/nothing"], []),
    ):
        entries = json.loads(invoke("har", *words).stdout)["log"]["entries"]
        expected = [str(records[number].id) for number in numbers]
        assert [entry["_record_id"] for entry in entries] == expected


def test_archive_of_as_many_as_the_limit(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking
) -> None:
    """An archive as long as the default limit says that more may match, apart from the archive."""
    memory.export([make_record(path=f"/{number}") for number in range(101)])
    result = invoke("har", "path:/*")
    assert len(json.loads(result.stdout)["log"]["entries"]) == 100
    said = "Only the newest 100 are printed. More may match: use a higher --limit.\n"
    assert result.stderr == said
    assert invoke("har", "path:/*", "--limit", "100").stderr == ""


@pytest.mark.parametrize(
    ("record_id", "number"),
    [
        ("-1", 2),
        ("-3", 0),
        (str(ObjectId(f"{int(MADE_AT.timestamp()):08x}{0:016x}"))[:8], 0),
        (f"{int(MADE_AT.timestamp()) + 60:08x}00", 1),
        (f"{int(MADE_AT.timestamp()) + 60:08X}..", 1),
    ],
)
@pytest.mark.parametrize("command", ["show", "curl"])
def test_ids(invoke: Invoke, records: list[Record], command: str, record_id: str, number: int) -> None:
    """A record is found by its first digits, and by how many are newer."""
    assert f"/{number}?a=1" in invoke(command, record_id).stdout


@pytest.mark.parametrize(
    ("record_id", "message"),
    [
        ("-4", "Record -4 not found: the store has 3 records."),
        ("-0", "Invalid id '-0': expected 24 hex digits"),
        ("0badc0de", "Record 0badc0de not found. It may have been overwritten by newer records."),
        (f"{int(MADE_AT.timestamp()):08x}"[:6], "Several ids begin with "),
    ],
)
def test_wrong_ids(invoke: Invoke, records: list[Record], record_id: str, message: str) -> None:
    """What names no record, or more than one, is one line."""
    result = invoke("curl", record_id)
    assert (result.exit_code, result.stdout) == (2 if message.startswith("Invalid") else 1, "")
    assert result.stderr.startswith(f"Error: {message}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["show", "curl", "replay", "keep", "unkeep", "har"])
def test_unknown_option(invoke: Invoke, records: list[Record], command: str) -> None:
    """What begins like an option and is no ``-1`` is none of the command, and no id."""
    result = invoke(command, "--limitt=1")
    assert (result.exit_code, result.stdout) == (2, "")
    # Versions of Click differ in colons and quotes.
    assert re.search(r"No such option:? '?--limitt", result.stderr)
    assert bool(re.search(r"Did you mean '?--limit\b", result.stderr)) == (command in ("keep", "har"))
    assert invoke(command, "-1", "-x").exit_code == 2


@pytest.mark.parametrize("command", ["keep", "har"])
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["is:error", "-1"], "-1"),
        (["-2", "--status", "2xx"], "-2"),
        (["6b0b2833..3982aa", "path:/1"], "6b0b2833..3982aa"),
    ],
)
def test_ids_and_a_filter(
    invoke: Invoke, records: list[Record], command: str, words: list[str], named: str
) -> None:
    """Ids beside a filter are refused, and not taken for words that no record has."""
    result = invoke(command, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: {named} is an id, and the rest is a filter: give either. "
        "If it is a word of the filter, quote the whole filter.\n"
    )


@pytest.mark.parametrize("command", ["keep", "har"])
def test_filter_without_a_colon(invoke: Invoke, records: list[Record], command: str) -> None:
    """A word alone is taken for an id, and the error says how it is a filter."""
    result = invoke(command, "ada")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: Invalid id 'ada': ")
    assert result.stderr.endswith(" A filter needs a colon, like user:ada.\n")


def test_quoted_filter_with_a_word_like_an_id(invoke: Invoke, records: list[Record]) -> None:
    """Within the quotes of a filter a word is a word."""
    assert invoke("har", "path:/1 123456").exit_code == 0


def test_archive_of_options(invoke: Invoke, records: list[Record]) -> None:
    """A filter can be given as options, alone and with words."""
    for words, numbers in (
        (["--path", "/1"], [1]),
        (["--path", "/1", "path:*"], [1]),
        (["--kept"], []),
        (["-1", "--limit", "1"], [2]),
    ):
        entries = json.loads(invoke("har", *words).stdout)["log"]["entries"]
        assert [entry["_record_id"] for entry in entries] == [str(records[one].id) for one in numbers]
    assert invoke("har", "--status", "6xx").stderr.startswith("Error: --status: Invalid status '6xx'")


def test_many_with_one_prefix(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """Of many records with the same begin, some are named."""
    memory.export([make_record() for _ in range(20)])
    prefix = str(memory.records[0].id)[:6]
    result = invoke("show", prefix)
    assert result.stderr.count(prefix) == 6
    assert ", …. Use one of these." in result.stderr
