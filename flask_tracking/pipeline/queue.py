"""The bounded queue of captures that wait for the worker. Routine captures are evicted first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..record import Capture
from .judged import Judged

__all__ = ["CaptureQueue"]


class CaptureQueue:
    """A queue bounded by records and by bytes. Not thread-safe: the owner holds a lock.

    Beyond a bound the oldest routine capture is evicted. Failures, slow requests and requests kept by
    code are evicted only if nothing else is left. Captures are judged only when the queue is full.
    """

    def __init__(self, max_records: int, max_bytes: int, judge: Callable[[Capture], Judged]) -> None:
        """Start empty.

        Args:
            max_records: maximum number of waiting captures.
            max_bytes: maximum memory of waiting captures and those in hand.
            judge: returns the decision about a capture.
        """
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._judge = judge
        self._waiting: deque[Capture] = deque()
        self._kept: deque[Capture] = deque()
        """Captures that are not routine, older than all in `_waiting`; found while evicting."""
        self.bytes = 0
        """The approximate memory of waiting captures and of those taken but not yet released."""
        self.is_over = False
        """True while a bound is exceeded and there is something to evict."""

    def __len__(self) -> int:
        return len(self._waiting) + len(self._kept)

    @property
    def oldest(self) -> Capture | None:
        """The capture that waits longest."""
        for waiting in (self._kept, self._waiting):
            if waiting:
                return waiting[0]
        return None

    def fill(self, bytes_in_hand: int) -> float:
        """Return the used share of the bounds, from 0 to 1.

        Args:
            bytes_in_hand: the part of `bytes` that was taken.
        """
        in_use = (self.bytes - bytes_in_hand) / self._max_bytes
        return max(len(self) / self._max_records, in_use)

    def append(self, capture: Capture) -> int:
        """Append `capture`; return the number of waiting captures."""
        waiting = self._waiting
        waiting.append(capture)
        count = len(waiting)
        if self._kept:
            count += len(self._kept)
        self.bytes = size = self.bytes + capture.size
        if count > self._max_records or size > self._max_bytes:
            self.is_over = True
        return count

    def evict(self) -> Judged:
        """Remove and return the oldest routine capture, or the oldest of all if none is routine."""
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
        """Move routine captures behind the others, for when time may run out."""
        routine: deque[Capture] = deque()
        for capture in self._waiting:
            is_routine = self._judge(capture).kept_reason is None
            (routine if is_routine else self._kept).append(capture)
        self._waiting = routine

    def take(self, count: int) -> list[Capture]:
        """Remove and return up to `count` captures. `release` their bytes later."""
        kept = [self._kept.popleft() for _ in range(min(count, len(self._kept)))]
        rest = min(count - len(kept), len(self._waiting))
        return kept + [self._waiting.popleft() for _ in range(rest)]

    def release(self, size: int) -> None:
        """Stop counting the bytes of taken captures that are done."""
        self.bytes -= size

    def release_all(self) -> None:
        """Stop counting the bytes of all taken captures."""
        self.bytes = sum(capture.size for capture in (*self._kept, *self._waiting))
