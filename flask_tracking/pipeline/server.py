"""What the server of the app lets a background thread do."""

from __future__ import annotations

import math
import sys
import threading
from time import time as unix_time

from ..runtime import guard

__all__ = ["Watch", "threads_can_run"]

LATE_S = 5.0
"""A thread that comes to run so much later than it should is late."""
OFTEN = 2
"""So often in a row is no accident: a machine that slept is late once."""
HOLDS_INTERPRETER = ("_fastwsgi",)
"""Servers, by their modules, that keep the interpreter to themselves while they wait for requests."""


class Watch:
    """Notices that the worker's thread comes to run late or never, and says so once.

    Some servers keep the interpreter while they wait for a request, or never enter the loop on which a
    greenlet depends; some platforms stop the whole process meanwhile.
    """

    def __init__(self) -> None:
        """Expect nothing yet."""
        self.due_at = math.inf
        """By when the thread is expected to run, in Unix time. Never, while it works."""
        self._lock = threading.Lock()
        self._times_late = 0
        self._is_said = False

    def start(self) -> None:
        """Look at the server, once there is a thread."""
        if any(name in sys.modules for name in HOLDS_INTERPRETER):
            self._say()

    def expect(self, in_s: float) -> None:
        """Expect the thread to run in `in_s` seconds; it calls this itself, before it waits."""
        if not self._is_said:
            self.due_at = unix_time() + in_s + LATE_S

    def arrive(self) -> None:
        """Note that the thread runs."""
        with self._lock:
            is_late = unix_time() > self.due_at
            self.due_at = math.inf
            self._times_late = self._times_late + 1 if is_late else 0
        self._judge()

    def note_overdue(self, now: float) -> None:
        """Note, from a request, that the thread should have run before `now`."""
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
    """Tell whether a thread of ours would run: uWSGI gives its lock away only where it is told to."""
    # Only the server's own module has options: a folder named uwsgi can be imported as well.
    options = getattr(sys.modules.get("uwsgi"), "opt", None)
    if not isinstance(options, dict):
        return True
    names = {key.decode("latin-1") if isinstance(key, bytes) else key for key in options}
    return bool(names & {"enable-threads", "threads"})
