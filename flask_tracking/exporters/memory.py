"""Records in a list: for tests, and for looking at what would be stored."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence

from bson import ObjectId

from ..filters import Filter
from ..forks import watch_forks
from ..record import Record
from .base import Exporter, Reader, Revise, Rewritten

__all__ = ["MemoryExporter"]

REWRITE_BATCH = 500


class MemoryExporter(Exporter, Reader):
    """Keeps the newest records in memory.

    .. versionadded:: 2.0
    """

    def __init__(self, max_records: int = 10_000) -> None:
        """Keep at most `max_records`; the oldest make room."""
        self._max_records = max_records
        self._records: dict[ObjectId, Record] = {}
        self._lock = threading.Lock()
        watch_forks(self)

    def after_fork_in_child(self) -> None:
        """Have a lock that no thread of the parent holds; what is stored is the child's too."""
        self._lock = threading.Lock()

    @property
    def records(self) -> list[Record]:
        """What is stored, in the order in which it came."""
        with self._lock:
            return list(self._records.values())

    def clear(self) -> None:
        """Forget all records."""
        with self._lock:
            self._records.clear()

    def _store(self, records: Sequence[Record]) -> int:
        with self._lock:
            for record in records:
                self._records.setdefault(record.id, record)
            while len(self._records) > self._max_records:
                del self._records[next(iter(self._records))]
        return 0

    def rewrite(
        self, revise: Revise, version: str, *, marker: str, is_dry_run: bool = False
    ) -> Iterator[Rewritten]:
        """Replace the records by what `revise` returns of them."""
        held = self._records
        with self._lock:
            stale = [record for record in held.values() if record.rules_version != version]
            done = Rewritten("memory", len(held), current=len(held) - len(stale))
        yield done
        for at in range(0, len(stale), REWRITE_BATCH):
            batch = stale[at : at + REWRITE_BATCH]
            revised = revise(batch)
            with self._lock:
                # One that is gone, or was replaced meanwhile, is let be.
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
            return self._records.get(record_id)

    def _find(self, wanted: Filter, limit: int) -> list[Record]:
        found = [record for record in self.records if wanted.matches(record)]
        found.sort(key=lambda record: (record.date_created, record.id), reverse=True)
        return found[:limit]


def _is_changed(pair: tuple[Record, Record]) -> bool:
    before, after = pair
    return dataclasses.replace(before, rules_version=after.rules_version) != after
