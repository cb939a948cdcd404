"""Results that viewers share for a moment: the same heavy query runs once, and not once for each."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Any, TypeVar

from ..errors import StoreTimeoutError
from ..registry import TrackedApp
from ..runtime.lifecycle import after_fork_in_child

Result = TypeVar("Result")

MAX_RESULTS = 16
"""For each app; the one that was asked for longest ago makes room."""
HEAVY_S = 0.05
"""A query that took less is asked again: its result is never out of date."""
WAIT_S = 2.0
"""How long a request waits for the same query of another one."""


class _Slot:
    """One result, and the lock of whoever gets it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ends_at = 0.0
        self.result: Any = None


class _Slots:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_key: dict[Hashable, _Slot] = {}

    def get(self, key: Hashable) -> _Slot:
        with self._lock:
            slot = self._by_key.pop(key, None) or _Slot()
            self._by_key[key] = slot
            if len(self._by_key) > MAX_RESULTS:
                del self._by_key[next(iter(self._by_key))]
        return slot


_slots: weakref.WeakKeyDictionary[TrackedApp, _Slots] = weakref.WeakKeyDictionary()
after_fork_in_child(_slots.clear)  # another thread of the parent may have held a lock


def share(
    tracked: TrackedApp,
    key: Hashable,
    read: Callable[[], Result],
    *,
    for_s: float,
    heavy_s: float | None = None,
) -> Result:
    """Return what `read` returns, or what it returned to somebody else within the last seconds.

    Args:
        tracked: the app; apps share nothing.
        key: equal for equal questions.
        read: asks the question. What it raises is raised, and not shared.
        for_s: how long a result is good for.
        heavy_s: a result that took less is not shared later on; by default `HEAVY_S`.

    Raises:
        StoreTimeoutError: another request asks the same, and has no answer yet.
    """
    # Locks are made when they are needed: gevent may patch them after this module was imported.
    slot = _slots.setdefault(tracked, _Slots()).get(key)
    if not slot.lock.acquire(timeout=WAIT_S):
        raise StoreTimeoutError(f"the same question is not answered after {WAIT_S:g} s")
    try:
        result: Result = slot.result
        began = monotonic()
        if began >= slot.ends_at:
            result = read()
            ended = monotonic()
            if ended - began >= (HEAVY_S if heavy_s is None else heavy_s):
                slot.result, slot.ends_at = result, ended + for_s
        return result
    finally:
        slot.lock.release()
