"""The checks of ``flask tracking doctor``: on an app that has a problem, and on one without."""

from __future__ import annotations

import dataclasses
import errno
import importlib.util
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import bson
import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_tracking import ExportError, MemoryExporter, Record, Tracking
from flask_tracking.doctor import CHECKS, Check, Checked, Subject, examine
from flask_tracking.doctor.delivery import check_drops, check_lag
from flask_tracking.doctor.process import check_capture, check_settings, check_speed, check_threads
from flask_tracking.doctor.records import check_proxy, check_records, check_secrets
from flask_tracking.doctor.storage import check_spool, check_store
from flask_tracking.doctor.subject import Findings
from flask_tracking.exporters.rollup_table import align
from flask_tracking.exporters.store import Problem
from flask_tracking.rollups.rollup import Rollup
from flask_tracking.spool import SET_ASIDE, Kind, encode_record, open_rollup_spool, open_spool

from ..captures import make_record

Ask = Callable[[Callable[[Subject], Findings]], list[Problem | str]]


@pytest.fixture
def subject(app: Flask, tracking: Tracking, memory: MemoryExporter) -> Subject:
    """An app that stores into memory."""
    return Subject(app, app.extensions["tracking"], memory)


@pytest.fixture
def ask(subject: Subject) -> Ask:
    """Run a check on `subject`, and return what it finds."""
    return lambda check: list(check(subject))


def track(app: Flask, memory: MemoryExporter) -> Subject:
    """Track `app` with its settings as they are."""
    Tracking(app, exporter=memory)
    return Subject(app, app.extensions["tracking"], memory)


def whats(findings: Iterator[Problem | str] | list[Problem | str]) -> list[str]:
    """Return what the problems are."""
    return [one.what for one in findings if isinstance(one, Problem)]


def record(**parts: Any) -> Record:
    """Make a record that arrives now."""
    return dataclasses.replace(make_record(), date_created=datetime.now(timezone.utc), **parts)


# The table


def test_app_in_order(subject: Subject, memory: MemoryExporter) -> None:
    """An app that is set up well has no problems, and each check says so."""
    memory.export([record()])
    count_request(memory)
    checked = list(examine(subject))
    assert [one.name for one in checked] == [check.name for check in CHECKS]
    assert {one.level for one in checked} == {"ok"}, checked


def count_request(memory: MemoryExporter) -> None:
    """Store what a process counts in this minute."""
    assert memory.rollups is not None
    memory.rollups.store([make_rollup("web1:7:a.1", align(datetime.now(timezone.utc), 60))])


def test_what_cannot_be_told(subject: Subject, memory: MemoryExporter) -> None:
    """A check that cannot tell whether all is in order does not say that it is."""
    memory.export([record()])
    checked = {one.name: one for one in examine(subject)}
    assert checked["drops"].facts == (
        "no counts of the last 3 hours are stored: each process stores its own once a minute",
    )
    assert checked["lag"].facts == (
        "no counts of the last 15 minutes are stored: each process stores its own once a minute",
    )
    assert {name for name, one in checked.items() if one.level == "skipped"} == {"drops", "lag"}


def test_names_are_different() -> None:
    """A check is known by its name."""
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert all(check.run.__doc__ for check in CHECKS)


def test_store_that_does_not_answer(
    subject: Subject, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is one error; checks that read records are skipped, others are not."""

    def refuse(*_: object, **__: object) -> Any:
        raise ExportError("MongoDB at a:1 cannot be reached.")

    monkeypatch.setattr(memory, "describe", refuse)
    checked = {one.name: one for one in examine(subject)}
    assert checked["store"].level == "error"
    assert whats(list(checked["store"].problems)) == ["MongoDB at a:1 cannot be reached"]
    assert {name for name, one in checked.items() if one.is_skipped} == {
        "threads", "records", "drops", "lag", "proxy", "secrets"
    }  # fmt: skip
    assert checked["settings"].level == "ok"


def test_worst_level() -> None:
    """The level of a check is that of its worst problem."""
    warning, error = Problem("warning", "a"), Problem("error", "b")
    assert Checked("x").level == "ok"
    assert Checked("x", (warning,)).level == "warning"
    assert Checked("x", (warning, error)).level == "error"
    assert Checked("x", is_skipped=True).level == "skipped"


def test_problems_before_a_failure_are_told(subject: Subject) -> None:
    """What a check found before it failed is not lost."""

    def check(_: Subject) -> Findings:
        yield Problem("warning", "first")
        raise ExportError("second.")

    (checked,) = examine(subject, [Check("x", check)])
    assert whats(list(checked.problems)) == ["first", "second"]


# The spool


@pytest.fixture
def spooling(app: Flask, memory: MemoryExporter, tmp_path: Path) -> Subject:
    """An app with a spool of a megabyte."""
    app.config.update(TRACKING_SPOOL_DIR=str(tmp_path), TRACKING_SPOOL_BYTES=2**20)
    return track(app, memory)


def write_spool(subject: Subject, count: int = 3) -> Path:
    """Write a file with so many records into the spool, and return its folder."""
    spool = open_spool(subject.settings, subject.tracked.name)
    assert spool is not None
    entries = [encode_record(record()) or b"" for _ in range(count)]
    assert spool.write(Kind.ROUTINE, entries).is_written
    return Path(spool.path)


def test_no_spool(ask: Ask) -> None:
    """An app without a spool is told so."""
    assert ask(check_spool) == ["TRACKING_SPOOL_DIR is not set"]


def test_spool_is_empty(spooling: Subject) -> None:
    """A spool without files is in order."""
    assert list(check_spool(spooling)) == ["0 records waiting"]


def test_records_wait_in_the_spool(spooling: Subject) -> None:
    """What was just written waits rightly; what waits for long does not."""
    folder = write_spool(spooling)
    assert list(check_spool(spooling)) == ["3 records waiting"]
    (file,) = folder.glob("*.v1")
    written_ms = int(file.name[:13]) - 300_000
    file.rename(folder / f"{written_ms}{file.name[13:]}")
    assert whats(check_spool(spooling)) == ["The oldest record has waited in the spool for 5 minutes"]


def test_spool_is_nearly_full(spooling: Subject) -> None:
    """Before records are dropped it is said that they will be."""
    folder = write_spool(spooling)
    (folder / "other").write_bytes(b"x" * 900_000)
    assert whats(check_spool(spooling)) == [
        "The spool is 86% full: soon its oldest routine records are dropped",
        "The spool has 1 file of another program or version, left alone",
    ]


def test_files_that_were_set_aside(spooling: Subject) -> None:
    """Damaged files are counted."""
    folder = write_spool(spooling)
    (file,) = folder.glob("*.v1")
    (folder / SET_ASIDE).mkdir(exist_ok=True)
    file.rename(folder / SET_ASIDE / file.name)
    *_, problem = check_spool(spooling)
    assert isinstance(problem, Problem)
    assert problem.what == "The spool has 1 file set aside: damaged, or the exporter failed with it"
    assert problem.fix.startswith("What is intact in damaged files is stored")
    assert problem.command == "flask tracking spool discard"


def test_rollups_wait_in_the_spool(spooling: Subject) -> None:
    """Rollups are told beside the records."""
    spool = open_spool(spooling.settings, spooling.tracked.name)
    assert spool is not None
    rollups = open_rollup_spool(spool)
    assert rollups.write(Kind.ROUTINE, [b"a", b"b"]).is_written
    assert list(check_spool(spooling)) == ["0 records waiting", "2 rollups waiting"]
    (file,) = Path(rollups.path).glob("*.v1")
    file.rename(file.with_name(f"{int(file.name[:13]) - 300_000}{file.name[13:]}"))
    assert whats(check_spool(spooling)) == ["The oldest rollup has waited in the spool for 5 minutes"]


def test_rollups_that_stay_in_the_spool(app: Flask, memory: MemoryExporter, tmp_path: Path) -> None:
    """With TRACKING_ROLLUP_DAYS = 0 nobody sends them, and that is no problem."""
    app.config.update(TRACKING_SPOOL_DIR=str(tmp_path), TRACKING_ROLLUP_DAYS=0)
    subject = track(app, memory)
    spool = open_spool(subject.settings, subject.tracked.name)
    assert spool is not None
    rollups = open_rollup_spool(spool)
    assert rollups.write(Kind.ROUTINE, [b"a", b"b"]).is_written
    (file,) = Path(rollups.path).glob("*.v1")
    file.rename(file.with_name(f"{int(file.name[:13]) - 300_000}{file.name[13:]}"))
    assert list(check_spool(subject)) == [
        "0 records waiting", "2 rollups left there, while TRACKING_ROLLUP_DAYS is 0"
    ]  # fmt: skip


@pytest.mark.parametrize("is_link", [True, False])
def test_spool_that_cannot_be_written(
    app: Flask, memory: MemoryExporter, tmp_path: Path, is_link: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is not mounted and a directory of another user are found before records are lost."""
    path = tmp_path / "spool"
    if is_link:
        path.symlink_to(tmp_path / "mnt")
    else:
        path.mkdir()
        monkeypatch.setattr("os.access", lambda *_: False)
    app.config["TRACKING_SPOOL_DIR"] = str(path)
    why = "is a link that leads nowhere" if is_link else "is not writable"
    assert whats(check_spool(track(app, memory))) == [
        f"This user cannot write to the spool: {path} {why}"
    ]
    assert not list(tmp_path.glob("spool/*"))


def test_spool_that_cannot_be_created(
    app: Flask, memory: MemoryExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems, like /proc, refuse new directories although the rights are there."""

    def refuse(path: str, mode: int = 0) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    app.config["TRACKING_SPOOL_DIR"] = str(tmp_path / "nope")
    subject = track(app, memory)
    assert whats(check_spool(subject)) == []
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("os.mkdir", refuse)
    assert whats(check_spool(subject)) == [
        f"This user cannot write to the spool: nothing can be created in {tmp_path} "
        "(No such file or directory)"
    ]


def test_spool_that_cannot_be_read(app: Flask, memory: MemoryExporter, tmp_path: Path) -> None:
    """A directory that cannot be read is an error, and the other checks go on."""
    (tmp_path / "file").touch()
    app.config["TRACKING_SPOOL_DIR"] = str(tmp_path / "file")
    count_request(memory)
    checked = {one.name: one for one in examine(track(app, memory))}
    assert checked["spool"].level == "error"
    (problem,) = checked["spool"].problems
    assert problem.fix.startswith("Let TRACKING_SPOOL_DIR name a directory")
    assert not any(one.is_skipped for one in checked.values())


# The app


def test_settings_that_changed(app: Flask, ask: Ask) -> None:
    """A setting that was changed too late is named."""
    assert ask(check_settings) == []
    app.config["TRACKING_SLOW_MS"] = 5
    assert whats(ask(check_settings)) == [
        "TRACKING_SLOW_MS changed after Tracking(app) had read it and has no effect"
    ]


def test_tracking_is_off(app: Flask, memory: MemoryExporter) -> None:
    """An app that records nothing is said not to."""
    app.config["TRACKING_ENABLED"] = False
    assert whats(check_capture(track(app, memory))) == [
        "TRACKING_ENABLED is False: nothing is recorded"
    ]


def test_everything_is_excluded(app: Flask, memory: MemoryExporter) -> None:
    """A pattern that matches every path is a problem, one that matches some is not."""
    app.config["TRACKING_EXCLUDE"] = ["^/static/"]
    assert list(check_capture(track(app, memory))) == []
    other = Flask("other")
    other.config["TRACKING_EXCLUDE"] = ["/"]
    assert whats(check_capture(track(other, memory))) == [
        "TRACKING_EXCLUDE matches every path: nothing is recorded"
    ]


def test_no_routine_request_is_sampled(app: Flask, memory: MemoryExporter) -> None:
    """A sample rate of 0 may be meant, so it is only told."""
    app.config["TRACKING_SAMPLE_RATE"] = 0
    assert [type(one) for one in check_capture(track(app, memory))] == [str]


def wrap_in_closure(wsgi_app: Any) -> Any:
    """Wrap an app as a decorator does."""

    def wrapper(environ: Any, start_response: Any) -> Any:
        return wsgi_app(environ, start_response)

    return wrapper


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "object": ProxyFix,
    "closure": wrap_in_closure,
    "both": lambda wsgi_app: wrap_in_closure(ProxyFix(wsgi_app)),
    "mount": lambda wsgi_app: DispatcherMiddleware(Flask("root"), {"/shop": wsgi_app}),
    "method": lambda wsgi_app: ProxyFix(wsgi_app).__call__,
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_middleware_around_ours(app: Flask, ask: Ask, wrap: Callable[[Any], Any]) -> None:
    """Middleware that calls ours is in order."""
    app.wsgi_app = wrap(app.wsgi_app)  # type: ignore[method-assign]
    assert ask(check_capture) == []


def test_middleware_that_passes_by(app: Flask, memory: MemoryExporter) -> None:
    """Middleware around an older app.wsgi_app passes ours by."""
    older = app.wsgi_app
    subject = track(app, memory)
    app.wsgi_app = ProxyFix(older)  # type: ignore[method-assign]
    (problem,) = check_capture(subject)
    assert isinstance(problem, Problem) and problem.level == "error"
    assert problem.what.startswith("Requests pass Tracking by")


def test_closure_without_a_value(app: Flask, ask: Ask) -> None:
    """A variable that has no value is no part of a middleware."""
    wrapper = wrap_in_closure(app.wsgi_app)
    del wrapper.__closure__[0].cell_contents
    app.wsgi_app = wrapper  # type: ignore[method-assign]
    assert len(ask(check_capture)) == 1


def test_uwsgi_without_threads(
    app: Flask, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uWSGI that runs no threads is an error, unless records are stored inside the request."""
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt={b"http": b":80"}))
    assert list(check_threads(track(app, memory))) == []
    batch = Flask("batch")
    subject = track(batch, memory)
    assert whats(check_threads(subject)) == ["uWSGI runs without threads: nothing is stored"]
    subject.tracked.worker.close(5)  # type: ignore[union-attr]


def test_uwsgi_is_installed(memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is stored and uWSGI is installed, that may be the cause: it is told as a fact."""

    def version(name: str) -> str:
        if name != "pyuwsgi":
            raise metadata.PackageNotFoundError(name)
        return "2.0"

    monkeypatch.setattr(metadata, "version", version)
    subject = track(Flask("batch"), memory)
    assert list(check_threads(subject)) == [
        "nothing is stored; uWSGI is installed, and needs --enable-threads if it serves the app"
    ]
    memory.export([record()])
    del subject.sample
    assert list(check_threads(subject)) == []
    subject.tracked.worker.close(5)  # type: ignore[union-attr]


def test_native_code_is_missing(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing native code is named with the command that installs it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(bson, "has_c", lambda: False)
    found = ask(check_speed)
    assert [one.command for one in found if isinstance(one, Problem)] == [
        "pip install 'flask-tracking[fast]'",
        "pip install --force-reinstall --only-binary=pymongo pymongo",
    ]


# The records


def test_no_records(ask: Ask) -> None:
    """An empty store is no problem."""
    assert ask(check_records) == ["no records yet"]


@pytest.mark.parametrize(
    ("age_s", "said"), [(5, "5 s"), (300, "5 minutes"), (10_000, "3 hours"), (500_000, "6 days")]
)
def test_age_of_the_newest_record(memory: MemoryExporter, ask: Ask, age_s: float, said: str) -> None:
    """How old the newest record is shows whether recording goes on."""
    one = record()
    memory.export([dataclasses.replace(one, date_created=one.date_created - timedelta(seconds=age_s))])
    assert ask(check_records) == [f"the newest record is {said} old"]


def make_rollup(source: str, start: datetime, **dropped: int) -> Rollup:
    """Make what a process counted in a minute."""
    return Rollup(width_s=60, start=start, source=source, dropped=Counter(dropped))


def test_dropped_records(memory: MemoryExporter, ask: Ask) -> None:
    """What processes lost is told for each of them, with the reasons."""
    assert memory.rollups is not None
    minute = align(datetime.now(timezone.utc), 60)
    memory.rollups.store(
        [
            make_rollup("web1:7:a.1", minute - timedelta(minutes=90), queue_full=1000),
            make_rollup("web1:7:a.8", minute, queue_full=5, shutdown=2),
            make_rollup("web2:8:b.1", minute),
        ]
    )
    assert whats(ask(check_drops)) == [
        "The process web1:7:a lost 1,007 records in the last 3 hours: 1,005 queue_full, 2 shutdown"
    ]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_foreign_rollups(memory: MemoryExporter, ask: Ask, count: int) -> None:
    """What others wrote into the collection of rollups is named."""
    with mock.patch.object(memory.rollups, "find_foreign", return_value=["'x'"] * count):
        found = [one for one in whats(ask(check_store)) if "not rollups" in one]
    assert len(found) == bool(count)
    assert all("'x'" in one for one in found)
    assert all(one.endswith("…") is (count > 3) for one in found)


def test_dropped_records_without_rollups(
    memory: MemoryExporter, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is counted the gaps before stored records tell."""
    monkeypatch.setattr(memory, "rollups", None)
    memory.export([record(process="web1:7:a", dropped_before=number) for number in (3, 0, 4)])
    memory.export([record(process="web2:8:b")])
    assert whats(ask(check_drops)) == [
        "The process web1:7:a dropped 7 records before some of the last 4"
    ]


def test_processes_that_lag(memory: MemoryExporter, ask: Ask) -> None:
    """A process whose records wait for long is named; one that has caught up since is not."""
    assert memory.rollups is not None
    minute = align(datetime.now(timezone.utc), 60)
    rollups = [
        make_rollup("web1:7:a.1", minute - timedelta(minutes=2)),
        make_rollup("web1:7:a.2", minute),
        make_rollup("web2:8:b.1", minute),
        make_rollup("web3:9:c.1", minute - timedelta(minutes=20)),
    ]
    waits = [(95_000, 7), (200, 1200), (10_900, 0), (900_000, 5000)]
    for rollup, (lag_ms, waiting) in zip(rollups, waits, strict=True):
        rollup.lag_ms, rollup.waiting = lag_ms, waiting
    memory.rollups.store(rollups)
    found = ask(check_lag)
    assert whats(found) == [
        "The process web1:7:a lags: in the last 15 minutes a record waited 95 s in its memory, "
        "and up to 1,200 at once"
    ]
    assert found[-1] == "no record waited longer than 95.0 s; processes: 2"
    assert isinstance(found[0], Problem) and "TRACKING_SPOOL_DIR" in found[0].fix


def test_lag_with_a_spool(spooling: Subject, memory: MemoryExporter) -> None:
    """A spool that is there is not recommended."""
    rollup = make_rollup("web1:7:a.1", align(datetime.now(timezone.utc), 60))
    rollup.lag_ms = 95_000
    memory.rollups.store([rollup])
    problem, _ = check_lag(spooling)
    assert isinstance(problem, Problem)
    assert "TRACKING_SPOOL_DIR" not in problem.fix and "TRACKING_SAMPLE_RATE" in problem.fix


def test_rollups_are_off(app: Flask, memory: MemoryExporter) -> None:
    """With TRACKING_ROLLUP_DAYS = 0 the gaps tell what is lost, and nothing tells of lag."""
    app.config["TRACKING_ROLLUP_DAYS"] = 0
    subject = track(app, memory)
    memory.export([record(process="web1:7:a", dropped_before=3)])
    assert list(check_lag(subject)) == ["there are no rollups, which would tell"]
    assert whats(check_drops(subject)) == [
        "The process web1:7:a dropped 3 records before some of the last 1"
    ]


def test_nobody_counts(ask: Ask) -> None:
    """Without requests there is no lag."""
    assert ask(check_lag) == [
        "no counts of the last 15 minutes are stored: each process stores its own once a minute"
    ]


def test_lag_without_rollups(memory: MemoryExporter, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store without rollups cannot tell."""
    monkeypatch.setattr(memory, "rollups", None)
    assert ask(check_lag) == ["there are no rollups, which would tell"]


@pytest.mark.parametrize(
    ("ip", "header", "is_problem"),
    [
        ("10.0.0.1", "203.0.113.7", True),
        ("10.0.0.1", "203.0.113.7, 198.51.100.2", True),
        ("203.0.113.7", "203.0.113.7", False),
        ("198.51.100.2", "203.0.113.7, 198.51.100.2", False),
        ("::1", "2001:db8::7", True),
        ("10.0.0.1", "[redacted]", False),
        (None, "203.0.113.7", True),
    ],
)
def test_proxy(memory: MemoryExporter, ask: Ask, ip: str | None, header: str, is_problem: bool) -> None:
    """An address that the header does not name is that of a proxy."""
    headers = (("Host", "shop"), ("X-Forwarded-For", header))
    memory.export([record(ip=ip, request_headers=headers), record(ip="10.0.0.1")])
    assert bool(whats(ask(check_proxy))) is is_problem


def test_header_of_few_clients(memory: MemoryExporter, ask: Ask) -> None:
    """A client that sends the header by itself is no proxy."""
    memory.export([record(ip="9.9.9.9", request_headers=(("X-Forwarded-For", "1.1.1.1"),))])
    memory.export([record(ip="9.9.9.9") for _ in range(3)])
    assert ask(check_proxy) == []


def test_secrets_of_older_rules(memory: MemoryExporter, ask: Ask) -> None:
    """A secret that was stored is found, by rule and number of records, and not quoted."""
    memory.export(
        [
            record(request_body=b"password=hunter2", redaction_version=None),
            record(request_body=b"a=1", redaction_version="1"),
        ]
    )
    (problem,) = ask(check_secrets)
    assert isinstance(problem, Problem)
    assert problem.command == "flask tracking scrub"
    assert problem.what == (
        "Of the last 2 records, 2 were redacted by other rules or none, and today's find secrets "
        "there: name in 1"
    )
    assert "hunter2" not in str(problem)


def test_redaction_is_off(app: Flask, memory: MemoryExporter) -> None:
    """An app that does not redact is told so."""
    app.config["TRACKING_REDACT"] = False
    subject = track(app, memory)
    assert whats(check_secrets(subject)) == ["TRACKING_REDACT is False: secrets are stored as they are"]
