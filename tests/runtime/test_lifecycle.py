"""The end of the process: its stages come in their order, whatever happens in one of them."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from flask_tracking.runtime import lifecycle
from flask_tracking.runtime.lifecycle import Stage


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[Stage]:
    """The stages that have ended, each noted by its function."""
    ended: list[Stage] = []
    monkeypatch.setattr(
        lifecycle,
        "_ends",
        {stage: lambda stage=stage: ended.append(stage) for stage in reversed(Stage)},
    )
    return ended


def test_stages_come_in_their_order(ended: list[Stage]) -> None:
    """Workers end first, then the engines that they use, then clients, in whatever order they came."""
    lifecycle._run()
    assert ended == [Stage.WORKERS, Stage.ENGINES, Stage.CLIENTS]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_stage_that_is_broken_off(
    ended: list[Stage], monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """Ctrl-C while the exit waits for a worker breaks off the wait, and no stage after it."""

    def leave() -> None:
        raise error

    monkeypatch.setitem(lifecycle._ends, Stage.WORKERS, leave)
    with pytest.raises(error):
        lifecycle._run()
    assert ended == [Stage.ENGINES, Stage.CLIENTS]


@pytest.mark.integration
def test_interrupted_exit_lets_go_of_clients() -> None:
    """Ctrl-C while a store hangs at the end: what would hold up the exit is let go of all the same."""
    script = """
        import os, threading
        from flask_tracking import MemoryExporter, Settings
        from flask_tracking.pipeline.batch import BatchWorker
        from tests.captures import make_capture

        class Hanging(MemoryExporter):
            def _store(self, records):
                threading.Event().wait()

            def abandon(self):
                os.write(1, b"abandoned ")

        def interrupt(timeout_s):
            raise KeyboardInterrupt

        workers = [BatchWorker(Settings(), Hanging()) for _ in range(2)]
        workers[0].submit(make_capture())
        workers[0].join = interrupt
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, timeout=60
    )
    assert done.stdout == b"abandoned abandoned ", done.stderr
