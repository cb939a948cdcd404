"""Every capture is counted once: received = stored + dropped + not kept + waiting, at every moment."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from greenlet import GreenletExit

from flask_tracking import MemoryExporter, Record, Settings
from flask_tracking.pipeline import delivery as delivery_module
from flask_tracking.pipeline.batch import BatchWorker
from flask_tracking.pipeline.callback import Hooks
from flask_tracking.pipeline.worker import SyncWorker

from ..captures import make_capture

TIMEOUT_S = 20.0
POISON = "/poison"


class Odd(MemoryExporter):
    """Breaks with records of one path, and does before each try what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[Sequence[Record]], object] = lambda records: None

    def _store(self, records: Sequence[Record]) -> int:
        self.before(records)
        if any(record.path == POISON for record in records):
            raise ValueError
        return super()._store(records)


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Odd:
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 0.001)
    return Odd()


def drop_heads(record: Record) -> Record | None:
    """Drop what has this method, as ``on_record`` of an app may."""
    return None if record.method == "HEAD" else record


@pytest.fixture
def worker(exporter: Odd) -> Iterator[BatchWorker]:
    settings = Settings(exclude_methods=frozenset({"OPTIONS"}), flush_interval_s=3600.0)
    worker = BatchWorker(settings, exporter, Hooks(on_record=drop_heads))
    yield worker
    assert worker.close(TIMEOUT_S)


def submit_each_kind(worker: BatchWorker) -> None:
    """Submit eight, of which three are not kept and one is a failure."""
    for method, path in [("OPTIONS", "/a"), ("HEAD", "/a"), *[("GET", "/a")] * 3, ("OPTIONS", "/a")]:
        worker.submit(make_capture(method=method, path=path))
    worker.submit(make_capture(path=POISON))
    worker.submit(make_capture(status="500 INTERNAL SERVER ERROR"))


def total(worker: BatchWorker) -> int:
    """Return what is counted somewhere."""
    stats = worker.stats
    return stats.exported + sum(stats.dropped.values()) + stats.queue_records


def test_at_every_try(worker: BatchWorker, exporter: Odd) -> None:
    """While a batch is bisected its stored part is not counted as waiting, too."""
    totals = []
    exporter.before = lambda records: totals.append(total(worker))
    submit_each_kind(worker)
    assert worker.flush(TIMEOUT_S)
    assert len(totals) > 4 and set(totals) == {5}
    stats = worker.stats
    assert (stats.received, stats.exported, stats.dropped, stats.queue_records) == (8, 5, {}, 0)


def die_once(exporter: Odd, kind: type[BaseException], number: int) -> None:
    """Let one try of the exporter raise what no ``except Exception`` catches."""
    tries = []

    def die(records: Sequence[Record]) -> None:
        tries.append(records)
        if len(tries) == number:
            raise kind

    exporter.before = die


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("number", [1, 3, 4])
def test_exporter_that_exits_in_mid_batch(
    worker: BatchWorker, exporter: Odd, kind: type[BaseException], number: int
) -> None:
    """Its exception ends no thread: it is a failure like others, and the rest is tried again."""
    die_once(exporter, kind, number)
    submit_each_kind(worker)
    thread = worker._thread
    assert worker.flush(TIMEOUT_S)
    stats = worker.stats
    assert (stats.exported, stats.dropped, stats.queue_records) == (5, {}, 0)
    assert len({record.id for record in exporter.records}) == 5
    assert worker._thread is thread is not None


@pytest.mark.parametrize("number", [1, 3, 4])
def test_thread_that_dies_in_mid_batch(worker: BatchWorker, exporter: Odd, number: int) -> None:
    """It costs what of the batch has no count yet: neither what is stored, nor what was not kept."""
    die_once(exporter, GreenletExit, number)
    submit_each_kind(worker)
    assert worker.flush(TIMEOUT_S)
    stats = worker.stats
    assert stats.dropped == {"worker_failed": 5 - len(exporter.records)}
    assert stats.dropped_kept == {"worker_failed": 1}
    assert (stats.exported, stats.queue_records) == (len(exporter.records), 0)


def test_time_runs_out_in_mid_batch(worker: BatchWorker, exporter: Odd, caplog: Any) -> None:
    """What is stored by then, or was not kept, is not lost; what comes later changes no count."""
    release, hangs, tries = threading.Event(), threading.Event(), []

    def hang(records: Sequence[Record]) -> None:
        tries.append(records)
        if len(tries) == 4:
            hangs.set()
            release.wait(TIMEOUT_S)

    exporter.before = hang
    submit_each_kind(worker)
    assert not worker.flush(0.0)
    assert hangs.wait(TIMEOUT_S)
    stored = worker.stats.exported
    assert stored
    submit_each_kind(worker)
    assert not worker.close(0.0)
    before = worker.stats
    # Of those that waited ``on_record`` was not asked.
    assert (before.exported, before.dropped, before.queue_records) == (
        stored,
        {"shutdown": 5 - stored + 6},
        0,
    )
    assert f"are lost: {11 - stored}." in caplog.text
    release.set()
    assert worker.close(TIMEOUT_S)
    after = worker.stats
    assert after.queue_bytes == 0
    assert dataclasses.replace(before, queue_bytes=0, last_export_age_s=None) == dataclasses.replace(
        after, last_export_age_s=None
    )


@pytest.mark.parametrize("step", ["_choose", "_processor.process", "_delivery.deliver"])
def test_step_that_is_not_foreseen(
    worker: BatchWorker, exporter: Odd, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A bug of ours costs what has no count yet, once."""
    *owner, name = step.split(".")
    kind = type(getattr(worker, owner[0]) if owner else worker)

    def fail(*args: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(kind, name, fail)
        submit_each_kind(worker)
        assert worker.flush(TIMEOUT_S)
    lost = {"_choose": 8, "_processor.process": 6, "_delivery.deliver": 5}[step]
    assert (worker.stats.dropped, worker.stats.queue_records) == ({"worker_failed": lost}, 0)


def test_interrupted_submit(worker: BatchWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an interrupt keeps from the queue is counted with the next batch, and flushing ends."""
    with monkeypatch.context() as patch:
        patch.setattr(worker._queue, "append", lambda capture: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            worker.submit(make_capture())
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    stats = worker.stats
    assert (stats.received, stats.exported, stats.dropped) == (2, 1, {"worker_failed": 1})


def test_record_inside_the_request(exporter: Odd) -> None:
    """A record that is being stored inside its request waits meanwhile."""
    worker = SyncWorker(Settings(), exporter)
    waiting = []
    exporter.before = lambda records: waiting.append(worker.stats.queue_records)
    worker.submit(make_capture())
    assert (waiting, worker.stats.queue_records) == ([1], 0)


def test_stats_from_many_threads(exporter: Odd) -> None:
    """They add up whenever they are read, while eight threads fill a small queue."""
    worker = BatchWorker(Settings(queue_records=20, batch_records=7), exporter)
    is_over = threading.Event()
    wrong = []

    def submit() -> None:
        for number in range(300):
            worker.submit(make_capture(path=POISON if number % 50 == 0 else "/a"))

    def read() -> None:
        while not is_over.is_set():
            stats = worker.stats
            counted = stats.exported + sum(stats.dropped.values()) + stats.queue_records
            if counted != stats.received:
                wrong.append(stats)

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=submit) for _ in range(8)]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    assert worker.close(TIMEOUT_S)
    is_over.set()
    for thread in readers:
        thread.join()
    stats = worker.stats
    assert wrong == []
    assert stats.received == 2400 == stats.exported + sum(stats.dropped.values())
    assert stats.exported == len(exporter.records)
