"""Replace the records of a collection by their revisions.

Records are read backwards along the index of ``date_created``, about a thousand at a time. Each batch
is written by one command that changes a document only if it is still as it was read. Many small
updates would have the same effect, but SecantusDB scans the capped collection for each of them: a day
instead of minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pymongo
from pymongo import MongoClient, ReadPreference, UpdateOne, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, OperationFailure

from ...filters import FIRST
from ..store import Revise, Rewritten
from .changes import Change, encoded_size, make_change, make_filter, make_update
from .codec import for_reading, read_document, utc_now

Document = dict[str, Any]

ATTEMPTS = 3
"""The number of attempts for a document that others change between reading and writing."""
STEP = 1000
"""The approximate number of records in a range."""
BATCH_BYTES = 6 * 1024 * 1024
"""The maximum size of the records in memory and in one command."""
FIRST_WIDTH = timedelta(minutes=1)
MAX_WIDTH = timedelta(days=730)
"""Everything further back is one range."""
TIMEOUT_S = 60.0
"""The time limit of each call to the database: a batch takes longer than a query."""


class Rewriting:
    """One rewrite of one collection."""

    def __init__(
        self,
        collection: Collection[Document],
        revise: Revise,
        version: str,
        is_dry_run: bool,
    ) -> None:
        """Store the arguments, which are those of `Store.rewrite`."""
        client: object = collection.database.client
        self._is_stand_in = not isinstance(client, MongoClient)
        self._collection = for_reading(collection).with_options(
            read_preference=ReadPreference.PRIMARY, write_concern=WriteConcern(j=True)
        )
        self._revise = revise
        self._version = version
        self._is_dry_run = is_dry_run
        self._done = Rewritten(collection.name, 0)

    def run(self) -> Iterator[Rewritten]:
        """Rewrite all records, and yield the progress after each batch."""
        with pymongo.timeout(TIMEOUT_S):
            self._add(stored=self._collection.estimated_document_count())
        yield self._done
        for bounds in self._ranges():
            with pymongo.timeout(TIMEOUT_S):
                current = self._collection.count_documents(
                    {"date_created": bounds, "redaction_version": self._version}
                )
            self._add(current=current)
            for batch in self._read_batches(bounds):
                self._rewrite(batch)
                yield self._done
            yield self._done

    def _add(self, **counts: int) -> None:
        sums = {name: getattr(self._done, name) + count for name, count in counts.items()}
        self._done = self._done._replace(**sums)

    # Reading

    def _ranges(self) -> Iterator[Document]:
        """Yield ranges of arrival times with about `STEP` records each, the newest first."""
        until, width = None, FIRST_WIDTH
        while True:
            end = until or utc_now()
            since = end - width if width < MAX_WIDTH and end - FIRST > width else FIRST
            bounds = {"$gte": since} if until is None else {"$gte": since, "$lt": until}
            boundary = self._find_boundary(bounds)
            if boundary is not None:
                since = bounds["$gte"] = boundary
                width = max(2 * (end - since), timedelta(milliseconds=1))
            else:
                width *= 4
            yield bounds
            if boundary is None and since == FIRST:
                return
            until = since

    def _find_boundary(self, bounds: Document) -> datetime | None:
        """Return the arrival time of record number `STEP`, counted from the newest; None if fewer."""
        with pymongo.timeout(TIMEOUT_S):
            cursor = self._collection.find({"date_created": bounds}, {"date_created": 1, "_id": 0})
            found = list(cursor.sort("date_created", -1).skip(STEP - 1).limit(1))
        return found[0]["date_created"] if found else None

    def _read_batches(self, bounds: Document) -> Iterator[list[Document]]:
        query = {"date_created": bounds, "redaction_version": {"$ne": self._version}}
        with self._collection.find(query).sort("date_created", -1) as cursor:
            while batch := self._read_batch(cursor):
                yield batch

    def _read_batch(self, cursor: Any) -> list[Document]:
        batch: list[Document] = []
        size = 0
        with pymongo.timeout(TIMEOUT_S):
            for document in cursor:
                batch.append(document)
                size += encoded_size(document)
                if len(batch) >= STEP or size >= BATCH_BYTES:
                    break
        return batch

    # Writing

    def _rewrite(self, documents: list[Document]) -> None:
        self._add(looked_at=len(documents))
        for _ in range(ATTEMPTS):
            changes = self._make_changes(documents)
            with pymongo.timeout(TIMEOUT_S):
                documents = self._store(changes)
            if not documents:
                return
        self._add(left=len(documents))

    def _make_changes(self, documents: Sequence[Document]) -> list[Change]:
        read = [
            (document, record)
            for document in documents
            if (record := read_document(document)) is not None
        ]
        self._add(left=len(documents) - len(read))
        revised = self._revise([record for _, record in read])
        return [
            make_change(document, before, after)
            for (document, before), after in zip(read, revised, strict=True)
        ]

    def _store(self, changes: Sequence[Change]) -> list[Document]:
        """Write changes; return the current documents that others changed meanwhile."""
        if self._is_dry_run or not changes:
            self._count(changes)
            return []
        return self._find_unwritten(changes, self._write(changes))

    def _write(self, changes: Sequence[Change]) -> int:
        if self._is_stand_in:  # mongomock supports neither such a command nor bulk writes
            updates = [(make_filter(change), {"$set": change.values}) for change in changes]
            return sum(self._collection.update_one(*one).modified_count for one in updates)
        try:
            return self._collection.update_many(*make_update(changes, self._version)).modified_count
        except OperationFailure:
            # One refused document would prevent all others from being written.
            return self._write_each(changes)

    def _write_each(self, changes: Sequence[Change]) -> int:
        updates = [UpdateOne(make_filter(change), {"$set": change.values}) for change in changes]
        try:
            return self._collection.bulk_write(updates, ordered=False).modified_count
        except BulkWriteError as error:
            if not error.details["writeErrors"]:
                raise
            return int(error.details["nModified"])

    def _find_unwritten(self, changes: Sequence[Change], written: int) -> list[Document]:
        """Return the existing documents whose change was not made; deleted ones are skipped."""
        if written == len(changes):
            self._count(changes)
            return []
        query = {"_id": {"$in": [change.id for change in changes]}}
        found = {one["_id"]: one for one in self._collection.find(query).sort("date_created", -1)}
        done = {
            change.id for change in changes if change.id in found and change.is_in(found[change.id])
        }
        self._count([change for change in changes if change.id in done])
        return [document for document in found.values() if document["_id"] not in done]

    def _count(self, changes: Sequence[Change]) -> None:
        self._add(changed=sum(change.is_secret for change in changes))
