"""Follow what is stored, by the index of ``date_stored``.

That time is set before a batch is sent, by whoever sends it: a batch that took long, or came from a
machine whose clock is behind, appears among older ones. So each call looks back a little, and leaves
out what it has seen there.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from pymongo.collection import Collection

from ...filters import Filter
from ..store import Tail
from .codec import SUMMARY_PROJECTION, for_reading, read_summary, utc_now
from .kept import mark_other
from .query import to_tail_query

Document = dict[str, Any]

OVERLAP = timedelta(seconds=10)
"""How late a record may appear: twice the time that an export may take, or clocks that far apart."""
NEVER = datetime.max.replace(tzinfo=timezone.utc)
OLDEST_FIRST = [("date_stored", 1)]


class Position(NamedTuple):
    """How far a reader has come."""

    until: datetime
    seen: tuple[tuple[Any, datetime], ...]
    """What was stored within `OVERLAP` before, each id with its time. Others may use any id."""


def begin_tail(collection: Collection[Document]) -> Position:
    """Return the position behind all that is stored by now."""
    now = utc_now()
    query, projection = {"date_stored": {"$gte": now - OVERLAP}}, {"date_stored": True}
    found = for_reading(collection).find(query, projection).sort(OLDEST_FIRST)
    return Position(now, tuple((one["_id"], _time_of(one)) for one in found))


def read_tail(
    collection: Collection[Document], wanted: Filter, after: Position, limit: int, *, has_kept: bool
) -> Tail:
    """Return what was stored behind a position.

    Args:
        collection: of all records.
        wanted: which are meant.
        after: how far the reader has come.
        limit: how many at most.
        has_kept: False where none is kept, whatever the documents say.
    """
    now = utc_now()
    query = to_tail_query(wanted, after.until - OVERLAP, [one for one, _ in after.seen])
    projection = {**SUMMARY_PROJECTION, "date_stored": True}
    cursor = for_reading(collection).find(query, projection).sort(OLDEST_FIRST).limit(limit)
    # All of a batch have one time.
    documents = sorted(cursor, key=lambda one: (_time_of(one), str(one["_id"])))
    marked = documents if has_kept else map(mark_other, documents)
    records = [summary for one in marked if (summary := read_summary(one)) is not None]
    new = tuple((one["_id"], _time_of(one)) for one in documents)
    until = now
    if len(documents) == limit:
        # Behind what was cut off there may be more; a clock that is ahead must not hide what comes.
        until = min(now, max((time for _, time in new if time != NEVER), default=after.until))
    return Tail(records, _advance(after, until, new))


def _time_of(document: Document) -> datetime:
    """Return when a document was stored; what is no such time never comes to an end."""
    time = document["date_stored"]
    return time if isinstance(time, datetime) else NEVER


def _advance(after: Position, until: datetime, new: tuple[tuple[Any, datetime], ...]) -> Position:
    until = max(after.until, until)
    return Position(until, tuple(one for one in after.seen + new if one[1] >= until - OVERLAP))
