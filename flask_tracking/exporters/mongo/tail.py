"""Follow new records by the index of ``date_stored``.

The sender sets that time before it sends a batch, so a slow batch, or one from a machine whose clock is
behind, appears among older ones. Each call therefore looks back a little, and skips what it has seen.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, NamedTuple

from pymongo.collection import Collection

from ...filters import Filter
from ...filters.simplify import searches_bodies
from ...record_summary import RecordSummary, summarize
from ..store import Tail
from .codec import SUMMARY_PROJECTION, for_reading, read_document, read_summary, utc_now
from .kept import mark_other
from .query import to_tail_query
from .reading import find_documents

Document = dict[str, Any]

OVERLAP = timedelta(seconds=10)
"""How late a record may appear: twice the time limit of an export, or a clock that far behind."""
NEVER = datetime.max.replace(tzinfo=timezone.utc)
OLDEST_FIRST = [("date_stored", 1)]


class Position(NamedTuple):
    """The position of a reader."""

    until: datetime
    seen: tuple[tuple[Any, datetime], ...]
    """Ids and times of the documents stored within `OVERLAP` before. Other programs may use any id."""


def begin_tail(collection: Collection[Document]) -> Position:
    """Return the position after all records that are stored now."""
    now = utc_now()
    query, projection = {"date_stored": {"$gte": now - OVERLAP}}, {"date_stored": True}
    found = for_reading(collection).find(query, projection).sort(OLDEST_FIRST)
    return Position(now, tuple((one["_id"], _time_of(one)) for one in found))


def read_tail(
    collection: Collection[Document], wanted: Filter, after: Position, limit: int, *, has_kept: bool
) -> Tail:
    """Return the records stored after a position.

    Args:
        collection: the collection of all records.
        wanted: the filter.
        after: the position of the reader.
        limit: maximum number of records.
        has_kept: False if keeping is disabled, whatever the documents say.
    """
    now = utc_now()
    seen = [one for one, _ in after.seen]
    query = to_tail_query(wanted, after.until - OVERLAP, seen, has_kept=has_kept)
    if query is None:
        return Tail([], _advance(after, now, ()))
    in_bodies = searches_bodies(wanted.condition)
    projection = None if in_bodies else {**SUMMARY_PROJECTION, "date_stored": True}
    cursor = find_documents(collection, query, projection, OLDEST_FIRST, limit)
    # All documents of a batch have the same time.
    documents = sorted(cursor, key=lambda one: (_time_of(one), str(one["_id"])))
    marked = documents if has_kept else map(mark_other, documents)
    read = partial(_read_selected, wanted) if in_bodies else read_summary
    records = [summary for one in marked if (summary := read(one)) is not None]
    new = tuple((one["_id"], _time_of(one)) for one in documents)
    until = now
    if len(documents) == limit:
        # More may follow beyond the limit, and a clock that is ahead must not hide later records.
        until = min(now, max((time for _, time in new if time != NEVER), default=after.until))
    return Tail(records, _advance(after, until, new))


def _read_selected(wanted: Filter, document: Document) -> RecordSummary | None:
    record = read_document(document)
    return summarize(record) if record is not None and wanted.matches(record) else None


def _time_of(document: Document) -> datetime:
    """Return when a document was stored; `NEVER` if it has no valid time."""
    time = document["date_stored"]
    return time if isinstance(time, datetime) else NEVER


def _advance(after: Position, until: datetime, new: tuple[tuple[Any, datetime], ...]) -> Position:
    until = max(after.until, until)
    return Position(until, tuple(one for one in after.seen + new if one[1] >= until - OVERLAP))
