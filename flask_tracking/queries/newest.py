"""Queries for any store: small, indexed ranges of time, never the whole collection."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from time import monotonic
from typing import Any, Literal, NamedTuple, overload

from ..errors import ExportError, StoreTimeoutError
from ..exporters.rollup_table import RollupTable
from ..exporters.store import Fields, Store
from ..filters import FIRST, Filter
from ..filters.simplify import searches_bodies, without_bodies
from ..record import Record
from ..record_summary import RecordSummary

__all__ = [
    "BodySearch",
    "NewestSearch",
    "find_newest",
    "read_back",
    "read_matching",
    "read_newest",
    "search_bodies",
    "search_newest",
]

WINDOWS = tuple(timedelta(seconds=4**step) for step in range(14))
"""The ranges in which the newest records are searched: from a second to two years, then everything.

Each range is four times the one before. So a range holds at most about four times the wanted records,
and searching an idle year takes a dozen short queries.
"""
RARE_WINDOWS = WINDOWS[::3]
"""The ranges for failures. There are few of these, so fewer and longer ranges cost less."""
GAP = timedelta(seconds=1024)
"""After so long without records the rollups are asked when the last requests were."""
PAGE = 100
"""`read_back` holds so many records at once, bodies included."""
MILLISECOND = timedelta(milliseconds=1)
"""Times of arrival are whole milliseconds."""
SEARCH_BUDGET_S = 2.0


@overload
def find_newest(
    store: Store,
    wanted: Filter,
    limit: int,
    *,
    now: datetime | None = None,
    fields: Literal["all", "facts"] = "all",
) -> list[Record]: ...


@overload
def find_newest(
    store: Store,
    wanted: Filter,
    limit: int,
    *,
    now: datetime | None = None,
    fields: Literal["summary"],
) -> list[RecordSummary]: ...


def find_newest(
    store: Store,
    wanted: Filter,
    limit: int,
    *,
    now: datetime | None = None,
    fields: Fields = "all",
) -> list[Any]:
    """Find the newest `limit` records, the newest first.

    Each step queries one range of arrival times that no earlier step has queried. The search stops
    when the list is full, so the cost depends on the age of the matching records, not on their number.

    Args:
        store: the store.
        wanted: the filter.
        limit: maximum number of records.
        now: the time from which to search back; the present by default.
        fields: ``all`` returns records, ``facts`` the same without bodies and tracebacks, ``summary``
            only the columns of a list.
    """
    return list(read_newest(store, wanted, limit, now=now, fields=fields))


@overload
def read_newest(
    store: Store,
    wanted: Filter,
    limit: int,
    *,
    now: datetime | None = None,
    fields: Literal["all", "facts"] = "all",
) -> Iterator[Record]: ...


@overload
def read_newest(
    store: Store,
    wanted: Filter,
    limit: int,
    *,
    now: datetime | None = None,
    fields: Literal["summary"],
) -> Iterator[RecordSummary]: ...


def read_newest(
    store: Store,
    wanted: Filter,
    limit: int,
    *,
    now: datetime | None = None,
    fields: Fields = "all",
) -> Iterator[Any]:
    """Yield what `find_newest` returns, each range as it is read, for whoever cannot wait for all."""
    for found, _ in _search_back(store, wanted, limit, now or datetime.now(timezone.utc), fields):
        yield from found


def _search_back(
    store: Store, wanted: Filter, limit: int, now: datetime, fields: Fields
) -> Iterator[tuple[list[Any], datetime | None]]:
    """Yield what each range holds, and where it begins: everything from then on has been read."""
    find: Callable[..., list[Any]] = partial(store.find, wanted, fields=fields)
    first, last = wanted.arrival(now)
    wanted_count = limit
    if wanted.wants_failures:
        ranges = _Ranges(None, last or now, RARE_WINDOWS)
    else:
        ranges = _Ranges(store.rollups, last or now, WINDOWS)
    # The clock of another machine may be ahead: the first range has no end.
    until = None
    while (since := ranges.begin_next(is_empty=limit == wanted_count)) is not None:
        found = find(limit=limit, between=(since, until))
        limit -= len(found)
        yield found, since
        if limit <= 0 or (first is not None and first >= since):
            return
        until = since
    yield find(limit=limit, between=(None, until)), None


class _Ranges:
    """The ranges to search, from the newest back, each where the one before begins.

    They grow. A range that reaches over a long time without requests would hold as long a time with
    them, so after such a gap the ranges begin small again, where the rollups say that it ends.
    """

    def __init__(self, table: RollupTable | None, end: datetime, windows: Sequence[timedelta]) -> None:
        self._table = table
        self._end = end
        self._windows = windows
        self._step = 0
        self._has_asked = False
        self._edge: datetime | None = None
        """Where the gap ends; None if there is none, or no more."""

    def begin_next(self, *, is_empty: bool) -> datetime | None:
        """Return where the next range begins; None if it is the last, which has no beginning.

        Args:
            is_empty: whether nothing was found so far.
        """
        if self._step == len(self._windows):
            return None
        since = self._back_by(self._windows[self._step])
        if is_empty and not self._has_asked and self._windows[self._step] > GAP:
            self._has_asked = True
            self._edge = self._find_edge()
        if self._edge is not None and since <= self._edge:
            since, self._end, self._edge, self._step = self._edge, self._edge, None, 0
        else:
            self._step += 1
        return since

    def _back_by(self, window: timedelta) -> datetime:
        return max(self._end, FIRST + window) - window

    def _find_edge(self) -> datetime | None:
        """Return where requests begin, if that is further back than what was searched."""
        last = None
        if self._table is not None:
            with contextlib.suppress(ExportError):  # it is a hint, and the search finds the same
                last = self._table.find_last(self._end)
        searched = self._back_by(self._windows[self._step - 1])
        return last if last is not None and last < searched else None


class NewestSearch(NamedTuple):
    """The result of a search in a limited time.

    .. versionadded:: 2.0
    """

    records: list[RecordSummary]
    """The newest that were found, the newest first."""
    resume: datetime | None
    """The search has read all records from this time on, and ended there because its time was over;
    None if it found enough, or has read all."""


def search_newest(
    store: Store, wanted: Filter, limit: int, *, now: datetime | None = None
) -> NewestSearch:
    """Find the newest `limit` records, or what can be found while `Store.limited` gives time.

    To go on, narrow the filter: ``wanted.narrowed(None, result.resume)``.

    Args:
        store: the store.
        wanted: the filter.
        limit: maximum number of records.
        now: the time from which to search back; the present by default.

    Raises:
        StoreTimeoutError: the time was over before anything was read.
    """
    found: list[RecordSummary] = []
    reached = None
    try:
        for page, since in _search_back(
            store, wanted, limit, now or datetime.now(timezone.utc), "summary"
        ):
            found += page
            reached = since
    except StoreTimeoutError:
        if reached is None:
            raise
        return NewestSearch(found, reached)
    return NewestSearch(found, None)


class BodySearch(NamedTuple):
    """The result of a search in bodies.

    .. versionadded:: 2.0
    """

    records: list[Record]
    """The newest that were found, the newest first."""
    searched: int
    """The number of records whose bodies were read."""
    resume: datetime | None
    """The search has read all records from this time on, and ended there because its time was over;
    None if it found enough, or has read all."""


def search_bodies(
    store: Store,
    wanted: Filter,
    limit: int,
    *,
    budget_s: float | None = None,
    now: datetime | None = None,
) -> BodySearch:
    """Find the newest `limit` records of a filter that asks for bodies, in a limited time.

    No index covers bodies. Records that match the rest of the filter are read back in time,
    until enough are found or the time is over. To go on, narrow the filter:
    ``wanted.narrowed(None, result.resume)``.

    Args:
        store: the store.
        wanted: the filter.
        limit: maximum number of records.
        budget_s: the time after which no more records are read; two seconds by default. A time that is
            over by `Store.limited` ends the search in the same way.
        now: the time from which to search back; the present by default.

    Raises:
        StoreTimeoutError: the time of `Store.limited` was over before anything was read.
    """
    ends_at = monotonic() + (SEARCH_BUDGET_S if budget_s is None else budget_s)
    found: list[Record] = []
    searched = 0
    reached = None
    try:
        for page, since in read_back(store, Filter(without_bodies(wanted.condition)), now=now):
            searched += len(page)
            found += filter(wanted.matches, page)
            if len(found) >= limit:
                break
            # An empty range is no place to stop: idle years are skipped in a few steps, but in a row.
            if page and since is not None and monotonic() >= ends_at:
                return BodySearch(found, searched, since)
            reached = since
    except StoreTimeoutError:
        if reached is None:
            raise
        return BodySearch(found, searched, reached)
    return BodySearch(found[:limit], searched, None)


def read_matching(store: Store, wanted: Filter, *, now: datetime | None = None) -> Iterator[Record]:
    """Yield the records of a filter, the newest first, also of one that asks for bodies.

    Args:
        store: the store.
        wanted: the filter.
        now: the time from which to read back; the present by default.
    """
    in_bodies = searches_bodies(wanted.condition)
    asked = Filter(without_bodies(wanted.condition)) if in_bodies else wanted
    for page, _ in read_back(store, asked, now=now):
        yield from filter(wanted.matches, page) if in_bodies else page


def read_back(
    store: Store, wanted: Filter, *, now: datetime | None = None
) -> Iterator[tuple[list[Record], datetime | None]]:
    """Yield all records, from the newest to the oldest, some at a time.

    Each step reads a range of arrival times that holds about `PAGE` records, so that any number of
    records takes a constant amount of memory.

    Args:
        store: the store.
        wanted: the filter.
        now: the time from which to read back; the present by default.

    Yields:
        All records that arrived before those of the last step, and at this time or later; None with
        the last step.
    """
    now = now or datetime.now(timezone.utc)
    first, last = wanted.arrival(now)
    first, end, until = first or FIRST, last or now, last
    width, limit = WINDOWS[0], PAGE
    while True:
        since = first if width > WINDOWS[-1] else max(first, max(end, FIRST + width) - width)
        page = store.find(wanted, limit=limit, between=(since if since > FIRST else None, until))
        if len(page) == limit:
            oldest = page[-1].date_created
            if page[0].date_created == oldest:  # more than a page in one millisecond
                limit *= 4
                continue
            # Of the oldest millisecond there may be more.
            page = [record for record in page if record.date_created > oldest]
            since = oldest + MILLISECOND
            width = max(2 * (end - since), MILLISECOND)
        else:
            width *= 4
            if since <= first:
                yield page, None
                return
        yield page, since
        end = until = since
        limit = PAGE
