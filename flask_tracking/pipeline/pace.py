"""The pace of the worker: how much it does before it lets other threads and greenlets run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from ..record import Capture

__all__ = ["MOST_CAPTURES", "Pace", "give_way"]

TURN_S = 0.005
"""About how long the worker computes at a stretch. A single capture may take longer."""
MOST_CAPTURES = 32
"""How many captures are worked on at a stretch, however cheap they are."""
FIRST_RATE = 1e-6
"""The seconds that a byte is taken to cost before any was measured: more than most do."""
REMEMBERED = 0.5
"""The weight of what was measured before, against that of the last chunk."""
LEAST_SLEEP_S = 1e-6
GREEN = ("gevent.", "eventlet.")
"""How the modules are named from which a sleep comes that lets other greenlets run."""

_sleep = time.sleep


class Pace:
    """Cuts captures into chunks that take about `TURN_S` each, by what the last chunks have cost.

    A chunk is scanned for secrets as one, so that its cost must be known before.
    """

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        """Take the clock, in seconds: the CPU time of the thread, for others may hold it up."""
        self._clock = clock
        self._bytes = TURN_S / FIRST_RATE
        self._seconds = TURN_S

    def chunks(self, captures: Sequence[Capture]) -> Iterator[Sequence[Capture]]:
        """Yield `captures` chunk by chunk, and let others run after each."""
        start = 0
        while start < len(captures):
            chunk = captures[start : start + self._choose_count(captures, start)]
            began = self._clock()
            yield chunk
            self._note(self._clock() - began, sum(capture.size for capture in chunk))
            start += len(chunk)
            give_way()

    def _choose_count(self, captures: Sequence[Capture], start: int) -> int:
        left = TURN_S * self._bytes / max(self._seconds, 1e-9)  # in bytes
        count = 0
        for capture in captures[start : start + MOST_CAPTURES]:
            left -= capture.size
            if left < 0:
                break
            count += 1
        return max(1, count)

    def _note(self, seconds: float, size: int) -> None:
        self._seconds = self._seconds * REMEMBERED + seconds
        self._bytes = self._bytes * REMEMBERED + size


def give_way() -> None:
    """Let whoever waits for the interpreter have it now, and not in 5 ms."""
    # Looked up each time, for gevent may be patched in late. What else stands there is a test's.
    sleep = time.sleep
    if str(getattr(sleep, "__module__", None)).startswith(GREEN):
        # gevent does not look at sockets and timers for as long as something sleeps for no time at all.
        sleep(LEAST_SLEEP_S)
    else:
        _sleep(0)
