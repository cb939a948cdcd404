"""`TeeExporter`: what one side does or fails to do is no matter of the others."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flask import Flask

from flask_tracking import (
    ConfigError,
    Exporter,
    ExportError,
    Filter,
    MemoryExporter,
    NoDatabaseError,
    Record,
    TeeExporter,
    Tracking,
    TrackingError,
)
from flask_tracking.documents import Tracking as TrackingDocument
from flask_tracking.exporters import tee as tee_module
from flask_tracking.exporters.store import find_store
from flask_tracking.runtime import guard

from ..captures import make_record
from .conftest import Make

TIMEOUT_S = 20.0


class Blind(Exporter):
    """Appends whatever it gets: what is sent twice is there twice. Fails when it is told to."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.error: BaseException | None = None
        self.answer: Any = 0
        self.calls: list[str] = []
        self.check: Callable[[Record], object] = lambda record: None

    def open(self) -> None:
        self._call("open")

    def _store(self, records: Sequence[Record]) -> int:
        self._call("store")
        for record in records:
            self.check(record)
        self.records += records
        return self.answer  # type: ignore[no-any-return]

    def close(self, timeout_s: float = 2.0) -> None:
        self._call(f"close within {timeout_s:.0f} s")

    def abandon(self) -> None:
        self._call("abandon")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.error is not None:
            raise self.error


class Clock:
    """Stands in for the clock of the module."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time, which stands still unless it is moved."""
    clock = Clock()
    monkeypatch.setattr(tee_module, "monotonic", clock)
    return clock


@pytest.fixture
def left() -> Blind:
    """One side."""
    return Blind()


@pytest.fixture
def right() -> Blind:
    """The other side."""
    return Blind()


@pytest.fixture
def tee(left: Blind, right: Blind, clock: Clock) -> TeeExporter:
    """An exporter into both."""
    return TeeExporter(left, right)


def make_records(count: int, **parts: Any) -> list[Record]:
    """Make records, one after another."""
    return [dataclasses.replace(make_record(), **parts) for _ in range(count)]


def test_both_sides_get_each_record(tee: TeeExporter, left: Blind, right: Blind) -> None:
    """Where all is well every side gets each record once, in its order."""
    records = make_records(5)
    assert tee.export(records[:3]) == tee.export(records[3:]) == 0
    assert left.records == right.records == records
    assert set(tee.failed.values()) == set(tee.dropped.values()) == {0}


@pytest.mark.parametrize("error", [ExportError("away"), NoDatabaseError("none"), ValueError("x")])
def test_one_side_is_down(
    tee: TeeExporter,
    left: Blind,
    right: Blind,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    """The other gets each record once; what waits is sent when the side is back, and it is named."""
    records = make_records(10)
    right.error = error
    for record in records[:8]:
        assert tee.export([record]) == 0
    assert (left.records, right.records) == (records[:8], [])
    right.error = None
    assert tee.export(records[8:9]) == 0  # it is still left alone
    clock.now_s += 1.5
    assert tee.export(records[9:]) == 0
    assert left.records == right.records == records
    assert (tee.failed, tee.dropped) == ({"Blind 1": 0, "Blind 2": 1}, {"Blind 1": 0, "Blind 2": 0})
    assert len(caplog.records) == 1 and "Blind 2" in caplog.text
    assert "away" in caplog.text or not isinstance(error, ExportError)


def test_a_side_that_failed_is_left_alone_for_a_while(
    tee: TeeExporter, left: Blind, right: Blind, clock: Clock
) -> None:
    """It is tried after pauses that double, so that its timeouts do not stop the other side."""
    right.error = ExportError("away")
    tried = []
    for second in range(100):
        clock.now_s = 1000.0 + second
        right.calls.clear()
        tee.export(make_records(1))
        tried += [second] if right.calls else []
    assert tried == [0, 1, 3, 7, 15, 31, 61, 91]
    assert tee.failed["Blind 2"] == len(tried)


def test_all_sides_are_down(tee: TeeExporter, left: Blind, right: Blind) -> None:
    """Then the worker is told, who sends the batch again whenever it likes; none gets it twice."""
    records = make_records(3)
    left.error, right.error = ExportError("away"), KeyError("hunter2")
    for _ in range(3):
        with pytest.raises(ExportError, match=r"^Blind 1: away; Blind 2: KeyError$"):
            tee.export(records)
    left.error = None
    assert tee.export(records) == 0
    assert left.records == records
    right.error = None
    tee.close()
    assert left.records == right.records == records


def test_one_side_is_paused_and_the_other_fails(
    app: Flask, tee: TeeExporter, left: Blind, right: Blind
) -> None:
    """The paused side is tried before a record is lost, since a worker in the request never retries."""
    app.config["TRACKING_WORKER"] = "sync"
    tracking = Tracking(app, exporter=tee)
    left.error = ExportError("away")
    app.test_client().get("/first")
    left.error, right.error = None, ExportError("away")
    app.test_client().get("/second")
    assert [record.path for record in left.records] == ["/first", "/second"]
    right.error = None
    tee.close()
    assert [record.path for record in right.records] == ["/first", "/second"]
    assert tracking.stats.dropped == {}


def test_no_side_has_a_database(tee: TeeExporter, left: Blind, right: Blind) -> None:
    """Where none is configured anywhere the batch is dropped, as without a tee."""
    left.error = right.error = NoDatabaseError("none is configured")
    with pytest.raises(NoDatabaseError, match="Blind 1: none is configured; Blind 2: none"):
        tee.export(make_records(1))


def test_side_that_is_down_for_long(left: Blind, right: Blind, caplog: Any) -> None:
    """What waits is bounded by its number and by its size; what is lost is counted and named."""
    right.error = ExportError("away")
    by_number = TeeExporter(left, right, max_waiting_records=4)
    for record in (records := make_records(10)):
        by_number.export([record])
    assert by_number.dropped == {"Blind 1": 0, "Blind 2": 6}
    assert "Records lost before Blind 2 stored them: 1." in caplog.text
    right.error = None
    by_number.close()
    assert right.records == records[-4:]
    right.error = ExportError("away")
    by_size = TeeExporter(left, right, max_waiting_bytes=100_000)
    for record in make_records(10, request_body=b"x" * 30_000):
        by_size.export([record])
    assert by_size.dropped["Blind 2"] == 8


def test_what_still_waits_at_the_end(
    tee: TeeExporter, left: Blind, right: Blind, caplog: pytest.LogCaptureFixture
) -> None:
    """It is sent once more when the tee is closed, then counted as lost; the sides share the time."""
    right.error = ExportError("away")
    tee.export(make_records(3))
    tee.close(4.0)
    assert tee.dropped["Blind 2"] == 3
    assert right.calls == ["store", "store", "close within 4 s"]
    assert left.calls == ["store", "close within 2 s"]
    assert "Records lost before Blind 2 stored them: 3." in caplog.text


def test_rejected_records_are_counted_by_side(tee: TeeExporter, left: Blind, right: Blind) -> None:
    """What one side can never store is lost there, and the worker counts the worse side."""
    left.answer, right.answer = 1, 2
    assert tee.export(make_records(3)) == 2
    assert tee.dropped == {"Blind 1": 1, "Blind 2": 2}


def test_a_side_that_returns_nonsense(tee: TeeExporter, left: Blind, right: Blind) -> None:
    """An exporter that returns no number has stored the records, as without a tee."""
    left.answer, right.answer = None, "all"
    assert tee.export(make_records(3)) == 0
    assert set(tee.dropped.values()) == {0}


def test_opening(tee: TeeExporter, left: Blind, right: Blind) -> None:
    """One side that cannot be opened is no error; all of them are."""
    left.error = ExportError("away")
    tee.open()
    right.error = ExportError("gone")
    with pytest.raises(ExportError, match="Blind 1: away; Blind 2: gone"):
        tee.open()


def test_record_that_breaks_all_sides(app: Flask, tee: TeeExporter, left: Blind, right: Blind) -> None:
    """The worker finds the one that they break with, and stores the others."""

    def break_with(record: Record) -> None:
        if record.path == "/poison":
            raise KeyError("hunter2")

    left.check = right.check = break_with
    app.config["TRACKING_WORKER"] = "batch"
    tracking = Tracking(app, exporter=tee)
    for path in ("/before", "/poison", "/after"):
        app.test_client().get(path)
    assert tracking.close(TIMEOUT_S)
    for side in (left, right):
        assert [record.path for record in side.records] == ["/before", None, "/after"]
    assert tracking.stats.dropped == {}


def test_record_that_breaks_one_side(tee: TeeExporter, left: Blind, right: Blind, clock: Clock) -> None:
    """It costs its content there, the other side gets all of it, and nothing waits behind it."""

    def break_with(record: Record) -> None:
        if record.path == "/poison":
            raise KeyError("hunter2")

    right.check = break_with
    records = make_records(6)
    records[2] = dataclasses.replace(records[2], path="/poison")
    for record in records[:5]:
        assert tee.export([record]) == 0
    clock.now_s += 1.5
    assert tee.export(records[5:]) == 0
    assert left.records == records
    assert [one.id for one in right.records] == [one.id for one in records]
    assert [one.path for one in right.records] == [
        None if one is records[2] else one.path for one in records
    ]
    assert set(tee.dropped.values()) == {0}


def test_record_that_breaks_one_side_while_the_other_is_away(
    app: Flask, tee: TeeExporter, left: Blind, right: Blind
) -> None:
    """Neither keeps the other from its records."""

    def break_with(record: Record) -> None:
        if record.path == "/poison":
            raise KeyError("hunter2")

    left.error, right.check = ExportError("away"), break_with
    app.config["TRACKING_WORKER"] = "batch"
    tracking = Tracking(app, exporter=tee)
    for path in ("/before", "/poison", "/after"):
        app.test_client().get(path)
    assert tracking.flush(TIMEOUT_S)
    assert [record.path for record in right.records] == ["/before", None, "/after"]
    left.error = None
    assert tracking.close(TIMEOUT_S)
    assert [record.path for record in left.records] == ["/before", "/poison", "/after"]
    assert tracking.stats.dropped == {}


def test_record_that_one_side_can_never_store(
    tee: TeeExporter, left: Blind, right: Blind, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is lost there, alone, once that side has stored others behind it."""

    def break_with(record: Record) -> None:
        if record.status_code is None:
            raise TypeError

    right.check = break_with
    records = make_records(9)
    records[1] = dataclasses.replace(records[1], status_code=None)
    for record in records:
        clock.now_s += 31
        assert tee.export([record]) == 0
    assert left.records == records
    assert {one.id for one in right.records} == {one.id for one in records} - {records[1].id}
    assert tee.dropped == {"Blind 1": 0, "Blind 2": 1}
    assert f"Record {records[1].id} is lost" in caplog.text


def test_side_that_hangs_while_it_gets_what_waits(tee: TeeExporter, left: Blind, right: Blind) -> None:
    """Other requests are not held up by it, and neither is the end; what waits meanwhile is lost."""
    hangs, release = threading.Event(), threading.Event()
    records = make_records(4)
    right.error = ExportError("away")
    tee.export(records[:1])
    right.error = None
    tee._sides[1]._next_try = 0.0

    def hang(record: Record) -> None:
        hangs.set()
        release.wait(TIMEOUT_S)

    right.check = hang
    request = threading.Thread(target=tee.export, args=(records[1:2],))
    request.start()
    assert hangs.wait(TIMEOUT_S)
    others = [threading.Thread(target=tee.export, args=([one],), daemon=True) for one in records[2:]]
    others.append(threading.Thread(target=tee.close, args=(0.1,), daemon=True))
    for thread in others:
        thread.start()
        thread.join(TIMEOUT_S / 4)
        assert not thread.is_alive()
    assert tee.dropped["Blind 2"] == 2
    release.set()
    request.join(TIMEOUT_S)
    assert {one.id for one in left.records} == {one.id for one in records}
    assert right.records == records[:2]


def test_backlog_of_many_threads(left: Blind, right: Blind) -> None:
    """Whatever they do at once, each side gets each record once."""
    tee = TeeExporter(left, right)
    failing = iter(range(400))

    def fail_at_times(record: Record) -> None:
        if next(failing, 1) % 3 == 0:
            tee._sides[1]._next_try = 0.0
            raise ExportError("away")

    right.check = fail_at_times
    records = make_records(200)

    def export(part: int) -> None:
        for record in records[part::4]:
            tee.export([record])
            tee._sides[1]._next_try = 0.0

    threads = [threading.Thread(target=export, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    right.check = lambda record: None
    tee.close()
    ids = sorted(one.id for one in records)
    assert sorted(one.id for one in left.records) == sorted(one.id for one in right.records) == ids
    assert tee._sides[1]._bytes == 0


def test_fork_while_what_waits_is_sent(tee: TeeExporter, right: Blind, clock: Clock) -> None:
    """A child that returns from there has an empty tee of its own, and uses it."""
    right.error = ExportError("away")
    tee.export(make_records(2))
    right.error = None
    clock.now_s += 1.5
    side = tee._sides[1]
    right.check = lambda record: side.after_fork_in_child()
    tee.export(make_records(1))
    assert (side._bytes, len(side._waiting), side._sending.locked()) == (0, 0, False)
    right.check = lambda record: None
    assert tee.export(make_records(1)) == 0


@pytest.mark.parametrize("method", ["close", "abandon"])
def test_a_side_that_raises_keeps_no_other_from_ending(
    tee: TeeExporter, left: Blind, right: Blind, method: str
) -> None:
    """Every side is closed and abandoned, whatever another one raises."""
    left.error = ValueError("hunter2")
    getattr(tee, method)()
    assert [call.partition(" ")[0] for call in right.calls] == [method]
    assert guard.failures.total() == 1


@pytest.mark.parametrize(
    "exporters", [(), (MemoryExporter(),), (MemoryExporter, MemoryExporter()), (MemoryExporter(), None)]
)
def test_wrong_sides(exporters: Any) -> None:
    """Fewer than two, or something that is no exporter, is an error that shows how it is meant."""
    with pytest.raises(ConfigError, match=r"expected two or more exporters"):
        TeeExporter(*exporters)


def test_commands_ask_the_store_behind_it(app: Flask, left: Blind) -> None:
    """The first store among the sides answers for the tee; also for one inside another."""
    memory = MemoryExporter()
    tee = TeeExporter(left, TeeExporter(Blind(), memory))
    assert find_store(tee) is memory
    assert find_store(TeeExporter(left, Blind())) is None
    tracking = Tracking(app, exporter=tee)
    app.test_client().get("/missing")
    assert tracking.stats.exported == 1
    output = app.test_cli_runner().invoke(args=["tracking", "list"]).output
    assert "/missing" in output
    with (
        app.app_context(),
        pytest.raises(TrackingError, match="has no MongoDB collection: its exporter is TeeExporter"),
    ):
        TrackingDocument.objects.first()


def test_documents_are_those_of_the_mongodb_behind_it(app: Flask, make: Make) -> None:
    """``Tracking.objects`` finds the collection behind a tee."""
    tracking = Tracking(app, exporter=TeeExporter(Blind(), make()))
    app.test_client().get("/missing")
    with app.app_context():
        assert [one.path for one in TrackingDocument.objects] == ["/missing"]
    assert tracking.stats.exported == 1


def test_overrides_of_the_store_behind_it(app: Flask, left: Blind) -> None:
    """Overrides are taken from the store among the sides."""
    tracking = Tracking(app, exporter=TeeExporter(left, MemoryExporter()))
    invoke = app.test_cli_runner().invoke
    invoke(args=["tracking", "overrides", "set", "exclude_status_codes=404", "--for", "10m"])
    app.test_client().get("/missing")
    assert (tracking.stats.exported, left.records) == (0, [])


def test_batch_that_is_exported_again(left: Blind) -> None:
    """Whoever exports a batch again stores it once where the side is a store."""
    memory = MemoryExporter()
    tee = TeeExporter(left, memory)
    left.error = ExportError("away")
    records = make_records(2)
    for _ in range(3):
        tee.export(records)
    assert len(memory.find(Filter(), limit=10)) == 2
