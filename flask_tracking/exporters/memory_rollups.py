"""Rollups in a dict, for this process alone."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from datetime import datetime

from bson import ObjectId

from ..rollups.rollup import Rollup, RouteKey
from .rollup_table import RollupQuery, RollupTable

__all__ = ["MemoryRollupTable"]

DAYS = 400


class MemoryRollupTable(RollupTable):
    """The rollups of a `MemoryExporter`."""

    def __init__(self, days: int = DAYS) -> None:
        """Start empty."""
        super().__init__(days)
        self._rollups: dict[str, Rollup] = {}
        self._lease: tuple[str, datetime] | None = None
        self.begin_anew()

    def begin_anew(self) -> None:
        """Have a lock that no thread of a parent holds."""
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Delete all rollups."""
        with self._lock:
            self._rollups.clear()

    def _store(self, rollups: Sequence[Rollup]) -> None:
        with self._lock:
            for one in rollups:
                before = self._rollups.get(one.id)
                if before is None or before.revision <= one.revision:
                    self._rollups[one.id] = one

    def _settle(self, rollups: Sequence[Rollup]) -> None:
        with self._lock:
            for one in rollups:
                stored = self._rollups.get(one.id)
                if stored is not None and stored.revision == one.revision:
                    self._rollups[one.id] = dataclasses.replace(stored, is_open=False)

    def _find(self, query: RollupQuery) -> list[Rollup]:
        with self._lock:
            found = [one for one in self._rollups.values() if query.matches(one)]
        return [_leave_parts(one, query) for one in found]

    def _take_lease(self, holder: str, now: datetime, until: datetime) -> bool:
        with self._lock:
            # A lease that ends later than this one was taken by a clock that is ahead.
            if self._lease is not None and self._lease[0] != holder and now < self._lease[1] <= until:
                return False
            self._lease = (holder, until)
            return True

    def _replace(self, rollup: Rollup, etag: ObjectId | None) -> bool:
        with self._lock:
            before = self._rollups.get(rollup.id)
            if (None if before is None else before.etag) != etag:
                return False
            self._rollups[rollup.id] = rollup
            return True

    def _mark_merged(self, rollups: Sequence[Rollup], *, is_merged: bool = True) -> None:
        with self._lock:
            for one in rollups:
                now = self._rollups.get(one.id)
                if now is not None and now.etag == one.etag:
                    self._rollups[one.id] = dataclasses.replace(now, is_merged=is_merged)

    def _delete(self, width_s: int, before: datetime, *, is_merged: bool | None = None) -> None:
        query = RollupQuery(width_s, until=before, is_merged=is_merged)
        with self._lock:
            for one in list(filter(query.matches, self._rollups.values())):
                del self._rollups[one.id]


def _leave_parts(rollup: Rollup, query: RollupQuery) -> Rollup:
    if query.route is not None:
        rollup = _leave_route(rollup, query.route)
    if not query.with_failures:
        rollup = dataclasses.replace(rollup, failures={})
    if not query.with_examples:
        rollup = dataclasses.replace(rollup, examples={})
    return rollup


def _leave_route(rollup: Rollup, route: RouteKey) -> Rollup:
    routes = {key: counts for key, counts in rollup.routes.items() if key == route}
    failures = {key: one for key, one in rollup.failures.items() if key.url_rule == route.url_rule}
    return dataclasses.replace(rollup, routes=routes, failures=failures, examples={})
