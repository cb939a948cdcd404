"""The pace of the worker: how much it does before it lets other threads and greenlets run."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

__all__ = ["Pace", "give_way"]

CALM_TURN_S = 0.002
"""How long the worker computes at a stretch while it keeps up. A single capture may take longer."""
GREEN_TURN_S = 0.005
"""The same under gevent and eventlet, where every request waits for that long."""
BUSY_TURN_S = 0.02
"""The same when it is behind. Other threads need not wait: Python takes the interpreter from it."""
FIRST_RATE = 1e-6
"""The seconds that a byte is taken to cost before any was measured: more than most do."""
REMEMBERED = 0.5
"""The weight of what was measured before, against that of the last chunk."""
LEAST_SLEEP_S = 1e-6
GREEN = ("gevent.", "eventlet.")
"""How the modules are named from which a sleep comes that lets other greenlets run."""

_sleep = time.sleep


class Sized(Protocol):
    """What is worked on."""

    @property
    def size(self) -> int:
        """Bytes, to which what it costs is about proportional."""


T = TypeVar("T", bound=Sized)


class Pace:
    """Cuts captures into chunks that take one turn each, by what the last chunks have cost.

    A chunk is scanned for secrets as one, so that its cost must be known before. While the worker keeps
    up, turns are short and others run after each. A thread that is behind takes long turns and does not
    give way: it would wait for every busy thread in turn to get the interpreter back.
    """

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        """Take the clock, in seconds: the CPU time of the thread, for others may hold it up."""
        self._clock = clock
        self._bytes = CALM_TURN_S / FIRST_RATE
        self._seconds = CALM_TURN_S

    def chunks(self, captures: Sequence[T], *, is_behind: bool = False) -> Iterator[Sequence[T]]:
        """Yield `captures` chunk by chunk, and let others run in between unless `is_behind`."""
        is_green = are_threads_green()
        keeps_on = is_behind and not is_green
        turn_s = GREEN_TURN_S if is_green else BUSY_TURN_S if is_behind else CALM_TURN_S
        start = 0
        while start < len(captures):
            chunk = captures[start : start + self._choose_count(captures, start, turn_s)]
            began = self._clock()
            yield chunk
            self._note(self._clock() - began, sum(capture.size for capture in chunk))
            start += len(chunk)
            if not keeps_on:
                give_way()

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
    """Tell whether threads are greenlets here: what one computes holds up all others."""
    # Looked up each time, for gevent may be patched in late. What else stands there is a test's.
    return str(getattr(time.sleep, "__module__", None)).startswith(GREEN)


def give_way() -> None:
    """Let whoever waits for the interpreter have it now, and not in 5 ms."""
    if are_threads_green():
        # gevent does not look at sockets and timers for as long as something sleeps for no time at all.
        time.sleep(LEAST_SLEEP_S)
    else:
        _sleep(0)
