"""Positions in the list of requests: links to what is beside them stay valid while records arrive."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from bson import ObjectId

from ...exporters.store import Store
from ...filters import FIRST, Filter
from ...filters.simplify import searches_bodies
from ...queries import search_bodies, search_newest
from ...record import Record
from ...record_summary import RecordSummary, summarize

MILLISECOND = timedelta(milliseconds=1)
LAST = datetime.max.replace(tzinfo=timezone.utc) - MILLISECOND
MAX_OF_A_MILLISECOND = 10_000
MAX_DIGITS = 15
"""Of the milliseconds until the last year that Python knows."""
FEW = 50
"""So many are read at once to find the first after a position: stores return the newest first."""
GROWTH = 4


class Cursor(NamedTuple):
    """The position of the last record on a page."""

    date_created: datetime
    id: ObjectId

    def __str__(self) -> str:
        """Return the text for URLs: milliseconds of Unix time, and the id."""
        return f"{round(self.date_created.timestamp() * 1000)}-{self.id}"

    @classmethod
    def of(cls, record: Record) -> Cursor:
        """Return the position of a record; one of another program may have arrived before all times."""
        return cls(max(FIRST, record.date_created), record.id)

    @classmethod
    def before(cls, time: datetime) -> Cursor:
        """Return the position before all records that arrived at a time."""
        return cls(time, ObjectId(bytes(12)))

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """Parse the text of a cursor; None if it is invalid."""
        ms, _, record_id = text.partition("-")
        is_time = ms.isascii() and ms.isdigit() and len(ms) <= MAX_DIGITS
        if not (is_time and ObjectId.is_valid(record_id)):
            return None
        try:
            return cls(FIRST + int(ms) * MILLISECOND, ObjectId(record_id))
        except OverflowError:
            return None


class Rows(NamedTuple):
    """A page of the list."""

    summaries: list[RecordSummary]
    next: Cursor | None
    """The cursor of the next page; None on the last page."""
    resume: datetime | None = None
    """Where to continue after a timeout: everything from this time on was read."""
    searched: int | None = None
    """The number of records whose bodies were searched; None if the filter needs no body."""


class _Search(NamedTuple):
    summaries: list[RecordSummary]
    resume: datetime | None
    searched: int | None = None


def read_page(store: Store, wanted: Filter, after: Cursor | None, limit: int) -> Rows:
    """Return the newest `limit` records after a cursor, the newest first."""
    if after is None:
        return _cut(_search(store, wanted, limit + 1), limit)
    # Stored times are whole milliseconds: that of the cursor is read again.
    narrowed = wanted.narrowed(None, min(after.date_created, LAST) + MILLISECOND)
    asked = limit + 1
    while True:
        asked += limit
        search = _search(store, narrowed, asked)
        found = search.summaries
        left = [one for one in found if (one.date_created, one.id) < after]
        if len(left) > limit or len(found) < asked or asked > MAX_OF_A_MILLISECOND:
            return _cut(search._replace(summaries=left), limit)


def find_first_after(
    store: Store, wanted: Filter, after: Cursor, now: datetime
) -> RecordSummary | None:
    """Return the first record after a cursor; None if there is none.

    Each step reads one range of arrival times. It grows until it holds some, and from then on is half
    of what is left before the earliest record found: a range without records is read at once, one with
    many is not.
    """
    start, length, limit = after.date_created, timedelta(seconds=1), FEW
    # The clock of another machine may be ahead: the last range has no end.
    end: datetime | None = None
    nearest: RecordSummary | None = None
    while True:
        until = end if (end or now) - start <= length else start + length
        found = store.find(wanted, limit=limit, between=(start, until), fields="summary")
        later = [one for one in found if (one.date_created, one.id) > after]
        nearest = later[-1] if later else nearest
        if len(found) < limit or not later:  # the newest are returned: no other is later
            if later or until is None or until == end:
                return nearest
            start = until
        elif until is None or until - start > MILLISECOND:
            end = min(found[-1].date_created, LAST) + MILLISECOND
        elif limit < MAX_OF_A_MILLISECOND:
            limit *= GROWTH
        else:
            return nearest
        length = GROWTH * length if end is None else max(MILLISECOND, (end - start) / 2)


def _search(store: Store, wanted: Filter, limit: int) -> _Search:
    """Return the newest records, or after a timeout those found so far."""
    if searches_bodies(wanted.condition):
        bodies = search_bodies(store, wanted, limit)
        return _Search([summarize(one) for one in bodies.records], bodies.resume, bodies.searched)
    return _Search(*search_newest(store, wanted, limit))


def _cut(search: _Search, limit: int) -> Rows:
    found = search.summaries
    if len(found) <= limit:
        return Rows(found, None, search.resume, search.searched)
    last = found[limit - 1]
    return Rows(found[:limit], Cursor(last.date_created, last.id), None, search.searched)
