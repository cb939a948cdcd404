"""Detect servers that do not let background threads run."""

from __future__ import annotations

import math
import sys
import threading
from time import time as unix_time

from ..runtime import guard

__all__ = ["Watch", "threads_can_run"]

LATE_S = 5.0
"""The delay after which a thread counts as late."""
OFTEN = 2
"""The number of consecutive delays before a warning: a machine that slept is late once."""
HOLDS_INTERPRETER = ("_fastwsgi",)
"""Modules of servers that hold the GIL while they wait for requests."""


class Watch:
    """Warns once if the worker's thread runs late or never.

    Some servers hold the GIL while they wait for a request, or never enter the event loop that a
    greenlet needs; some platforms suspend the process between requests.
    """

    def __init__(self) -> None:
        """Begin without an expectation."""
        self.due_at = math.inf
        """When the thread is expected to run at the latest, in Unix time; infinite while it works."""
        self._lock = threading.Lock()
        self._times_late = 0
        self._is_said = False

    def start(self) -> None:
        """Warn if the server is known to hold the GIL. Called once there is a thread."""
        if any(name in sys.modules for name in HOLDS_INTERPRETER):
            self._say()

    def expect(self, in_s: float) -> None:
        """Expect the thread to run in `in_s` seconds. The thread calls this before it waits."""
        if not self._is_said:
            self.due_at = unix_time() + in_s + LATE_S

    def arrive(self) -> None:
        """Record that the thread runs."""
        with self._lock:
            is_late = unix_time() > self.due_at
            self.due_at = math.inf
            self._times_late = self._times_late + 1 if is_late else 0
        self._judge()

    def note_overdue(self, now: float) -> None:
        """Record, from a request, that the thread should have run before `now`."""
        with self._lock:
            if now <= self.due_at:
                return
            self.due_at = now + LATE_S
            self._times_late += 1
        self._judge()

    def _judge(self) -> None:
        if self._times_late >= OFTEN:
            self._say()

    def _say(self) -> None:
        self._is_said, self.due_at = True, math.inf
        guard.warn_rarely(
            "late thread",
            "Records are stored late or never: this server lets no background thread run between "
            "requests. Set TRACKING_WORKER='sync' to store inside the request.",
        )


def threads_can_run() -> bool:
    """Return True if a thread would run. uWSGI runs threads only if it is configured to."""
    # Only the server's own module has options: a folder named uwsgi can be imported, too.
    options = getattr(sys.modules.get("uwsgi"), "opt", None)
    if not isinstance(options, dict):
        return True
    names = {key.decode("latin-1") if isinstance(key, bytes) else key for key in options}
    return bool(names & {"enable-threads", "threads"})
