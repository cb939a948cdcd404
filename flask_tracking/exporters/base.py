"""What a store of records must do.

`Exporter` takes records, `Reader` gives them back. A store that does both derives from both and
writes the methods with a leading underscore; what they have in common is done here.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from bson import ObjectId

from ..config.overrides import TemporaryRule, alive, utc_now
from ..errors import TrackingError
from ..filters import Filter
from ..record import Record
from ..runtime.text import clean_text

__all__ = ["Exporter", "Reader", "Revise", "Rewritten", "merge_newest"]

MAX_REASON_LENGTH = 1000

Revise = Callable[[Sequence[Record]], Sequence[Record]]
"""Returns records as they should be stored, in their order."""


class Rewritten(NamedTuple):
    """How far a rewrite has come in one collection."""

    name: str
    stored: int
    """About how many records there were when it began."""
    looked_at: int = 0
    """Whose `Record.rules_version` was another one."""
    changed: int = 0
    """In which more than that had to be changed."""
    removed: int = 0
    """Which the server would not let change as they had to."""
    current: int = 0
    """Which were not looked at, because their version is the wanted one."""
    left: int = 0
    """Which could not be read or written, and are as they were."""


class Exporter(ABC):
    """Stores batches of records.

    Every method may be called again after it failed, and from any thread.

    .. versionadded:: 2.0
    """

    def open(self) -> None:  # noqa: B027 - a store without a connection has nothing to open
        """Connect and prepare the store; called on the worker's thread when it starts.

        Raises:
            ExportError: the store cannot be reached. The next `export` tries again.
            NoDatabaseError: none is configured.
        """

    def export(self, records: Sequence[Record]) -> int:
        """Store `records`, each exactly once however often the batch is exported.

        Those that are `Record.kept` are stored a second time, where others do not push them out.

        Args:
            records: at most ``TRACKING_BATCH_RECORDS``.

        Returns:
            How many of them can never be stored and are lost; the others are stored.

        Raises:
            ExportError: none or not all are stored; the batch may be exported again. Its text is
                logged, so it quotes nothing of any record.
            NoDatabaseError: none is configured; the batch is dropped.
        """
        return self._store(records) if records else 0

    @abstractmethod
    def _store(self, records: Sequence[Record]) -> int:
        """Do what `export` promises, for at least one record."""

    def keep(self, record_id: ObjectId, reason: str = "asked for") -> bool:
        """Store a record a second time, where those that are not kept do not push it out.

        A record that is kept already stays as it is, with its first reason.

        Args:
            record_id: of a record that is stored.
            reason: why, for the people who will read it.

        Returns:
            False when there is no such record.

        Raises:
            TrackingError: the store keeps no record longer than others.
            ExportError: the store cannot be reached, or refuses.
        """
        # What a command line gave in no known encoding is no text that could be stored.
        return self._keep(record_id, clean_text(reason)[:MAX_REASON_LENGTH])

    def _keep(self, record_id: ObjectId, reason: str) -> bool:
        """Do what `keep` promises."""
        raise TrackingError(f"{type(self).__name__} keeps no record longer than others.")

    def forget(self, record_id: ObjectId) -> bool:
        """Take back that a record is kept. Where it was stored first it stays, until it makes room.

        Returns:
            False when it was not kept.

        Raises:
            TrackingError: the store keeps no record longer than others, or cannot delete it.
            ExportError: the store cannot be reached, or refuses.
        """
        raise TrackingError(f"{type(self).__name__} keeps no record longer than others.")

    def load_rules(self) -> list[TemporaryRule]:
        """Return the temporary rules that have not expired, sorted by name.

        Called by the worker at most once in ``TRACKING_FLUSH_INTERVAL_S``.

        Raises:
            ExportError: they cannot be read now; what was known holds until it expires.
            NoDatabaseError: none is configured.
        """
        return sorted(alive(self._load_rules(), utc_now()), key=lambda rule: rule.name)

    def _load_rules(self) -> Sequence[TemporaryRule]:
        """Return what was stored; by default nothing is."""
        return ()

    def store_rules(self, rules: Sequence[TemporaryRule]) -> None:
        """Store temporary rules; one of the same name is replaced.

        Raises:
            ExportError: they are not stored, or not all are.
            TrackingError: the store has no place for rules.
        """
        raise TrackingError(f"{type(self).__name__} stores no temporary rules.")

    def clear_rules(self, names: Collection[str]) -> None:
        """Forget the temporary rules of these names.

        Raises:
            ExportError: not all are forgotten.
            TrackingError: the store has no place for rules.
        """
        raise TrackingError(f"{type(self).__name__} stores no temporary rules.")

    def rewrite(
        self, revise: Revise, version: str, *, marker: str, is_dry_run: bool = False
    ) -> Iterator[Rewritten]:
        """Store all records anew as `revise` returns them, as far as they differ.

        A record that was changed by others meanwhile is read again, one that is gone stays away, and
        of all others nothing is written but what differs. It may be broken off and begun again, and
        may run in several processes at once.

        Args:
            revise: returns records with `version` as their ``rules_version``.
            version: records that have it already are not looked at.
            marker: what `revise` puts where a secret was. Where a server does not let a record change
                its size, this is stretched or shortened.
            is_dry_run: change nothing, and count all the same.

        Returns:
            What was done so far in a collection, after each batch of it; at least once for each.

        Raises:
            TrackingError: the store cannot change what it has stored.
            ExportError: the store cannot be reached, or refuses. What was done stays done.
        """
        raise TrackingError(f"{type(self).__name__} cannot change what it has stored.")

    def close(self) -> None:  # noqa: B027 - a store without a connection has nothing to close
        """Let go of connections. A later call opens them again."""

    def abandon(self) -> None:  # noqa: B027 - a store without threads keeps no process from ending
        """Let go of what would keep the process from ending, without a round trip.

        Called at the end of the process, when the time to close has passed or `close` is through.
        """


class Reader(ABC):
    """Finds stored records, each once; whether one is kept is said as it is now.

    .. versionadded:: 2.0
    """

    @abstractmethod
    def get(self, record_id: ObjectId) -> Record | None:
        """Return the record with this id, or None."""

    def find(self, wanted: Filter, *, limit: int, since: datetime | None = None) -> list[Record]:
        """Find records, the newest first; those of one millisecond by descending id.

        Args:
            wanted: which are meant.
            limit: how many at most.
            since: a further lower bound of the arrival, inclusive. A store answers a bounded range
                from its index of ``date_created``; `flask_tracking.queries.find_newest` asks so.
        """
        if since is not None and (wanted.since is None or wanted.since < since):
            wanted = dataclasses.replace(wanted, since=since)
        if wanted.since and wanted.until and wanted.since >= wanted.until:
            return []
        return self._find(wanted, limit) if limit > 0 else []

    @abstractmethod
    def _find(self, wanted: Filter, limit: int) -> list[Record]:
        """Do what `find` promises, for a limit of at least one."""


def merge_newest(kept: Iterable[Record], others: Iterable[Record], limit: int) -> list[Record]:
    """Return the newest `limit` of both, the newest first; one that is in both as the kept one.

    Args:
        kept: the newest `limit` kept records.
        others: the newest `limit` of all that have not made room, kept or not.
        limit: how many at most.
    """
    found = {record.id: record for record in others}
    found.update((record.id, record) for record in kept)
    return sorted(found.values(), key=lambda one: (one.date_created, one.id), reverse=True)[:limit]
