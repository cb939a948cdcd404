"""Keyset pagination of the list of requests: links stay valid while records arrive."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from bson import ObjectId

from ...exporters.store import Store
from ...filters import FIRST, Filter
from ...filters.simplify import searches_bodies
from ...queries import search_bodies, search_newest
from ...record_summary import RecordSummary, summarize

MILLISECOND = timedelta(milliseconds=1)
MAX_OF_A_MILLISECOND = 10_000


class Cursor(NamedTuple):
    """The position of the last record on a page."""

    date_created: datetime
    id: ObjectId

    def __str__(self) -> str:
        """Return the text for URLs: milliseconds of Unix time, and the id."""
        return f"{round(self.date_created.timestamp() * 1000)}-{self.id}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """Parse the text of a cursor; None if it is invalid."""
        ms, _, record_id = text.partition("-")
        if not (ms.isascii() and ms.isdigit() and len(ms) <= 14 and ObjectId.is_valid(record_id)):
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
    last = datetime.max.replace(tzinfo=timezone.utc) - MILLISECOND
    narrowed = wanted.narrowed(None, min(after.date_created, last) + MILLISECOND)
    asked = limit + 1
    while True:
        asked += limit
        search = _search(store, narrowed, asked)
        found = search.summaries
        left = [one for one in found if (one.date_created, one.id) < after]
        if len(left) > limit or len(found) < asked or asked > MAX_OF_A_MILLISECOND:
            return _cut(search._replace(summaries=left), limit)


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
