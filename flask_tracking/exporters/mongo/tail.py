"""Follow new records by the index of ``date_stored``.

The sender sets that time before it sends a batch, so a slow batch, or one from a machine whose clock is
behind, appears among older ones. Each call therefore looks back a little, and skips what it has seen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from bson import ObjectId
from pymongo.collection import Collection

from ...filters import Filter
from ...filters.simplify import searches_bodies
from ...record_summary import RecordSummary, summarize
from ..store import Tail
from .codec import SUMMARY_PROJECTION, for_reading, read_document, read_summary, utc_now
from .kept import mark_other
from .query import Query, to_tail_query
from .reading import find_documents

Document = dict[str, Any]

OVERLAP = timedelta(seconds=10)
"""The longest delay of a record: twice the time limit of an export, or a clock that is behind."""
NEVER = datetime.max.replace(tzinfo=timezone.utc)
OLDEST_FIRST = [("date_stored", 1)]
LATEST_FIRST = [("date_stored", -1)]
TIMES = {"date_stored": True}
MILLISECOND = timedelta(milliseconds=1)


MANY = 50
"""Above this number of documents, a call does not compare all of `OVERLAP`."""
SHORT_OVERLAP = timedelta(seconds=1)
WHOLE_EVERY = timedelta(seconds=5)
"""If more were stored within `OVERLAP`, a call looks back `SHORT_OVERLAP`, and all the way this often.
A record that appears late is found five seconds later, and following many costs little."""


MOST_AT_ONCE = 10_000
"""A reader that was away goes on by so many documents a call: one that read hours of them at once might
exceed its time, and would begin at the same position again."""


class Position(NamedTuple):
    """The position of a reader."""

    until: datetime
    seen: tuple[tuple[Any, datetime], ...]
    """Ids and times of the documents that a call may find again. Other programs may use any id."""
    whole_at: datetime
    """When all of `OVERLAP` was read last."""


def begin_tail(collection: Collection[Document]) -> Position:
    """Return the position after all records that are stored now."""
    now = utc_now()
    query = {"date_stored": {"$gte": now - OVERLAP}}
    found = find_documents(collection, query, TIMES, OLDEST_FIRST)
    return Position(now, tuple((one["_id"], _time_of(one)) for one in found), now)


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
    is_whole = len(after.seen) <= MANY or now - after.whole_at >= WHOLE_EVERY
    # What came late since the last whole call may be older than that call by all of the overlap.
    since = min(after.until, after.whole_at) - OVERLAP if is_whole else after.until - SHORT_OVERLAP
    end = now if now - after.until <= OVERLAP else min(now, _find_end(collection, after.until))
    query = to_tail_query(wanted, since, end if end < now else None, has_kept=has_kept)
    has_much_behind = is_whole and len(after.seen) > MANY
    read_new = _read_behind_many if has_much_behind else _read_all
    new = [] if query is None else read_new(collection, query, after, limit, _choose_fields(wanted))
    # All documents of a batch have the same time.
    documents = sorted(new, key=lambda one: (_time_of(one), str(one["_id"])))
    records = list(_read_selected(documents, wanted, has_kept=has_kept))
    times = tuple((one["_id"], _time_of(one)) for one in new)
    until, whole_at = end, now if is_whole else after.whole_at
    if len(new) == limit:
        # More may follow beyond the limit, and a clock that is ahead must not hide later records.
        until = min(end, max((time for _, time in times if time != NEVER), default=after.until))
        whole_at = after.whole_at
    return Tail(records, _advance(after, until, times, whole_at))


def read_stored(
    collection: Collection[Document], wanted: Filter, since: datetime, limit: int, *, has_kept: bool
) -> list[RecordSummary]:
    """Return the records stored at a time or later, those that were stored last first.

    Args:
        collection: the collection of all records.
        wanted: the filter.
        since: the time.
        limit: maximum number of records.
        has_kept: False if keeping is disabled, whatever the documents say.
    """
    query = to_tail_query(wanted, since, has_kept=has_kept)
    if query is None:
        return []
    most = 0 if searches_bodies(wanted.condition) else limit
    with contextlib.closing(
        find_documents(collection, query, _choose_fields(wanted), LATEST_FIRST, most)
    ) as documents:
        return list(islice(_read_selected(documents, wanted, has_kept=has_kept), limit))


def _find_end(collection: Collection[Document], after: datetime) -> datetime:
    """Return when the last of `MOST_AT_ONCE` documents behind `after` was stored; else `NEVER`."""
    behind = for_reading(collection).find({"date_stored": {"$gt": after}}, TIMES).sort(OLDEST_FIRST)
    found = next(behind.skip(MOST_AT_ONCE - 1).limit(1), None)
    return NEVER if found is None else _time_of(found)


def _choose_fields(wanted: Filter) -> Mapping[str, Any] | None:
    return None if searches_bodies(wanted.condition) else {**SUMMARY_PROJECTION, **TIMES}


def _read_all(
    collection: Collection[Document],
    query: Query,
    after: Position,
    limit: int,
    projection: Mapping[str, Any] | None,
) -> list[Document]:
    """Return the documents that the reader has not seen, by one command that reads the others too."""
    since = query["date_stored"]["$gte"] - MILLISECOND
    seen = {_key(one) for one, time in after.seen if time >= since}
    most = limit + len(seen)
    found = find_documents(collection, query, projection, OLDEST_FIRST, most).batch_size(most)
    return [one for one in found if _key(one["_id"]) not in seen][:limit]


def _read_behind_many(
    collection: Collection[Document],
    query: Query,
    after: Position,
    limit: int,
    projection: Mapping[str, Any] | None,
) -> list[Document]:
    """Return the documents that the reader has not seen, of which there are few among many others.

    Their ids are compared here: a server may compare each document with each of many ids. The new ones
    lie together: most of the range between the first and the last is new.
    """
    seen = {_key(one) for one, _ in after.seen}
    times = find_documents(collection, query, TIMES, OLDEST_FIRST).batch_size(MOST_AT_ONCE)
    with contextlib.closing(times) as found:
        new = list(islice((one for one in found if _key(one["_id"]) not in seen), limit))
    if not new:
        return []
    bounds = {"$gte": new[0]["date_stored"], "$lte": new[-1]["date_stored"]}
    keys = {_key(one["_id"]) for one in new}
    documents = find_documents(collection, {**query, "date_stored": bounds}, projection, OLDEST_FIRST)
    return [one for one in documents if _key(one["_id"]) in keys]


def _key(document_id: Any) -> Any:
    return document_id if isinstance(document_id, ObjectId) else repr(document_id)


def _read_selected(
    documents: Iterable[Document], wanted: Filter, *, has_kept: bool
) -> Iterator[RecordSummary]:
    """Yield the summaries of the documents that are selected: the server does not search in bodies."""
    read = partial(_match_record, wanted) if searches_bodies(wanted.condition) else read_summary
    for document in documents if has_kept else map(mark_other, documents):
        summary = read(document)
        if summary is not None:
            yield summary


def _match_record(wanted: Filter, document: Document) -> RecordSummary | None:
    record = read_document(document)
    return summarize(record) if record is not None and wanted.matches(record) else None


def _time_of(document: Document) -> datetime:
    """Return when a document was stored; `NEVER` if it has no valid time."""
    time = document["date_stored"]
    return time if isinstance(time, datetime) else NEVER


def _advance(
    after: Position, until: datetime, new: tuple[tuple[Any, datetime], ...], whole_at: datetime
) -> Position:
    until = max(after.until, until)
    # The server compares whole milliseconds.
    forgotten = min(until, whole_at) - OVERLAP - MILLISECOND
    seen = tuple(one for one in after.seen + new if one[1] >= forgotten)
    return Position(until, seen, whole_at)
