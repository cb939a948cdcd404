"""Follow what is stored, by the index of ``date_stored``.

That time is set before a batch is sent, by whoever sends it: a batch that took long, or came from a
machine whose clock is behind, appears among older ones. So each call looks back a little, and leaves
out what it has seen there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from bson import ObjectId
from pymongo.collection import Collection

from ...filters import Filter
from ..store import Tail
from .codec import CODEC, SUMMARY_PROJECTION, read_summary, utc_now
from .kept import mark_other
from .query import to_tail_query

Document = dict[str, Any]

LOOK_BACK = timedelta(seconds=10)
"""How late a record may appear: twice the time that an export may take, or clocks that far apart."""
OLDEST_FIRST = [("date_stored", 1)]


class Position(NamedTuple):
    """How far a reader has come."""

    until: datetime
    seen: Mapping[ObjectId, datetime]
    """What was stored within `LOOK_BACK` before, each id with its time."""


def begin_tail(collection: Collection[Document]) -> Position:
    """Return the position behind all that is stored by now."""
    now = utc_now()
    query, projection = {"date_stored": {"$gte": now - LOOK_BACK}}, {"date_stored": True}
    found = collection.with_options(CODEC).find(query, projection).sort(OLDEST_FIRST)
    return Position(now, {one["_id"]: one["date_stored"] for one in found})


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
    query = to_tail_query(wanted, after.until - LOOK_BACK, after.seen)
    projection = {**SUMMARY_PROJECTION, "date_stored": True}
    cursor = collection.with_options(CODEC).find(query, projection).sort(OLDEST_FIRST).limit(limit)
    # All of a batch have one time.
    documents = sorted(cursor, key=lambda one: (one["date_stored"], str(one["_id"])))
    marked = documents if has_kept else map(mark_other, documents)
    records = [summary for one in marked if (summary := read_summary(one)) is not None]
    times = {one["_id"]: one["date_stored"] for one in documents}
    # Behind what was cut off there may be more; a clock that is ahead must not hide what comes.
    until = min(now, documents[-1]["date_stored"]) if len(documents) == limit else now
    return Tail(records, _advance(after, until, times))


def _advance(after: Position, until: datetime, found: Mapping[ObjectId, datetime]) -> Position:
    until = max(after.until, until)
    seen = {**after.seen, **found}
    return Position(until, {key: time for key, time in seen.items() if time >= until - LOOK_BACK})
