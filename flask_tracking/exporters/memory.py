"""Records in a list: for tests, and for looking at what would be stored."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence

from bson import ObjectId

from ..filters import Filter
from ..forks import watch_forks
from ..record import Record
from ..temporary import TemporaryRule
from .base import Exporter, Reader

__all__ = ["MemoryExporter"]


class MemoryExporter(Exporter, Reader):
    """Keeps the newest records in memory.

    .. versionadded:: 2.0
    """

    def __init__(self, max_records: int = 10_000) -> None:
        """Keep at most `max_records`; the oldest make room."""
        self._max_records = max_records
        self._records: dict[ObjectId, Record] = {}
        self._rules: dict[str, TemporaryRule] = {}
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

    def _load_rules(self) -> Sequence[TemporaryRule]:
        with self._lock:
            return list(self._rules.values())

    def store_rules(self, rules: Sequence[TemporaryRule]) -> None:
        """Keep temporary rules, for this process alone."""
        with self._lock:
            self._rules.update({rule.name: rule for rule in rules})

    def clear_rules(self, names: Collection[str]) -> None:
        """Forget the temporary rules of these names."""
        with self._lock:
            for name in names:
                self._rules.pop(name, None)

    def get(self, record_id: ObjectId) -> Record | None:
        """Return the record with this id, or None."""
        with self._lock:
            return self._records.get(record_id)

    def _find(self, wanted: Filter, limit: int) -> list[Record]:
        found = [record for record in self.records if wanted.matches(record)]
        found.sort(key=lambda record: (record.date_created, record.id), reverse=True)
        return found[:limit]
