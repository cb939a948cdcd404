"""Copy a collection into a new one of another kind or size, while records are being written.

The old collection is renamed, and the new one is created under its name immediately, so that each write
goes to one of the two. Then the records are copied, the oldest first. The names of the collections are
the only state: while ``…_rebuild_1`` exists, records are missing, and another run continues.

Copying first and renaming the new collection into place would hide fewer records meanwhile. But
SecantusDB turns a capped collection into an ordinary one when it is renamed, and MongoDB 6.0 and newer
resize capped collections without a copy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pymongo
from bson import encode
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from ...config import Settings
from ...errors import ExportError
from ..retention import FILLED, Rebuilt
from ..store import Problem
from .collection import Plan, create, ensure_collection, find_capped_problems, read_options
from .connection import is_stand_in
from .inserting import insert_once

Document = dict[str, Any]

RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
NAMESPACE_NOT_FOUND = 26
ATTEMPTS = 50
"""Attempts to create the new collection before a concurrent write creates an ordinary one."""
BATCH_RECORDS = 1000
BATCH_BYTES = 4 * 1024 * 1024
TIMEOUT_S = 60.0
"""The timeout of each call to the database: a batch takes longer than a query."""
COPY_TIMEOUT_S = 86_400.0
"""The timeout of the first read of a collection. MongoDB applies it to all reads together."""


def find_sources(database: Database[Document], name: str) -> list[str]:
    """Return the collections to copy from, the oldest first; none if the rebuild is complete."""
    pattern = re.compile(rf"{re.escape(name)}_rebuild_(\d+)")
    matches = [match for one in database.list_collection_names() if (match := pattern.fullmatch(one))]
    return [match[0] for match in sorted(matches, key=lambda match: int(match[1]))]


def find_interrupted(database: Database[Document], settings: Settings) -> list[Problem]:
    """Return a problem for each collection with an unfinished rebuild."""
    if is_stand_in(database):
        return []
    commands = {
        settings.collection: f"flask tracking migrate --to {settings.retention}",
        settings.kept_collection: "flask tracking resize --kept --rebuild",
    }
    return [
        Problem(
            "warning",
            f"Records of {name} are still in {', '.join(sources)}: a rebuild was interrupted",
            "To finish it",
            command,
        )
        for name, command in commands.items()
        if (sources := find_sources(database, name))
    ]


class Rebuilding:
    """One rebuild of one collection."""

    def __init__(self, database: Database[Document], plan: Plan) -> None:
        """Store the arguments; `run` does the work.

        Args:
            database: the database of the collection.
            plan: the desired kind and size.
        """
        # A secondary may lack the latest writes, and copied collections are dropped.
        self._database = database.with_options(read_preference=ReadPreference.PRIMARY)
        self._plan = plan
        self._target: Collection[RawBSONDocument] = self._database[plan.name].with_options(
            RAW, write_concern=WriteConcern(j=True)
        )
        self._done = Rebuilt(plan.name, 0)
        self._is_resumed = False
        """True if an earlier run has copied some of the records already."""

    def run(self) -> Iterator[Rebuilt]:
        """Rebuild the collection if necessary, and yield the progress after each batch.

        Raises:
            ExportError: other processes keep creating the collection.
            PyMongoError: the database raised it. Finished steps are not undone.
        """
        if is_stand_in(self._database):
            return
        with pymongo.timeout(TIMEOUT_S):
            self._is_resumed = bool(find_sources(self._database, self._plan.name))
            if not self._is_as_planned():
                self._set_apart()
            # Always, because a run that was killed may have left the collection without its indexes.
            ensure_collection(self._database, self._plan)
            sources = find_sources(self._database, self._plan.name)
        if not sources:
            return
        sizes = [self._measure(name) for name in sources]
        expected = _Size(sum(one.records for one in sizes), sum(one.bytes for one in sizes))
        self._add(stored=expected.records)
        room = _Room(self._plan, expected, lambda: self._measure(self._plan.name))
        yield self._done
        for name in sources:
            left = self._done.left
            yield from self._copy(name, room)
            if self._done.left == left:
                with pymongo.timeout(TIMEOUT_S):
                    self._database[name].drop()

    def _is_as_planned(self) -> bool:
        options, _ = read_options(self._database, self._plan.name)
        if options is None:
            return False
        if self._plan.size_bytes is None:
            return not options.get("capped")
        return not any(find_capped_problems(options, self._plan))

    # Replace the old collection

    def _set_apart(self) -> None:
        for _ in range(ATTEMPTS):
            self._rename_away()
            if create(self._database, self._plan):
                return
            # A concurrent write created an ordinary collection: its records are copied, too.
        raise ExportError(
            f"{self._plan.name} is created by others again and again. Run the command once more, "
            "at a time of less traffic"
        )

    def _rename_away(self) -> None:
        sources = find_sources(self._database, self._plan.name)
        number = 1 + max((int(name.rpartition("_")[2]) for name in sources), default=0)
        try:
            self._database[self._plan.name].rename(f"{self._plan.name}_rebuild_{number}")
        except OperationFailure as error:
            if error.code != NAMESPACE_NOT_FOUND:  # an earlier run got this far
                raise

    # Copying

    def _measure(self, name: str) -> _Size:
        with pymongo.timeout(TIMEOUT_S):
            stats = self._database.command("collStats", name)
        return _Size(int(stats["count"]), int(stats["size"]))

    def _copy(self, name: str, room: _Room) -> Iterator[Rebuilt]:
        # In their original order, so that the oldest are overwritten first.
        source = self._database[name].with_options(RAW)
        most = room.limit_batch()
        with source.find(batch_size=BATCH_RECORDS) as cursor:
            batch = _read_batch(cursor, most, COPY_TIMEOUT_S)
            while batch:
                room.measure()
                missing = self._find_missing(batch)
                room.leave_out(_Size.of(batch) - _Size.of(missing))
                fitting = [one for one in missing if room.takes(len(one.raw))]
                with pymongo.timeout(TIMEOUT_S):
                    refused = insert_once(self._target, fitting)
                skipped = len(missing) - len(fitting)
                self._add(
                    looked_at=len(batch),
                    copied=len(batch) - skipped - len(refused),
                    left=len(refused),
                    skipped=skipped,
                )
                yield self._done
                batch = _read_batch(cursor, most, TIMEOUT_S)

    def _find_missing(self, batch: Sequence[RawBSONDocument]) -> Sequence[RawBSONDocument]:
        """Return the records of a batch that no earlier run has copied."""
        if not self._is_resumed:
            return batch
        ids = {encode({"_id": one["_id"]}): one for one in batch}
        with pymongo.timeout(TIMEOUT_S):
            wanted = {"_id": {"$in": [one["_id"] for one in batch]}}
            copied = {one.raw for one in self._target.find(wanted, {"_id": 1})}
        return [one for key, one in ids.items() if key not in copied]

    def _add(self, **counts: int) -> None:
        sums = {name: getattr(self._done, name) + count for name, count in counts.items()}
        self._done = self._done._replace(**sums)


class _Size(NamedTuple):
    records: int
    bytes: int

    @classmethod
    def of(cls, documents: Sequence[RawBSONDocument]) -> _Size:
        return cls(len(documents), sum(len(one.raw) for one in documents))

    def __sub__(self, other: _Size) -> _Size:
        return _Size(self.records - other.records, self.bytes - other.bytes)


class _Room:
    """Skips the oldest records if copying all would overwrite concurrent writes."""

    def __init__(self, plan: Plan, expected: _Size, measure: Callable[[], _Size]) -> None:
        """Store the arguments.

        Args:
            plan: the kind and size of the new collection.
            expected: the amount to copy.
            measure: returns the present amount in the new collection.
        """
        self._bounds = (plan.max_documents, plan.size_bytes)
        self._left = expected
        self._measure = measure
        self._free = (math.inf, math.inf)
        self._unmeasured = math.inf

    def limit_batch(self) -> tuple[float, float]:
        """Return the most records and bytes of a batch: few, so that room is measured again in time."""
        bounds = (math.inf if bound is None else bound * (1 - FILLED) for bound in self._bounds)
        records, size = (max(1, bound) for bound in bounds)
        return min(BATCH_RECORDS, records), min(BATCH_BYTES, size)

    def takes(self, size: int) -> bool:
        """Return True if there is room for the next record, of `size` bytes, and all after it."""
        if self._bounds == (None, None):
            return True
        has_room = all(left <= free for left, free in zip(self._left, self._free, strict=True))
        self.leave_out(_Size(1, size))
        if has_room:
            self._unmeasured += self._share(size)
            self._free = (self._free[0] - 1, self._free[1] - size)
        return has_room

    def leave_out(self, size: _Size) -> None:
        """Note that records need no room any more."""
        self._left -= size

    def _share(self, size: int) -> float:
        """Return the share of the bound that a record takes: of that which is reached first."""
        records, size_bytes = self._bounds
        return max(1 / (records or math.inf), size / (size_bytes or math.inf))

    def measure(self) -> None:
        """Measure the room again if much was copied since: between batches, when all is stored."""
        if self._bounds == (None, None) or self._unmeasured <= 1 - FILLED:
            return
        self._unmeasured = 0
        records, size = (
            math.inf if bound is None else bound * FILLED - used
            for bound, used in zip(self._bounds, self._measure(), strict=True)
        )
        self._free = (records, size)


def _read_batch(cursor: Any, most: tuple[float, float], timeout_s: float) -> Sequence[RawBSONDocument]:
    batch: list[RawBSONDocument] = []
    size = 0
    with pymongo.timeout(timeout_s):
        for document in cursor:
            batch.append(document)
            size += len(document.raw)
            if len(batch) >= most[0] or size >= most[1]:
                break
    return batch
