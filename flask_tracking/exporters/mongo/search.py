"""Find the newest records of a filter in the two collections, each record once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from pymongo.collection import Collection

from ...filters import Filter
from ...filters.simplify import excludes_kept, searches_bodies
from ...runtime.guard import warn_rarely
from ..store import Found, merge_newest
from .kept import mark_kept, mark_other
from .query import NEWEST_FIRST, to_kept_query, to_queries
from .reading import find_documents

Document = dict[str, Any]
Projection = Mapping[str, bool] | None
Read = Callable[[Document], Found | None]
Refine = Callable[[list[Found]], list[Found]]
"""Leaves out what a query cannot leave out."""

BATCH = 200
"""Number of documents that `Refine` gets at once."""


class Collections(NamedTuple):
    """The collections to search."""

    records: Collection[Document]
    kept: Collection[Document] | None
    """None where none is kept."""


def search(
    collections: Collections,
    wanted: Filter,
    limit: int,
    read: Read[Found],
    projection: Projection = None,
) -> list[Found]:
    """Return the newest records that `wanted` selects, the newest first.

    Args:
        collections: where they are.
        wanted: the filter.
        limit: maximum number of records.
        read: reads a document; None if it is not a record. A filter that asks for bodies wants records.
        projection: the fields that `read` needs; None for all.
    """
    match = wanted.matches if searches_bodies(wanted.condition) else None
    kept: list[Found] = []
    query = None if collections.kept is None else to_kept_query(wanted)
    if query is not None and collections.kept is not None:
        refine = _make_refine(match, None)
        kept = _search_in(
            collections.kept, query, limit, lambda one: read(mark_kept(one)), projection, refine
        )
    refine = _make_refine(match, collections.kept if excludes_kept(wanted.condition) else None)
    others = [
        found
        for query in to_queries(wanted)
        for found in _search_in(
            collections.records, query, limit, lambda one: read(mark_other(one)), projection, refine
        )
    ]
    return merge_newest(kept, others, limit)


def _make_refine(
    match: Callable[[Any], bool] | None, kept: Collection[Document] | None
) -> Refine[Any] | None:
    if match is None and kept is None:
        return None

    def refine(found: list[Any]) -> list[Any]:
        matching = [one for one in found if match is None or match(one)]
        return matching if kept is None else _leave_out_kept(kept, matching)

    return refine


def _leave_out_kept(kept: Collection[Document], found: list[Any]) -> list[Any]:
    ids = {"_id": {"$in": [one.id for one in found]}}
    there = {one["_id"] for one in kept.find(ids, {"_id": True})} if found else set()
    return [one for one in found if one.id not in there]


def _search_in(
    collection: Collection[Document],
    query: Document,
    limit: int,
    read: Read[Found],
    projection: Projection,
    refine: Refine[Found] | None,
) -> list[Found]:
    """Return the newest `limit` records of one collection."""
    if refine is None:
        documents = list(find_documents(collection, query, projection, NEWEST_FIRST, limit))
        found = _read_all(collection, documents, read)
        if len(found) == len(documents) or len(documents) < limit:
            return found
        # Some were no records: there may be others behind them.
        refine = list
    found = []
    with contextlib.closing(find_documents(collection, query, projection, NEWEST_FIRST)) as cursor:
        while len(found) < limit and (batch := list(islice(cursor, BATCH))):
            found += refine(_read_all(collection, batch, read))
    return found[:limit]


def _read_all(
    collection: Collection[Document], documents: Iterable[Document], read: Read[Found]
) -> list[Found]:
    """Read documents, and skip those that are not records."""
    results = [read(document) for document in documents]
    found = [one for one in results if one is not None]
    if len(found) < len(results):
        warn_rarely(
            f"foreign documents in {collection.name}",
            "Documents in %s that are not records are left out: another program wrote them.",
            collection.name,
        )
    return found
