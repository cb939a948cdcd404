"""A short-lived cache of query results, so that an expensive query of many viewers runs once."""

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

MAX_RESULTS = 32
"""The maximum per app; the least recently used result is evicted."""
HEAVY_S = 0.05
"""Results of faster queries are not cached, so that they are never stale."""
WAIT_S = 2.0
"""How long a request waits for another one that runs the same query."""


class _Slot:
    """A cached result, and the lock of the request that computes it."""

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
    is_usable: Callable[[Result], bool] | None = None,
    renew: Callable[[Result], Result] | None = None,
) -> Result:
    """Return the result of `read`, or the cached result of an equal query.

    Args:
        tracked: the app; each app has its own cache.
        key: equal for equal queries.
        read: runs the query. Its exceptions propagate and are not cached.
        for_s: how long a result is reused.
        heavy_s: results that took less time are not cached; by default `HEAVY_S`.
        is_usable: whether a cached result will do; by default each does.
        renew: makes the next result from a cached one, which is not None, in place of `read`.

    Raises:
        StoreTimeoutError: another request runs the same query and has not finished.
    """
    # Locks are made when they are needed: gevent may patch them after this module was imported.
    slot = _slots.setdefault(tracked, _Slots()).get(key)
    if not slot.lock.acquire(timeout=WAIT_S):
        raise StoreTimeoutError(f"the same question is not answered after {WAIT_S:g} s")
    try:
        result: Result = slot.result
        began = monotonic()
        if began >= slot.ends_at or not (is_usable is None or is_usable(result)):
            result = read() if renew is None or result is None else renew(result)
            ended = monotonic()
            if ended - began >= (HEAVY_S if heavy_s is None else heavy_s):
                slot.result, slot.ends_at = result, ended + for_s
        return result
    finally:
        slot.lock.release()
