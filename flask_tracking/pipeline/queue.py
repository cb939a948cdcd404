"""The captures that wait for the worker: bounded, and what is routine goes first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..record import Capture
from .judged import Judged

__all__ = ["CaptureQueue"]


class CaptureQueue:
    """A queue bounded by records and by bytes. Not thread-safe: its owner holds a lock.

    Past a bound the oldest routine capture is evicted. Failures, slow requests and what code asked to
    keep go only when nothing else is left. A capture is judged when the queue is full, never before.
    """

    def __init__(self, max_records: int, max_bytes: int, judge: Callable[[Capture], Judged]) -> None:
        """Start empty.

        Args:
            max_records: how many captures may wait.
            max_bytes: how much memory they and what is in hand may take.
            judge: tells what becomes of a capture.
        """
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._judge = judge
        self._waiting: deque[Capture] = deque()
        self._kept: deque[Capture] = deque()
        """Older than all that wait, and passed over when the routine among them was evicted."""
        self.bytes = 0
        """About the memory of what waits, and of what was taken and not yet released."""
        self.is_over = False
        """True while a bound is exceeded and there is something to evict."""

    def __len__(self) -> int:
        return len(self._waiting) + len(self._kept)

    def fill(self, bytes_in_hand: int) -> float:
        """Return how much of its bounds what waits has used, from 0 to 1.

        Args:
            bytes_in_hand: of `bytes`, what was taken.
        """
        in_use = (self.bytes - bytes_in_hand) / self._max_bytes
        return max(len(self) / self._max_records, in_use)

    def append(self, capture: Capture) -> int:
        """Let `capture` wait, behind all others; return how many wait."""
        self._waiting.append(capture)
        self.bytes += capture.size
        count = len(self._waiting) + len(self._kept)
        self.is_over = count > self._max_records or self.bytes > self._max_bytes
        return count

    def evict(self) -> Judged:
        """Take out the oldest routine capture, or the oldest of all where none is routine."""
        while self._waiting:
            judged = self._judge(self._waiting.popleft())
            if judged.kept_reason is None:
                break
            self._kept.append(judged.capture)
        else:
            judged = self._judge(self._kept.popleft())
        self.bytes -= judged.capture.size
        count = len(self)
        self.is_over = count > self._max_records or (self.bytes > self._max_bytes and count > 0)
        return judged

    def put_kept_first(self) -> None:
        """Let routine captures wait behind the others: there may be time only for some."""
        routine: deque[Capture] = deque()
        for capture in self._waiting:
            is_routine = self._judge(capture).kept_reason is None
            (routine if is_routine else self._kept).append(capture)
        self._waiting = routine

    def take(self, count: int) -> list[Capture]:
        """Take out the first `count` captures, or as many as wait; `release` their bytes later."""
        kept = [self._kept.popleft() for _ in range(min(count, len(self._kept)))]
        rest = min(count - len(kept), len(self._waiting))
        return kept + [self._waiting.popleft() for _ in range(rest)]

    def release(self, size: int) -> None:
        """Give back the bytes of captures that were taken and are gone now."""
        self.bytes -= size

    def release_all(self) -> None:
        """Give back the bytes of all that was taken."""
        self.bytes = sum(capture.size for capture in (*self._kept, *self._waiting))
