"""What the worker notices of a server that lets its thread run late or never."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from types import ModuleType

import pytest

from flask_tracking import MemoryExporter, Settings
from flask_tracking.pipeline import server as server_module
from flask_tracking.pipeline.batch import BatchWorker
from flask_tracking.pipeline.server import LATE_S, Watch
from flask_tracking.runtime import guard

from ..captures import make_capture

LINE = (
    "Records are stored late or never: this server lets no background thread run between requests. "
    "Set TRACKING_WORKER='sync' to store inside the request."
)
TIMEOUT_S = 20.0


class Clock:
    """Stands in for the time."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(server_module, "unix_time", clock.time)
    return clock


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged, as often as it was."""
    guard._last_logged.clear()  # else a second line within a minute would not be seen
    return [record.getMessage() for record in caplog.records]


def test_thread_that_is_late_again_and_again(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """A thread that twice comes to run long after its time is said to, once."""
    watch = Watch()
    for lines in ([], [LINE], [LINE]):
        watch.expect(1.0)
        clock.now += 1.0 + LATE_S + 0.1
        watch.arrive()
        assert said(caplog) == lines


def test_thread_that_is_late_once(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """A machine that slept, or a clock that was set, is no reason to say anything."""
    watch = Watch()
    for late_s in (3600.0, 0.0, LATE_S + 1.0, -3600.0, 3600.0):
        watch.expect(1.0)
        watch.note_overdue(clock.now + late_s)
        clock.now += late_s
        watch.arrive()
        watch.expect(1.0)
        watch.arrive()
    assert said(caplog) == []


def test_thread_that_never_runs(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Requests that arrive when the thread should have run are counted, one in five seconds."""
    watch = Watch()
    watch.expect(0.0)
    for after_s, lines in ((4.9, []), (5.1, []), (5.2, []), (9.9, []), (10.3, [LINE]), (60.0, [LINE])):
        if clock.now + after_s > watch.due_at:
            watch.note_overdue(clock.now + after_s)
        assert said(caplog) == lines


def test_requests_that_arrive_together(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Of several requests after a long sleep one counts."""
    watch = Watch()
    watch.expect(0.0)
    for _ in range(8):
        watch.note_overdue(clock.now + 3600.0)
    assert said(caplog) == []


def test_thread_that_works_is_not_expected(caplog: pytest.LogCaptureFixture) -> None:
    """Work may take as long as it takes: a store may be slow."""
    watch = Watch()
    watch.expect(0.0)
    watch.arrive()
    watch.note_overdue(time.time() + 3600.0)
    watch.note_overdue(time.time() + 7200.0)
    assert said(caplog) == []


def test_fastwsgi_is_known(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Under a server that keeps the interpreter the first record says so, and no other."""
    monkeypatch.setitem(sys.modules, "_fastwsgi", ModuleType("_fastwsgi"))
    worker = BatchWorker(Settings(), MemoryExporter())
    for _ in range(3):
        worker.submit(make_capture())
        assert said(caplog) == [LINE]
    assert worker.close(TIMEOUT_S)


def test_idle_worker_is_not_late(caplog: pytest.LogCaptureFixture) -> None:
    """A worker that runs as it should says nothing, however its requests are spread."""
    worker = BatchWorker(Settings(flush_interval_s=0.001), MemoryExporter())
    for at in range(5):
        worker.submit(make_capture(arrived_at=time.time() + at * 0.001))
        assert worker.flush(TIMEOUT_S)
    assert worker.close(TIMEOUT_S)
    assert said(caplog) == []


@pytest.mark.integration
def test_greenlets_without_a_hub() -> None:
    """Where gevent is patched in and the server never enters its hub, that is said."""
    script = """
        import logging, sys, time
        from gevent import monkey
        monkey.patch_all()
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        from flask_tracking import MemoryExporter, Settings
        from flask_tracking.pipeline.batch import BatchWorker
        from tests.captures import make_capture

        worker = BatchWorker(Settings(), MemoryExporter())
        for after_s in (0, 6, 12, 18):
            worker.submit(make_capture(arrived_at=time.time() + after_s))
        assert worker.stats.exported == 0
        print(worker.close(20), worker.stats.exported)
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], text=True, capture_output=True
    )
    assert done.stdout.splitlines() == [LINE, "True 4"], done.stderr
