"""`Store`: an exporter that also finds, keeps and rewrites its records.

Subclasses implement the methods with a leading underscore; shared logic is in the public methods.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeVar, overload

from bson import ObjectId

from ..config.overrides import Override, alive, utc_now
from ..errors import TrackingError
from ..filters import Filter
from ..record import Record
from ..record_summary import RecordSummary, summarize
from ..runtime.text import clean_text
from .base import Exporter
from .retention import Rebuilt, Resized, Sharded, Usage
from .rollup_table import RollupTable

__all__ = [
    "Place",
    "Problem",
    "Revise",
    "Rewritten",
    "Store",
    "Tail",
    "find_store",
    "leave_facts",
    "merge_newest",
]

MAX_REASON_LENGTH = 1000
LATE = timedelta(minutes=1)
"""The longest time from arrival to storage, for stores that do not know when a record was stored."""

Between = tuple[datetime | None, datetime | None]
"""A range of arrival times: from the first time (inclusive) to the second; None for no bound."""
ALWAYS: Between = (None, None)

Fields = Literal["all", "facts", "summary"]
"""The part of each record to read: all of it, all but bodies and traceback, or the fields that a list
shows."""

Found = TypeVar("Found", Record, RecordSummary)

Revise = Callable[[Sequence[Record]], Sequence[Record]]
"""Returns the revised records, in the same order."""


class Problem(NamedTuple):
    """A reason why records are not stored or found as the settings say.

    .. versionadded:: 2.0
    """

    level: Literal["error", "warning"]
    """``error`` if records cannot be stored, else ``warning``."""
    what: str
    """The problem, as a sentence without a full stop. It names the setting or the place."""
    fix: str = ""
    """The solution, as a sentence without a full stop."""
    command: str = ""
    """The command that solves it, for a terminal or ``mongosh``; empty if there is none."""

    def __str__(self) -> str:
        """Return all parts in one line."""
        sentences = [f"{text}." for text in (self.what, self.fix) if text]
        line = " ".join(sentences)
        return f"{line.removesuffix('.')}: {self.command}" if self.command else line


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place where records are stored: a collection, a table, a file.

    .. versionadded:: 2.0
    """

    name: str
    was_created: bool = False
    """True if it did not exist before."""
    facts: tuple[str, ...] = ()
    """Its properties, one line each, like ``capped at 1.05 MB (1,048,576 bytes)``."""


class Tail(NamedTuple):
    """The records stored since a position, and the next position.

    .. versionadded:: 2.0
    """

    records: list[RecordSummary]
    """In the order in which they were stored. `kept` is the state at that time."""
    position: Any
    """The argument for the next `Store.tail`, opaque to all but the store that returned it."""


class Rewritten(NamedTuple):
    """The progress of a rewrite in one collection, as numbers of records."""

    name: str
    stored: int
    """About the number of records when it began."""
    looked_at: int = 0
    """With another `Record.redaction_version`."""
    changed: int = 0
    """Of those, where more than the version had to be changed."""
    current: int = 0
    """Skipped, because they have the wanted version."""
    left: int = 0
    """Unchanged, because they could not be read or written."""


class Store(Exporter):
    """Returns stored records, each once, with `kept` as its current state.

    .. versionadded:: 2.0
    """

    rollups: RollupTable | None = None
    """The counts of all requests by route and time. None if the store has none."""
    is_shared: bool = True
    """True if other processes with the same settings see the same records and overrides."""

    def prepare(self) -> Sequence[Place]:
        """Create the missing places where records are stored. Called by ``flask tracking init``.

        Returns:
            The created and existing places; empty if there is nothing to prepare.

        Raises:
            ExportError: the store is unreachable or refuses.
            NoDatabaseError: no database is configured.
        """
        self.open()
        return ()

    def check(self) -> list[Problem]:
        """Return problems, including those that `prepare` met. Changes nothing."""
        try:
            return list(self._check())
        except TrackingError as error:
            return [Problem("error", str(error).removesuffix("."), error.fix)]

    def _check(self) -> Iterable[Problem]:
        """Implement `check`; a raised `TrackingError` becomes a problem."""
        return ()

    def describe(self) -> Sequence[str]:
        """Return facts about the store, a line each, like its kind, version and address.

        Raises:
            ExportError: the store cannot be reached, or refuses.
            NoDatabaseError: no database is configured.
        """
        return ()

    def measure(self) -> Sequence[Usage]:
        """Return how full each place of records is, that of all records first.

        Raises:
            ExportError: the store cannot be reached, or refuses.
            NoDatabaseError: no database is configured.
        """
        return ()

    def shard(self, *, is_dry_run: bool = False) -> Sharded | None:
        """Distribute the records over shards, by a key that spreads writes evenly.

        Args:
            is_dry_run: change nothing, only find out whether it can be done.

        Returns:
            Whether that is done, and the commands for it; None where this store knows no shards.

        Raises:
            TrackingError: the place of the records, or the one that the settings ask for, is of a kind
                that cannot be distributed.
            ExportError: the store cannot be reached, or refuses.
        """
        return None

    def resizes_in_place(self) -> bool:
        """Return False if `resize` is known to change nothing here, so that it takes a `rebuild`.

        Raises:
            ExportError: the store cannot be reached, or refuses.
            NoDatabaseError: no database is configured.
        """
        return True

    def resize(self, max_bytes: int | None = None, *, is_kept: bool = False) -> Resized | None:
        """Give a place another bound, as long as that takes no copy of its records.

        Args:
            max_bytes: the new bound; None for that of the settings.
            is_kept: the place of the kept records is meant, and not that of all.

        Returns:
            What the bounds are now; None where this store has none in bytes.

        Raises:
            TrackingError: the settings say that the place has no bound, or that there is none.
            ExportError: the store cannot be reached, or refuses.
        """
        return None

    def rebuild(
        self, retention: str | None = None, max_bytes: int | None = None, *, is_kept: bool = False
    ) -> Iterator[Rebuilt]:
        """Copy a place into a new one of another kind or size, which takes its name.

        Records that are written meanwhile are in the new one. It may be broken off and begun again.
        What has no room in the new place are the oldest records.

        Args:
            retention: ``capped`` or ``ttl``; None for that of the settings.
            max_bytes: the new bound; None for that of the settings.
            is_kept: the place of the kept records is meant, and not that of all.

        Returns:
            What was done so far, after each batch; nothing where nothing is to be done.

        Raises:
            TrackingError: the settings say that the place has no bound, or that there is none.
            ExportError: the store cannot be reached, or refuses. What was done stays done.
        """
        return iter(())

    def reader(self) -> Store:
        """Return this store as code inside the app should read it, with connections of its own.

        Pages that read much must not take the connections that recording and the app wait for. The
        reader is made at the first call and closed with this store. By default the store itself.
        """
        return self

    def limited(self, seconds: float) -> AbstractContextManager[object]:
        """Limit the time of all calls in a ``with`` block, in this thread; by default no limit.

        Args:
            seconds: for all calls together. Each still has at most ``TRACKING_EXPORT_TIMEOUT_S``.

        Raises:
            StoreTimeoutError: raised by a call in the block when the time is over.
        """
        return nullcontext()

    def count_records(self) -> int | None:
        """Return about how many records are stored; None if that cannot be said within a second."""
        return None

    @abstractmethod
    def get(self, record_id: ObjectId) -> Record | None:
        """Return the record with this id, or None."""

    def find_ids(self, record_ids: Collection[ObjectId]) -> set[ObjectId]:
        """Return those of the ids with which a record is stored.

        Override it in stores that can answer without reading the records.

        Raises:
            ExportError: the store is unreachable or refuses.
        """
        return {one for one in record_ids if self.get(one) is not None}

    @overload
    def find(
        self,
        wanted: Filter,
        *,
        limit: int,
        between: Between = ALWAYS,
        fields: Literal["all", "facts"] = "all",
    ) -> list[Record]: ...

    @overload
    def find(
        self,
        wanted: Filter,
        *,
        limit: int,
        between: Between = ALWAYS,
        fields: Literal["summary"],
    ) -> list[RecordSummary]: ...

    def find(
        self, wanted: Filter, *, limit: int, between: Between = ALWAYS, fields: Fields = "all"
    ) -> list[Record] | list[RecordSummary]:
        """Find records, the newest first; those of the same millisecond by descending id.

        Args:
            wanted: the filter.
            limit: maximum number of records.
            between: further bounds on the arrival: from the first time (inclusive) to the second; None
                for no bound. Stores read a bounded range from the index of ``date_created``, which
                `flask_tracking.queries.find_newest` relies on.
            fields: ``all`` returns records; ``facts`` records with empty bodies and tracebacks, for
                counting what they have in common; ``summary`` only the fields of a line in a list.
                Both are much less than a record with bodies.

        Raises:
            ExportError: the store is unreachable or refuses.
        """
        wanted = wanted.narrowed(*between)
        since, until = wanted.arrival()
        if limit <= 0 or (since and until and since >= until):
            return []
        find: Callable[[Filter, int], Any] = self._find
        if fields != "all":
            find = self._find_facts if fields == "facts" else self._find_summaries
        return find(wanted, limit)  # type: ignore[no-any-return]

    @abstractmethod
    def _find(self, wanted: Filter, limit: int) -> list[Record]:
        """Implement `find` for a limit of at least one."""

    def _find_facts(self, wanted: Filter, limit: int) -> list[Record]:
        """Implement `find` for facts. Override it in stores that can read parts of a record."""
        return [leave_facts(record) for record in self._find(wanted, limit)]

    def _find_summaries(self, wanted: Filter, limit: int) -> list[RecordSummary]:
        """Implement `find` for summaries. Override it in stores that can read parts of a record."""
        return [summarize(record) for record in self._find(wanted, limit)]

    def tail(self, wanted: Filter, after: Any = None, *, limit: int = 500) -> Tail:
        """Return the records stored since the last call, each once. Does not wait.

        Args:
            wanted: the filter.
            after: the position returned by the last call. None for the first call, which returns no
                records, only the position to begin at.
            limit: maximum number of records; 0 or less returns none. The next call continues after
                them.

        Raises:
            ExportError: the store is unreachable or refuses. The same position may be used again.
        """
        if after is not None and limit <= 0:
            return Tail([], after)
        return self._tail(wanted, after, limit)

    @abstractmethod
    def _tail(self, wanted: Filter, after: Any, limit: int) -> Tail:
        """Implement `tail` for a limit of at least one."""

    def find_stored(self, wanted: Filter, since: datetime, *, limit: int) -> list[RecordSummary]:
        """Return the records stored at `since` or later, those that were stored last first.

        Unlike `tail` it needs no position, so that any process can go on where another one was. Records
        of slow batches appear late: ask for some seconds more, and leave out what is known already.

        Args:
            wanted: the filter.
            since: when the first of them was stored.
            limit: maximum number of records.

        Raises:
            ExportError: the store is unreachable or refuses.
        """
        return self._find_stored(wanted, since, limit) if limit > 0 else []

    def _find_stored(self, wanted: Filter, since: datetime, limit: int) -> list[RecordSummary]:
        """Implement `find_stored`; by default by the time of arrival, at most `LATE` before."""
        return self.find(wanted.narrowed(since - LATE, None), limit=limit, fields="summary")

    def keep(self, record_id: ObjectId, reason: str = "asked for") -> bool:
        """Keep a record: store a copy that routine records do not overwrite.

        A kept record is left unchanged, with its first reason.

        Args:
            record_id: the id of a stored record.
            reason: why, for people who read the record; cut at 1,000 characters.

        Returns:
            False if the record is not found.

        Raises:
            TrackingError: the settings disable keeping.
            ExportError: the store is unreachable or refuses.
        """
        # Arguments of a command line in an unknown encoding contain lone surrogates.
        return self._keep(record_id, clean_text(reason)[:MAX_REASON_LENGTH])

    @abstractmethod
    def _keep(self, record_id: ObjectId, reason: str) -> bool:
        """Implement `keep`."""

    @abstractmethod
    def unkeep(self, record_id: ObjectId) -> bool:
        """Stop keeping a record: delete the kept copy. The original stays until it is overwritten.

        Returns:
            False if it was not kept.

        Raises:
            TrackingError: the settings disable keeping.
            ExportError: the store is unreachable or refuses.
        """

    def load_overrides(self) -> list[Override]:
        """Return the current overrides of settings, sorted by name, without expired ones.

        The worker calls it at most once per ``TRACKING_FLUSH_INTERVAL_S``.

        Raises:
            ExportError: they cannot be read now; known overrides apply until they expire.
            NoDatabaseError: no database is configured.
        """
        return sorted(alive(self._load_overrides(), utc_now()), key=lambda one: one.name)

    @abstractmethod
    def _load_overrides(self) -> Sequence[Override]:
        """Return the stored overrides, possibly with expired ones."""

    @abstractmethod
    def store_overrides(self, values: Sequence[Override]) -> None:
        """Store overrides of settings, replacing those of the same names.

        Raises:
            ExportError: some or all of them are not stored.
        """

    @abstractmethod
    def clear_overrides(self, names: Collection[str]) -> None:
        """Remove the overrides of these names.

        Raises:
            ExportError: some or all of them are not removed.
        """

    @abstractmethod
    def rewrite(self, revise: Revise, version: str, *, is_dry_run: bool = False) -> Iterator[Rewritten]:
        """Replace all records by their revisions from `revise`, writing only the differences.

        A record that others changed meanwhile is read again; one that was deleted is not restored.
        Safe to interrupt and repeat, and to run in several processes at once.

        Args:
            revise: returns records with `version` as their ``redaction_version``.
            version: records with this version are skipped.
            is_dry_run: change nothing, only count.

        Returns:
            The progress in a collection, after each of its batches; at least once for each collection.

        Raises:
            ExportError: the store is unreachable or refuses. Finished batches stay rewritten.
        """


def leave_facts(record: Record) -> Record:
    """Return `record` with empty bodies, and without the traceback."""
    exception = record.exception and record.exception._replace(traceback="")
    return dataclasses.replace(record, request_body=b"", response_body=b"", exception=exception)


def merge_newest(kept: Iterable[Found], others: Iterable[Found], limit: int) -> list[Found]:
    """Merge two lists of records, the newest first; a record in both is returned as kept.

    Args:
        kept: the newest `limit` kept records.
        others: the newest `limit` records of the other collection, kept or not.
        limit: maximum number of records.
    """
    found = {record.id: record for record in others}
    found.update((record.id, record) for record in kept)
    return sorted(found.values(), key=lambda one: (one.date_created, one.id), reverse=True)[:limit]


def find_store(exporter: Exporter) -> Store | None:
    """Return `exporter` if it is a store, else the first store that it passes records to, or None."""
    if isinstance(exporter, Store):
        return exporter
    return next(filter(None, map(find_store, exporter.exporters)), None)
