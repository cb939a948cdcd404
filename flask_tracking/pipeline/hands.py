"""The batches that a worker has taken from its queue and not settled yet."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from ..record import Capture
from .counters import Counters
from .queue import CaptureQueue

__all__ = ["Hands"]


@dataclass(slots=True)
class Hand:
    """The sums over the captures of a batch."""

    captures: int = 0
    kept: int = 0
    """How many of them the rules keep."""
    size: int = 0
    """In bytes."""
    ended_at: float = math.inf
    """When the first of their requests ended; Unix time, in seconds."""


class Hands:
    """The batch in hand, and the one that was sent ahead of it.

    Their captures hold memory and count as waiting until they are released. The lock of the counters
    must be held for each change.
    """

    def __init__(self, queue: CaptureQueue, counters: Counters, done: threading.Condition) -> None:
        """Store the arguments.

        Args:
            queue: the queue, which counts the bytes of taken captures until they are released.
            counters: the counters of the app.
            done: notified when captures are released.
        """
        self._queue = queue
        self._counters = counters
        self._done = done
        self._hand = Hand()
        self._ahead = Hand()

    @property
    def captures(self) -> int:
        """The number of captures that are not released."""
        return self._hand.captures + self._ahead.captures

    @property
    def size(self) -> int:
        """Their memory, in bytes."""
        return self._hand.size + self._ahead.size

    def take(self, count: int) -> list[Capture]:
        """Take up to `count` captures from the queue, for the batch in hand."""
        captures = self._queue.take(count)
        hand = self._hand
        hand.captures += len(captures)
        hand.size += sum(capture.size for capture in captures)
        if captures:
            hand.ended_at = min(hand.ended_at, captures[0].ended_at)
        return captures

    def note_kept(self, count: int) -> None:
        """Note that the rules keep `count` more captures of the batch in hand."""
        self._hand.kept += count

    def send_ahead(self) -> None:
        """Note that the batch in hand was sent ahead, and that the next one begins."""
        self._ahead, self._hand = self._hand, Hand()

    def release_ahead(self) -> None:
        """Release the batch that was sent ahead: its captures are counted."""
        self._release(self._ahead)

    def drop(self, reason: str) -> None:
        """Release both batches.

        Captures that are not counted yet are lost: none, unless the work on a batch was interrupted.
        """
        lost = max(0, self._counters.waiting - len(self._queue))
        self._counters.drop(reason, lost, kept=min(lost, self._hand.kept + self._ahead.kept))
        self._release(self._hand)
        self._release(self._ahead)

    def release_memory(self) -> None:
        """Release the memory alone, because another thread has taken the records over."""
        self._queue.release_all()
        self._hand.size = self._ahead.size = 0

    def _release(self, hand: Hand) -> None:
        self._queue.release(hand.size)
        if hand.captures:
            self._counters.note_lag(hand.ended_at)
        hand.captures = hand.kept = hand.size = 0
        hand.ended_at = math.inf
        self._done.notify_all()
