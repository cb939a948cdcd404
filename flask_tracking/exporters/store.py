"""`Store`: an exporter that answers for its records: it finds, keeps and rewrites them.

A store writes the methods with a leading underscore; what they have in common is done here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeVar, overload

from bson import ObjectId

from ..config.overrides import Override, alive, utc_now
from ..errors import TrackingError
from ..filters import Filter
from ..record import Record
from ..record_summary import RecordSummary, summarize
from ..runtime.text import clean_text
from .base import Exporter

__all__ = [
    "Place",
    "Problem",
    "Revise",
    "Rewritten",
    "Store",
    "Tail",
    "find_store",
    "merge_newest",
]

MAX_REASON_LENGTH = 1000

Between = tuple[datetime | None, datetime | None]
"""Arrived at the first time or later, and before the second; None for no bound."""
ALWAYS: Between = (None, None)

Fields = Literal["all", "summary"]
"""How much of each record is read: all of it, or what a line of a list shows."""

Found = TypeVar("Found", Record, RecordSummary)

Revise = Callable[[Sequence[Record]], Sequence[Record]]
"""Returns records as they should be stored, in their order."""


class Problem(NamedTuple):
    """Something that keeps records from being stored or found as the settings say.

    .. versionadded:: 2.0
    """

    level: Literal["error", "warning"]
    """``error`` where nothing can be stored, ``warning`` where it can."""
    what: str
    """What is wrong: a sentence without its full stop. It names the setting or the place."""
    fix: str = ""
    """What to do about it: the same."""
    command: str = ""
    """What does it, for a terminal or for ``mongosh``; empty where no command does."""

    def __str__(self) -> str:
        """Return all of it in one line."""
        sentences = [f"{text}." for text in (self.what, self.fix) if text]
        line = " ".join(sentences)
        return f"{line.removesuffix('.')}: {self.command}" if self.command else line


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where records are stored: a collection, a table, a file.

    .. versionadded:: 2.0
    """

    name: str
    was_created: bool = False
    """True where it was not there before."""
    facts: tuple[str, ...] = ()
    """What is worth knowing of it, a line each, like ``capped at 1,048,576 bytes``."""


class Tail(NamedTuple):
    """What was stored since a position, and the next position.

    .. versionadded:: 2.0
    """

    records: list[RecordSummary]
    """In the order in which they were stored; whether one is kept is said as it was then."""
    position: Any
    """To be given to the next `Store.tail`. Only the store that made it can read it."""


class Rewritten(NamedTuple):
    """How far a rewrite has come in one collection."""

    name: str
    stored: int
    """About how many records there were when it began."""
    looked_at: int = 0
    """Whose `Record.redaction_version` was another one."""
    changed: int = 0
    """In which more than that had to be changed."""
    current: int = 0
    """Which were not looked at, because their version is the wanted one."""
    left: int = 0
    """Which could not be read or written, and are as they were."""


class Store(Exporter):
    """Gives stored records back, each once; whether one is kept is said as it is now.

    .. versionadded:: 2.0
    """

    def prepare(self) -> Sequence[Place]:
        """Create the places where records are stored, as far as they are missing; called by `init`.

        Returns:
            What was made or found; nothing where there is nothing to prepare.

        Raises:
            ExportError: the store cannot be reached, or refuses.
            NoDatabaseError: no database is configured.
        """
        self.open()
        return ()

    def check(self) -> list[Problem]:
        """Look for problems, and change nothing. What `prepare` was refused is among them."""
        try:
            return list(self._check())
        except TrackingError as error:
            return [Problem("error", str(error).removesuffix("."))]

    def _check(self) -> Iterable[Problem]:
        """Do what `check` promises; a `TrackingError` becomes a problem."""
        return ()

    @abstractmethod
    def get(self, record_id: ObjectId) -> Record | None:
        """Return the record with this id, or None."""

    @overload
    def find(
        self,
        wanted: Filter,
        *,
        limit: int,
        between: Between = ALWAYS,
        fields: Literal["all"] = "all",
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
        """Find records, the newest first; those of one millisecond by descending id.

        Args:
            wanted: which are meant.
            limit: how many at most.
            between: further bounds of the arrival: that time or later, before the other time; None for
                no bound. A store answers a bounded range from its index of ``date_created``;
                `flask_tracking.queries.find_newest` asks so.
            fields: ``all`` returns records; ``summary`` returns what a line of a list shows of them,
                which is a small part of a record with bodies.

        Raises:
            ExportError: the store cannot be reached, or refuses.
        """
        wanted = wanted.narrowed(*between)
        if wanted.since and wanted.until and wanted.since >= wanted.until:
            return []
        if limit <= 0:
            return []
        return self._find(wanted, limit) if fields == "all" else self._find_summaries(wanted, limit)

    @abstractmethod
    def _find(self, wanted: Filter, limit: int) -> list[Record]:
        """Do what `find` promises, for a limit of at least one."""

    def _find_summaries(self, wanted: Filter, limit: int) -> list[RecordSummary]:
        """Do the same for summaries; a store that can read less than all of a record does so."""
        return [summarize(record) for record in self._find(wanted, limit)]

    def tail(self, wanted: Filter, after: Any = None, *, limit: int = 500) -> Tail:
        """Return what was stored since the last call, each record once. Does not wait.

        Args:
            wanted: which are meant.
            after: the position that the last call returned; None for the first, which returns no
                records: it only notes where to begin.
            limit: how many at most, none where it is not above 0; the next call goes on behind them.

        Raises:
            ExportError: the store cannot be reached, or refuses. The same position may be used again.
        """
        if after is not None and limit <= 0:
            return Tail([], after)
        return self._tail(wanted, after, limit)

    @abstractmethod
    def _tail(self, wanted: Filter, after: Any, limit: int) -> Tail:
        """Do what `tail` promises, for a limit of at least one."""

    def keep(self, record_id: ObjectId, reason: str = "asked for") -> bool:
        """Store a record a second time, where those that are not kept do not overwrite it.

        A record that is kept already stays as it is, with its first reason.

        Args:
            record_id: of a record that is stored.
            reason: why, for the people who will read it; cut at 1,000 characters.

        Returns:
            False when there is no such record.

        Raises:
            TrackingError: the settings say that no record is kept longer than others.
            ExportError: the store cannot be reached, or refuses.
        """
        # What a command line gave in no known encoding is no text that could be stored.
        return self._keep(record_id, clean_text(reason)[:MAX_REASON_LENGTH])

    @abstractmethod
    def _keep(self, record_id: ObjectId, reason: str) -> bool:
        """Do what `keep` promises."""

    @abstractmethod
    def unkeep(self, record_id: ObjectId) -> bool:
        """Keep a record no longer. Where it was stored first it stays, until it is overwritten.

        Returns:
            False when it was not kept.

        Raises:
            TrackingError: the settings say that no record is kept longer than others.
            ExportError: the store cannot be reached, or refuses.
        """

    def load_overrides(self) -> list[Override]:
        """Return the overrides of settings that have not expired, sorted by name.

        Called by the worker at most once in ``TRACKING_FLUSH_INTERVAL_S``.

        Raises:
            ExportError: they cannot be read now; known ones apply until they expire.
            NoDatabaseError: no database is configured.
        """
        return sorted(alive(self._load_overrides(), utc_now()), key=lambda one: one.name)

    @abstractmethod
    def _load_overrides(self) -> Sequence[Override]:
        """Return the stored overrides; expired ones may be among them."""

    @abstractmethod
    def store_overrides(self, values: Sequence[Override]) -> None:
        """Store overrides of settings; one of the same name is replaced.

        Raises:
            ExportError: they are not stored, or not all are.
        """

    @abstractmethod
    def clear_overrides(self, names: Collection[str]) -> None:
        """Remove the overrides of these names.

        Raises:
            ExportError: not all are removed.
        """

    @abstractmethod
    def rewrite(self, revise: Revise, version: str, *, is_dry_run: bool = False) -> Iterator[Rewritten]:
        """Store all records anew as `revise` returns them, as far as they differ.

        A record that was changed by others meanwhile is read again, one that is gone stays away, and
        of all others nothing is written but what differs. It may be broken off and begun again, and
        may run in several processes at once.

        Args:
            revise: returns records with `version` as their ``redaction_version``.
            version: records that have it already are not looked at.
            is_dry_run: change nothing, and count all the same.

        Returns:
            What was done so far in a collection, after each batch of it; at least once for each.

        Raises:
            ExportError: the store cannot be reached, or refuses. What was done stays done.
        """


def merge_newest(kept: Iterable[Found], others: Iterable[Found], limit: int) -> list[Found]:
    """Return the newest `limit` of both, the newest first; one that is in both as the kept one.

    Args:
        kept: the newest `limit` kept records.
        others: the newest `limit` of all that are not overwritten, kept or not.
        limit: how many at most.
    """
    found = {record.id: record for record in others}
    found.update((record.id, record) for record in kept)
    return sorted(found.values(), key=lambda one: (one.date_created, one.id), reverse=True)[:limit]


def find_store(exporter: Exporter) -> Store | None:
    """Return the store behind `exporter`: itself, or the first of those that it passes records to."""
    if isinstance(exporter, Store):
        return exporter
    return next(filter(None, map(find_store, exporter.sides)), None)
