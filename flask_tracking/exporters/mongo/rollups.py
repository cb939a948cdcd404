"""Rollups in a collection beside the records."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from bson import ObjectId
from pymongo import IndexModel, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from ...rollups.codec import Start, is_foreign, rollup_from_dict, rollup_to_dict, start_from_dict
from ...rollups.rollup import Rollup
from ...runtime import guard
from ...storable import CODEC
from ..rollup_table import RollupQuery, RollupTable
from .codec import for_reading
from .connection import is_stand_in

__all__ = ["MongoRollupTable"]

Document = dict[str, Any]

INDEXES = (
    [("width_s", 1), ("start", 1)],
    [("width_s", 1), ("is_merged", 1), ("start", 1)],
)
LIGHT = {"routes": False, "failures": False, "all.examples": False}
STARTS = {"format": True, "start": True, "version": True}
BATCH = 10_000
"""All rollups of a range come in one round trip, or as many as fit into 16 MB."""
LEASE_ID = "lease"


class MongoRollupTable(RollupTable):
    """The rollups of a `MongoExporter`."""

    def __init__(
        self,
        days: int,
        get_collection: Callable[[], Collection[Document]],
        explain: Callable[[PyMongoError], Exception],
    ) -> None:
        """Start without a round trip.

        Args:
            days: ``TRACKING_ROLLUP_DAYS``.
            get_collection: returns it, by the client of this process.
            explain: turns an error of the driver into the one to raise.
        """
        super().__init__(days)
        self._get_collection = get_collection
        self._explain = explain
        self._is_prepared = False
        self._has_told = False
        """Whether it was logged that there are foreign documents."""

    def prepare(self) -> None:
        """Create the indexes, and so the collection. Where they are refused, queries are slower."""
        with self._open() as collection, contextlib.suppress(OperationFailure):
            collection.create_indexes([IndexModel(keys) for keys in INDEXES])
        self._is_prepared = True

    @contextlib.contextmanager
    def _open(self) -> Iterator[Collection[Document]]:
        try:
            yield self._get_collection().with_options(CODEC, write_concern=WriteConcern(j=True))
        except PyMongoError as error:
            self._is_prepared = False  # the server may come back empty
            raise self._explain(error) from None

    def _store(self, rollups: Sequence[Rollup]) -> None:
        if not self._is_prepared:
            self.prepare()
        with self._open() as collection:
            for document in map(rollup_to_dict, rollups):
                _replace_older(collection, document)

    def _settle(self, rollups: Sequence[Rollup]) -> None:
        with self._open() as collection:
            for one in rollups:
                same = {"_id": one.id, "revision": one.revision}
                collection.update_one(same, {"$set": {"is_open": False}})

    def _find(self, query: RollupQuery) -> Iterator[Rollup]:
        for document in self._read(query, to_projection(query)):
            rollup = rollup_from_dict(document, query.route)
            if rollup is not None:
                yield rollup
            elif is_foreign(document):
                self._tell_foreign()

    def _find_starts(self, query: RollupQuery) -> Iterator[Start]:
        found = map(start_from_dict, self._read(query, STARTS))
        return (start for start in found if start is not None)

    def find_foreign(self) -> list[str]:
        """Return the ids of documents that are not rollups, as text."""
        found = (one for width in self.widths for one in self._read(RollupQuery(width.seconds), LIGHT))
        return [repr(one["_id"]) for one in found if rollup_from_dict(one) is None and is_foreign(one)]

    def _tell_foreign(self) -> None:
        if not self._has_told:
            self._has_told = True
            guard.warn_rarely(
                "foreign rollups",
                "Documents in %s that are not rollups are left out: another program wrote them.",
                self._get_collection().name,
            )

    def _read(self, query: RollupQuery, projection: Document | None) -> list[Document]:
        with self._open() as collection:
            collection = for_reading(collection)
            return list(collection.find(to_query(query), projection, batch_size=BATCH))

    def read_clock(self, own: datetime) -> datetime:
        """Return the earlier of `own` and the server's time."""
        with self._open() as collection:
            if is_stand_in(collection.database):
                return own
            theirs = collection.database.command("hello").get("localTime")
        if not isinstance(theirs, datetime):
            return own
        return min(own, theirs.replace(tzinfo=timezone.utc))

    def _take_lease(self, holder: str, now: datetime, until: datetime) -> bool:
        # A lease that ends later than this one was taken by a clock that is ahead.
        is_taken = {"$gt": now, "$lte": until}
        is_free = {"_id": LEASE_ID, "$or": [{"holder": holder}, {"until": {"$not": is_taken}}]}
        lease = {"$set": {"holder": holder, "until": until}}
        with self._open() as collection:
            try:
                collection.update_one(is_free, lease, upsert=True)
            except DuplicateKeyError:
                return False
        return True

    def _replace(self, rollup: Rollup, etag: ObjectId | None) -> bool:
        document = rollup_to_dict(rollup)
        with self._open() as collection:
            if etag is not None:
                same = {"_id": rollup.id, "etag": etag}
                return collection.replace_one(same, document).matched_count == 1
            try:
                collection.insert_one(document)
            except DuplicateKeyError:
                return False
        return True

    def _mark_merged(self, rollups: Sequence[Rollup], *, is_merged: bool = True) -> None:
        if not rollups:
            return
        # Each etag is one rollup's alone.
        same = {
            "_id": {"$in": [one.id for one in rollups]},
            "etag": {"$in": [one.etag for one in rollups]},
        }
        with self._open() as collection:
            collection.update_many(same, {"$set": {"is_merged": is_merged}})

    def _delete(self, width_s: int, before: datetime, *, is_merged: bool | None = None) -> None:
        with self._open() as collection:
            collection.delete_many(to_query(RollupQuery(width_s, until=before, is_merged=is_merged)))


def _replace_older(collection: Collection[Document], document: Document) -> None:
    """Replace or insert a rollup, unless there is one of a later revision."""
    older = {"_id": document["_id"], "revision": {"$not": {"$gt": document["revision"]}}}
    try:
        collection.replace_one(older, document, upsert=True)
    except DuplicateKeyError:  # there is a later one, or another process was quicker
        collection.replace_one(older, document)


def to_query(wanted: RollupQuery) -> Document:
    """Return the query document of `wanted`: an id, or a range of an index."""
    if wanted.id is not None:
        return {"_id": wanted.id}
    query: Document = {"width_s": wanted.width_s}
    if wanted.is_merged is not None:
        query["is_merged"] = wanted.is_merged
    if wanted.is_final is not None:
        query["is_final"] = wanted.is_final
    begins = {"$gte": wanted.since, "$lt": wanted.until}
    start = {operator: time for operator, time in begins.items() if time is not None}
    return {**query, "start": start} if start else query


def to_projection(wanted: RollupQuery) -> Document | None:
    """Return the projection that leaves out what `wanted` does not need; None for nothing."""
    parts = {
        "routes": wanted.with_routes,
        "failures": wanted.with_failures,
        "all.examples": wanted.with_examples,
    }
    return {name: False for name, is_wanted in parts.items() if not is_wanted} or None
