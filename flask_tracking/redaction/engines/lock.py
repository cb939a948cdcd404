"""Serialise calls into RE2, and block new ones at exit.

A thread that returns from RE2 during finalisation aborts the process.
"""

from __future__ import annotations

import threading

from ...runtime.lifecycle import Stage, after_fork_in_child, at_exit

LAST_SCAN_S = 1.0
"""How long the end of the process waits for a scan that is under way: they take a fraction of it."""


class ClosedError(Exception):
    """The process ends, and nothing is looked for any more."""


class EngineLock:
    """Lets one thread at a time into RE2, and none once the process ends.

    RE2 lets other threads run while it works. A thread that comes back from it when the interpreter is
    gone takes the process down with it: SIGABRT instead of the exit code.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._is_closed = False
        self.generation = 0
        """Goes up in a child that was forked while another thread was inside: that thread is gone, the
        patterns it used may be in any state, and all have to be compiled again."""
        after_fork_in_child(self._begin_anew)

    def _begin_anew(self) -> None:
        # The thread that forked can enter also where it was in itself; it goes on there.
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._lock = threading.RLock()
            self.generation += 1

    def __enter__(self) -> None:
        self._lock.acquire()
        if not self._is_closed:
            return
        # A thread that waited finds the lock closed, and releases it for the thread that closes it.
        self._lock.release()
        if threading.current_thread().daemon:
            threading.Event().wait()  # until the process is gone
        raise ClosedError

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def close(self) -> None:
        """Wait for the thread inside, and let no other in."""
        self._is_closed = True
        if self._lock.acquire(timeout=LAST_SCAN_S):
            self._lock.release()


lock = EngineLock()
at_exit(Stage.ENGINES, lock.close)
