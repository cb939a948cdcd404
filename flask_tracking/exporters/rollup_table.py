"""`RollupTable`: stores, finds and merges the rollups of a store.

A process replaces only its own minutes. The process that holds the lease rebuilds coarser rollups from
finer ones, under the same id each time, so that a retry, a crash or two holders have the same result. A
finer one is deleted only when a coarser one counts it. From then on the coarser one is final, and late
rollups move up beside it.
"""

from __future__ import annotations

import dataclasses
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import NamedTuple

from bson import ObjectId

from ..rollups.rollup import MERGED, Rollup, RouteKey, merge
from ..rollups.widths import Width, make_widths

__all__ = ["RollupQuery", "RollupTable", "align"]

GRACE = timedelta(seconds=30)
"""A span is merged so long after its end: processes write their last counts of it within that time."""
LEASE = timedelta(seconds=60)
SEARCHED_PARTS = (16, 4, 1)
"""Divisors of a lifetime: the growing spans in which the last rollup is searched."""
_FIRST = datetime(1970, 1, 1, tzinfo=timezone.utc)


class RollupQuery(NamedTuple):
    """Selects rollups of one width."""

    width_s: int
    since: datetime | None = None
    """Beginning at this time or later."""
    until: datetime | None = None
    """Beginning before this time."""
    is_merged: bool | None = None
    """None for both."""
    id: str | None = None
    with_routes: bool = True
    """False reads the sum over all routes instead of each."""
    route: RouteKey | None = None
    """Reads this route alone, as if there were no others; needs `with_routes`.

    Failures are those of its rule with any method, as no method is stored. There are no examples: these
    are of all routes.
    """
    with_failures: bool = True
    """False leaves `Rollup.failures` empty, to read less."""
    with_examples: bool = True
    """False leaves `Rollup.examples` empty, to read less."""

    def matches(self, rollup: Rollup) -> bool:
        """Return whether the query selects `rollup`."""
        return (
            rollup.width_s == self.width_s
            and (self.since is None or rollup.start >= self.since)
            and (self.until is None or rollup.start < self.until)
            and (self.is_merged is None or rollup.is_merged is self.is_merged)
            and (self.id is None or rollup.id == self.id)
        )


def align(time: datetime, width_s: int) -> datetime:
    """Return the start of the span of `width_s` seconds that contains `time`."""
    return time - (time - _FIRST) % timedelta(seconds=width_s)


class RollupTable(ABC):
    """The rollups of a store. A subclass implements the methods with a leading underscore.

    .. versionadded:: 2.0
    """

    def __init__(self, days: int) -> None:
        """Start without a round trip.

        Args:
            days: ``TRACKING_ROLLUP_DAYS``.
        """
        self.widths: Sequence[Width] = make_widths(days)

    def store(self, rollups: Sequence[Rollup]) -> None:
        """Store rollups; each replaces one of the same id.

        Raises:
            ExportError: they are not stored, or not all are; the same may be stored again.
        """
        if rollups:
            self._store([_renew(one) for one in rollups])

    @abstractmethod
    def _store(self, rollups: Sequence[Rollup]) -> None:
        """Replace or insert each."""

    def find(self, query: RollupQuery) -> list[Rollup]:
        """Return the rollups that `query` selects, in no particular order.

        Raises:
            ExportError: the store cannot be reached, or refuses.
        """
        return list(self._find(query))

    @abstractmethod
    def _find(self, query: RollupQuery) -> Iterable[Rollup]:
        """Implement `find`, preferably one by one, because decoding each takes a millisecond."""

    def find_starts(self, query: RollupQuery) -> set[tuple[datetime, str | None]]:
        """Return when the rollups begin that `query` selects, each time with the version.

        Raises:
            ExportError: the store cannot be reached, or refuses.
        """
        return set(self._find_starts(query))

    def _find_starts(self, query: RollupQuery) -> Iterable[tuple[datetime, str | None]]:
        """Implement `find_starts`; by default each rollup is read as a whole."""
        return ((one.start, one.version) for one in self._find(query))

    def find_last(self, now: datetime) -> datetime | None:
        """Return about when the last request ended, to some minutes; None where none was counted.

        Args:
            now: the time from which to look back.

        Raises:
            ExportError: the store cannot be reached, or refuses.
        """
        finest, *coarser = self.widths
        for width in (*coarser, finest):  # minutes are many while a process runs, and merged soon
            until = None
            for share in SEARCHED_PARTS:
                since = max(now, _FIRST + width.lifetime) - width.lifetime / share
                found = self.find_starts(RollupQuery(width.seconds, since, until))
                if found:
                    return max(start for start, _ in found) + timedelta(seconds=width.seconds)
                until = since
        return None

    def merge(
        self, holder: str, now: datetime | None = None, *, pause: Callable[[], object] = lambda: None
    ) -> int:
        """Make coarser rollups of finer ones, and delete those that have outlived their time.

        Safe to interrupt and to repeat, also while another process does the same.

        Args:
            holder: identifies the caller. While another holder merges, nothing is done.
            now: the present by default.
            pause: called after each rollup that is read or added, so that other threads can run.

        Returns:
            The number of rollups that were made.

        Raises:
            ExportError: the store cannot be reached, or refuses. What was done stays done.
        """
        now = now or datetime.now(timezone.utc)
        if not self._take_lease(holder, now, now + LEASE):
            return 0
        made = 0
        for fine, coarse in pairwise(self.widths):
            made += self._merge_width(fine, coarse, now, pause)
        last = self.widths[-1]
        self._delete(last.seconds, align(now - last.lifetime, last.seconds))
        return made

    @abstractmethod
    def _take_lease(self, holder: str, now: datetime, until: datetime) -> bool:
        """Let `holder` merge until a time; False while another one does, by the time `now`."""

    def _merge_width(
        self, fine: Width, coarse: Width, now: datetime, pause: Callable[[], object]
    ) -> int:
        closed = align(now - GRACE, coarse.seconds)
        query = RollupQuery(fine.seconds, until=closed, is_merged=False)
        spans = {
            (align(start, coarse.seconds), version or "") for start, version in self._find_starts(query)
        }
        made = sum(
            self._merge_span(fine, coarse, start, version or None, pause)
            for start, version in sorted(spans)
        )
        cutoff = align(now - fine.lifetime, coarse.seconds)
        self._finalise(coarse.seconds, cutoff, _make_etag())
        self._delete(fine.seconds, cutoff, is_merged=True)
        return made

    def _merge_span(
        self,
        fine: Width,
        coarse: Width,
        start: datetime,
        version: str | None,
        pause: Callable[[], object],
    ) -> bool:
        """Make one rollup; False where another process was quicker, which saw the same or more."""
        wanted = merge(
            (),
            width_s=coarse.seconds,
            start=start,
            source=f"{MERGED}/{version or ''}",
            version=version,
        )
        # Before its parts are read, so that whoever changes it meanwhile is noticed.
        before = next(iter(self._find(RollupQuery(coarse.seconds, id=wanted.id))), None)
        found = self._find(RollupQuery(fine.seconds, since=start, until=wanted.end))
        parts = [one for one in _with_pauses(found, pause) if one.version == version]
        if before is not None and before.is_final:
            self._move_up([one for one in parts if not one.is_merged], coarse, start)
            return True
        merged = merge(
            _with_pauses(parts, pause),
            width_s=coarse.seconds,
            start=start,
            source=wanted.source,
            version=version,
        )
        if not self._replace(_renew(merged), None if before is None else before.etag):
            return False
        self._mark_merged(parts)
        return True

    def _move_up(self, late: Sequence[Rollup], coarse: Width, start: datetime) -> None:
        """Store late ones beside a final rollup, of which the other parts are gone."""
        moved = [
            dataclasses.replace(
                one, width_s=coarse.seconds, start=start, source=f"{one.source}/{one.start:%H%M}"
            )
            for one in late
        ]
        self.store(moved)
        self._mark_merged(late)

    @abstractmethod
    def _replace(self, rollup: Rollup, etag: ObjectId | None) -> bool:
        """Replace the rollup of the same id that has this etag; None inserts it.

        Returns:
            False where that is not so any more, and nothing was done.
        """

    @abstractmethod
    def _mark_merged(self, rollups: Sequence[Rollup]) -> None:
        """Set `Rollup.is_merged` of those that still have the same etag."""

    @abstractmethod
    def _finalise(self, width_s: int, before: datetime, etag: ObjectId) -> None:
        """Set `Rollup.is_final`, with a new etag, of those that begin before a time and are not."""

    @abstractmethod
    def _delete(self, width_s: int, before: datetime, *, is_merged: bool | None = None) -> None:
        """Delete those that begin before a time; `is_merged` None deletes both."""


def _with_pauses(rollups: Iterable[Rollup], pause: Callable[[], object]) -> Iterator[Rollup]:
    for one in rollups:
        yield one
        pause()


def _renew(rollup: Rollup) -> Rollup:
    return dataclasses.replace(rollup, etag=_make_etag(), is_merged=False)


def _make_etag() -> ObjectId:
    return ObjectId(os.urandom(12))
