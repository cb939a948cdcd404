"""Records in memory, for tests and for trying things out."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice

from bson import ObjectId

from ..config.overrides import Override, utc_now
from ..filters import Filter
from ..record import Record
from ..record_summary import RecordSummary, summarize
from ..runtime.lifecycle import watch_forks
from .memory_rollups import MemoryRollupTable
from .retention import Usage
from .store import Revise, Rewritten, Store, Tail, merge_newest

__all__ = ["MemoryExporter"]

REWRITE_BATCH = 500


class MemoryExporter(Store):
    """Keeps the newest records in memory.

    .. versionadded:: 2.0
    """

    is_shared = False

    outlives_process = False

    def __init__(self, max_records: int = 10_000, max_kept: int = 1_000) -> None:
        """Start empty.

        Args:
            max_records: maximum number of records; the oldest are overwritten.
            max_kept: the same for kept records.
        """
        self._max_records = max_records
        self._max_kept = max_kept
        self._records: dict[ObjectId, Record] = {}
        self._kept: dict[ObjectId, Record] = {}
        self._stored_at: dict[ObjectId, datetime] = {}
        self._overrides: dict[str, Override] = {}
        self._count = 0  # of all records ever stored: the position of `tail`
        self._lock = threading.Lock()
        self.rollups: MemoryRollupTable = MemoryRollupTable()
        watch_forks(self)

    def after_fork_in_child(self) -> None:
        """Replace the lock, which a thread of the parent may hold. The child inherits the records."""
        self._lock = threading.Lock()
        self.rollups.begin_anew()

    @property
    def records(self) -> list[Record]:
        """The stored records in their order, without those of which only a kept copy is left."""
        with self._lock:
            return [self._as_it_is_now(record) for record in self._records.values()]

    def count_records(self) -> int:
        """Return how many records are stored, without those that are there only as kept."""
        return len(self._records)

    def clear(self) -> None:
        """Delete all records, including kept ones, and all rollups."""
        with self._lock:
            self._records.clear()
            self._kept.clear()
            self._stored_at.clear()
        self.rollups.clear()

    def describe(self) -> Sequence[str]:
        """Say that nothing of it outlives the process."""
        return ("the memory of this process",)

    def measure(self) -> Sequence[Usage]:
        """Return how many records it holds, of how many; their bytes are not counted."""
        places = (("memory", self._records, self._max_records), ("kept", self._kept, self._max_kept))
        with self._lock:
            return [
                Usage(
                    name=name,
                    records=len(held),
                    max_records=most,
                    oldest=min((one.date_created for one in held.values()), default=None),
                )
                for name, held, most in places
            ]

    def _store(self, records: Sequence[Record]) -> int:
        now = utc_now()
        with self._lock:
            for record in records:
                self._stored_at.setdefault(record.id, now)
                self._count += record.id not in self._records
                self._records.setdefault(record.id, record)
                if record.kept:
                    self._add_kept(record)
            while len(self._records) > self._max_records:
                oldest = next(iter(self._records))
                del self._records[oldest], self._stored_at[oldest]
        return 0

    def _add_kept(self, record: Record) -> None:
        self._kept.setdefault(record.id, record)
        while len(self._kept) > self._max_kept:
            del self._kept[next(iter(self._kept))]

    def _tail(self, wanted: Filter, after: int | None, limit: int) -> Tail:
        with self._lock:
            count, records = self._count, list(self._records.values())
        if after is None:
            return Tail([], count)
        start = max(after, count - len(records))
        numbered = enumerate(records[len(records) - (count - start) :], start + 1)
        found = list(islice((one for one in numbered if wanted.matches(one[1])), limit))
        position = found[-1][0] if len(found) == limit else count
        return Tail([summarize(record) for _, record in found], position)

    def _find_stored(self, wanted: Filter, since: datetime, limit: int) -> list[RecordSummary]:
        with self._lock:
            last = [
                self._as_it_is_now(record)
                for record in reversed(self._records.values())
                if self._stored_at[record.id] >= since
            ]
        return [summarize(record) for record in last if wanted.matches(record)][:limit]

    def _keep(self, record_id: ObjectId, reason: str) -> bool:
        with self._lock:
            record = self._records.get(record_id)
            if record is not None:
                self._add_kept(dataclasses.replace(record, kept=True, kept_reason=reason))
            return record_id in self._kept

    def unkeep(self, record_id: ObjectId) -> bool:
        """Stop keeping a record; False if it was not kept."""
        with self._lock:
            return self._kept.pop(record_id, None) is not None

    def _as_it_is_now(self, record: Record) -> Record:
        kept = self._kept.get(record.id)
        if kept is None and record.kept:
            return dataclasses.replace(record, kept=False, kept_reason=None)
        return kept or record

    def _load_overrides(self) -> Sequence[Override]:
        with self._lock:
            return list(self._overrides.values())

    def store_overrides(self, values: Sequence[Override]) -> None:
        """Store overrides of settings, for this process only."""
        with self._lock:
            self._overrides.update({one.name: one for one in values})

    def clear_overrides(self, names: Collection[str]) -> None:
        """Remove the overrides of these names."""
        with self._lock:
            for name in names:
                self._overrides.pop(name, None)

    def rewrite(self, revise: Revise, version: str, *, is_dry_run: bool = False) -> Iterator[Rewritten]:
        """Replace each record by its revision from `revise`."""
        for name, held in (("memory", self._records), ("memory_kept", self._kept)):
            yield from self._rewrite(name, held, revise, version, is_dry_run)

    def _rewrite(
        self,
        name: str,
        held: dict[ObjectId, Record],
        revise: Revise,
        version: str,
        is_dry_run: bool,
    ) -> Iterator[Rewritten]:
        with self._lock:
            stale = [record for record in held.values() if record.redaction_version != version]
            done = Rewritten(name, len(held), current=len(held) - len(stale))
        yield done
        for at in range(0, len(stale), REWRITE_BATCH):
            batch = stale[at : at + REWRITE_BATCH]
            revised = revise(batch)
            with self._lock:
                # Records that are gone or were replaced meanwhile are skipped.
                pairs = [
                    (before, after)
                    for before, after in zip(batch, revised, strict=True)
                    if held.get(before.id) is before
                ]
                if not is_dry_run:
                    held.update({after.id: after for _, after in pairs})
            done = done._replace(
                looked_at=done.looked_at + len(pairs),
                changed=done.changed + sum(map(_is_changed, pairs)),
            )
            yield done

    def get(self, record_id: ObjectId) -> Record | None:
        """Return the record with this id, or None."""
        with self._lock:
            record = self._kept.get(record_id) or self._records.get(record_id)
            return record and self._as_it_is_now(record)

    def _find(self, wanted: Filter, limit: int) -> list[Record]:
        since, until = wanted.arrival()
        with self._lock:
            kept = list(self._kept.values())
            # Most questions are about a short time, and comparing times is the least work.
            near = (one for one in self._records.values() if _arrived_within(one, since, until))
            others = [self._as_it_is_now(record) for record in near]
        return merge_newest(filter(wanted.matches, kept), filter(wanted.matches, others), limit)


def _arrived_within(record: Record, since: datetime | None, until: datetime | None) -> bool:
    arrived = record.date_created
    return (since is None or since <= arrived) and (until is None or arrived < until)


def _is_changed(pair: tuple[Record, Record]) -> bool:
    before, after = pair
    return dataclasses.replace(before, redaction_version=after.redaction_version) != after
