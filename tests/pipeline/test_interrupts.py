"""What signals raise in the worker's greenlet."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from flask_tracking.pipeline.interrupts import MOST_TIMES, persist

PATCHES = ("gevent.monkey.patch_all", "eventlet.monkey_patch")
SCRIPT = """
    import warnings
    warnings.simplefilter("ignore")
    import {module}
    {patch}()
    import atexit, os, signal, sys, time
    from flask_tracking import MemoryExporter, Settings
    from flask_tracking.pipeline.batch import BatchWorker
    from flask_tracking.redaction.redactor import Redactor
    from tests.captures import make_capture

    exporter = MemoryExporter()
    # The last to be called: the worker is closed before.
    atexit.register(lambda: print("stored", len(exporter.records), worker.stats.dropped))
    worker = BatchWorker(Settings(batch_records=1), exporter)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    kind, waits = {kind}, []

    def interrupt(step):
        def interrupted(*args):
            if not waits:
                waits.append(step)
                os.kill(os.getpid(), kind)
            return step(*args)
        return interrupted

    {owner} = interrupt({owner})
    for _ in range(3):
        worker.submit(make_capture())
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.integration
@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize(
    ("kind", "said", "status"), [("signal.SIGTERM", "", 3), ("signal.SIGINT", "interrupted\n", 0)]
)
@pytest.mark.parametrize("owner", ["Redactor.redact", "MemoryExporter.export"])
def test_signals_that_meet_the_worker_end_the_process(
    patch: str, kind: str, said: str, status: int, owner: str
) -> None:
    """`sys.exit` in a signal's handler and Ctrl-C reach the main greenlet, and cost no record."""
    script = textwrap.dedent(SCRIPT).format(
        module=patch.rpartition(".")[0], patch=patch, kind=kind, owner=owner
    )
    done = subprocess.run(
        [sys.executable, "-c", script], text=True, capture_output=True, check=False, timeout=50
    )
    assert (done.stdout, done.returncode) == (f"{said}stored 3 {{}}\n", status), done.stderr


@pytest.mark.parametrize("error", [SystemExit, RuntimeError])
def test_threads_are_not_interrupted(error: type[BaseException]) -> None:
    """In a thread of its own, what a step raises is the step's own, and is raised at once."""
    calls = []

    def fail() -> None:
        calls.append(1)
        raise error

    with pytest.raises(error):
        persist(fail)
    assert calls == [1]


@pytest.mark.integration
@pytest.mark.parametrize("patch", PATCHES)
def test_callback_that_exits_is_not_called_for_ever(patch: str) -> None:
    """A step that is broken off each time costs its records, and the exit does not wait for it."""
    script = f"""
        import warnings
        warnings.simplefilter("ignore")
        import {patch.rpartition(".")[0]}
        {patch}()
        import sys, time
        from flask_tracking.pipeline.interrupts import persist

        def leave():
            print("called")
            sys.exit(3)

        import threading

        def run():
            try:
                persist(leave)
            except SystemExit:
                print("gave up")

        threading.Thread(target=run, daemon=True).start()
        time.sleep(60)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], text=True, capture_output=True, timeout=50
    )
    assert (done.stdout, done.returncode) == ("called\n" * MOST_TIMES + "gave up\n", 3), done.stderr
