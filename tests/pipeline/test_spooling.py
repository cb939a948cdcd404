"""Records that the store does not take: to the spool, and from there to the store."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from bson import ObjectId

from flask_tracking import (
    ExportError,
    MemoryExporter,
    NoDatabaseError,
    Record,
    Settings,
    StoreTimeoutError,
)
from flask_tracking.exporters.rollup_table import RollupQuery
from flask_tracking.pipeline import batch as batch_module
from flask_tracking.pipeline import delivery as delivery_module
from flask_tracking.pipeline import drain as drain_module
from flask_tracking.pipeline import rollup_delivery
from flask_tracking.pipeline.batch import BatchWorker
from flask_tracking.pipeline.counters import Counters
from flask_tracking.pipeline.delivery import Delivery
from flask_tracking.pipeline.drain import Drain
from flask_tracking.pipeline.spooling import SpoolWriter
from flask_tracking.pipeline.worker import SyncWorker
from flask_tracking.runtime import guard
from flask_tracking.spool import Kind, Spool

from ..captures import make_capture, make_record
from ..spool.faulty import FaultySystem, list_contents

TIMEOUT_S = 20.0
MAX_BYTES = 1024 * 1024
AWAY = ExportError("the store is away")
TIMED_OUT = StoreTimeoutError("the store does not answer in time")


class Store(MemoryExporter):
    """A store that is away when it is told, and breaks with what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.poison: set[ObjectId] = set()
        self.sizes: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Event()

    def _store(self, records: Sequence[Record]) -> int:
        self.sizes.append(len(records))
        self.arrived.set()
        assert self.gate.wait(TIMEOUT_S)
        if self.error is not None:
            raise self.error
        if any(record.id in self.poison for record in records):
            raise ValueError
        return super()._store(records)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def system() -> FaultySystem:
    return FaultySystem()


@pytest.fixture
def spool(tmp_path: Path, system: FaultySystem) -> Spool:
    return Spool(str(tmp_path / "spool"), MAX_BYTES, system)


@pytest.fixture(autouse=True)
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(delivery_module, "LAST_RETRY_S", 0.01)
    monkeypatch.setattr(drain_module, "IDLE_S", 0.001)


MakeWorker = Callable[..., BatchWorker]


@pytest.fixture
def make_worker(store: Store, spool: Spool) -> Iterator[MakeWorker]:
    """Make workers that end with the test."""
    made: list[BatchWorker] = []

    def make(**settings: Any) -> BatchWorker:
        made.append(BatchWorker(Settings(**settings), store, spool=spool))
        return made[-1]

    yield make
    store.gate.set()
    store.error = None
    for worker in made:
        worker.close(TIMEOUT_S)


class Sender:
    """The way from a spool to a store, without a thread."""

    def __init__(self, spool: Spool, store: Store) -> None:
        self.counters = Counters()
        self.writer = SpoolWriter(spool, self.counters)
        self.delivery = Delivery(store, self.counters, lambda: None, self.writer)
        self.drain = Drain(spool, self.writer, self.delivery)

    def send(self) -> int:
        """Send all that can be sent; return how many files were."""
        count = 0
        while self.drain.take_step():
            count += 1
        return count


@pytest.fixture
def sender(spool: Spool, store: Store) -> Sender:
    return Sender(spool, store)


def wait_until(condition: Callable[[], object]) -> None:
    """Return when something has happened, or fail."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def make_batch(count: int, **parts: Any) -> list[Record]:
    """Make records."""
    return [dataclasses.replace(make_record(), **parts) for _ in range(count)]


# To the spool


def test_outage(make_worker: MakeWorker, store: Store, spool: Spool, tmp_path: Path) -> None:
    """While the store is away records wait on disk and not in memory; then all are stored."""
    store.error = AWAY
    worker = make_worker(batch_records=10, flush_interval_s=0.01)
    for _ in range(95):
        worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    stats = worker.stats
    assert (stats.spooled, stats.exported, stats.dropped, stats.queue_records) == (95, 0, {}, 0)
    assert (stats.queue_bytes, sum(file.entry_count for file in spool.waiting())) == (0, 95)
    store.error = None
    worker.submit(make_capture())
    wait_until(lambda: len(store.records) == 96 and not spool.waiting())
    # The last one goes to disk as well if the next try was not due yet.
    wait_until(lambda: worker.stats.unspooled + worker.stats.exported == 96)
    assert worker.stats.unspooled == worker.stats.spooled >= 95


def test_store_that_is_away_is_left_alone(
    spool: Spool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two tries batches go to the spool at once: they do not wait for a timeout each."""
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 3600.0)
    monkeypatch.setattr(delivery_module, "LAST_RETRY_S", 7200.0)
    sender = Sender(spool, store)
    store.error = AWAY
    for _ in range(5):
        assert sender.delivery.deliver(make_batch(2), threading.Event()) is None
    assert (store.sizes, sender.counters.spooled) == ([2], 10)


def test_store_that_is_away_is_asked_for_nothing(
    make_worker: MakeWorker, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an outage no time is spent on waiting for overrides, nor again on what did not open."""
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 3600.0)
    monkeypatch.setattr(delivery_module, "LAST_RETRY_S", 3600.0)
    asked: list[str] = []

    def open_nothing() -> None:
        raise AWAY

    store.open = open_nothing  # type: ignore[method-assign]
    monkeypatch.setattr(store, "load_overrides", lambda: asked.append("overrides"))
    worker = make_worker(batch_records=5)
    for _ in range(20):
        worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert (asked, store.sizes, worker.stats.spooled) == ([], [], 20)


def test_start_in_an_outage(make_worker: MakeWorker, store: Store, monkeypatch: Any) -> None:
    """What came in while the exporter was opened in vain is spooled at once: a kill loses no more."""
    passed_s = 0.0

    def open_in_vain() -> None:
        nonlocal passed_s
        passed_s += 3600.0
        raise TIMED_OUT

    monkeypatch.setattr(batch_module, "monotonic", lambda: time.monotonic() + passed_s)
    monkeypatch.setattr(store, "open", open_in_vain)
    store.gate.clear()  # an export would hang
    worker = make_worker(flush_interval_s=3600.0)
    worker.submit(make_capture())
    wait_until(lambda: worker.stats.spooled == 1)
    assert worker.stats.failed == 1


def test_store_is_tried_with_spooled_records(sender: Sender, store: Store) -> None:
    """In an outage no live record waits for another try, even when one is due."""
    store.error = AWAY
    assert sender.delivery.deliver(make_batch(2), threading.Event()) is None
    wait_until(lambda: time.monotonic() >= sender.delivery.next_try)
    assert sender.delivery.deliver(make_batch(1), threading.Event()) is None
    assert sender.delivery.deliver_once(make_batch(1)) is None
    assert (store.sizes, sender.counters.spooled) == ([2], 4)
    store.error = None
    assert sender.send() == 3
    assert sender.delivery.deliver(make_batch(7), threading.Event()) is None
    assert (sender.counters.exported, len(store.records)) == (7, 11)


def test_records_are_spooled_before_a_try(make_worker: MakeWorker, store: Store) -> None:
    """What waits for its batch in an outage is on the disk before the store is tried for a timeout."""
    store.error = AWAY
    worker = make_worker(flush_interval_s=3600.0)
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    for count in (2, 3):
        worker.submit(make_capture())
        wait_until(lambda: worker.stats.spooled == count)  # noqa: B023 # called at once


def test_end_of_an_outage_with_an_empty_spool(sender: Sender, store: Store, spool: Spool) -> None:
    """If other processes have sent what was spooled, the next batch tries the store."""
    store.error = AWAY
    assert sender.delivery.deliver(make_batch(2), threading.Event()) is None
    store.error = None
    assert Sender(spool, store).send() == 1
    wait_until(lambda: time.monotonic() >= sender.delivery.next_try)
    assert sender.send() == 0
    assert sender.delivery.deliver(make_batch(3), threading.Event()) is None
    assert (sender.counters.exported, len(store.records)) == (3, 5)


@pytest.fixture
def one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a store that is away be asked once."""
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 3600.0)
    monkeypatch.setattr(delivery_module, "LAST_RETRY_S", 3600.0)


@pytest.mark.usefixtures("one_try")
def test_overrides_that_time_out(make_worker: MakeWorker, store: Store, monkeypatch: Any) -> None:
    """A batch that has waited for overrides in vain does not wait for its own timeout as well."""
    monkeypatch.setattr(store, "load_overrides", mock.Mock(side_effect=TIMED_OUT))
    worker = make_worker(batch_records=5)
    for _ in range(20):
        worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert (store.sizes, worker.stats.spooled) == ([], 20)


@pytest.mark.usefixtures("one_try")
def test_rollups_that_time_out(make_worker: MakeWorker, store: Store, monkeypatch: Any) -> None:
    """What came in while rollups waited in vain is spooled at once."""
    monkeypatch.setattr(store.rollups, "_store", mock.Mock(side_effect=TIMED_OUT))
    worker = make_worker()
    for _ in range(2):
        worker.submit(make_capture())
        assert worker.flush(TIMEOUT_S)
    assert (store.sizes, worker.stats.spooled) == ([1], 1)


@pytest.mark.usefixtures("one_try")
def test_rollups_after_a_batch_that_failed(make_worker: MakeWorker, store: Store) -> None:
    """A store that has just failed is not asked to take rollups, while captures come in."""
    store.error = AWAY
    with mock.patch.object(store.rollups, "_store") as store_rollups:
        worker = make_worker()
        worker.submit(make_capture())
        assert worker.flush(TIMEOUT_S)
        assert (store.sizes, worker.stats.spooled) == ([1], 1)
        assert not store_rollups.called


@pytest.mark.usefixtures("one_try")
def test_overrides_that_time_out_in_a_request(store: Store, spool: Spool, monkeypatch: Any) -> None:
    """A request waits for the store once, too."""
    monkeypatch.setattr(store, "load_overrides", mock.Mock(side_effect=TIMED_OUT))
    worker = SyncWorker(Settings(), store, spool=spool)
    worker.submit(make_capture())
    assert (store.sizes, worker.stats.spooled) == ([], 1)
    assert worker.close(TIMEOUT_S)


def test_no_database(sender: Sender, store: Store) -> None:
    """What is recorded before a database is configured is stored later."""
    store.error = NoDatabaseError("none is configured")
    assert sender.delivery.deliver(make_batch(3), threading.Event()) is None
    assert sender.counters.dropped == {}
    store.error = None
    time.sleep(0.02)
    assert sender.send() == 1
    assert len(store.records) == 3


def test_exporter_that_breaks_with_all(sender: Sender, store: Store) -> None:
    """An exporter that raises what it should not is tried for a while, then records are spooled."""
    store.error = ValueError()
    assert sender.delivery.deliver(make_batch(3), threading.Event()) is None
    assert (sender.counters.spooled, sender.counters.dropped) == (3, {})
    store.error = None
    assert sender.send() == 1
    assert len(store.records) == 3


def test_record_that_breaks_the_exporter_is_not_spooled(make_worker: MakeWorker, store: Store) -> None:
    """As without a spool it costs itself alone."""
    worker = make_worker(batch_records=8)
    captures = [make_capture() for _ in range(8)]
    store.poison = {captures[3].id}
    for capture in captures:
        worker.submit(capture)
    assert worker.flush(TIMEOUT_S)
    assert len(store.records) == 7 and worker.stats.spooled in (0, 1)


def test_full_disk(
    make_worker: MakeWorker, store: Store, system: FaultySystem, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the spool cannot be written either records wait in memory, as without one."""
    system.disk.free_bytes = 0
    store.error = AWAY
    worker = make_worker(batch_records=10, flush_interval_s=0.01)
    for _ in range(30):
        worker.submit(make_capture())
    wait_until(lambda: len(store.sizes) > 3)
    assert (worker.stats.queue_records, worker.stats.spooled) == (30, 0)
    assert "Records cannot be spooled: No space left on device" in caplog.text
    store.error = None
    assert worker.flush(TIMEOUT_S)
    assert (len(store.records), worker.stats.dropped) == (30, {})


def test_log_ends_with_the_end_of_an_outage(
    sender: Sender, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """However soon one outage follows another, the last line is no complaint when the store is back."""
    now = 1000.0
    monkeypatch.setattr(guard, "monotonic", lambda: now)
    monkeypatch.setattr(delivery_module, "monotonic", lambda: now)
    for seconds in (50, 20, 5):
        store.error = AWAY
        assert sender.delivery.deliver(make_batch(1), threading.Event()) is None
        now += seconds
        store.error = None
        assert not sender.delivery.resend(make_batch(1)).left
        now += 20 - seconds % 20
    complaint = "Records cannot be stored, and wait in the spool: the store is away"
    back = "Records are stored again after"
    assert caplog.messages == [complaint, f"{back} 50s.", complaint, f"{back} 20s."]


def test_full_spool(tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Past its bound the oldest routine records are lost, which is counted and told in the data."""
    sender = Sender(Spool(str(tmp_path), 64 * 1024), store)
    kept = make_batch(1, kept=True, request_body=b"a" * 9000)
    assert sender.writer.write(kept) == []
    batches = [make_batch(2, request_body=b"a" * 9000) for _ in range(4)]
    for batch in batches:
        assert sender.writer.write(batch) == []
    counters = sender.counters
    assert counters.read(0).dropped == {"spool_full": 4}
    assert counters.read(0).dropped_kept == {}
    assert caplog.messages == [
        "The spool is full; records that were lost: 2. Raise TRACKING_SPOOL_BYTES."
    ]  # the next line comes a minute later
    assert (counters.spooled, counters.take_gap()) == (9, 4)
    sender.send()
    assert [record.id for record in store.records] == [
        record.id for record in (*kept, *batches[2], *batches[3])
    ]


def test_evicted_records_were_to_tell_of_others(tmp_path: Path, store: Store) -> None:
    """A loss is told by the next record, also when that which was to tell it is lost."""
    sender = Sender(Spool(str(tmp_path), 64 * 1024), store)
    for _ in range(2):
        sender.writer.write(make_batch(1, request_body=b"a" * 40_000, dropped_before=7))
    assert sender.counters.take_gap() == 8


def test_record_that_does_not_fit(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted as lost, which is said, and kept records are counted as such."""
    sender = Sender(Spool(str(tmp_path), 4096), store)
    assert sender.writer.write(make_batch(2, kept=True, request_body=b"a" * 5000)) == []
    stats = sender.counters.read(0)
    assert (stats.dropped, stats.dropped_kept) == ({"spool_full": 2}, {"spool_full": 2})
    assert "The spool is full; records that were lost: 2." in caplog.text


# From the spool


def spool_batches(spool: Spool, store: Store, *batches: list[Record]) -> list[Path]:
    """Write batches as another process would; return the paths of their files, in their order."""
    other = Sender(spool, store)
    paths = []
    for batch in batches:
        before = {file.name for file in spool.waiting()}
        assert other.writer.write(batch) == []
        (name,) = {file.name for file in spool.waiting()} - before
        paths.append(Path(spool.path) / name)
        time.sleep(0.002)  # for names to differ in their time
    return paths


def test_oldest_first(sender: Sender, spool: Spool, store: Store) -> None:
    """What other processes have written is sent in its order, by any of them."""
    batches = [make_batch(3) for _ in range(4)]
    spool_batches(spool, store, *batches)
    assert sender.send() == 4
    assert store.records == [record for batch in batches for record in batch]
    assert sender.counters.read(0).unspooled == 12


def test_store_that_goes_away_again(sender: Sender, spool: Spool, store: Store, tmp_path: Path) -> None:
    """A file that the store does not take stays as it is, and is sent when it does."""
    spool_batches(spool, store, make_batch(3), make_batch(2))
    before = list_contents(tmp_path)
    store.error = AWAY
    for _ in range(3):
        assert sender.send() == 0
        time.sleep(0.011)
    assert list_contents(tmp_path) == before
    store.error = None
    assert sender.send() == 2


@pytest.mark.parametrize("error", [AWAY, NoDatabaseError("too old"), ExportError("refuses the login")])
def test_start_that_goes_wrong(
    sender: Sender, spool: Spool, store: Store, tmp_path: Path, error: Exception
) -> None:
    """A start with a wrong URI or password leaves the directory byte for byte, damaged files too."""
    (path, empty) = spool_batches(spool, store, make_batch(3), make_batch(1))
    path.write_bytes(path.read_bytes()[:-20])
    empty.write_bytes(b"")
    before = list_contents(tmp_path)
    store.error = error
    for _ in range(4):
        assert sender.send() == 0
        time.sleep(0.011)
    assert list_contents(tmp_path) == before
    assert sender.counters.read(0).dropped == {}


def test_damaged_file(
    sender: Sender, spool: Spool, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """What is intact in it is stored, the rest counted as lost, and the file set aside."""
    batch = make_batch(3, kept=True)
    path, whole = spool_batches(spool, store, batch, make_batch(2))
    path.write_bytes(path.read_bytes()[:-20])
    assert sender.send() == 2
    assert store.records[:2] == batch[:2] and len(store.records) == 4
    assert [file.name for file in spool.set_aside()] == [path.name]
    stats = sender.counters.read(0)
    assert (stats.dropped, stats.dropped_kept) == ({"spool_damaged": 1}, {"spool_damaged": 1})
    assert (stats.unspooled, sender.counters.take_gap()) == (4, 1)
    assert f"The file {path.name} of the spool is set aside: it is damaged" in caplog.text


def test_file_of_a_killed_process(sender: Sender, spool: Spool, store: Store) -> None:
    """What it had written by then is stored; nothing is left to set aside."""
    batch = make_batch(3)
    (path,) = spool_batches(spool, store, batch)
    path.rename(f"{path}.tmp").write_bytes(Path(f"{path}.tmp").read_bytes()[:-20])
    assert sender.send() == 1
    assert store.records == batch[:2]
    assert (spool.waiting(), spool.set_aside()) == ([], [])
    assert sender.counters.read(0).dropped == {"spool_damaged": 1}


def test_file_that_breaks_the_exporter(
    sender: Sender, spool: Spool, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """It is set aside when the exporter stores others, and what it takes of the file is stored."""
    batch, others = make_batch(3), make_batch(1)
    store.poison = {batch[1].id}
    (path,) = spool_batches(spool, store, batch)
    for _ in range(4):
        sender.send()
        assert sender.delivery.deliver([others[0]], threading.Event()) is None
    assert [file.name for file in spool.set_aside()] == [path.name]
    assert {record.id for record in store.records} == {batch[0].id, batch[2].id, others[0].id}
    assert "the exporter raises for it but stores others" in caplog.text


def test_exporter_that_breaks_with_every_file(sender: Sender, spool: Spool, store: Store) -> None:
    """As long as it stores nothing else either, nothing is set aside."""
    spool_batches(spool, store, make_batch(2), make_batch(2))
    store.error = ValueError()
    for _ in range(6):
        sender.send()
    assert (len(spool.waiting()), spool.set_aside()) == (2, [])
    store.error = None
    assert sender.send() == 2


def test_rejected_records(sender: Sender, spool: Spool, store: Store) -> None:
    """What the store refuses for good is counted."""
    spool_batches(spool, store, make_batch(3))
    store._store = lambda records: 1  # type: ignore[method-assign]
    assert sender.send() == 1
    stats = sender.counters.read(0)
    assert (stats.unspooled, stats.dropped, spool.waiting()) == (2, {"rejected": 1}, [])


@pytest.mark.parametrize("call", ["remove", "open", "read"])
def test_file_that_cannot_be_read_or_removed(
    sender: Sender,
    spool: Spool,
    store: Store,
    system: FaultySystem,
    call: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is said, and the same file is not sent again and again."""
    spool_batches(spool, store, make_batch(2))
    system.errors[call] = OSError(errno.EROFS, os.strerror(errno.EROFS))
    for _ in range(5):
        sender.send()
    assert "(Read-only file system)" in caplog.text
    assert len(store.sizes) == (1 if call == "remove" else 0)


def test_live_records_come_first(sender: Sender, spool: Spool, store: Store) -> None:
    """After each file there is a pause as long as sending it took."""
    spool_batches(spool, store, make_batch(2), make_batch(2))
    original = store._store

    def take_time(records: Sequence[Record]) -> int:
        time.sleep(0.05)
        return original(records)

    store._store = take_time  # type: ignore[method-assign]
    began = time.monotonic()
    assert sender.drain.take_step()
    assert sender.drain.due_at > began + 0.05 + 0.02


def test_idle_process_sends_what_others_left(
    make_worker: MakeWorker, spool: Spool, store: Store
) -> None:
    """Without any more traffic, too."""
    worker = make_worker(flush_interval_s=3600.0)
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert Sender(spool, store).writer.write(make_batch(5)) == []
    wait_until(lambda: len(store.records) == 6)


def test_slow_store_with_steady_traffic(make_worker: MakeWorker, spool: Spool, store: Store) -> None:
    """Spooled records are sent although another request waits after each export."""
    worker = make_worker(flush_interval_s=0.001)
    original = store._store

    def submit_another(records: Sequence[Record]) -> int:
        if len(store.records) < 300:
            worker.submit(make_capture())
        return original(records)

    spooled = make_batch(2)
    assert Sender(spool, store).writer.write(spooled) == []
    store._store = submit_another  # type: ignore[method-assign]
    worker.submit(make_capture())
    wait_until(lambda: spooled[0].id in {record.id for record in store.records})
    assert len(store.records) < 300


# The end of the process


def test_close_while_the_store_is_away(make_worker: MakeWorker, store: Store, spool: Spool) -> None:
    """What waits is spooled, nothing is lost, and the next process stores it."""
    store.error = AWAY
    worker = make_worker(flush_interval_s=3600.0, batch_records=50)
    for _ in range(49):
        worker.submit(make_capture())
    assert worker.close(TIMEOUT_S)
    assert (worker.stats.spooled, worker.stats.dropped) == (49, {})
    store.error = None
    assert Sender(spool, store).send() == 1
    assert len(store.records) == 49


def test_rollups_count_what_is_sent_at_the_end(
    make_worker: MakeWorker, store: Store, spool: Spool
) -> None:
    """What waits at the end is spooled first and sent then: it is counted as stored all the same."""
    worker = make_worker(flush_interval_s=3600.0, batch_records=50)
    for number in range(9):  # two files: one of failures, one of others
        worker.submit(make_capture(status="500 OOPS" if number % 5 == 4 else "200 OK"))
    assert worker.close(TIMEOUT_S)
    assert (worker.stats.unspooled, len(store.records)) == (9, 9)
    assert sum(one.stored for one in store.rollups.find(RollupQuery(60))) == 9


def test_close_while_the_store_hangs(
    make_worker: MakeWorker, store: Store, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    """The batch that hangs and all behind it are spooled by whoever ends the process."""
    store.gate.clear()
    worker = make_worker(batch_records=10)
    for _ in range(10):
        worker.submit(make_capture())
    assert store.arrived.wait(TIMEOUT_S)
    for _ in range(35):
        worker.submit(make_capture())
    worker.close(1.0)
    stats = worker.stats
    assert (stats.spooled, stats.exported, stats.dropped, stats.queue_records) == (45, 0, {}, 0)
    assert (stats.queue_bytes, "lost" in caplog.text) == (0, False)
    store.gate.set()
    wait_until(lambda: len(store.records) == 10)
    assert Sender(spool, store).send() == 5
    assert len(store.records) == 45
    assert worker.stats.spooled == 45 and worker.stats.exported == 0


def test_close_while_a_batch_that_was_sent_ahead_hangs(
    make_worker: MakeWorker, store: Store, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    """The batch that hangs, the one that is made already and all behind them are spooled."""
    worker = make_worker(batch_records=10, flush_interval_s=3600.0)
    store.gate.clear()
    worker._thread = threading.current_thread()  # start it when all are there
    for _ in range(45):
        worker.submit(make_capture())
    worker._thread = None
    worker._start()
    wait_until(lambda: worker._delivery._next)
    worker.close(1.0)
    stats = worker.stats
    assert (stats.spooled, stats.exported, stats.dropped, stats.queue_records) == (45, 0, {}, 0)
    assert (stats.queue_bytes, "lost" in caplog.text) == (0, False)
    store.gate.set()
    wait_until(lambda: len(store.records) == 10)
    assert Sender(spool, store).send() == 4  # the two that were in hand are one file
    assert len(store.records) == 45
    assert worker.stats.spooled == 45 and worker.stats.exported == 0


def test_outage_begins_while_the_next_batch_is_made(
    make_worker: MakeWorker, store: Store, spool: Spool
) -> None:
    """Both batches are spooled, and all behind them without a call to the store."""
    worker = make_worker(batch_records=10, flush_interval_s=3600.0)
    store.gate.clear()
    store.error = AWAY
    worker._thread = threading.current_thread()  # start it when all are there
    for _ in range(45):
        worker.submit(make_capture())
    worker._thread = None
    worker._start()
    wait_until(lambda: worker._delivery._next)
    store.gate.set()
    wait_until(lambda: worker.stats.spooled >= 40)  # and the rest, if the store is tried again by now
    store.error = None
    assert worker.flush(TIMEOUT_S)
    wait_until(lambda: len({record.id for record in store.records}) == 45)
    assert len(store.records) == 45


def test_close_while_a_call_without_records_hangs(
    make_worker: MakeWorker, store: Store, spool: Spool
) -> None:
    """The same when the thread hangs while it opens the exporter."""
    hangs, release = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        release.wait(TIMEOUT_S)

    store.open = hang  # type: ignore[method-assign]
    worker = make_worker()
    for _ in range(30):
        worker.submit(make_capture())
    assert hangs.wait(TIMEOUT_S)
    worker.close(1.0)
    assert (worker.stats.spooled, worker.stats.dropped) == (30, {})
    release.set()


def test_close_on_a_slow_disk(
    make_worker: MakeWorker, store: Store, system: FaultySystem, spool: Spool
) -> None:
    """A disk that keeps each file waiting costs time for none but the first: all are written."""
    store.error = AWAY
    system.sync_s = 0.4
    worker = make_worker(flush_interval_s=3600.0, batch_records=10)
    worker._thread = threading.current_thread()  # start it when all are there
    for _ in range(95):
        worker.submit(make_capture())
    worker._thread = None
    worker._start()
    wait_until(lambda: "sync" in system.calls)
    began = time.monotonic()
    worker.close(1.0)
    assert time.monotonic() - began < 2.5
    assert (worker.stats.spooled, worker.stats.dropped) == (95, {})
    system.sync_s, store.error = 0.0, None
    wait_until(lambda: system.calls[-1] != "sync")
    Sender(spool, store).send()
    assert len({record.id for record in store.records}) == 95


def test_failures_first(make_worker: MakeWorker, store: Store, spool: Spool) -> None:
    """When the process ends failures are spooled before routine requests."""
    store.error = AWAY
    worker = make_worker(flush_interval_s=3600.0, batch_records=20)
    for number in range(19):
        worker.submit(make_capture(status="500 OOPS" if number % 5 == 4 else "200 OK"))
    # Files of the same millisecond are listed in any order.
    with mock.patch.object(Spool, "write", autospec=True, side_effect=Spool.write) as write:
        assert worker.close(TIMEOUT_S)
    written = [call.args[1:3] for call in write.call_args_list if call.args[0] is spool]
    assert [(kind, len(entries)) for kind, entries in written][0] == (Kind.KEPT, 3)


def test_close_on_a_full_disk(
    make_worker: MakeWorker, store: Store, system: FaultySystem, caplog: pytest.LogCaptureFixture
) -> None:
    """What can be neither stored nor spooled is counted and said."""
    system.disk.free_bytes = 0
    store.error = AWAY
    worker = make_worker(flush_interval_s=3600.0)
    for _ in range(7):
        worker.submit(make_capture())
    assert worker.close(TIMEOUT_S)
    assert worker.stats.dropped == {"shutdown": 7}
    assert "are lost: 7" in caplog.text


SHUTDOWN = """
    import atexit, time

    def tell():
        stats = tracking.stats
        assert (stats.dropped, stats.queue_records) == ({{}}, 0), stats
        print(stats.exported, stats.spooled, stats.unspooled)

    atexit.register(tell)  # what is registered first is called last
    from flask import Flask
    from flask_tracking import MemoryExporter, Tracking

    class Slow(MemoryExporter):
        outlives_process = True

        def _store(self, records):
            time.sleep(len(records) / {rate})
            return super()._store(records)

    app = Flask("shop")
    app.config.update(TRACKING_SPOOL_DIR={path!r})
    app.add_url_rule("/", "index", lambda: "hello")
    tracking = Tracking(app, exporter=Slow())
    client = app.test_client()
    for _ in range({count}):
        client.get("/")
"""


@pytest.mark.integration
def test_exit_with_a_slow_store(tmp_path: Path, store: Store) -> None:
    """What the store could not take before the end of the process waits in the spool."""
    script = textwrap.dedent(SHUTDOWN).format(path=str(tmp_path), count=600, rate=50)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "lost" not in done.stderr, done.stderr
    exported, spooled, unspooled = map(int, done.stdout.split())
    assert exported + spooled == 600 and spooled > 200
    (folder,) = tmp_path.iterdir()
    assert Sender(Spool(str(folder), MAX_BYTES), store).send() > 0
    # Who takes over from a thread that is slow to write writes the same once more.
    assert len(store.records) == spooled - unspooled


HANGING = """
    import atexit, signal, threading, time

    apps = []

    def tell():
        for app, tracking in apps:
            with app.app_context():
                stats = tracking.stats
            print(stats.received, stats.spooled, dict(stats.dropped), stats.queue_records)

    atexit.register(tell)  # what is registered first is called last
    from flask import Flask
    from flask_tracking import MemoryExporter, Tracking

    class Hanging(MemoryExporter):
        outlives_process = True

        def _store(self, records):
            threading.Event().wait()

    for name in {names!r}:
        app = Flask(name)
        app.config.update(TRACKING_SPOOL_DIR={path!r}, TRACKING_FLUSH_INTERVAL_S=0.05)
        app.config.update(TRACKING_SHUTDOWN_TIMEOUT_S={timeout_s})
        app.add_url_rule("/", "index", lambda: "hello")
        apps.append((app, Tracking(app, exporter=Hanging())))
        client = app.test_client()
        for _ in range(50):
            client.get("/")
        time.sleep(0.5)
        for _ in range(50):
            client.get("/")
    if {is_interrupted}:
        main = threading.main_thread().ident
        timer = threading.Timer(1.0, signal.pthread_kill, (main, signal.SIGINT))
        timer.daemon = True  # else the process waits for it before it waits for the stores
        timer.start()
"""


@pytest.mark.integration
def test_exit_with_two_stores_that_hang(tmp_path: Path) -> None:
    """The store of one app takes no time from another one: both spool all they have."""
    script = HANGING.format(
        path=str(tmp_path), names=("one", "two"), timeout_s=3.0, is_interrupted=False
    )
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["100 100 {} 0"] * 2, done.stderr


@pytest.mark.integration
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="Windows")
def test_exit_is_interrupted(tmp_path: Path) -> None:
    """Somebody who presses Ctrl-C while the process waits for its store loses no record."""
    script = HANGING.format(
        path=str(tmp_path), names=("one", "two"), timeout_s=60.0, is_interrupted=True
    )
    began = time.monotonic()
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S * 3)
    assert "KeyboardInterrupt" in done.stderr
    assert done.stdout.splitlines() == ["100 100 {} 0"] * 2, done.stderr
    assert time.monotonic() - began < 20


# Inside the request


def test_sync_worker(store: Store, spool: Spool) -> None:
    """A record that cannot be stored is spooled, and no further request waits for the store."""
    worker = SyncWorker(Settings(), store, spool=spool)
    store.error = AWAY
    for _ in range(3):
        worker.submit(make_capture())
    assert (worker.stats.spooled, worker.stats.dropped) == (3, {})
    store.error = None
    deadline = time.monotonic() + TIMEOUT_S
    while worker.stats.unspooled < worker.stats.spooled and time.monotonic() < deadline:
        time.sleep(0.011)
        worker.submit(make_capture())
    assert (worker.stats.unspooled, worker.stats.dropped, spool.waiting()) == (
        worker.stats.spooled,
        {},
        [],
    )
    assert len(store.records) == worker.stats.received
    worker.close(TIMEOUT_S)


def test_sync_worker_asks_an_absent_store_once(store: Store, spool: Spool) -> None:
    """A request that has waited for the store in vain does not wait again to store rollups there."""
    worker = SyncWorker(Settings(), store, spool=spool)
    store.error = AWAY
    minutes = itertools.count(time.monotonic() + 60, 60)
    clock = mock.patch.object(rollup_delivery, "monotonic", lambda: next(minutes))
    with clock, mock.patch.object(store.rollups, "_store", side_effect=AWAY) as store_rollups:
        worker.submit(make_capture())
        assert not store_rollups.called
        store.error = None
        time.sleep(0.02)
        worker.submit(make_capture())
        assert store_rollups.called
    assert worker.close(TIMEOUT_S)


def test_recovery_is_said_once(
    make_worker: MakeWorker, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says when the store is away, and when it is back."""
    caplog.set_level(logging.INFO, "flask_tracking")
    store.error = AWAY
    worker = make_worker(batch_records=1)
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    store.error = None
    wait_until(lambda: worker.stats.unspooled == 1)
    assert caplog.messages == [
        "Records cannot be stored, and wait in the spool: the store is away",
        "Records are stored again after 0s.",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert batch_module.PATIENCE < 1
