"""Minutes on their way to the store: written now and then, again after a failure, and never twice."""

from __future__ import annotations

import errno
import os
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from unittest import mock

import bson
import pytest

from flask_tracking import ExportError, MemoryExporter, NoDatabaseError, Settings
from flask_tracking import spool as spool_module
from flask_tracking.exporters.rollup_table import RollupQuery
from flask_tracking.pipeline import delivery as delivery_module
from flask_tracking.pipeline import rollup_delivery
from flask_tracking.pipeline.batch import BatchWorker
from flask_tracking.pipeline.counters import Counters
from flask_tracking.pipeline.judged import Judged
from flask_tracking.pipeline.minute_rollups import MinuteRollups
from flask_tracking.pipeline.rollup_delivery import RollupDelivery
from flask_tracking.pipeline.rollup_spool import RollupSpool
from flask_tracking.pipeline.summary import summarise
from flask_tracking.pipeline.worker import SyncWorker
from flask_tracking.rollups.codec import rollup_to_dict
from flask_tracking.rollups.rollup import Rollup
from flask_tracking.rollups.widths import MINUTE
from flask_tracking.spool import Kind, Spool, Written
from flask_tracking.spool.system import System

from ..captures import make_capture
from ..spool.faulty import list_contents

TIMEOUT_S = 20.0
NOON = 1_764_504_000.0


class Clock:
    """The time, by which tests go."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Return seconds since the test began."""
        return self.now

    def wall(self) -> float:
        """Return the Unix time."""
        return NOON + self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stop the time."""
    clock = Clock()
    monkeypatch.setattr(rollup_delivery, "monotonic", clock.monotonic)
    monkeypatch.setattr(rollup_delivery, "wall_time", clock.wall)
    return clock


class Sent:
    """A delivery, and what it has written."""

    def __init__(self, clock: Clock, spool: Spool | None = None) -> None:
        self.clock = clock
        self.store = MemoryExporter()
        self.counters = Counters(rollups=MinuteRollups(None))
        counted = self.counters.rollups
        assert counted is not None
        self.counted = counted
        self.delivery = RollupDelivery(
            self.store.rollups, self.counters, counted, RollupSpool(spool) if spool else None
        )

    def count(self, requests: int = 1) -> None:
        """Count requests that end now."""
        capture = make_capture(arrived_at=self.clock.wall(), duration_ns=0)
        for _ in range(requests):
            self.counted.add(Judged(capture, summarise(capture), True, None))

    def tend(self, after_s: float = 11.0) -> list[int]:
        """Let time pass, and return how many requests each stored minute has."""
        self.clock.now += after_s
        self.delivery.tend()
        return self.stored()

    def stored(self) -> list[int]:
        """Return how many requests each stored minute has."""
        found = sorted(self.store.rollups.find(RollupQuery(MINUTE)), key=lambda one: one.start)
        return [one.total.requests for one in found]


@pytest.fixture
def sent(clock: Clock) -> Sent:
    """Nothing written yet."""
    return Sent(clock)


def test_minute_is_replaced_as_it_grows(sent: Sent) -> None:
    """A minute is written every ten seconds, whole each time."""
    sent.count(2)
    assert sent.tend(5) == []
    assert sent.tend(6) == [2]
    sent.count(3)
    assert sent.tend(5) == [2]
    assert sent.tend(6) == [5]
    sent.count(1)
    assert sent.tend(40) == [6]
    sent.count(1)
    assert sent.tend(11) == [6, 1]


def test_nothing_to_write(sent: Sent) -> None:
    """Without requests there are no round trips."""
    with mock.patch.object(sent.store.rollups, "_store") as store:
        sent.tend()
    store.assert_not_called()


def test_requests_of_a_minute_that_was_let_go(sent: Sent) -> None:
    """What is counted of a minute long after it was written is a rollup of its own."""
    sent.count(2)
    sent.tend()
    late = make_capture(arrived_at=NOON, duration_ns=0)
    sent.tend(300)
    sent.count()
    assert sent.tend() == [2, 1]
    sent.counted.add(Judged(late, summarise(late), True, None))
    assert sorted(sent.tend(200)) == [1, 1, 2]


def test_fates(sent: Sent) -> None:
    """What became of records is counted once, in the minute in which it was known."""
    counters = sent.counters
    counters.exported, counters.not_stored = 3, 2
    counters.drop("queue_full", 4)
    sent.tend()
    counters.exported += 1
    counters.unspooled += 5
    counters.spool_dropped["spool_full"] = 1
    sent.tend(60)
    found = sent.store.rollups.find(RollupQuery(MINUTE))
    assert sorted((one.stored, one.not_stored, dict(one.dropped)) for one in found) == [
        (3, 2, {"queue_full": 4}),
        (6, 0, {"spool_full": 1}),
    ]


def test_failure_is_tried_again(sent: Sent, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be written waits half a minute, and is written with what came meanwhile."""
    sent.count(2)
    failures = [ExportError("the store is gone"), ValueError("secret")]
    with mock.patch.object(sent.store.rollups, "_store", side_effect=failures):
        assert sent.tend() == []
        sent.count(1)
        assert sent.tend(20) == []
        assert sent.tend(11) == []
    assert sent.tend(31) == [3]
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "Rollups cannot be stored: the store is gone",
        "storing rollups failed with ValueError",
    ]


def test_no_database(sent: Sent, caplog: pytest.LogCaptureFixture) -> None:
    """That none is configured is said of the records."""
    sent.count()
    with mock.patch.object(sent.store.rollups, "_store", side_effect=NoDatabaseError("none")):
        sent.tend()
    assert caplog.records == []


def test_outage(sent: Sent, caplog: pytest.LogCaptureFixture) -> None:
    """Two hours wait in memory; the log says how many requests of older minutes are dropped."""
    with mock.patch.object(sent.store.rollups, "_store", side_effect=ExportError("away")):
        for _ in range(125):
            sent.count(2)
            sent.tend(60)
    sent.count()
    assert sent.tend(31) == [*[2] * 119, 1]
    lost = [one.args for one in caplog.records if "waited too long" in one.getMessage()]
    assert lost and lost[0] == (2,)


def test_finish(sent: Sent, caplog: pytest.LogCaptureFixture) -> None:
    """At the end all is written at once; what cannot be is said."""
    sent.count(3)
    with mock.patch.object(sent.store.rollups, "_store", side_effect=ExportError("away")):
        sent.delivery.finish()
    assert "Rollups were not stored in time; requests that are not counted: 3." in caplog.messages
    sent.delivery.finish()
    assert sent.stored() == [3]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    return Spool(str(tmp_path / "spool"), 10**6)


def test_spool_at_the_end(clock: Clock, spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    """What the store does not take at the end waits in the spool; any process sends it."""
    first, second = Sent(clock, spool), Sent(clock, spool)
    first.count(3)
    with mock.patch.object(first.store.rollups, "_store", side_effect=ExportError("away")):
        first.delivery.finish()
    assert first.stored() == []
    assert second.tend() == [3]
    assert Sent(clock, spool).tend() == []
    assert [one for one in caplog.messages if "not counted" in one] == []


def test_spooled_rest_of_a_minute(clock: Clock, spool: Spool) -> None:
    """A stored minute of which more is spooled may be merged before that is sent."""
    first, second = Sent(clock, spool), Sent(clock, spool)
    first.count(3)
    assert first.tend() == [3]
    for _ in range(2):
        first.count(2)
        with mock.patch.object(first.store.rollups, "_store", side_effect=ExportError("away")):
            first.tend()
    with mock.patch.object(first.store.rollups, "_store", side_effect=ExportError("away")):
        first.delivery.finish()
    later = datetime.fromtimestamp(clock.wall() + 5 * 3600, timezone.utc)
    first.store.rollups.merge("me", later)
    third = RollupDelivery(first.store.rollups, second.counters, second.counted, RollupSpool(spool))
    third.tend(is_forced=True)
    assert first.stored() == [7]
    first.store.rollups.merge("me", later)
    hours = first.store.rollups.find(RollupQuery(3600))
    assert sum(one.total.requests for one in hours) == 7


def test_outage_with_a_spool(clock: Clock, spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    """What waits for longer than two hours goes to the spool, and is lost nowhere."""
    sent = Sent(clock, spool)
    with mock.patch.object(sent.store.rollups, "_store", side_effect=ExportError("away")):
        for _ in range(125):
            sent.count(2)
            sent.tend(60)
    assert sum(sent.tend(31)) == 250
    assert [one for one in caplog.messages if "not counted" in one] == []


@pytest.mark.parametrize("is_away", [True, False])
def test_kill_in_an_outage(clock: Clock, spool: Spool, is_away: bool) -> None:
    """What has waited for a minute is on the disk, so that a killed process loses no more than that."""
    killed = Sent(clock, spool)
    with mock.patch.object(killed.store.rollups, "_store", side_effect=ExportError("away")):
        for _ in range(30):
            killed.count(2)
            clock.now += 11.0
            killed.delivery.tend(is_away=is_away)
    found = Sent(clock, spool)
    found.count()
    assert sum(found.tend()) >= 1 + 2 * (30 - 8)
    waiting = Spool(os.path.join(spool.path, "rollups"), 10**6).waiting()
    assert waiting == [], "they are sent"


def test_write_that_may_have_succeeded(clock: Clock, spool: Spool) -> None:
    """More of a stored minute is not spooled apart, if an answer is missing: it may be stored."""
    sent = Sent(clock, spool)
    store = sent.store.rollups._store

    def store_without_answer(rollups: Any) -> None:
        store(rollups)
        raise ExportError("no answer")

    sent.count(2)
    assert sent.tend() == [2]
    sent.count(1)
    with mock.patch.object(sent.store.rollups, "_store", side_effect=store_without_answer):
        assert sent.tend() == [3]
        assert sent.tend(31) == [3]
        assert sent.tend(31) == [3]
        assert sent.tend(31) == [3]
    assert sent.tend(31) == [3]


def test_known_outage_with_a_spool(
    clock: Clock, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the store is known to be away it is not asked, and nothing is lost either."""
    sent = Sent(clock, spool)
    with mock.patch.object(sent.store.rollups, "_store", side_effect=AssertionError):
        for _ in range(125):
            sent.count(2)
            clock.now += 60
            sent.delivery.tend(is_away=True)
    assert sum(sent.tend(31)) == 250
    assert [one for one in caplog.messages if "failed" in one or "not counted" in one] == []


def test_spool_without_room(clock: Clock, spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    """The oldest rollups go, which is said."""
    sent = Sent(clock, spool)
    with (
        mock.patch.object(spool_module, "MAX_ROLLUP_BYTES", 8192),
        mock.patch.object(sent.store.rollups, "_store", side_effect=ExportError("away")),
    ):
        small = RollupDelivery(sent.store.rollups, sent.counters, sent.counted, RollupSpool(spool))
        for requests in (1, 3, 5):
            sent.count(requests)
            small.finish()
    lost = "The spool has no room for more rollups; requests that are not counted: 4."
    assert lost in caplog.messages


def test_plain_rollups_of_an_earlier_version(clock: Clock, spool: Spool) -> None:
    """Files with rollups that are not compressed are sent, too."""
    folder = Spool(os.path.join(spool.path, "rollups"), 10**6)
    rollup = Rollup(width_s=MINUTE, start=datetime.fromtimestamp(NOON, timezone.utc), source="p.1")
    rollup.get_counts("/", "GET").add_request(200, False, 1.0, 0, 0)
    folder.write(Kind.ROUTINE, [bson.encode(rollup_to_dict(rollup))])
    sent = Sent(clock, spool)
    sent.count()
    assert sorted(sent.tend()) == [1, 1]
    assert folder.waiting() == [] and folder.set_aside() == []


def test_spool_that_cannot_be_written(
    clock: Clock, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the disk is full, too, the minutes stay in memory."""
    sent = Sent(clock, spool)
    sent.count(2)
    with (
        mock.patch.object(sent.store.rollups, "_store", side_effect=ExportError("away")),
        mock.patch.object(Spool, "write", return_value=Written(False, (), "No space left")),
    ):
        sent.tend()
        sent.delivery.finish()
    assert "Rollups cannot be spooled: No space left" in caplog.messages
    assert sent.tend(31) == [2]


def spool_apart(first: Sent, folder: Spool) -> list[str]:
    """Count one request for each of three files of the spool; return their paths, the oldest first."""
    for _ in range(3):
        first.count()
        with mock.patch.object(first.store.rollups, "_store", side_effect=ExportError("away")):
            first.delivery.finish()
    return [os.path.join(folder.path, file.name) for file in folder.waiting()]


def test_damaged_files(clock: Clock, spool: Spool) -> None:
    """What is no rollup in a file is left out, and the file is set aside, not removed."""
    (folder := Spool(os.path.join(spool.path, "rollups"), 10**6)).write(Kind.ROUTINE, [b"x", b"\x05"])
    sent = Sent(clock, spool)
    sent.count()
    assert sent.tend() == [1]
    assert folder.waiting() == []
    assert [file.entry_count for file in folder.set_aside()] == [2]


def test_damaged_files_while_the_store_is_away(clock: Clock, spool: Spool, tmp_path: Path) -> None:
    """Nothing is set aside until the store takes rollups: a wrong URI must not change the directory."""
    folder = Spool(os.path.join(spool.path, "rollups"), 10**6)
    folder.write(Kind.ROUTINE, [b"x"])
    before = list_contents(tmp_path)
    sent = Sent(clock, spool)
    assert sent.tend() == []
    sent.count()
    with mock.patch.object(sent.store.rollups, "_store", side_effect=ExportError("away")):
        assert sent.tend() == []
        assert list_contents(tmp_path) == before
        sent.delivery.finish()
    assert len(folder.waiting()) == 2 and folder.set_aside() == []
    assert sent.tend(31) == [1]
    sent.tend()
    assert len(folder.set_aside()) == 1


def test_torn_file(clock: Clock, spool: Spool) -> None:
    """Intact rollups are stored; a file that a killed process was writing is removed afterwards."""
    folder = Spool(os.path.join(spool.path, "rollups"), 10**6)
    paths = spool_apart(Sent(clock, spool), folder)
    with open(paths[0], "ab") as file:
        file.write(b"\xf5FTs torn")
    os.rename(paths[1], paths[1] + ".tmp")
    with open(paths[1] + ".tmp", "ab") as file:
        file.write(b"\xf5FTs torn")
    assert sum(Sent(clock, spool).tend()) == 3
    assert folder.waiting() == []
    assert [file.name for file in folder.set_aside()] == [os.path.basename(paths[0])]


@pytest.mark.parametrize("call", ["open", "read"])
def test_unreadable_file(
    clock: Clock,
    spool: Spool,
    call: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A file that cannot be read, like that of another user, keeps no other from being sent."""
    folder = Spool(os.path.join(spool.path, "rollups"), 10**6)
    first, *_ = spool_apart(Sent(clock, spool), folder)
    inode = os.stat(first).st_ino
    real_open, real_read = System.open, System.read

    def open_(system: System, path: str) -> int:
        if call == "open" and path == first:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real_open(system, path)

    def read(system: System, descriptor: int) -> bytes:
        if call == "read" and os.fstat(descriptor).st_ino == inode:
            raise OSError(errno.EIO, "Input/output error")
        return real_read(system, descriptor)

    monkeypatch.setattr(System, "open", open_)
    monkeypatch.setattr(System, "read", read)
    assert sum(Sent(clock, spool).tend()) == 2
    assert [os.path.join(folder.path, file.name) for file in folder.waiting()] == [first]
    assert any("cannot be read" in line for line in caplog.messages)


def test_file_that_cannot_be_removed(
    clock: Clock, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent once: later its minutes may be merged and gone, and would be counted again."""
    folder = Spool(os.path.join(spool.path, "rollups"), 10**6)
    spool_apart(Sent(clock, spool), folder)
    monkeypatch.setattr(System, "remove", mock.Mock(side_effect=OSError(errno.EROFS, "Read-only")))
    sent = Sent(clock, spool)
    assert sum(sent.tend()) == 3
    with mock.patch.object(sent.store.rollups, "store", side_effect=AssertionError):
        sent.delivery._send_spooled()
    assert len(folder.waiting()) == 3


def test_merging(sent: Sent) -> None:
    """Rollups are merged once a minute, and not while somebody waits for what was counted."""
    with mock.patch.object(sent.store.rollups, "merge") as merge:
        sent.clock.now += 61
        sent.count()
        sent.delivery.tend(is_forced=True)
        merge.assert_not_called()
        for _ in range(6):
            sent.count()
            sent.tend(20)
        assert merge.call_count == 2
        merge.side_effect = ExportError("away")
        sent.tend(61)


def test_merging_by_the_clock_of_the_store(sent: Sent) -> None:
    """A process whose clock is ahead goes by that of the store."""
    theirs = datetime(2026, 1, 1, tzinfo=timezone.utc)
    table = sent.store.rollups
    with (
        mock.patch.object(table, "read_clock", return_value=theirs) as read_clock,
        mock.patch.object(table, "merge") as merge,
    ):
        sent.count()
        sent.tend(70)
    assert merge.call_args.args[1] == theirs
    assert read_clock.call_args.args == (datetime.fromtimestamp(sent.clock.wall(), timezone.utc),)


def is_any_open(sent: Sent) -> list[bool]:
    """Return of each stored minute whether it may be written again."""
    return [one.is_open for one in sent.store.rollups.find(RollupQuery(MINUTE))]


def test_minutes_are_settled(sent: Sent) -> None:
    """A minute is open until no more is counted in it, or until the process ends."""
    sent.count()
    sent.tend()
    assert is_any_open(sent) == [True]
    sent.tend(200)
    assert is_any_open(sent) == [False]
    sent.count()
    sent.tend()
    sent.delivery.finish()
    assert is_any_open(sent) == [False, False]


def test_spooled_minutes_are_settled(clock: Clock, spool: Spool) -> None:
    """A spooled minute is open until its file is removed."""
    sent = Sent(clock, spool)
    sent.count()
    with mock.patch.object(System, "remove", side_effect=OSError(errno.EROFS, "Read-only")):
        sent.delivery.finish()
    assert is_any_open(sent) == [True]
    Sent(clock, spool).delivery.finish()
    second = Sent(clock, spool)
    second.store = sent.store
    assert is_any_open(sent) == [True]
    sent.count()
    sent.delivery.finish()
    assert sorted(is_any_open(sent)) == [False, True]


def test_merging_while_idle(sent: Sent) -> None:
    """A process that writes nothing merges now and then: its last minutes are not merged yet."""
    sent.count()
    with mock.patch.object(sent.store.rollups, "merge") as merge:
        for _ in range(60):
            sent.tend(60)
    assert 6 <= merge.call_count <= 8


# Workers


def count_stored(exporter: MemoryExporter) -> int:
    """Return how many requests the store counts."""
    return sum(one.total.requests for one in exporter.rollups.find(RollupQuery(MINUTE)))


@pytest.mark.parametrize("kind", [BatchWorker, SyncWorker])
def test_flush_and_close(kind: Any) -> None:
    """What was submitted is counted in the store after a flush, and after the end."""
    exporter = MemoryExporter()
    worker = kind(Settings(sample_rate=0.0), exporter)
    for _ in range(3):
        worker.submit(make_capture())
    worker.submit(make_capture(status="500 X"))
    assert worker.flush(TIMEOUT_S)
    assert count_stored(exporter) == 4
    worker.submit(make_capture())
    assert worker.close(TIMEOUT_S)
    assert count_stored(exporter) == 5
    minutes = exporter.rollups.find(RollupQuery(MINUTE))
    assert sum(one.stored for one in minutes) == 1
    assert sum(one.not_stored for one in minutes) == 4


def test_lag() -> None:
    """How many records waited, and how long at most, is in the rollup of the time when it was found."""
    exporter = MemoryExporter()
    worker = BatchWorker(Settings(), exporter)
    now = time.time()
    for seconds in (1.0, 90.0, 2.0):  # one of them was slow: it is not late
        worker.submit(make_capture(arrived_at=now - seconds, duration_ns=int(seconds * 1e9) - 10**9))
    assert worker.flush(TIMEOUT_S)
    minutes = exporter.rollups.find(RollupQuery(MINUTE))
    assert max(one.waiting for one in minutes) == 3
    assert 1000 <= max(one.lag_ms for one in minutes) < 20_000
    assert worker.close(TIMEOUT_S)


def test_lag_of_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that wait for a store are late when it takes them."""
    exporter = MemoryExporter()
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 0.01)
    worker = BatchWorker(Settings(batch_records=2), exporter)
    store = mock.Mock(side_effect=[ExportError("away"), *[0] * 9])
    monkeypatch.setattr(exporter, "_store", store)
    ended_at = time.time() - 40
    for _ in range(3):
        worker.submit(make_capture(arrived_at=ended_at, duration_ns=0))
    assert worker.flush(TIMEOUT_S)
    assert 40_000 <= max(one.lag_ms for one in exporter.rollups.find(RollupQuery(MINUTE))) < 70_000
    worker.submit(make_capture(duration_ns=0))
    assert worker.flush(TIMEOUT_S)
    assert worker._counters.take_fates().lag_ms == 0  # told already
    assert worker.close(TIMEOUT_S)


@pytest.mark.parametrize("kind", [BatchWorker, SyncWorker])
def test_no_rollups(kind: Any) -> None:
    """With TRACKING_ROLLUP_DAYS=0 nothing is counted."""
    exporter = MemoryExporter()
    worker = kind(Settings(rollup_days=0), exporter)
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S) and worker.close(TIMEOUT_S)
    assert count_stored(exporter) == 0


def test_flush_while_rollups_are_refused() -> None:
    """A store that takes records and no rollups holds up no flush."""
    exporter = MemoryExporter()
    worker = BatchWorker(Settings(), exporter)
    with mock.patch.object(exporter.rollups, "_store", side_effect=ExportError("forbidden")):
        worker.submit(make_capture())
        assert worker.flush(TIMEOUT_S)
        assert worker.close(TIMEOUT_S)
    assert len(exporter.records) == 1


def test_rollups_lost_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be stored at the end is said."""
    exporter = MemoryExporter()
    worker = BatchWorker(Settings(), exporter)
    with mock.patch.object(exporter.rollups, "_store", side_effect=ExportError("away")):
        worker.submit(make_capture())
        worker.close(TIMEOUT_S)
    assert "Rollups were not stored in time; requests that are not counted: 1." in caplog.messages


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows knows no fork")
def test_after_a_fork() -> None:
    """A child counts its own requests alone: the parent writes what it had counted."""
    exporter = MemoryExporter()
    worker = SyncWorker(Settings(), exporter)
    worker.submit(make_capture())
    worker.after_fork_in_child()
    worker.submit(make_capture())
    worker.flush(1)
    assert count_stored(exporter) == 1


@pytest.mark.parametrize("kind", [BatchWorker, SyncWorker])
def test_end_while_the_store_is_away(kind: Any, spool: Spool) -> None:
    """With a spool a process that ends meanwhile loses no count."""
    exporter = MemoryExporter()
    worker = kind(Settings(), exporter, spool=spool)
    with mock.patch.object(exporter.rollups, "_store", side_effect=ExportError("away")):
        worker.submit(make_capture())
        worker.close(TIMEOUT_S)
    assert count_stored(exporter) == 0
    worker = kind(Settings(), exporter, spool=spool)
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert count_stored(exporter) == 2
    worker.close(TIMEOUT_S)


def test_end_while_the_store_hangs(spool: Spool) -> None:
    """A call that does not come back keeps no count from the spool."""
    exporter = MemoryExporter()
    worker = BatchWorker(Settings(), exporter, spool=spool)
    hanging, gone_on = threading.Event(), threading.Event()

    def hang(*_: Any) -> int:
        hanging.set()
        gone_on.wait(TIMEOUT_S)
        raise ExportError("away")

    with mock.patch.object(exporter, "_store", side_effect=hang):
        worker.submit(make_capture())
        worker._flushes_asked += 1
        worker._wake.set()
        assert hanging.wait(TIMEOUT_S)
        assert worker.close(1.0) is False
        gone_on.set()
        assert worker._thread is not None
        worker._thread.join(TIMEOUT_S)
    RollupSpool(spool).send(exporter.rollups.store)
    assert count_stored(exporter) == 1


@pytest.mark.parametrize("kind", [BatchWorker, SyncWorker])
def test_end_is_bounded(kind: Any) -> None:
    """A store that hangs with rollups holds up the end no longer than it may take."""
    exporter = MemoryExporter()
    worker = kind(Settings(), exporter)
    gone_on = threading.Event()
    with mock.patch.object(exporter.rollups, "_store", side_effect=lambda _: gone_on.wait(TIMEOUT_S)):
        worker.submit(make_capture())
        assert worker.close(0.3) is False
        gone_on.set()
    assert worker.close(TIMEOUT_S)


def test_threads_that_store_at_once() -> None:
    """Requests of many threads are counted once each, however they store."""
    exporter = MemoryExporter()
    worker = SyncWorker(Settings(), exporter)

    def submit() -> None:
        for _ in range(20):
            worker.submit(make_capture())
            worker.flush(1)

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    worker.flush(1)
    assert count_stored(exporter) == 160
