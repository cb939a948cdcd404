"""The fast part of the matrix: in process and on two servers, and some of the planted harms."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
from collections import Counter

import pytest

from flask_tracking.testing.observation import Answer, Observation

from ..servers import ROOT, MongoServer
from . import matrix
from .apps import FACTORIES, NEEDS, SCENES
from .client import AnswerReader, Wire
from .command import make_parser
from .compare import MUST_BE_SAID, OUTPUT, PLAYED, RECORDS, Verdict, compare, compare_records
from .exchange import Scene, get, post
from .inprocess import NAME as TEST_CLIENT
from .matrix import ALL_SERVERS, by_scene, declared_against, missing_packages, playable
from .mutants import MUTANTS
from .runner import Run, split_entries
from .servers import QUIET
from .site import print_tracebacks_whole
from .table import print_mutants, print_verdicts

FAST = (TEST_CLIENT, "werkzeug", "gunicorn gthread")


def test_scenes_have_names_of_their_own() -> None:
    """There are as many rows as scenes, each goes to an app that exists, and no app is without one."""
    names = Counter(scene.name for scene in SCENES)
    assert [name for name, count in names.items() if count > 1] == []
    assert {scene.app for scene in SCENES} == set(FACTORIES)
    assert len(SCENES) >= 370


def test_every_scene_is_played_somewhere() -> None:
    """No scene is declared impossible on every server."""
    played = {
        scene.name
        for server in ALL_SERVERS
        for scene in SCENES
        if declared_against(server, scene) is None
    }
    assert {scene.name for scene in SCENES} == played


def test_app_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app whose package is not installed is left out, and named; a column for others has none."""
    assert not playable("socketio eventlet", [scene for scene in SCENES if scene.app == "output"])
    monkeypatch.setitem(NEEDS, "output", ("no_such_package",))
    assert "no_such_package, for the apps output" in missing_packages()
    assert "output" not in {scene.app for scene in playable("werkzeug")}
    [why] = {matrix.reason_against("werkzeug", scene) for scene in SCENES if scene.app == "output"}
    assert why == "not installed: no_such_package"


@pytest.mark.parametrize("last", [(b"\x88\x02\x03\xe8",), ()])
def test_frames_of_a_websocket(last: tuple[bytes, ...]) -> None:
    """Frames, also of more than 125 bytes, are read up to one that closes, or to an answer in HTTP."""
    frames = (b"\x81\x02ab", b"\x81\x7e\x00\x80" + b"x" * 128, *last)
    surplus = b"HTTP/1.1 200 OK\r\n"
    server, client = socket.socketpair()
    with server, client:
        server.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + b"".join(frames) + surplus)
        wire = Wire(client)
        reader = AnswerReader(wire, "GET")
        reader.read()
    assert reader.is_whole
    assert (reader.answer.chunks, wire.rest()) == (frames, surplus)


def test_bytes_of_requests() -> None:
    """A request becomes the bytes that a client would send."""
    head = get("/a?b=c", {"Accept": "*/*"}).head("output", "plain text")
    assert head == (
        b"GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nAccept: */*\r\n"
        b"X-App: output\r\nX-Scene: plain text\r\n\r\n"
    )
    assert post("/", b"abcde", pieces=(2, 3)).encoded_body() == b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"


def test_worker_that_ended_late() -> None:
    """That gunicorn killed a worker whose records took more than a second to store is no difference."""
    line = "[2026-11-30 18:30:01 +0000] [7] [ERROR] Worker (pid:9) was sent {}!{}"
    late = line.format("SIGKILL", " Perhaps out of memory?"), line.format("SIGABRT", "")
    for entry, differences in zip(late, (set(), {OUTPUT}), strict=True):
        verdict = Verdict("gunicorn sync")
        compare(verdict, Run(), Run(output=(entry,)), "off against on")
        assert verdict.differences.keys() == differences


def test_printed_tracebacks_stay_with_their_line() -> None:
    """What a server prints is split into entries, and the suite's own requests are left out."""
    printed = (
        "first\nError on request:\nTraceback (most recent call last):\n  File x\nValueError: no\nlast"
    )
    assert split_entries(printed) == [
        "first",
        "Error on request:",
        "Traceback (most recent call last):\n  File x\nValueError: no",
        "last",
    ]
    assert split_entries('a\n"GET /-probe HTTP/1.1" 200') == ["a"]


class Writes(io.StringIO):
    """Counts how often it is written to."""

    count = 0

    def write(self, text: str) -> int:
        """Count, and write."""
        self.count += 1
        return super().write(text)


def test_tracebacks_are_printed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody catches is printed as Python does, but by one write: none can come between."""
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    try:
        raise ValueError("no")
    except ValueError as error:
        raised = (type(error), error, error.__traceback__)
    by_python, by_us = Writes(), Writes()
    for stream in (by_python, by_us):
        monkeypatch.setattr(sys, "stderr", stream)
        sys.excepthook(*raised)
        threading.excepthook(threading.ExceptHookArgs((*raised, threading.current_thread())))
        print_tracebacks_whole()
    assert by_us.getvalue() == by_python.getvalue()
    assert (by_us.count, by_python.count > 2) == (2, True)


SEEN = {"plain text": Observation((Answer("200 OK"),), "closed")}


def test_difference_of_one_scene() -> None:
    """A scene that differs, is missing or was printed otherwise is a difference of the column."""
    verdict = Verdict("werkzeug")
    other = Run({"plain text": Observation((Answer("500 No"),), "closed")}, ("one more",))
    compare(verdict, Run(SEEN), other, "off against on")
    assert set(verdict.differences) == {"plain text", OUTPUT}
    assert "status of answer 1" in verdict.differences["plain text"]
    missing = Verdict("werkzeug")
    compare(missing, Run(SEEN), Run({}), "off against on")
    assert "not played" in missing.differences["plain text"]


def test_scenes_that_were_not_played_are_a_difference() -> None:
    """A column that played fewer scenes than declared does not pass."""
    verdict = Verdict("werkzeug", played={"plain text"})
    verdict.check_complete(["plain text", "JSON"])
    assert verdict.differences == {PLAYED: "not played: ['JSON']"}


@pytest.mark.parametrize(
    ("fault", "called", "recorded", "said", "passes"),
    [
        ("", 2, 2, (), True),
        ("", 2, 1, (), False),
        ("", 1, 2, (), False),
        ("", 2, 2, ("flask_tracking WARNING: Records cannot be stored",), False),
        ("database down", 2, 0, ("flask_tracking WARNING: Records cannot be stored",), True),
        ("database down", 2, 2, (), False),
        ("raising redactor", 2, 2, ("flask_tracking WARNING: redacting a record failed",), True),
        ("raising redactor", 2, 1, ("flask_tracking WARNING: redacting a record failed",), False),
        ("raising callbacks", 2, 2, (), False),
    ],
)
def test_tracking_was_on(
    fault: str, called: int, recorded: int, said: tuple[str, ...], passes: bool
) -> None:
    """Every call has its record and the log is empty; with a fault records miss, or the log tells."""
    verdict = Verdict("werkzeug", fault)
    run = Run(called=Counter({"plain text": called}), said=said)
    compare_records(verdict, run, Counter({"plain text": recorded}))
    assert (RECORDS not in verdict.differences) is passes


def test_what_must_be_said() -> None:
    """The one line about an app that its server calls past the middleware has to be there, once."""
    server, line = next(iter(MUST_BE_SAID.items()))
    verdicts = [Verdict(server) for _ in range(4)]
    for verdict, said in zip(verdicts, [(line,), (), (line, line), (line, "another")], strict=True):
        compare_records(verdict, Run(said=said), Counter())
    assert [len(verdict.differences) for verdict in verdicts] == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("expected", "difference"),
    [
        ((), None),
        (({"status_code": 200},), "record 2: status_code is '101', not 200"),
        (({"status_code": 200}, {"status_code": 101}), None),
        (({}, {"exception.type": None}), "record 2: exception.type is 'ValueError', not None"),
        (({"exception": None}, {"user_id": None}), None),
    ],
)
def test_what_records_must_say(expected: tuple[dict[str, object], ...], difference: str | None) -> None:
    """Fields of records are held to what the scene expects, for each request or for all of them."""
    headers = [["X-Scene", "two requests"]]
    records: list[dict[str, object]] = [
        {"request_headers": headers, "status_code": 200},
        {"request_headers": headers, "status_code": 101, "exception": {"type": "ValueError"}},
    ]
    verdict = Verdict("werkzeug")
    verdict.check_recorded([Scene("two requests", "output", recorded=expected)], by_scene(records))
    assert verdict.differences.get("two requests") == difference


def test_file_that_was_read() -> None:
    """On a server with sendfile, a file that a program read is a difference."""
    scene = next(scene for scene in SCENES if scene.never_noted)
    run = Run({scene.name: Observation(journal=("read by a program", "file closed"))})
    verdicts = [Verdict(server) for server in ("gunicorn sync --preload", "uwsgi", "waitress")]
    for verdict in verdicts:
        verdict.check_never_noted([scene], run)
    assert [len(verdict.differences) for verdict in verdicts] == [1, 1, 0]


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    """The table shows equal, different and not played, and below it what differs."""
    verdict = Verdict("werkzeug", played={scene.name for scene in playable("werkzeug")})
    verdict.differences["plain text"] = "off against on: status"
    print_verdicts([verdict], SCENES, ["uwsgi"])
    print_mutants({"lost byte": {"1 MiB": "body"}, "nothing": {}})
    printed = capsys.readouterr().out
    assert "  ✗  plain text\n" in printed and "  ✓  JSON\n" in printed
    assert "  –  worker timeout\n" in printed
    assert "not installed: uwsgi" in printed
    assert "✗ plain text, on werkzeug: off against on: status" in printed
    assert "✗ nothing: NOT FOUND" in printed and "first by '1 MiB'" in printed


def test_command_line() -> None:
    """Servers and faults are given by name, with commas between them."""
    options = make_parser().parse_args(["--servers", "werkzeug, gunicorn sync", "--faults", "all"])
    assert options.servers == ["werkzeug", "gunicorn sync"]
    assert options.faults == ["all"]
    assert options.mutants is None
    assert make_parser().parse_args(["--mutants"]).mutants == list(MUTANTS)
    assert len(MUTANTS) >= 10


@pytest.mark.parametrize("option", ["--servers", "--faults", "--faulty-servers", "--mutants"])
def test_unknown_names(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that does not exist ends it, and those that do are printed."""
    with pytest.raises(SystemExit):
        make_parser().parse_args([option, "werkzoig"])
    assert "['werkzoig'] not among: " in capsys.readouterr().err


def run_suite(*arguments: str) -> str:
    """Run the suite in a process of its own, for some apps leave files open; return what it prints."""
    command = [sys.executable, "-m", "tests.conformance", *arguments]
    # `make conformance` has every package; here a missing one is left out, also where CI is set.
    environ = {**os.environ, **QUIET, "CI": ""}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.integration
@pytest.mark.skipif(MongoServer.kind() is None, reason="no database server to start")
def test_tracking_changes_nothing() -> None:
    """Every scene that can be played in process and on two servers is equal, and is recorded."""
    faults = ("--faults", "raising exporter", "--faulty-servers", "werkzeug")
    printed = run_suite("--servers", ",".join(FAST), *faults)
    played = 2 * len(playable("werkzeug")) + sum(
        len(playable(name)) for name in FAST if name != "werkzeug"
    )
    assert f"{len(SCENES)} scenes, 4 columns: {played} comparisons, 0 differences" in printed


@pytest.mark.integration
def test_harms_are_found() -> None:
    """A planted harm makes a scene fail, and no harm makes none fail; `make conformance` plants all."""
    harms = ("lost byte", "missing close", "lost sendfile")
    printed = run_suite("--mutants", ",".join(harms))
    assert printed.count("✓") == 1 + len(harms)
    for harm in harms:
        assert f"✓ {harm}: found by " in printed
    assert "✓ no harm: nothing found" in printed
