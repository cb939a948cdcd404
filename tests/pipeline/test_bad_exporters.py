"""Exporters with bugs: what they cost is counted, never a request, and never another app's records."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from flask import Flask

from flask_tracking import MemoryExporter, Record, Settings, Tracking
from flask_tracking.pipeline.batch import BatchWorker
from flask_tracking.pipeline.worker import SyncWorker, Worker
from flask_tracking.rollups.rollup import Rollup

from ..captures import make_capture

TIMEOUT_S = 20.0
Kind = type[BatchWorker] | type[SyncWorker]
both = pytest.mark.parametrize("kind", [BatchWorker, SyncWorker])


def run(worker: Worker) -> None:
    """Store one record, and close."""
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert worker.close(TIMEOUT_S)


@pytest.mark.parametrize("method", ["open", "preload", "load_overrides", "close"])
def test_exporter_that_exits(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exporter that calls `sys.exit` does not end the worker's thread, whatever it was asked."""
    exporter = MemoryExporter()
    monkeypatch.setattr(exporter, method, sys.exit)
    worker = BatchWorker(Settings(), exporter)
    for _ in range(3):
        worker.submit(make_capture())
        assert worker.flush(TIMEOUT_S)
    assert worker.close(TIMEOUT_S)
    stats = worker.stats
    assert (len(exporter.records), stats.exported, stats.dropped) == (3, 3, {})
    assert stats.failed >= 1


def test_rollups_that_exit() -> None:
    """The same where rollups are stored: they are stored by the next flush."""
    exporter = MemoryExporter()
    store, failing = exporter.rollups.store, [SystemExit()]

    def fail_first(rollups: Sequence[Rollup]) -> None:
        if failing:
            raise failing.pop()
        store(rollups)

    exporter.rollups.store = fail_first  # type: ignore[method-assign]
    worker = BatchWorker(Settings(), exporter)
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert worker.flush(TIMEOUT_S)
    assert worker.close(TIMEOUT_S)
    assert (len(exporter.records), worker.stats.dropped) == (1, {})


@both
@pytest.mark.parametrize("error", [ValueError, MemoryError, RecursionError])
def test_open_that_raises(kind: Kind, error: type[Exception]) -> None:
    """Whatever `open` raises, the first export is tried all the same."""

    class Shut(MemoryExporter):
        def open(self) -> None:
            raise error

    worker = kind(Settings(), exporter := Shut())
    run(worker)
    assert (len(exporter.records), worker.stats.dropped) == (1, {})


@both
def test_close_that_raises(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    """An exporter that cannot be closed is said, and closing goes on."""

    class Stuck(MemoryExporter):
        def close(self, timeout_s: float = 1.0) -> None:
            raise ValueError("".join(["hun", "ter2"]))

    worker = kind(Settings(), exporter := Stuck())
    run(worker)
    assert len(exporter.records) == 1
    assert worker.stats.failed == 1
    assert "closing the exporter failed with ValueError" in caplog.text
    assert "hunter2" not in caplog.text


class Hanging(MemoryExporter):
    """A store of which one method never returns, until the test ends."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.freed = threading.Event()
        self.entered = threading.Event()
        setattr(self, method, self._hang)

    def _hang(self, *_: object) -> int:
        self.entered.set()
        self.freed.wait(TIMEOUT_S)
        return 0


@pytest.fixture
def hang() -> Iterator[Callable[[str], Hanging]]:
    made: list[Hanging] = []

    def make(method: str) -> Hanging:
        made.append(Hanging(method))
        return made[-1]

    yield make
    for one in made:
        one.freed.set()


@pytest.mark.parametrize("method", ["open", "export", "load_overrides"])
def test_exporter_that_blocks_for_ever(hang: Callable[[str], Hanging], method: str) -> None:
    """No request waits for it: the queue stays within its bounds, and what is lost is counted."""
    worker = BatchWorker(Settings(queue_records=10, flush_interval_s=0.01), exporter := hang(method))
    worker.submit(make_capture())
    assert exporter.entered.wait(TIMEOUT_S)
    for _ in range(50):
        worker.submit(make_capture())
    assert worker.flush(0.01) is False
    stats = worker.stats
    assert stats.queue_records <= 11
    assert worker.close(0.01) is False
    stats = worker.stats
    assert (stats.received, stats.exported, sum(stats.dropped.values())) == (51, 0, 51)
    exporter.freed.set()
    assert worker.close(TIMEOUT_S)
    assert worker.stats.exported == 0


def test_close_that_blocks_for_ever(hang: Callable[[str], Hanging]) -> None:
    """What was stored is stored, and `close` returns when its time is up."""
    worker = BatchWorker(Settings(), exporter := hang("close"))
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert worker.close(0.01) is False
    assert (worker.stats.exported, worker.stats.dropped) == (1, {})
    exporter.freed.set()
    assert worker.close(TIMEOUT_S)


@pytest.mark.integration
@pytest.mark.parametrize("method", ["open", "_store", "load_overrides", "close"])
def test_process_ends_beside_a_store_that_hangs(method: str) -> None:
    """The end of the process is held up no longer than the shutdown timeout."""
    script = f"""
        import threading
        from flask_tracking import MemoryExporter, Settings
        from flask_tracking.pipeline.batch import BatchWorker
        from tests.captures import make_capture

        exporter = MemoryExporter()
        exporter.{method} = lambda *_: threading.Event().wait()
        worker = BatchWorker(Settings(shutdown_timeout_s=0.05), exporter)
        worker.submit(make_capture())
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    assert subprocess.run(command, timeout=60, capture_output=True).returncode == 0


class Fussy:
    """A value of the app that cannot be shown."""

    def __repr__(self) -> str:
        raise ValueError


class Down(MemoryExporter):
    """A store that always fails."""

    def _store(self, records: Sequence[Record]) -> int:
        raise ValueError


def make_app(name: str, exporter: MemoryExporter) -> tuple[Flask, Tracking]:
    """Make an app that stores inside the request."""
    app = Flask(name)
    app.config["TRACKING_WORKER"] = "sync"
    return app, Tracking(app, exporter=exporter)


def test_two_apps_of_which_one_fails() -> None:
    """Each app counts its own failures: of its store, its values and its callbacks (D4)."""
    (bad, bad_tracking), (good, good_tracking) = (
        make_app("bad", Down()),
        make_app("good", memory := MemoryExporter()),
    )

    @bad.get("/")
    def fuss() -> str:
        bad_tracking.span.set("value", Fussy())
        return "bad"

    good.add_url_rule("/", "index", lambda: "good")
    for _ in range(3):
        assert bad.test_client().get("/").text == "bad"
        assert good.test_client().get("/").text == "good"
    assert len(memory.records) == 3
    stats = good_tracking.stats
    assert (stats.exported, stats.failed, stats.dropped) == (3, 0, {})
    stats = bad_tracking.stats
    assert (stats.exported, stats.dropped) == (0, {"export_failed": 3})
    assert stats.failed >= 3 + 3


def test_failure_at_the_end_of_a_request_has_its_app() -> None:
    """What fails after the app has returned, or while its body is closed, is its own all the same."""
    bad, bad_tracking = make_app("bad", MemoryExporter())
    good, good_tracking = make_app("good", MemoryExporter())

    @bad.get("/")
    def stream() -> Iterator[str]:
        from flask import request

        request._tracking_data = {"late": Fussy()}  # type: ignore[attr-defined]

        def produce() -> Iterator[str]:
            yield "bad"

        return produce()

    good.add_url_rule("/", "index", lambda: "good")
    assert bad.test_client().get("/").text == "bad"
    assert good.test_client().get("/").text == "good"
    assert bad_tracking.stats.failed > 0
    assert good_tracking.stats.failed == 0


def test_background_threads_count_apart() -> None:
    """Two workers in one process, one of whose stores fails: the other knows nothing of it."""
    bad, good = (BatchWorker(Settings(), exporter) for exporter in (Down(), MemoryExporter()))
    for worker in (bad, good):
        worker.submit(make_capture())
    assert good.flush(TIMEOUT_S)
    assert good.close(TIMEOUT_S)
    assert bad.close(TIMEOUT_S)
    assert (good.stats.failed, good.stats.exported) == (0, 1)
    assert (bad.stats.dropped, bad.stats.exported) == ({"shutdown": 1}, 0)
    assert bad.stats.failed > 0
