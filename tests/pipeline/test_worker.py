"""The queue and its thread: bounded, fork-safe, and closed in time."""

from __future__ import annotations

import dataclasses
import gc
import itertools
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from bson import ObjectId

from flask_tracking import ExportError, MemoryExporter, NoDatabaseError, Record, Settings
from flask_tracking.exporters.rollup_table import RollupQuery
from flask_tracking.pipeline import delivery as delivery_module
from flask_tracking.pipeline import worker as worker_module
from flask_tracking.pipeline.batch import JUDGED_AT_ONCE, BatchWorker
from flask_tracking.pipeline.callback import Hooks
from flask_tracking.pipeline.worker import SyncWorker, Worker
from flask_tracking.record import Capture
from flask_tracking.redaction.redactor import Redactor
from flask_tracking.rollups.widths import MINUTE
from flask_tracking.runtime import guard

from ..captures import make_capture

TIMEOUT_S = 20.0
"""How long a test waits for what must happen: only a failing test waits so long."""


class Gate(MemoryExporter):
    """An exporter that waits at a gate, and fails as often as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Event()
        self.failures: list[Exception] = []
        self.batches: list[int] = []
        self.calls: list[str] = []
        self.close_timeouts: list[float] = []

    def open(self) -> None:
        self.calls.append(f"open in {threading.current_thread().name}")

    def _store(self, records: Sequence[Record]) -> int:
        self.arrived.set()
        assert self.gate.wait(TIMEOUT_S)
        if self.failures:
            raise self.failures.pop(0)
        self.batches.append(len(records))
        return super()._store(records)

    def close(self, timeout_s: float = 2.0) -> None:
        self.calls.append(f"close in {threading.current_thread().name}")
        self.close_timeouts.append(timeout_s)


@pytest.fixture
def exporter() -> Gate:
    return Gate()


MakeWorker = Callable[..., BatchWorker]


@pytest.fixture
def make_worker(exporter: Gate) -> Iterator[MakeWorker]:
    """Make workers that end with the test."""
    made: list[BatchWorker] = []

    def make(**settings: Any) -> BatchWorker:
        made.append(BatchWorker(Settings(**settings), exporter))
        return made[-1]

    yield make
    exporter.gate.set()
    for worker in made:
        assert worker.close(TIMEOUT_S)


def test_thread_starts_with_the_first_capture(make_worker: MakeWorker, exporter: Gate) -> None:
    """No thread runs before there is work; the connection is opened and closed on it."""
    worker = make_worker()
    assert worker._thread is None
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert worker.close(TIMEOUT_S)
    name = "flask-tracking worker"
    assert exporter.calls == [f"open in {name}", f"close in {name}"]


def test_full_batch_is_sent_at_once(make_worker: MakeWorker, exporter: Gate) -> None:
    """A full batch does not wait for the flush interval, a part of one does."""
    worker = make_worker(batch_records=10, flush_interval_s=3600.0)
    for _ in range(10):
        worker.submit(make_capture())
    assert exporter.arrived.wait(TIMEOUT_S)
    for _ in range(3):
        worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert exporter.batches == [10, 3]


def test_flush_interval_sends_a_part_of_a_batch(make_worker: MakeWorker, exporter: Gate) -> None:
    """A single capture is sent when the flush interval has passed."""
    make_worker(flush_interval_s=0.01).submit(make_capture())
    assert exporter.arrived.wait(TIMEOUT_S)


def test_flush_has_nothing_to_wait_for(make_worker: MakeWorker) -> None:
    """Flushing an idle worker returns at once and starts no thread."""
    worker = make_worker()
    assert worker.flush(0)
    assert worker._thread is None


def test_flush_honours_its_timeout(make_worker: MakeWorker, exporter: Gate) -> None:
    """flush returns False when the store does not answer in time, and True when it does later."""
    worker = make_worker()
    exporter.gate.clear()
    worker.submit(make_capture())
    assert worker.flush(0.01) is False
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S) is True


def wait_until(condition: Callable[[], object]) -> None:
    """Return when something has happened, or fail."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class Made:
    """Counts records as they are made."""

    def __init__(self) -> None:
        self.count = 0
        self.ids: list[ObjectId] = []
        """Of all captures, in the order of their arrival."""

    def note(self, record: Record) -> Record:
        self.count += 1
        return record


def start_with(exporter: Gate, captures: int, **settings: Any) -> tuple[BatchWorker, Made]:
    """Let a worker with batches of ten find so many captures; the store does not answer yet."""
    made = Made()
    configured = Settings(batch_records=10, flush_interval_s=3600.0, **settings)
    worker = BatchWorker(configured, exporter, Hooks(on_record=made.note))
    exporter.gate.clear()
    worker._thread = threading.current_thread()  # start it when all are there
    for _ in range(captures):
        worker.submit(make_capture(size=1000))
    made.ids = [capture.id for capture in worker._queue._waiting]
    worker._thread = None
    worker._start()
    return worker, made


def flush_in_spite_of_deaths(worker: BatchWorker) -> None:
    """Flush until nothing waits: a flush replaces a thread that died before it."""
    wait_until(lambda: worker.flush(0.1) and not worker.stats.queue_records)


def test_next_batch_is_made_while_one_is_sent(exporter: Gate) -> None:
    """While the store works on a batch the next one is made, and no more: memory is bounded."""
    worker, made = start_with(exporter, 45)
    assert exporter.arrived.wait(TIMEOUT_S)
    wait_until(lambda: made.count == 20)
    time.sleep(0.05)
    stats = worker.stats
    assert (made.count, stats.exported, stats.queue_records, stats.queue_bytes) == (20, 0, 45, 45_000)
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    stats = worker.stats
    assert (stats.exported, stats.queue_records, stats.queue_bytes) == (45, 0, 0)
    assert exporter.batches == [10, 10, 10, 10, 5]
    assert worker.close(TIMEOUT_S)


def test_batches_keep_their_order(exporter: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that fails while the next one is made is sent again before that one, whole."""
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 0.001)
    worker, made = start_with(exporter, 30)
    assert exporter.arrived.wait(TIMEOUT_S)
    exporter.failures = [ExportError("away"), ExportError("away")]
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    assert [record.id for record in exporter.records] == made.ids
    stats = worker.stats
    assert (stats.exported, stats.dropped, stats.queue_bytes, stats.failed) == (30, {}, 0, 2)
    assert worker.close(TIMEOUT_S)


def test_store_is_called_by_one_thread_at_a_time(exporter: Gate) -> None:
    """A batch that is sent ahead is settled before another one is sent."""
    callers: list[int] = []
    most = 0
    store = exporter._store

    def note(records: Sequence[Record]) -> int:
        nonlocal most
        callers.append(threading.get_ident())
        most = max(most, len(callers))
        time.sleep(0.001)
        stored = store(records)
        callers.remove(threading.get_ident())
        return stored

    exporter._store = note  # type: ignore[method-assign]
    worker, _ = start_with(exporter, 200)
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    assert (most, worker.stats.exported) == (1, 200)
    assert worker.close(TIMEOUT_S)


def test_time_runs_out_with_two_batches_in_hand(
    exporter: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """What is sent and what is made at the end of time is lost once, and counted as such."""
    worker, made = start_with(exporter, 45)
    wait_until(lambda: made.count == 20)
    assert worker.close(0.05) is False
    assert "are lost: 45" in caplog.text
    exporter.gate.set()
    assert worker.close(TIMEOUT_S)
    stats = worker.stats
    assert (stats.dropped, stats.exported, stats.queue_records) == ({"shutdown": 45}, 0, 0)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError])
def test_exporter_that_ends_the_thread_ahead(
    exporter: Gate, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it raises, both batches are offered again: the one ahead and the one behind it."""
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 0.001)
    worker, made = start_with(exporter, 45)
    wait_until(lambda: made.count == 20)
    exporter.failures = [kind()]  # type: ignore[list-item]
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    stats = worker.stats
    assert (stats.exported, stats.dropped, stats.queue_bytes) == (45, {}, 0)
    assert worker.close(TIMEOUT_S)


def test_no_thread_for_a_batch(exporter: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the worker's thread could be started it sends all batches itself."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    worker, _ = start_with(exporter, 45)
    wait_until(lambda: exporter.arrived.is_set())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    assert (worker.stats.exported, exporter.batches) == (45, [10, 10, 10, 10, 5])
    monkeypatch.undo()
    assert worker.close(TIMEOUT_S)


def test_what_interrupts_the_next_batch(exporter: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the thread dies while it makes a batch, the one that was sent ahead is stored and counted."""
    make, calls = BatchWorker._make_records, itertools.count(1)

    def fail_second(worker: BatchWorker, captures: list[Capture]) -> list[Record]:
        if next(calls) == 2:
            wait_until(lambda: exporter.arrived.is_set())
            exporter.gate.set()
            raise SystemExit
        return make(worker, captures)

    monkeypatch.setattr(BatchWorker, "_make_records", fail_second)
    worker, _ = start_with(exporter, 45)
    flush_in_spite_of_deaths(worker)
    stats = worker.stats
    assert (stats.exported, stats.dropped, stats.queue_bytes) == (35, {"worker_failed": 10}, 0)
    assert worker.close(TIMEOUT_S)


def count_requests(worker: BatchWorker, exporter: MemoryExporter) -> int:
    """Return how many requests are counted, in the store or not yet."""
    waiting = worker._counters.rollups
    assert waiting is not None
    stored = exporter.rollups.find(RollupQuery(MINUTE))
    return sum(rollup.total.requests for rollup in stored) + waiting.total()


def fill(worker: BatchWorker, exporter: Gate, captures: list[Capture]) -> None:
    """Let the worker take the first capture in hand and wait, then queue the others behind it."""
    exporter.gate.clear()
    worker.submit(captures[0])
    worker._flushes_asked += 1
    worker._wake.set()
    assert exporter.arrived.wait(TIMEOUT_S)
    for capture in captures[1:]:
        worker.submit(capture)


def test_oldest_is_dropped_when_the_queue_is_full(make_worker: MakeWorker, exporter: Gate) -> None:
    """Past the bound of records the oldest waiting ones make room and are counted."""
    worker = make_worker(queue_records=5)
    captures = [make_capture() for _ in range(10)]
    fill(worker, exporter, captures)
    stats = worker.stats
    assert (stats.received, stats.dropped, stats.queue_records) == (10, {"queue_full": 4}, 6)
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    assert [record.id for record in exporter.records] == [
        capture.id for capture in (captures[0], *captures[5:])
    ]


def test_queue_is_bounded_by_bytes(make_worker: MakeWorker, exporter: Gate) -> None:
    """The memory that waiting captures take is bounded too; one that is too large alone is dropped."""
    worker = make_worker(queue_bytes=10_000)
    captures = [make_capture(size=4000) for _ in range(5)]
    fill(worker, exporter, captures)
    stats = worker.stats
    assert stats.dropped == {"queue_full": 3}
    assert stats.queue_bytes == 8000
    worker.submit(make_capture(size=20_000))
    assert worker.stats.dropped == {"queue_full": 5}
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    assert worker.stats.queue_bytes == 0


def test_bodies_wait_once(make_worker: MakeWorker, exporter: Gate) -> None:
    """While the store does not answer, a batch waits as records, and no longer as captures too."""
    worker = make_worker(batch_records=2)
    exporter.gate.clear()
    for _ in range(2):
        worker.submit(make_capture(path="/in/hand", size=4000))
    assert exporter.arrived.wait(TIMEOUT_S)
    captures = [one for one in gc.get_objects() if type(one) is Capture]
    assert not [one for one in captures if "/in/hand" in one.environ_values]
    assert worker.stats.queue_bytes == 8000
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    assert worker.stats.queue_bytes == 0


def test_gap_is_visible_in_the_data(make_worker: MakeWorker, exporter: Gate) -> None:
    """The next record after a loss says how many were lost before it, and the one after it none."""
    worker = make_worker(queue_records=2)
    fill(worker, exporter, [make_capture() for _ in range(6)])
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    assert [record.dropped_before for record in exporter.records] == [0, 3, 0]


def test_gap_survives_a_record_that_is_not_kept(make_worker: MakeWorker, exporter: Gate) -> None:
    """A loss is told by the next record that is kept."""
    worker = make_worker(queue_records=2, exclude_methods=frozenset({"HEAD"}))
    captures = [make_capture() for _ in range(4)]
    captures += [make_capture(method="HEAD"), make_capture()]
    fill(worker, exporter, captures)
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    assert [record.dropped_before for record in exporter.records] == [0, 3]
    assert worker.stats.accepted == 2


def test_gap_survives_a_record_that_is_lost(make_worker: MakeWorker, exporter: Gate) -> None:
    """A record that would tell of a loss, and is lost itself, leaves that to the next one."""
    worker = make_worker()
    worker._counters.drop("queue_full", 5)
    for error in (NoDatabaseError("none"), None):
        exporter.failures = [error] if error else []
        worker.submit(make_capture())
        assert worker.flush(TIMEOUT_S)
    assert [record.dropped_before for record in exporter.records] == [6]


def test_gap_is_told_once_by_several_threads(exporter: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of records that are made at the same time one tells of a loss."""
    worker = SyncWorker(Settings(), exporter)
    worker._counters.drop("export_failed", 5)
    both = threading.Barrier(2, timeout=TIMEOUT_S)
    judge = worker._rules.judge

    def judge_together(*args: Any) -> Any:
        both.wait()
        return judge(*args)

    monkeypatch.setattr(worker._rules, "judge", judge_together)
    threads = [threading.Thread(target=worker.submit, args=(make_capture(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert sorted(record.dropped_before for record in exporter.records) == [0, 5]
    assert worker._counters.take_gap() == 0


def test_failed_batch_is_sent_again(
    make_worker: MakeWorker,
    exporter: Gate,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A batch that could not be stored is tried again until it is; one log line says so."""
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 0.001)
    worker = make_worker()
    exporter.failures = [ExportError("the store is away"), OSError(17), ExportError("still")]
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert exporter.batches == [1]
    stats = worker.stats
    assert (stats.exported, stats.dropped, stats.failed) == (1, {}, 4)  # the OSError counts as ours too
    assert stats.last_export_age_s is not None and stats.last_export_age_s >= 0
    assert [record.getMessage() for record in caplog.records] == [
        "Records cannot be stored: the store is away",
        "exporting records failed with OSError",
        "Records are stored again after 0s.",
    ]
    assert "(the message may quote a value, so it is not shown)" in caplog.text


def test_pauses_between_tries_double(
    make_worker: MakeWorker, exporter: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is away is asked less and less often."""
    pauses: list[float] = []
    monkeypatch.setattr(delivery_module, "spread", lambda pause_s: pause_s)
    worker = make_worker()
    monkeypatch.setattr(worker._closing, "wait", pauses.append)
    exporter.failures = [ExportError("away")] * 7
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_no_database_drops_and_says_so_once(
    make_worker: MakeWorker, exporter: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a database records are dropped, not queued, and one line names the fix."""
    worker = make_worker()
    for _ in range(2):
        exporter.failures = [NoDatabaseError("no MongoDB is configured. Set it.")]
        worker.submit(make_capture())
        assert worker.flush(TIMEOUT_S)
    assert worker.stats.dropped == {"not_configured": 2}
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["Nothing is recorded: no MongoDB is configured. Set it."]


def test_rejected_records_are_counted(make_worker: MakeWorker, exporter: Gate) -> None:
    """What a store refuses for good is dropped, its neighbours are stored."""
    worker = make_worker()
    exporter.export = lambda records: 1  # type: ignore[method-assign]
    worker.submit(make_capture())
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert (worker.stats.exported, worker.stats.dropped) == (1, {"rejected": 1})


def test_record_that_cannot_be_assembled(make_worker: MakeWorker, exporter: Gate) -> None:
    """A capture that nothing can be made of is counted and costs no other."""
    worker = make_worker()
    worker.submit(make_capture(environ_keys=None))
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert worker.stats.dropped == {"assembly_failed": 1}
    assert len(exporter.records) == 1


def test_what_is_not_foreseen_costs_a_batch(
    make_worker: MakeWorker, exporter: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread survives an error in its own loop, MemoryError too."""
    worker = make_worker(batch_records=1)
    failing = iter([MemoryError()])
    work = worker._work

    def fail_once(captures: list[Capture]) -> None:
        for error in failing:
            raise error
        work(captures)

    monkeypatch.setattr(worker, "_work", fail_once)
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert len(exporter.records) == 1
    assert worker.stats.dropped == {"worker_failed": 1}


@pytest.mark.parametrize("kind", [MemoryError, SystemExit, RuntimeError])
def test_thread_that_dies_is_replaced(
    make_worker: MakeWorker, exporter: Gate, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """Whatever ends the thread costs what it had in hand; the next capture starts another."""
    worker = make_worker(batch_records=1)
    failing: list[BaseException] = [kind(), kind()]
    empty = worker._empty_queue

    def fail_first(down_to: int) -> None:
        if failing and worker._queue:
            with worker._lock:
                worker._queue.take(1)  # what was taken is lost
            raise failing.pop()
        empty(down_to)

    monkeypatch.setattr(worker, "_empty_queue", fail_first)
    for lost in (1, 2):
        worker.submit(make_capture())
        assert worker.flush(TIMEOUT_S)
        assert worker.stats.dropped == {"worker_failed": lost}
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    stats = worker.stats
    assert (len(exporter.records), stats.exported, stats.queue_records, stats.queue_bytes) == (
        1,
        1,
        0,
        0,
    )


def test_flush_replaces_a_thread_that_died(make_worker: MakeWorker, exporter: Gate) -> None:
    """What waited when the thread died is stored by the next flush."""
    worker = make_worker()
    worker._queue.append(make_capture())
    worker._counters.received += 1
    assert worker.flush(TIMEOUT_S)
    assert len(exporter.records) == 1


def test_close_counts_what_a_dead_thread_left(make_worker: MakeWorker) -> None:
    """Without a thread what waits is dropped and counted, not forgotten."""
    worker = make_worker()
    worker._queue.append(make_capture())
    worker._counters.received += 1
    assert worker.close(0)
    assert worker.stats.dropped == {"shutdown": 1}


@pytest.mark.parametrize("part", ["_processor._make_record", "_rules.judge", "_exporter.export"])
def test_memory_that_runs_out_in_the_thread(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """MemoryError costs the record or another try, wherever it comes up, and never the thread."""
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 0.001)
    worker = make_worker()
    worker.prepare()
    owner, name = part.split(".")
    with monkeypatch.context() as patch:
        failing = iter([MemoryError()])
        kind = type(getattr(worker, owner))
        whole = getattr(kind, name)

        def fail_once(*args: Any) -> Any:
            for error in failing:
                raise error
            return whole(*args)

        patch.setattr(kind, name, fail_once)
        worker.submit(make_capture())
        assert worker.flush(TIMEOUT_S)
    thread = worker._thread
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert worker._thread is thread
    stats = worker.stats
    expected = {} if part == "_exporter.export" else {"assembly_failed": 1}
    assert (stats.received, stats.dropped) == (2, expected)
    assert stats.exported == 2 - sum(expected.values())


def test_abandoned_worker_says_nothing_more(
    make_worker: MakeWorker, exporter: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """When time has run out at the end of the process, the thread stays away from the log."""
    worker = make_worker()
    fill(worker, exporter, [make_capture()])
    exporter.failures = [ExportError("too late")]
    assert worker.close(0.01) is False
    caplog.clear()
    exporter.gate.set()
    assert worker.close(TIMEOUT_S) is True
    assert caplog.records == []
    assert worker.stats.dropped == {"shutdown": 1}


def test_end_of_the_process_closes_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every worker is asked to stop before one is waited for; each exporter is abandoned at last."""
    calls: list[str] = []

    class Listening(MemoryExporter):
        def close(self, timeout_s: float = 2.0) -> None:
            calls.append("close")

        def abandon(self) -> None:
            calls.append("abandon")
            raise ValueError("never mind")

    workers = [SyncWorker(Settings(), Listening()) for _ in range(2)]
    monkeypatch.setattr(worker_module, "_workers", workers)
    worker_module._end_workers()
    worker_module._abandon_clients()
    assert calls == ["close", "close", "abandon", "abandon"]


@pytest.mark.parametrize("kind", [SyncWorker, BatchWorker])
def test_exporter_that_is_slow_to_close(monkeypatch: pytest.MonkeyPatch, kind: type[Worker]) -> None:
    """While it is closed on the thread of the exit, the records of another app are stored."""
    is_stored = threading.Event()
    waited: list[bool] = []

    class Slow(MemoryExporter):
        def close(self, timeout_s: float = 2.0) -> None:
            waited.append(is_stored.wait(TIMEOUT_S))

    class Noting(MemoryExporter):
        def _store(self, records: Sequence[Record]) -> int:
            is_stored.set()
            return super()._store(records)

    worker = BatchWorker(Settings(flush_interval_s=3600.0), Noting())
    worker.submit(make_capture())
    monkeypatch.setattr(worker_module, "_workers", [kind(Settings(), Slow()), worker])
    worker_module._end_workers()
    assert waited == [True]


@pytest.mark.parametrize("method", ["stop", "join"])
def test_trouble_of_one_worker_at_the_end(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """A worker that cannot be ended keeps no other from storing what it has."""
    exporters = [MemoryExporter() for _ in range(3)]
    workers = [BatchWorker(Settings(flush_interval_s=3600.0), exporter) for exporter in exporters]
    for worker in workers:
        worker.submit(make_capture())
    monkeypatch.setattr(worker_module, "_workers", workers)
    with monkeypatch.context() as patch:
        patch.setattr(workers[1], method, lambda *_: 1 // 0)
        worker_module._end_workers()
    assert [len(exporters[at].records) for at in (0, 2)] == [1, 1]
    assert workers[1].close(TIMEOUT_S)


def test_close_stores_what_is_queued(make_worker: MakeWorker, exporter: Gate) -> None:
    """close sends the rest; what comes later is dropped and counted; closing twice is harmless."""
    worker = make_worker(flush_interval_s=3600.0)
    for _ in range(3):
        worker.submit(make_capture())
    assert worker.close(TIMEOUT_S)
    assert exporter.batches == [3]
    worker.submit(make_capture())
    assert worker.stats.dropped == {"closed": 1}
    assert worker.close(TIMEOUT_S)


def test_closed_sync_worker_drops() -> None:
    """It opens the exporter no more: what comes later is dropped and counted, as by a thread."""
    exporter = MemoryExporter()
    worker = SyncWorker(Settings(), exporter)
    worker.submit(make_capture())
    assert worker.close(TIMEOUT_S)
    worker.submit(make_capture())
    assert len(exporter.records) == 1
    assert (worker.stats.received, worker.stats.dropped) == (2, {"closed": 1})
    worker.after_fork_in_child()
    worker.submit(make_capture())
    assert (len(exporter.records), worker.stats.dropped) == (2, {})


@pytest.mark.parametrize("kind", [BatchWorker, SyncWorker])
def test_exporter_gets_the_time_that_is_left(
    monkeypatch: pytest.MonkeyPatch, kind: type[BatchWorker] | type[SyncWorker]
) -> None:
    """What storing has used of a timeout is not there for closing; the settings have the default."""
    given: list[float] = []

    class Slow(MemoryExporter):
        def _store(self, records: Sequence[Record]) -> int:
            time.sleep(0.2)
            return super()._store(records)

        def close(self, timeout_s: float = 2.0) -> None:
            given.append(timeout_s)

    def make() -> Worker:
        worker = kind(Settings(flush_interval_s=3600.0, shutdown_timeout_s=30.0), Slow())
        worker.submit(make_capture())
        return worker

    waited_s = 0.2 if kind is BatchWorker else 0.0
    assert make().close(TIMEOUT_S)
    monkeypatch.setattr(worker_module, "_workers", [make()])
    worker_module._end_workers()
    assert TIMEOUT_S - 10 < given[0] <= TIMEOUT_S - waited_s
    assert 20.0 < given[1] <= 30.0 - waited_s


def test_no_time_is_left_for_the_exporter(make_worker: MakeWorker, exporter: Gate) -> None:
    """An exporter is closed also where storing has used up the time."""
    worker = make_worker()
    fill(worker, exporter, [make_capture()])
    assert worker.close(0.01) is False
    exporter.gate.set()
    worker.join(TIMEOUT_S)
    assert exporter.close_timeouts == [0.0]


def test_shared_exporter_is_closed_by_its_last_user(make_worker: MakeWorker, exporter: Gate) -> None:
    """Where two apps share an exporter, the end of one does not cut the other off."""
    first, second = make_worker(flush_interval_s=3600.0), make_worker(flush_interval_s=3600.0)
    for worker in (first, second):
        worker.submit(make_capture())
    assert first.close(TIMEOUT_S)
    assert not any(call.startswith("close") for call in exporter.calls)
    assert second.close(TIMEOUT_S)
    assert exporter.batches == [1, 1]
    assert exporter.calls[-1] == "close in flask-tracking worker"


def test_close_without_a_thread_closes_the_exporter(make_worker: MakeWorker, exporter: Gate) -> None:
    """A worker that never had work closes its exporter all the same."""
    worker = make_worker()
    assert worker.close(TIMEOUT_S)
    assert worker.close(0)
    assert exporter.calls == ["close in flask-tracking end"]


def test_close_honours_its_timeout(
    make_worker: MakeWorker, exporter: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """close returns when time is up, and the log says how many were not stored."""
    worker = make_worker()
    fill(worker, exporter, [make_capture() for _ in range(3)])
    assert worker.close(0.01) is False
    assert worker.stats.dropped == {"shutdown": 3}
    exporter.gate.set()
    assert worker.close(TIMEOUT_S) is True
    stats = worker.stats
    assert (stats.received, stats.exported, stats.dropped) == (3, 0, {"shutdown": 3})
    assert [record.getMessage() for record in caplog.records] == [
        "Records that were not stored in time and are lost: 3. "
        "Check the database, or raise TRACKING_SHUTDOWN_TIMEOUT_S."
    ]


def test_close_gives_up_on_a_store_that_is_away(
    make_worker: MakeWorker, exporter: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """While closing each failure is the last: what is left is counted as dropped, and logged."""
    worker = make_worker(batch_records=2)
    captures = [make_capture() for _ in range(7)]
    fill(worker, exporter, captures)
    exporter.failures = [ExportError("away")] * 10
    worker.stop()
    exporter.gate.set()
    assert worker.close(TIMEOUT_S)
    assert worker.stats.dropped == {"shutdown": 7}
    assert worker.stats.queue_records == 0
    (said,) = [line for line in caplog.messages if "are lost" in line]
    assert said.startswith("Records that were not stored in time and are lost: 7. ")


@pytest.mark.parametrize("options", [{}, {"master": b"1"}, {b"socket": b":0", b"\xff": b""}])
def test_uwsgi_without_threads(
    make_worker: MakeWorker,
    exporter: Gate,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    options: Any,
) -> None:
    """Under uWSGI without threads nothing is queued for ever: it is said loudly, once."""
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt=options))
    worker = make_worker()
    worker.submit(make_capture())
    worker.submit(make_capture())
    assert worker.stats.dropped == {"no_threads": 2}
    assert worker.stats.queue_records == 0
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "--enable-threads" in record.getMessage()


@pytest.mark.parametrize("options", [{"enable-threads": True}, {b"threads": b"2"}])
def test_uwsgi_with_threads(
    make_worker: MakeWorker, exporter: Gate, monkeypatch: pytest.MonkeyPatch, options: Any
) -> None:
    """Under uWSGI with threads the worker runs as anywhere."""
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt=options))
    worker = make_worker()
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert len(exporter.records) == 1


@pytest.mark.parametrize(
    "module", [ModuleType("uwsgi"), SimpleNamespace(opt=ModuleType("uwsgi.opt")), None]
)
def test_module_that_is_not_uwsgi(
    make_worker: MakeWorker, exporter: Gate, monkeypatch: pytest.MonkeyPatch, module: Any
) -> None:
    """A module that only has the name of uWSGI's, like a folder with its ini file, changes nothing."""
    monkeypatch.setitem(sys.modules, "uwsgi", module)
    worker = make_worker()
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert len(exporter.records) == 1


STARTS = ["__init__", "start"]
"""The methods of a thread that a request calls."""


@pytest.mark.parametrize("kind", [RuntimeError, AttributeError, MemoryError])
@pytest.mark.parametrize("method", STARTS)
def test_no_thread_can_be_started(
    make_worker: MakeWorker,
    exporter: Gate,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: type[Exception],
    method: str,
) -> None:
    """What keeps a thread from its start costs what waited, said once; the next capture starts one."""

    def fail(*_: object, **__: object) -> None:
        raise kind("".join(["hun", "ter2"]))

    worker = make_worker()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, method, fail)
        worker.submit(make_capture())
        worker.submit(make_capture())
        assert worker.flush(0)
    assert worker.stats.dropped == {"no_threads": 2}
    (said,) = caplog.records
    assert f"no thread can be started here ({kind.__name__})" in said.getMessage()
    assert "hunter2" not in caplog.text
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert [record.dropped_before for record in exporter.records] == [2]


@pytest.mark.parametrize("method", STARTS)
def test_start_that_is_broken_off(
    make_worker: MakeWorker, exporter: Gate, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """What ends the process belongs to the server; what waits is stored by the next thread."""

    def leave(*_: object, **__: object) -> None:
        raise SystemExit

    worker = make_worker()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, method, leave)
        with pytest.raises(SystemExit):
            worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert (len(exporter.records), worker.stats.dropped) == (1, {})


def test_wait_for_the_start_is_broken_off(
    make_worker: MakeWorker, exporter: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that runs already is kept when its start is broken off."""
    start = threading.Thread.start

    def start_and_leave(self: threading.Thread) -> None:
        start(self)
        raise SystemExit

    worker = make_worker()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start_and_leave)
        with pytest.raises(SystemExit):
            worker.submit(make_capture())
    thread = worker._thread
    assert thread is not None
    assert worker.flush(TIMEOUT_S)
    assert worker._thread is thread
    assert len(exporter.records) == 1


def test_close_while_the_thread_starts(make_worker: MakeWorker) -> None:
    """A thread that is made and does not run yet cannot be waited for: what waits is counted."""
    worker = make_worker()
    worker._thread = threading.Thread()
    worker.submit(make_capture())
    assert worker.close(0)
    assert worker.stats.dropped == {"shutdown": 1}


@pytest.mark.integration
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_fork_begins_anew() -> None:
    """A child has its own thread and counts from zero; what the parent had queued it sends itself."""
    script = """
        import os, sys
        from flask_tracking import MemoryExporter, Settings
        from flask_tracking.pipeline.batch import BatchWorker
        from tests.captures import make_capture

        exporter = MemoryExporter()
        worker = BatchWorker(Settings(flush_interval_s=3600.0), exporter)
        worker.submit(make_capture())
        worker.submit(make_capture())
        worker._lock.acquire()  # another thread may hold it when the process forks
        child = os.fork()
        if child == 0:
            worker.submit(make_capture())
            assert worker.flush(20)
            stats = worker.stats
            assert (stats.received, stats.exported, len(exporter.records)) == (1, 1, 1), stats
            assert f":{os.getpid()}:" in exporter.records[0].process
            assert worker.close(20)
            os._exit(17)
        worker._lock.release()
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 17
        assert worker.flush(20)
        assert worker.stats.exported == len(exporter.records) == 2
    """
    run_script(script)


@pytest.mark.integration
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.parametrize("kind", ["batch.BatchWorker", "worker.SyncWorker"])
def test_what_was_prepared_survives_a_fork(kind: str) -> None:
    """A child redacts with what its parent compiled, and knows its own process."""
    module, name = kind.split(".")
    script = f"""
        import os
        from unittest import mock
        from flask_tracking import MemoryExporter, Settings
        from flask_tracking.pipeline.{module} import {name}
        from flask_tracking.redaction import redactor
        from tests.captures import make_capture

        exporter = MemoryExporter()
        worker = {name}(Settings(flush_interval_s=3600.0), exporter)
        worker.prepare()
        child = os.fork()
        if child == 0:
            with mock.patch.object(redactor, "Detector") as compiles_anew:
                worker.submit(make_capture(response_chunks=(b"password=hunter2",)))
                assert worker.flush(20)
            assert not compiles_anew.called
            (record,) = exporter.records
            assert record.response_body == b"password=[redacted]", record
            assert f":{{os.getpid()}}:" in record.process
            os._exit(17)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 17
    """
    run_script(script)


def test_failure_to_prepare_is_said(
    make_worker: MakeWorker, exporter: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be prepared stops nobody, and is tried again with the first record."""
    worker = make_worker()
    with monkeypatch.context() as patch:
        patch.setattr(Redactor, "prepare", lambda _: 1 // 0)
        worker.prepare()
    assert guard.failures["preparing the worker"] == 1
    worker.submit(make_capture(response_chunks=(b"password=hunter2",)))
    assert worker.flush(TIMEOUT_S)
    assert exporter.records[0].response_body == b"password=[redacted]"


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own; fails when that does."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=True, text=True, capture_output=True
    )


@pytest.mark.integration
def test_exit_of_the_process_stores_what_is_queued() -> None:
    """At the end of the process the rest is sent, without anybody closing anything."""
    script = """
        import os
        from flask_tracking import MemoryExporter, Settings
        from flask_tracking.pipeline.batch import BatchWorker
        from tests.captures import make_capture

        class Loud(MemoryExporter):
            def _store(self, records):
                os.write(1, b"stored %d" % len(records))
                return 0

        worker = BatchWorker(Settings(flush_interval_s=3600.0, shutdown_timeout_s=20.0), Loud())
        worker.submit(make_capture())
        worker.submit(make_capture())
    """
    assert run_script(script).stdout == "stored 2"


@pytest.mark.integration
def test_exit_of_an_app_redacts_what_is_queued() -> None:
    """The door to RE2 is shut after the worker has ended, though it was not opened before."""
    script = """
        import os
        from flask import Flask
        from flask_tracking import Exporter, Tracking

        class Loud(Exporter):
            def _store(self, records):
                os.write(1, b" ".join(record.query_params.encode() for record in records))
                return 0

        app = Flask("shop")
        app.config["TRACKING_FLUSH_INTERVAL_S"] = 3600.0
        app.config["TRACKING_SHUTDOWN_TIMEOUT_S"] = 20.0
        Tracking(app, exporter=Loud())
        for number in range(3):
            app.test_client().get(f"/?password=hunter{number}")
    """
    assert run_script(script).stdout == " ".join(["password=[redacted]"] * 3)


@pytest.mark.integration
def test_exit_is_not_held_up_by_a_store_that_hangs() -> None:
    """The end of the process waits no longer than the shutdown timeout, and says what is lost."""
    script = """
        import logging, threading
        from flask_tracking import MemoryExporter, Settings
        from flask_tracking.pipeline.batch import BatchWorker
        from tests.captures import make_capture

        logging.basicConfig()

        class Hanging(MemoryExporter):
            def _store(self, records):
                threading.Event().wait()

        worker = BatchWorker(Settings(shutdown_timeout_s=0.05), Hanging())
        worker.submit(make_capture())
    """
    assert "Records that were not stored in time and are lost: 1." in run_script(script).stderr


@pytest.mark.integration
def test_exit_waits_once_for_all_apps() -> None:
    """Twenty apps whose store hangs hold the process up as long as one does."""
    script = """
        import atexit, threading, time
        from flask_tracking import MemoryExporter, Settings

        waited_s = []
        join = threading.Thread.join

        def count(thread, timeout=None):
            if timeout is not None:
                waited_s.append(timeout)
            join(thread, timeout)

        atexit.register(lambda: print(sum(waited_s)))  # runs last
        threading.Thread.join = count
        from flask_tracking.pipeline.batch import BatchWorker
        from tests.captures import make_capture

        class Hanging(MemoryExporter):
            def _store(self, records):
                threading.Event().wait()

        workers = [BatchWorker(Settings(shutdown_timeout_s=0.2), Hanging()) for _ in range(20)]
        for worker in workers:
            worker.submit(make_capture())
    """
    assert float(run_script(script).stdout) <= 0.4


@pytest.mark.integration
def test_exit_closes_the_exporter_of_a_sync_worker() -> None:
    """A worker without a thread lets go of its connection at the end of the process, too."""
    script = """
        import os
        from flask_tracking import MemoryExporter, Settings
        from flask_tracking.pipeline.worker import SyncWorker

        class Loud(MemoryExporter):
            def close(self, timeout_s=2.0):
                os.write(1, b"closed")

        worker = SyncWorker(Settings(), Loud())
    """
    assert run_script(script).stdout == "closed"


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["worker.SyncWorker", "batch.BatchWorker"])
def test_exit_is_not_held_up_by_an_exporter_that_hangs_in_close(kind: str) -> None:
    """It is closed apart where the worker has no thread; an exporter beside it has its time."""
    module, name = kind.split(".")
    script = f"""
        import os, threading
        from flask_tracking import MemoryExporter, Settings
        from flask_tracking.pipeline.{module} import {name}

        class Hanging(MemoryExporter):
            def close(self, timeout_s=2.0):
                threading.Event().wait()

        class Slow(MemoryExporter):
            def close(self, timeout_s=2.0):
                threading.Event().wait(0.1)
                os.write(1, b"closed")

        settings = Settings(shutdown_timeout_s=1.0)
        workers = [{name}(settings, exporter) for exporter in (Hanging(), Slow())]
    """
    assert run_script(script).stdout == "closed"


def test_close_of_a_sync_worker_is_bounded(exporter: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """It returns False when the exporter does not close in time, and closes it again when asked to."""
    released = threading.Event()
    monkeypatch.setattr(exporter, "close", lambda timeout_s: released.wait(TIMEOUT_S))
    worker = SyncWorker(Settings(), exporter)
    assert not worker.close(0.01)
    released.set()
    assert worker.close(TIMEOUT_S)


def test_exporter_is_closed_here_where_no_thread_can_be_started(
    exporter: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the exit of Python 3.12.1, and under uWSGI without threads."""
    closed: list[threading.Thread] = []
    monkeypatch.setattr(exporter, "close", lambda _: closed.append(threading.current_thread()))
    monkeypatch.setattr("flask_tracking.pipeline.worker.threads_can_run", lambda: False)
    assert SyncWorker(Settings(), exporter).close(TIMEOUT_S)
    assert closed == [threading.current_thread()]


def test_recovery_is_said_once(
    make_worker: MakeWorker,
    exporter: Gate,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """When a store answers again the log says so."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 0.001)
    worker = make_worker()
    exporter.failures = [ExportError("away")]
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert [record.getMessage() for record in caplog.records] == [
        "Records cannot be stored: away",
        "Records are stored again after 0s.",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_sync_worker_stores_at_once(exporter: Gate) -> None:
    """SyncWorker stores inside submit, and has nothing to flush."""
    worker = SyncWorker(Settings(), exporter)
    capture = make_capture()
    worker.submit(capture)
    assert [record.id for record in exporter.records] == [capture.id]
    assert worker.flush(0)
    assert (worker.stats.received, worker.stats.queue_records, worker.stats.queue_bytes) == (1, 0, 0)
    assert worker.close(TIMEOUT_S)
    assert exporter.calls == ["close in flask-tracking end"]


def test_sync_worker_drops_what_cannot_be_stored(exporter: Gate) -> None:
    """SyncWorker tries once, and counts what it lost."""
    worker = SyncWorker(Settings(exclude_methods=frozenset({"HEAD"})), exporter)
    exporter.failures = [ExportError("away"), NoDatabaseError("none")]
    worker.submit(make_capture())
    worker.submit(make_capture())
    worker.submit(make_capture(method="HEAD"))
    assert worker.stats.dropped == {"export_failed": 1, "not_configured": 1}


def test_gap_survives_what_a_sync_worker_drops(exporter: Gate) -> None:
    """A loss is told by the next record that is stored, not by one that is not."""
    worker = SyncWorker(Settings(), exporter)
    exporter.failures = [ExportError("away")] * 3
    for _ in range(4):
        worker.submit(make_capture())
    assert [record.dropped_before for record in exporter.records] == [3]


def test_sync_worker_repeats_nothing_that_was_interrupted(
    exporter: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal that ends a greenlet in the middle of an export goes on to its server, at once."""
    tries: list[int] = []

    def leave(records: Sequence[Record]) -> int:
        tries.append(len(records))
        raise SystemExit

    monkeypatch.setattr("flask_tracking.pipeline.interrupts._is_greenlet", lambda: True)
    monkeypatch.setattr(exporter, "export", leave)
    worker = SyncWorker(Settings(), exporter)
    with pytest.raises(SystemExit):
        worker.submit(make_capture())
    assert (tries, worker.stats.dropped) == ([1], {"worker_failed": 1})


@pytest.mark.parametrize("error", [SystemExit, MemoryError])
def test_sync_worker_counts_what_is_broken_off(
    exporter: Gate, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """What leaves the worker goes where it belongs; the record that it costs is counted."""
    worker = SyncWorker(Settings(), exporter)

    def leave(*_: object) -> None:
        raise error

    monkeypatch.setattr(Redactor, "redact", leave)
    with pytest.raises(error):
        worker.submit(make_capture())
    assert worker.stats.dropped == {"worker_failed": 1}


def test_notes_are_logged_once(exporter: Gate, caplog: pytest.LogCaptureFixture) -> None:
    """A record that is stored with a note is said in one line a minute."""
    worker = SyncWorker(Settings(), exporter)
    first = make_capture(notes=("a cycle in custom data was cut",))
    worker.submit(first)
    worker.submit(make_capture(notes=("another",)))
    assert [record.getMessage() for record in caplog.records] == [
        f"Record {first.id} was stored with a note: a cycle in custom data was cut"
    ]


def test_stats_cannot_be_changed(exporter: Gate) -> None:
    """Stats are a value: what is read stays as it was read."""
    worker = SyncWorker(Settings(), exporter)
    before = worker.stats
    worker.submit(make_capture())
    assert (before.received, worker.stats.received) == (0, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.received = 5  # type: ignore[misc]


FAILURE: dict[str, Any] = {"status": "500 INTERNAL SERVER ERROR"}


def test_failures_outlive_routine_in_a_full_queue(make_worker: MakeWorker, exporter: Gate) -> None:
    """A full queue drops what is routine; the stats tell it from what was to be kept."""
    worker = make_worker(queue_records=5)
    failures = [make_capture(**FAILURE) for _ in range(4)]
    captures = [make_capture(), *failures, *(make_capture() for _ in range(20))]
    fill(worker, exporter, captures)
    stats = worker.stats
    assert (stats.dropped, stats.dropped_kept) == ({"queue_full": 19}, {})
    for _ in range(3):
        worker.submit(make_capture(**FAILURE))
    stats = worker.stats
    assert (stats.dropped, stats.dropped_kept) == ({"queue_full": 22}, {"queue_full": 2})
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    assert [record.kept_reason for record in exporter.records] == [None, *["error"] * 5]


def test_what_the_rules_drop_is_no_loss(make_worker: MakeWorker, exporter: Gate) -> None:
    """A capture of which no record would be made is not counted as dropped when the queue is full."""
    worker = make_worker(queue_records=2, exclude_methods=frozenset({"HEAD"}))
    fill(worker, exporter, [make_capture(), *(make_capture(method="HEAD") for _ in range(5))])
    assert worker.stats.dropped == {}
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    assert worker.stats.accepted == 1


def test_every_request_is_counted(make_worker: MakeWorker, exporter: Gate) -> None:
    """Summaries of all requests are counted: stored, sampled away, dropped, unreadable or too late."""
    worker = make_worker(queue_records=5, sample_rate=0.0)
    captures = [make_capture(**FAILURE), *(make_capture() for _ in range(10))]
    captures += [make_capture(environ_keys=None), *(make_capture(**FAILURE) for _ in range(10))]
    fill(worker, exporter, captures)
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    assert worker.close(TIMEOUT_S)
    worker.submit(make_capture())
    stats = worker.stats
    assert count_requests(worker, exporter) == stats.received == len(captures) + 1
    assert sum(stats.dropped.values()) + stats.exported == 12


def test_kept_ones_go_first_when_the_process_ends(make_worker: MakeWorker, exporter: Gate) -> None:
    """Where time is short what is no routine is stored before the rest, in its order."""
    worker = make_worker(batch_records=2)
    first, *others = [make_capture(**(FAILURE if at % 3 == 2 else {})) for at in range(9)]
    fill(worker, exporter, [first, *others])
    worker.stop()
    exporter.gate.set()
    assert worker.close(TIMEOUT_S)
    stored = [record.id for record in exporter.records][1:]
    wanted = sorted(others, key=lambda capture: capture.status == "200 OK")
    assert stored == [capture.id for capture in wanted]


def test_end_of_time_tells_routine_from_others(make_worker: MakeWorker, exporter: Gate) -> None:
    """What is lost at the end is counted by what it was, in hand or waiting."""
    worker = make_worker()
    fill(worker, exporter, [make_capture(**FAILURE), make_capture(), make_capture(**FAILURE)])
    assert worker.close(0.01) is False
    stats = worker.stats
    assert (stats.dropped, stats.dropped_kept) == ({"shutdown": 3}, {"shutdown": 2})
    exporter.gate.set()
    assert worker.close(TIMEOUT_S)
    assert worker.stats.dropped == {"shutdown": 3}


def test_log_handler_that_asks_for_the_stats(make_worker: MakeWorker, exporter: Gate) -> None:
    """What is logged while captures are counted may look at the numbers."""
    worker = make_worker(queue_records=1)
    seen: list[int] = []

    class Curious(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(worker.stats.received)

    handler = Curious()
    guard.logger.addHandler(handler)
    try:
        fill(worker, exporter, [make_capture(), make_capture(environ_keys=None), make_capture()])
    finally:
        guard.logger.removeHandler(handler)
    assert seen == [3]
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)


def test_eight_threads_against_a_slow_store() -> None:
    """However many routine requests come, every failure is stored, and nothing is lost uncounted."""

    class Slow(MemoryExporter):
        """Takes 2 ms for a record."""

        def _store(self, records: Sequence[Record]) -> int:
            time.sleep(0.002 * len(records))
            return super()._store(records)

    settings = Settings(queue_records=200, batch_records=50, flush_interval_s=0.01)
    exporter = Slow()
    worker = BatchWorker(settings, exporter)
    until = time.perf_counter() + 1.0

    def send(own: list[int]) -> None:
        while time.perf_counter() < until:
            for at in range(100):
                worker.submit(make_capture(**(FAILURE if at == 50 else {})))
            own.append(1)
            time.sleep(0.05)

    sent: list[list[int]] = [[] for _ in range(8)]
    threads = [threading.Thread(target=send, args=(own,)) for own in sent]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert worker.flush(TIMEOUT_S)
    stats = worker.stats
    failures = [one for own in sent for one in own]
    assert [record.kept_reason for record in exporter.records].count("error") == len(failures)
    assert stats.dropped_kept == {}
    assert stats.received == 100 * len(failures) == stats.exported + sum(stats.dropped.values())
    assert stats.dropped["queue_full"] > 0
    assert count_requests(worker, exporter) == stats.received
    assert worker.close(TIMEOUT_S)


@pytest.mark.parametrize(("queued", "is_behind"), [(13, False), (14, True)])
def test_worker_that_is_behind(
    make_worker: MakeWorker,
    exporter: Gate,
    monkeypatch: pytest.MonkeyPatch,
    queued: int,
    is_behind: bool,
) -> None:
    """The worker stops giving way when an eighth of the queue is in use."""
    worker = make_worker(queue_records=100, batch_records=1)
    seen: list[bool] = []
    chunks = worker._pace.chunks

    def note(captures: Any, *, is_behind: bool) -> Any:
        seen.append(is_behind)
        return chunks(captures, is_behind=is_behind)

    monkeypatch.setattr(worker._pace, "chunks", note)
    fill(worker, exporter, [make_capture() for _ in range(1 + queued)])
    exporter.gate.set()
    assert worker.flush(TIMEOUT_S)
    assert (seen[0], seen[1], seen[-1]) == (False, is_behind, False)


def test_judging_lets_others_run(
    make_worker: MakeWorker, exporter: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large batch is judged in parts, so that no request waits for the whole."""
    judged: list[int] = []
    worker = make_worker(batch_records=2 * JUDGED_AT_ONCE + 1)
    judge_all = worker._judge_all

    def note(captures: list[Capture]) -> Any:
        judged.append(len(captures))
        return judge_all(captures)

    monkeypatch.setattr(worker, "_judge_all", note)
    monkeypatch.setattr("flask_tracking.pipeline.batch.give_way", lambda: judged.append(0))
    monkeypatch.setattr(worker, "_start", lambda: None)
    for _ in range(2 * JUDGED_AT_ONCE + 1):
        worker.submit(make_capture())
    worker._make_records(worker._take(2 * JUDGED_AT_ONCE + 1))
    assert judged == [JUDGED_AT_ONCE, 0, JUDGED_AT_ONCE, 0, 1, 0]
