"""`RollupTable`: stores, finds and merges the rollups of a store.

A process replaces only its own minutes. The process that holds the lease rebuilds coarser rollups from
finer ones, under the same id each time, so that a retry, a crash or two holders have the same result. A
finer one is deleted only when a coarser one counts it. From then on the coarser one is final, and late
rollups move up beside it.

A final rollup counts no finer one that may be written again: by a process that stood still, after an
unanswered write, or from the spool. Such a rollup is *open* until its process has settled it. It moves
up under an id of its own, so that writing it again replaces it, whichever clocks were wrong meanwhile.
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
    is_final: bool | None = None
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
            and (self.is_final is None or rollup.is_final is self.is_final)
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
        """Store rollups; each replaces one of the same id, but not one of a later revision.

        Raises:
            ExportError: they are not stored, or not all are; the same may be stored again.
        """
        if rollups:
            self._store([_renew(one) for one in rollups])

    @abstractmethod
    def _store(self, rollups: Sequence[Rollup]) -> None:
        """Replace or insert each, unless there is one of the same id and of a later revision."""

    def settle(self, rollups: Sequence[Rollup]) -> None:
        """Note that these rollups are stored, and will not be written again.

        Call it only when the store has confirmed them. Without it they are counted all the same, but
        take more room.

        Raises:
            ExportError: the store cannot be reached, or refuses.
        """
        if rollups:
            self._settle(rollups)

    @abstractmethod
    def _settle(self, rollups: Sequence[Rollup]) -> None:
        """Unset `Rollup.is_open` of those that still have the same id and revision."""

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

    def find_foreign(self) -> list[str]:
        """Return the ids of documents that are not rollups, as text; none where only we write.

        Raises:
            ExportError: the store cannot be reached, or refuses.
        """
        return []

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
            now: the present; by default `read_clock`.
            pause: called after each rollup that is read or added, so that other threads can run.

        Returns:
            The number of rollups that were made.

        Raises:
            ExportError: the store cannot be reached, or refuses. What was done stays done.
        """
        now = now or self.read_clock(datetime.now(timezone.utc))
        if not self._take_lease(holder, now, now + LEASE):
            return 0
        made = 0
        for fine, coarse in pairwise(self.widths):
            made += self._merge_width(fine, coarse, now, pause)
        last = self.widths[-1]
        self._delete(last.seconds, align(now - last.lifetime, last.seconds))
        return made

    def read_clock(self, own: datetime) -> datetime:
        """Return the present: the earlier of a clock of this process and that of the store.

        One clock that is ahead must neither delete history nor merge what is not over.

        Args:
            own: the time by the clock of this process.

        Raises:
            ExportError: the store cannot be reached, or refuses.
        """
        return own

    @abstractmethod
    def _take_lease(self, holder: str, now: datetime, until: datetime) -> bool:
        """Let `holder` merge until a time; False while another one does, by the time `now`.

        A lease of another one that ends after `until` does not count: its holder's clock was ahead.
        """

    def _merge_width(
        self, fine: Width, coarse: Width, now: datetime, pause: Callable[[], object]
    ) -> int:
        ended = align(now - GRACE, coarse.seconds)
        cutoff = min(align(now - fine.lifetime, coarse.seconds), ended)
        unmerged = RollupQuery(fine.seconds, until=ended, is_merged=False)
        unfinished = RollupQuery(coarse.seconds, until=cutoff, is_final=False)
        spans = {
            (align(start, coarse.seconds), version or "")
            for query in (unmerged, unfinished)
            for start, version in self._find_starts(query)
        }
        expired = now - coarse.lifetime
        made = sum(
            self._merge_span(
                _Parts(fine, coarse, start, version or None, start < cutoff, start < expired), pause
            )
            for start, version in sorted(spans)
        )
        self._delete(fine.seconds, cutoff, is_merged=True)
        return made

    def _merge_span(self, span: _Parts, pause: Callable[[], object]) -> bool:
        """Make one rollup; False where another process was quicker, which saw the same or more."""
        # Before its parts are read, so that whoever changes it meanwhile is noticed.
        beside = {one.id: one for one in self._find(span.coarse_query)}
        before = beside.get(span.wanted.id)
        found = self._find(span.query)
        parts = [one for one in _with_pauses(found, pause) if one.version == span.version]
        if before is not None and before.is_final:
            return self._move_up([one for one in parts if not one.is_merged], span)
        is_gone = before is None and span.is_expired  # others of its parts may be counted elsewhere
        late = [
            one
            for one in parts
            if is_gone or (span.is_last and one.is_open) or span.move(one).id in beside
        ]
        ids = {one.id for one in late}
        return self._divide(before, [one for one in parts if one.id not in ids], late, span, pause)

    def _divide(
        self,
        before: Rollup | None,
        parts: Sequence[Rollup],
        late: Sequence[Rollup],
        span: _Parts,
        pause: Callable[[], object],
    ) -> bool:
        """Rebuild a rollup from `parts`, finally if it `is_last`, and store the late ones beside it."""
        # First: if this process is killed now, the next one finds them.
        self._mark_merged(late, is_merged=False)
        if parts or before is not None:
            made = self._rebuild(before, parts, span, pause)
            if made is None or (span.is_last and not self._finish(made)):
                return False
        return self._move_up(late, span) or bool(parts)

    def _rebuild(
        self,
        before: Rollup | None,
        parts: Sequence[Rollup],
        span: _Parts,
        pause: Callable[[], object],
    ) -> Rollup | None:
        """Replace a rollup by the sum of its parts; None if another process was quicker."""
        wanted = span.wanted
        merged = merge(
            _with_pauses(parts, pause),
            width_s=wanted.width_s,
            start=wanted.start,
            source=wanted.source,
            version=wanted.version,
        )
        made = _renew(dataclasses.replace(merged, is_open=True))
        if not self._replace(made, None if before is None else before.etag):
            return None
        self._mark_merged(parts)
        return made

    def _finish(self, made: Rollup) -> bool:
        """Make a rollup final, once its parts are marked: the others of a final one move up."""
        final = _renew(dataclasses.replace(made, is_final=True, is_open=False))
        return self._replace(final, made.etag)

    def _move_up(self, late: Sequence[Rollup], span: _Parts) -> bool:
        """Store late ones beside a final rollup, of which the other parts are gone."""
        # Those that are rebuilt by themselves wait until they are final.
        late = [one for one in late if one.process is not None or not one.is_open]
        self.store([span.move(one) for one in late])
        self._mark_merged(late)
        return bool(late)

    @abstractmethod
    def _replace(self, rollup: Rollup, etag: ObjectId | None) -> bool:
        """Replace the rollup of the same id that has this etag; None inserts it.

        Returns:
            False where that is not so any more, and nothing was done.
        """

    @abstractmethod
    def _mark_merged(self, rollups: Sequence[Rollup], *, is_merged: bool = True) -> None:
        """Set `Rollup.is_merged` of those that still have the same etag."""

    @abstractmethod
    def _delete(self, width_s: int, before: datetime, *, is_merged: bool | None = None) -> None:
        """Delete those that begin before a time; `is_merged` None deletes both."""


class _Parts(NamedTuple):
    """Finer rollups of a version, and the span of a coarser one that shall count them."""

    fine: Width
    coarse: Width
    start: datetime
    version: str | None
    is_last: bool
    """Whether to make the coarser rollup final."""
    is_expired: bool
    """Whether the coarser rollup may have been deleted, after it was counted in yet another one."""

    @property
    def wanted(self) -> Rollup:
        """The coarser rollup, empty."""
        source = _merged_source(self.version)
        return Rollup(
            width_s=self.coarse.seconds, start=self.start, source=source, version=self.version
        )

    @property
    def query(self) -> RollupQuery:
        """Select the finer rollups of all versions."""
        return RollupQuery(self.fine.seconds, since=self.start, until=self.wanted.end)

    @property
    def coarse_query(self) -> RollupQuery:
        """Select the coarser rollup, and those beside it, without what they count."""
        query = self.query._replace(width_s=self.coarse.seconds)
        return query._replace(with_routes=False, with_failures=False, with_examples=False)

    def move(self, rollup: Rollup) -> Rollup:
        """Return a finer rollup as one of the coarser width, with an id of its own."""
        source = f"{rollup.source}/{rollup.start:%H%M}"
        if rollup.source == _merged_source(rollup.version):
            # Another of the same id may follow, made of what arrives after this one has expired.
            source += f".{rollup.etag}"
        return dataclasses.replace(
            rollup, width_s=self.coarse.seconds, start=self.start, source=source, is_final=True
        )


def _merged_source(version: str | None) -> str:
    return f"{MERGED}/{version or ''}"


def _with_pauses(rollups: Iterable[Rollup], pause: Callable[[], object]) -> Iterator[Rollup]:
    for one in rollups:
        yield one
        pause()


def _renew(rollup: Rollup) -> Rollup:
    return dataclasses.replace(rollup, etag=_make_etag(), is_merged=False)


def _make_etag() -> ObjectId:
    return ObjectId(os.urandom(12))
