"""When, and on which thread, the workers ask the store for overrides."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from flask_tracking import ExportError, MemoryExporter, Record, Settings
from flask_tracking.config.overrides import Override, parse_overrides
from flask_tracking.pipeline.batch import BatchWorker
from flask_tracking.pipeline.worker import SyncWorker

from ..captures import make_capture

TIMEOUT_S = 20.0


class Asked(MemoryExporter):
    """A store that notes which threads ask for rules."""

    def __init__(self) -> None:
        super().__init__()
        self.askers: list[str] = []
        self.is_away = False
        self.stored = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def _load_overrides(self) -> Sequence[Override]:
        self.askers.append(threading.current_thread().name)
        if self.is_away:
            raise ExportError("away")
        return super()._load_overrides()

    def _store(self, records: Sequence[Record]) -> int:
        self.stored.set()
        assert self.gate.wait(TIMEOUT_S)
        if self.is_away:
            raise ExportError("away")
        return super()._store(records)


@pytest.fixture
def store() -> Asked:
    return Asked()


@pytest.fixture
def worker(store: Asked) -> Iterator[BatchWorker]:
    """A worker that flushes when it is told to, and ends with the test."""
    worker = BatchWorker(Settings(flush_interval_s=3600.0), store)
    yield worker
    store.gate.set()
    store.is_away = False
    assert worker.close(TIMEOUT_S)


def test_thread_asks_once_in_a_flush_interval(worker: BatchWorker, store: Asked) -> None:
    """The worker's own thread asks, before the first batch, and not again within the interval."""
    store.store_overrides(parse_overrides(["slow_ms=0.001"], "1h"))
    for _ in range(3):
        worker.submit(make_capture())
        assert worker.flush(TIMEOUT_S)
    assert store.askers == ["flask-tracking worker"]
    assert [record.kept_reason for record in store.records] == ["slow"] * 3


def test_idle_worker_asks_nothing(worker: BatchWorker, store: Asked) -> None:
    """Without a record there is nothing to judge."""
    assert worker.flush(TIMEOUT_S)
    assert store.askers == []


def test_every_flush_interval(store: Asked) -> None:
    """A rule that is set later is taken up by a running worker."""
    worker = BatchWorker(Settings(flush_interval_s=0.01), store)
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    store.store_overrides(parse_overrides(["slow_ms=0.001"], "1h"))
    for _ in range(2000):
        worker.submit(make_capture())
        assert worker.flush(TIMEOUT_S)
        if store.records[-1].kept_reason == "slow":
            break
    assert store.records[-1].kept_reason == "slow"
    assert len(store.askers) >= 2
    assert worker.close(TIMEOUT_S)


def test_store_that_is_away(worker: BatchWorker, store: Asked) -> None:
    """A store that gives no rules costs no record, and is asked again as soon as it answers."""
    store.is_away = True
    worker.submit(make_capture())
    assert worker.flush(0.05) is False
    assert store.stored.wait(TIMEOUT_S)  # it was asked for rules before, and gave none
    store.is_away = False
    assert worker.flush(TIMEOUT_S)
    assert len(store.records) == 1
    assert worker.stats.dropped == {}
    # It answers again: the next batch asks, though the interval is long.
    store.store_overrides(parse_overrides(["slow_ms=0.001"], "1h"))
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert [record.kept_reason for record in store.records] == [None, "slow"]


def test_end_of_the_process_asks_nothing(worker: BatchWorker, store: Asked) -> None:
    """While a worker closes it judges by what it knows: the time is for what is queued."""
    store.gate.clear()
    worker.submit(make_capture())
    worker.flush(0)
    assert store.stored.wait(TIMEOUT_S)
    worker._rules.refresh_soon()
    worker.submit(make_capture())
    worker.stop()
    store.gate.set()
    assert worker.join(TIMEOUT_S)
    assert len(store.records) == 2
    assert len(store.askers) == 1


def test_child_asks_anew(worker: BatchWorker, store: Asked) -> None:
    """After a fork the child asks by itself, whenever its parent last did."""
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    forked = BatchWorker(Settings(flush_interval_s=3600.0), store)
    forked.after_fork_in_child()
    forked.submit(make_capture())
    assert forked.flush(TIMEOUT_S)
    assert len(store.askers) == 2
    assert forked.close(TIMEOUT_S)


def test_sync_worker_asks_once_in_a_flush_interval(store: Asked) -> None:
    """Where records are stored in the request, one request in a flush interval asks."""
    worker = SyncWorker(Settings(flush_interval_s=3600.0), store)
    store.store_overrides(parse_overrides(["slow_ms=0.001"], "1h"))
    for _ in range(5):
        worker.submit(make_capture())
    assert len(store.askers) == 1
    assert [record.kept_reason for record in store.records] == ["slow"] * 5
    assert worker.close(TIMEOUT_S)
