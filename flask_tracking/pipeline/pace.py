"""The pace of the worker: how long it computes before it lets other threads and greenlets run."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

__all__ = ["Pace", "give_way"]

CALM_TURN_S = 0.0005
"""The length of a turn while the worker keeps up. A single capture may take longer.

A request waits up to one turn for the interpreter each time that it has given it away. Shorter turns
cost the worker more than they save a request: it looks for secrets in the captures of a turn together.
"""
LONG_TURN_S = 0.002
"""The most of such a turn, where requests keep the worker waiting for the interpreter."""
SHARE = 1 / 2
"""The length of a turn relative to the wait before it, between these two bounds."""
GREEN_TURN_S = 0.005
"""The same under gevent and eventlet, where all requests wait meanwhile."""
BUSY_TURN_S = 0.02
"""The same when it is behind. Other threads do not wait: Python switches threads by itself."""
FIRST_RATE = 1e-6
"""The assumed cost of a byte in seconds before any was measured. Most cost less."""
REMEMBERED = 0.5
"""The weight of earlier measurements relative to the last chunk."""
LEAST_SLEEP_S = 1e-6
GREEN = ("gevent.", "eventlet.")
"""Prefixes of the modules whose `sleep` lets other greenlets run."""

_sleep = time.sleep


class Sized(Protocol):
    """An item of work."""

    @property
    def size(self) -> int:
        """Its size in bytes, to which its cost is about proportional."""


T = TypeVar("T", bound=Sized)


class Pace:
    """Cuts captures into chunks that take one turn each, judging by the cost of the last chunks.

    A chunk is scanned for secrets as a whole, so its cost must be estimated in advance. While the
    worker keeps up, turns are short, and other threads run after each. Where it had to wait for the
    interpreter, as requests that compute are interrupted only after 5 ms, the next turn is longer. When
    it is behind, it takes long turns and does not give way: it would wait for every busy thread.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.thread_time,
        wall_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with the assumed cost.

        Args:
            clock: returns the time spent on work in seconds; by default the thread's CPU time, because
                others may hold it up.
            wall_clock: returns the time that passes in seconds.
        """
        self._clock = clock
        self._wall_clock = wall_clock
        self._bytes = CALM_TURN_S / FIRST_RATE
        self._seconds = CALM_TURN_S
        self._calm_turn_s = CALM_TURN_S

    def chunks(self, captures: Sequence[T], *, is_behind: bool = False) -> Iterator[Sequence[T]]:
        """Yield `captures` in chunks, and let other threads run in between unless `is_behind`."""
        is_green = are_threads_green()
        start = 0
        while start < len(captures):
            turn_s = GREEN_TURN_S if is_green else BUSY_TURN_S if is_behind else self._calm_turn_s
            chunk = captures[start : start + self._choose_count(captures, start, turn_s)]
            began = self._clock()
            yield chunk
            self._note(self._clock() - began, sum(capture.size for capture in chunk))
            start += len(chunk)
            if is_green or not is_behind:
                self._give_way()

    def _give_way(self) -> None:
        began = self._wall_clock()
        give_way()
        waited_s = self._wall_clock() - began
        self._calm_turn_s = min(LONG_TURN_S, max(CALM_TURN_S, waited_s * SHARE))

    def _choose_count(self, captures: Sequence[Sized], start: int, turn_s: float) -> int:
        left = turn_s * self._bytes / max(self._seconds, 1e-9)  # in bytes
        for count, capture in enumerate(itertools.islice(captures, start, None)):
            left -= capture.size
            if left < 0:
                return max(1, count)
        return len(captures) - start

    def _note(self, seconds: float, size: int) -> None:
        self._seconds = self._seconds * REMEMBERED + seconds
        self._bytes = self._bytes * REMEMBERED + size


def are_threads_green() -> bool:
    """Return True if threads are greenlets here, so that one that computes holds up all others."""
    # Looked up each time: gevent may patch late. Tests replace the function, too.
    return str(getattr(time.sleep, "__module__", None)).startswith(GREEN)


def give_way() -> None:
    """Let a waiting thread run now instead of in 5 ms."""
    # Not for 0 s: gevent would not check sockets and timers meanwhile, and a thread would have the
    # interpreter back before the waiting one has woken up.
    sleep = time.sleep if are_threads_green() else _sleep
    sleep(LEAST_SLEEP_S)
