"""``list`` and ``show``, against a store in memory."""

from __future__ import annotations

import dataclasses
import re
import time
from datetime import datetime, timedelta, timezone
from threading import Event
from threading import enumerate as enumerate_threads
from typing import Any

import pytest
from bson import ObjectId
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ShellComplete,
    ZshComplete,
)
from click.testing import Result
from flask import Flask
from flask.cli import ScriptInfo

from flask_tracking import Exporter, ExportError, Filter, MemoryExporter, Record, Tracking
from flask_tracking.cli import common
from flask_tracking.cli.record_table import render_line, shorten_id
from flask_tracking.filters.terms import TERMS
from flask_tracking.queries import newest
from flask_tracking.record_summary import RecordSummary

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
        (["--path", "/orders/*", "--slow", "0.7s"], "987"),
        (["--slow", "850ms"], "9"),
        (["--user", "0"], "9630"),
        (["--since", "150m"], "98"),
        (["--until", "510m"], "10"),
        (["status:5xx"], "3"),
        (["status:5xx or path:/orders/7"], "73"),
        (["status:5xx", "or", "path:/orders/7"], "73"),
        (["not method:post", "--until", "510m"], "0"),
        (["path:/orders/7 or path:/orders/8", "--method", "get"], "8"),
        (["--is", "error", "--kept"], ""),
        (["--slow", ">200ms", "--slow", "<500ms"], "43"),
    ],
)
def test_list(invoke: Invoke, records: list[Record], options: list[str], numbers: str) -> None:
    """The newest first, filtered by each option."""
    expected = [f"/orders/{number}?a=1" for number in numbers]
    assert paths(invoke("list", *options)) == expected


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["--status", "404"], "status:404"),
        (["--status", "404", "--kept"], "status:404 is:kept"),
        (["status:404 or method:put"], "status:404 or method:PUT"),
        (["--since", "2h"], "since:2h"),
        (["--since", "2h", "--user", "ada l"], 'since:2h user:"ada l"'),
        (["--path", "/api/users"], "path:/api/users"),
        (["--path", "/x*"], "path:/x*"),
        (["user:a\x1b"], "user:a\\x1b"),
        (["user:ada user:grace"], "user:ada user:grace"),
    ],
)
def test_list_of_nothing(invoke: Invoke, tracking: Tracking, options: list[str], shown: str) -> None:
    """It says what was looked for, tries nothing that finds nothing either, and is no failure."""
    result = invoke("list", *options)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"No records match {shown}.\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("since:2h", "Try an earlier time."),
        ("user:ada", "Try 'user:*ada*'."),
        ("since:2h user:ada", None),
        ("since:9d user:ada", "Try 'user:*ada*'."),
        ("since:2h user:*ada*", "Try an earlier time."),
        ('user:"ada l"', "Try 'user:\"*ada l*\"'."),
        ("user:a\x1b", "Try 'user:*a**'."),
        ("path:/users/7?page=12345678901234567890", "Try path:/users/7."),
        ("path:/orders", "Try 'path:/orders*'."),
        ("path:/nope", None),
        ("user:nobody", None),
        ("path:/nope user:nobody", None),
        (
            "path:/users/7 path:/orders/of/the/last/summer",
            "Try 'path:/users/7 or path:/orders/of/the/last/summer'.",
        ),
        ("method:get since:9d status:2xx status:4xx", "Try 'status:2xx or status:4xx'."),
        ("method:put status:2xx status:4xx", None),
        ("slow:>1s slow:<0ms", None),
    ],
)
def test_hint(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking, words: str, hint: str | None
) -> None:
    """What is proposed for a filter that finds nothing finds something."""
    arrived = datetime.now(timezone.utc) - timedelta(hours=5)
    for path, user in (
        ("/orders/of/the/last/summer", "ada lovelace of London"),
        ("/users/7", "the a\x1bb c d e f"),
    ):
        made = make_record(path=path, user_id=user)
        memory.export([dataclasses.replace(made, date_created=arrived)])
    said = invoke("list", words).stderr
    assert said.startswith("No records match ")
    assert said.endswith(f" {hint}\n") if hint else "Try" not in said


@pytest.mark.parametrize("term", ["since:9999-12-31T23:59", "until:1999-11-30"])
@pytest.mark.parametrize(("zone", "is_said"), [("Europe/Berlin", True), ("UTC", False)])
def test_nothing_at_a_local_time(
    invoke: Invoke,
    tracking: Tracking,
    monkeypatch: pytest.MonkeyPatch,
    term: str,
    zone: str,
    is_said: bool,
) -> None:
    """The list shows local times: where they are not UTC, it is said that those of filters are."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        now = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:}"
        said = invoke("list", term).stderr
        of_ages = invoke("list", "since:1h").stderr
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (f" Filters read times as UTC; it is {now}" in said) == is_said
    assert "UTC" not in of_ages


def test_list_of_a_typo(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """The part of a filter that excludes all records is named, with what may be meant."""
    memory.export([make_record(), make_record(status="500 X", custom_data={"tenant": "it's us"})])
    result = invoke("list", "custom.tenant:its-us status:5xx")
    assert result.stderr == (
        "No records match custom.tenant:its-us status:5xx. "
        "There are some without custom.tenant:its-us. "
        "Did you mean 'custom.tenant:\"it'\"'\"'s us\"'?\n"
    )
    assert "Try an earlier time" not in invoke("list", "since:1h status:404").stderr


def test_similar_value_that_cannot_be_typed(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking
) -> None:
    """A proposal can be copied, and finds the record, also where a character of it is not printed."""
    memory.export([dataclasses.replace(make_record(), path="/fami\u200dly\u202e")])
    said = invoke("list", "path:/famly").stderr
    assert said.endswith("Did you mean 'path:/fami*ly*'?\n")
    assert "/fami" in invoke("list", "path:/fami*ly*").stdout


@pytest.mark.parametrize(
    ("options", "is_said"),
    [
        ([], True),
        (["--json"], True),
        (["--limit", "5"], False),  # somebody who sets a limit knows it
        (["--user", "nobody"], False),
    ],
)
def test_list_says_where_it_ends(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking, options: list[str], is_said: bool
) -> None:
    """A list as long as the default limit says that more may match, apart from the records."""
    memory.export([make_record() for _ in range(24)])
    said = "Only the newest 20 are listed. More may match: use a higher --limit.\n"
    assert (invoke("list", *options).stderr == said) is is_said


@pytest.mark.parametrize("command", ["list", "export", "har", "keep"])
def test_every_command_explains_that_nothing_is_found(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking, command: str
) -> None:
    """What takes a filter and finds nothing says why."""
    memory.export([make_record()])
    result = invoke(command, "method:get status:404")
    said = "No records match method:GET status:404. There are some without status:404.\n"
    assert (result.exit_code, result.stderr.endswith(said)) == (0, True), result.stderr


@pytest.mark.parametrize("charset", ["ascii", "latin-1", "koi8-r"])
def test_terminal_without_utf_8(
    app: Flask, memory: MemoryExporter, tracking: Tracking, charset: str
) -> None:
    """What a terminal cannot show is replaced, and ends no command."""
    made = make_record(path="/grün 😀".encode().decode("latin-1"), user_id="jörg…")
    memory.export([made])
    runner = app.test_cli_runner(charset=charset)
    for command in ("list", "show -1", "keep -1 --reason groß", "list --kept", "stats --by user"):
        result = runner.invoke(args=["tracking", *command.split()])
        assert (result.exit_code, result.exception) == (0, None), command
    assert "?" in runner.invoke(args=["tracking", "list"]).stdout


@pytest.mark.parametrize(
    ("is_shared", "said"),
    [
        (True, "No records are stored. `flask tracking init` shows which collections are read.\n"),
        (False, "This app stores in the memory of its own process; other processes cannot see it.\n"),
    ],
)
def test_list_without_records(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking, *, is_shared: bool, said: str
) -> None:
    """An empty store is explained: the memory of a process that only lists is always empty."""
    memory.is_shared = is_shared
    result = invoke("list")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", said)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--status", "6xx"],
            "--status: Invalid status '6xx': expected a code like 404 or a class like 5xx.\n",
        ),
        (
            ["--since", "soon"],
            "--since: Invalid time 'soon': expected one like 2026-11-24T12:00, or a date like",
        ),
        (
            ["--slow", "slow"],
            "--slow: Invalid duration 'slow': expected one like >500ms, <2.9s or >=1m.\n",
        ),
        (
            ["path:/a status:6xx"],
            "Invalid status '6xx': expected a code like 404 or a class like 5xx.\n"
            "  path:/a status:6xx\n"
            "                 ^^^\n",
        ),
        (["a\x1b )"], "Unexpected ')': no '(' is open. Quote a value with parentheses.\n  a\\x1b )\n"),
    ],
)
def test_wrong_options(invoke: Invoke, tracking: Tracking, options: list[str], message: str) -> None:
    """A wrong value is said with the fix, and with the spot in a filter."""
    result = invoke("list", *options)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {message}")


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--user", "<User ada>"], 1),
        (["--user", "ada"], 1),
        (["--user", "*ada*"], 1),
        (["--user", "77"], 1),
        (["--user", "ad"], 0),
        (["--path", "/api/users?page=1"], 1),
        (["--path", "/api/users?page=*"], 1),
        (["--path", "/api/users?page=2"], 0),
        (["--path", "/api/users"], 1),
    ],
)
def test_what_the_columns_show_is_found(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking, options: list[str], count: int
) -> None:
    """A user and a path are found by what their columns show, and by a part with ``*``."""
    record = dataclasses.replace(
        make_record(path="/api/users"), query_params="page=1", user_id="77", user_repr="<User ada>"
    )
    memory.export([record])
    result = invoke("list", *options)
    assert ("/api/users?page=1" in result.stdout and "<User ada>" in result.stdout) is bool(count)
    assert bool(result.stderr) is not bool(count)


def test_list_help(invoke: Invoke, tracking: Tracking) -> None:
    """The help has an option for each term without a name."""
    output = invoke("list", "--help").output
    for row in TERMS.values():
        assert row.key.endswith(".") or f"--{row.key} {row.value}" in output


def complete(app: Flask, *words: str) -> list[str]:
    """Return what a shell proposes for the last word of a command."""
    return [one.value for one in propose(app, *words)]


def propose(app: Flask, *words: str) -> list[CompletionItem]:
    """Return the same, with descriptions."""
    command = app.cli.commands["tracking"]
    *others, incomplete = words
    script = ScriptInfo(create_app=lambda: app)
    completion = ShellComplete(command, {"obj": script}, "tracking", "_TRACKING_COMPLETE")
    return completion.get_completions(others, incomplete)


@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        (["st"], ["status:"]),
        (["status:5"], ["status:5xx"]),
        (["status:4xx or me"], ["status:4xx or method:"]),
        (["(is:k"], ["(is:kept"]),
        (["nothing:"], []),
        (["--method", "P"], ["POST", "PUT", "PATCH"]),
        (["--method", "pa"], ["PATCH"]),
        (["--status", ""], ["2xx", "3xx", "4xx", "5xx"]),
    ],
)
def test_shell_completion(
    app: Flask, tracking: Tracking, words: list[str], proposed: list[str]
) -> None:
    """A shell proposes keys, and the values of a key."""
    assert complete(app, "list", *words) == proposed


@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        (["route:/o"], ["route:/orders/<int:id>"]),
        (["--endpoint", "ord"], ["orders"]),
        (["user:"], ["user:42", "user:ada", "user:grace"]),
        (["user:a"], ["user:ada"]),
        (["--user", "g"], ["grace"]),
        (["--user", "4"], ["42"]),
        (["custom.o"], ["custom.order.id:", "custom.other:"]),
        (["--version", ""], ["2.4"]),
        (["--saved", "m"], ["mine"]),
    ],
)
def test_shell_completion_of_what_there_is(
    memory: MemoryExporter, app: Flask, words: list[str], proposed: list[str]
) -> None:
    """A shell proposes what the app has, and what its newest records show."""
    app.add_url_rule("/orders/<int:id>", "orders", lambda id: "")
    app.config["TRACKING_FILTERS"] = {"mine": "user:42", "other": "is:error"}
    Tracking(app, exporter=memory)
    found = dataclasses.replace(
        make_record(), custom_data={"order": {"id": 1}, "other": 2}, version="2.4"
    )
    memory.export(
        [
            dataclasses.replace(found, user_id="42", user_repr="grace"),
            dataclasses.replace(make_record(), user_repr="<User ada>"),
        ]
    )
    assert complete(app, "list", *words) == proposed


@pytest.mark.parametrize("shell", [BashComplete, ZshComplete])
def test_completion_within_quotes(
    app: Flask,
    memory: MemoryExporter,
    tracking: Tracking,
    monkeypatch: pytest.MonkeyPatch,
    shell: type[ShellComplete],
) -> None:
    """A shell that tells a word with the quote that begins it gets the words behind the quote."""
    memory.export([dataclasses.replace(make_record(), user_id="ada")])
    monkeypatch.setenv("COMP_WORDS", "flask tracking list 'is:error user:a")
    monkeypatch.setenv("COMP_CWORD", "3")
    command = app.cli.commands["tracking"]
    script = ScriptInfo(create_app=lambda: app)
    completion = shell(command, {"obj": script}, "flask", "_FLASK_COMPLETE")
    arguments, incomplete = completion.get_completion_args()
    found = completion.get_completions(arguments[1:], incomplete)
    assert [one.value for one in found] == ["is:error user:ada"]


@pytest.mark.parametrize(
    "words",
    [
        ["show"],
        ["curl"],
        ["httpie"],
        ["python"],
        ["pytest"],
        ["replay"],
        ["replay", "--unsafe"],
        ["keep"],
        ["har"],
        ["har", "-1"],
    ],
)
def test_completion_of_ids(app: Flask, records: list[Record], words: list[str]) -> None:
    """A shell proposes the ids of the newest records, the newest first, with their requests."""
    newest = max(records, key=lambda one: one.date_created)
    proposed = propose(app, *words, str(newest.id)[:6].upper())
    assert (proposed[0].value, proposed[0].help) == (str(newest.id), render_line(newest))
    assert {one.value for one in proposed} <= {str(one.id) for one in records}
    assert propose(app, *words, "x") == []


def test_completion_of_kept_ids(app: Flask, memory: MemoryExporter, records: list[Record]) -> None:
    """To be kept no longer only those that are kept are proposed."""
    memory.keep(records[2].id, "talk")
    kept = [str(one.id) for one in memory.records if one.kept]
    assert str(records[2].id) in kept
    assert sorted(complete(app, "unkeep", "")) == sorted(kept)


def test_completion_of_words_where_ids_are_taken(app: Flask, records: list[Record]) -> None:
    """Where a filter is taken, too, its keys and values are proposed."""
    assert complete(app, "keep", "status:5") == ["status:5xx"]
    assert complete(app, "har", "hostn") == ["hostname:"]


def test_completion_of_users_to_log_in(app: Flask, memory: MemoryExporter, tracking: Tracking) -> None:
    """For a login only ids of users are proposed, and no names."""
    memory.export([dataclasses.replace(make_record(), user_id="42", user_repr="grace")])
    assert complete(app, "replay", "--as-user", "") == ["42"]
    assert complete(app, "replay", "--as-user", "g") == []


@pytest.mark.parametrize(
    ("name", "value", "is_plain"),
    [
        ("NO_COLOR", "1", True),
        ("NO_COLOR", "", False),
        ("TERM", "dumb", True),
        ("TERM", "xterm", False),
    ],
)
def test_no_color(
    app: Flask,
    records: list[Record],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    is_plain: bool,
) -> None:
    """``NO_COLOR`` turns colours off where it has a value, and so does a terminal without any."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(name, value)
    runner = app.test_cli_runner()
    result = runner.invoke(args=["tracking", "list"], color=True)
    assert "/orders/3" in result.stdout
    assert ("\x1b[" not in result.output) is is_plain


def test_shell_completion_does_not_wait(app: Flask) -> None:
    """A store that is slow or away costs 50 ms and proposes nothing."""

    is_over, has_answered = Event(), Event()

    class Slow(MemoryExporter):
        def _find_summaries(self, wanted: Filter, limit: int) -> list[RecordSummary]:
            is_over.wait(60)
            has_answered.set()
            raise ExportError("away")

    Tracking(app, exporter=Slow())
    complete(app, "list", "st")
    threads = set(enumerate_threads())
    assert complete(app, "list", "user:") == []
    assert not has_answered.is_set()
    is_over.set()
    for thread in set(enumerate_threads()) - threads:
        thread.join()  # it holds the app


def test_show(invoke: Invoke, records: list[Record]) -> None:
    """One record at length."""
    result = invoke("show", str(records[3].id))
    assert result.exit_code == 0
    assert result.output.startswith("POST /orders/3?a=1 HTTP/1.1\n")
    assert "500" in result.output


@pytest.mark.parametrize("between", ["…", "..", "..."])
def test_short_id(invoke: Invoke, memory: MemoryExporter, records: list[Record], between: str) -> None:
    """An id as a narrow list shows it is enough for ``show``, typed with dots as well."""
    record = make_record(path="/short")  # its id is of the second in which it arrived, as all are
    memory.export([record])
    short = shorten_id(str(record.id)).replace("…", between)
    longer = f"{str(record.id)[:9]}{between}{str(record.id)[-7:]}"
    for text in (short, short.upper(), longer):
        assert invoke("show", text).output.startswith("GET /short?a=1 HTTP/1.1\n")


def test_short_id_of_several(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """Records of two processes may have the same short id: then their whole ids are named."""
    now = datetime.now(timezone.utc)
    head = f"{int(now.timestamp()):08x}"
    ids = [ObjectId(f"{head}{middle * 10}00002a") for middle in "ab"]
    for one in ids:
        memory.export([dataclasses.replace(make_record(), id=one, date_created=now)])
    result = invoke("show", f"{head}…00002a")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: Several ids begin with {head} and end with 00002a: {ids[0]}, {ids[1]}. "
        "Use one of these.\n"
    )
    for record in (f"{head[:6]}..a00002a", f"{head}a..a"):
        assert invoke("show", record).output.startswith("GET /orders/7?a=1")


@pytest.mark.repeats
def test_short_id_in_a_busy_second(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many records came in its second, the one with that short id is found."""
    monkeypatch.setattr(common, "PAGE", 7)
    now = datetime.now(timezone.utc).replace(microsecond=0)
    made = [
        dataclasses.replace(
            make_record(path=f"/{number}"),
            id=ObjectId(f"{int(now.timestamp()):08x}{'0' * 10}{number:06x}"),
            date_created=now + timedelta(milliseconds=number // 3),
        )
        for number in range(100)
    ]
    memory.export(made)
    for record in made:
        shown = invoke("show", shorten_id(str(record.id))).output
        assert shown.startswith(f"GET {record.path}?a=1")


@pytest.mark.parametrize(
    ("record_id", "message"),
    [
        ("nonsense\x1b", "Invalid id 'nonsense\\x1b': expected 24 hex digits"),
        ("6b0603d28cdad1b338a9a362", "Record 6b0603d28cdad1b338a9a362 not found."),
        ("6b0603d2…3982aa", "Record 6b0603d2…3982aa not found. It may have been"),
        ("6b0603d2…3982a", "Record 6b0603d2…3982a not found. It may have been"),
        ("6b060…3982aa", "Invalid id '6b060…3982aa': expected 24 hex digits"),
    ],
)
def test_show_what_is_not_there(
    invoke: Invoke, tracking: Tracking, record_id: str, message: str
) -> None:
    """What is no id, or the id of nothing, is one line."""
    result = invoke("show", record_id)
    assert result.exit_code == (2 if message.startswith("Invalid") else 1)
    assert result.stderr.startswith(f"Error: {message}")


def test_app_that_is_not_tracked_any_more(invoke: Invoke, app: Flask, tracking: Tracking) -> None:
    """A store that cannot be read, or an app without one, is said in one line."""
    tracked = app.extensions["tracking"]

    class WriteOnly(Exporter):
        def _store(self, records: Any) -> int:
            return 0

    tracked.exporter = WriteOnly()
    result = invoke("list")
    assert result.stderr == "Error: WriteOnly is not a store: it takes records but returns none.\n"
    del app.extensions["tracking"]
    del tracked
    result = invoke("list")
    assert result.exit_code == 1 and "Error: " in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resume", "1h"], "--resume goes on with a search in bodies: add a term like body:needle."),
        (["body:x", "--resume", "yesterday"], "--resume: Invalid time 'yesterday'"),
        (["--saved", "nope"], "Unknown filter 'nope'."),
    ],
)
def test_wrong_options_of_a_search(
    invoke: Invoke, tracking: Tracking, options: list[str], message: str
) -> None:
    """A wrong or useless option is named, with exit status 2."""
    result = invoke("list", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {message}")


def test_search_in_bodies(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search in bodies says what it read, stops when its time is over, and goes on from there."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    for number in range(10):
        record = make_record(
            path=f"/orders/{number}", response_chunks=(b"needle",) if number == 3 else ()
        )
        memory.export([dataclasses.replace(record, date_created=now - timedelta(hours=10 - number))])
    result = invoke("list", "body:NEEDLE")
    assert paths(result) == ["/orders/3?a=1"]
    assert re.fullmatch(r"Found 1 in the bodies of 10 records, in \d\.\d s\.\n", result.stderr)
    monkeypatch.setattr(newest, "SEARCH_BUDGET_S", 0.0)
    found: list[str] = []
    resume: list[str] = []
    searched = 0
    while True:
        result = invoke("list", "body:needle", *resume)
        assert result.exit_code == 0
        found += re.findall(r"/orders/\d", result.stdout)
        match = re.fullmatch(
            r"Found [01] in the bodies of (\d+)(?: of about 10)? records, in \d\.\d s\."
            r"(?: To search older records, add (--resume) (\S+))?\n",
            result.stderr,
        )
        assert match, result.stderr
        searched += int(match[1])
        if not match[2]:
            break
        resume = [match[2], match[3]]
    assert (found, searched) == (["/orders/3"], 10)


def test_saved_filters(invoke: Invoke, app: Flask, memory: MemoryExporter) -> None:
    """A saved filter is used by its name, together with all else; an unknown name lists the known."""
    app.config["TRACKING_FILTERS"] = {"even": "path:*0 or path:*2", "posts": "method:post"}
    Tracking(app, exporter=memory)
    memory.export([make_record(path=f"/orders/{number}") for number in range(4)])
    assert paths(invoke("list", "--saved", "even")) == ["/orders/2?a=1", "/orders/0?a=1"]
    assert paths(invoke("list", "--saved", "even", "not path:*2")) == ["/orders/0?a=1"]
    result = invoke("list", "--saved", "even", "--saved", "posts")
    assert result.stderr == (
        "No records match (path:*0 or path:*2) method:POST. There are some without method:POST.\n"
    )
    result = invoke("list", "--saved", "odd")
    assert result.stderr == "Error: Unknown filter 'odd'. Saved in TRACKING_FILTERS: even, posts.\n"
