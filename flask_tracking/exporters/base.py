"""`Exporter`, the contract of everything that takes records. `flask_tracking.Store` adds queries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ..record import Record
from ..runtime.guard import warn_rarely

__all__ = ["Exporter", "read_rejected"]

CLOSE_S = 2.0
"""The default time limit for closing an exporter, in seconds."""


class Exporter(ABC):
    """Stores or sends batches of records. Subclasses implement `_store`; all else is optional.

    Every method may be called from any thread, and again after a failure.

    .. versionadded:: 2.0
    """

    exporters: Sequence[Exporter] = ()
    """The exporters that this one passes records to. Commands look for a store among them."""

    def preload(self) -> None:  # noqa: B027 - most import all they need with their module
        """Import what only the worker's thread needs; called when the app is set up, before any fork.

        A process that forks in the middle of an import leaves the child half a module.
        """

    outlives_process: bool = True
    """False if its records are gone when the process ends: then spooled records are not sent to it."""

    def open(self) -> None:  # noqa: B027 - an exporter without a connection has nothing to open
        """Connect and prepare, before the first record is there.

        The batch worker calls it when its thread starts; the sync worker never does, so `_store` must
        be able to connect by itself.

        Raises:
            ExportError: records cannot be stored now. The next `export` tries again.
            NoDatabaseError: no database is configured.
        """

    def export(self, records: Sequence[Record]) -> int:
        """Store `records`, each exactly once however often the batch is exported.

        Records with `Record.kept` are stored a second time, where routine records do not overwrite
        them.

        Args:
            records: usually at most ``TRACKING_BATCH_RECORDS``, and more when records are sent again.

        Returns:
            The number of rejected records: they are lost, and all others are stored. None means 0.

        Raises:
            ExportError: some or all records are not stored; the batch may be exported again. The
                message is logged, so it must not quote a record.
            NoDatabaseError: no database is configured; the batch is dropped, or spooled if there is a
                spool.
        """
        return self._store(records) if records else 0

    @abstractmethod
    def _store(self, records: Sequence[Record]) -> int:
        """Implement `export` for at least one record."""

    def close(self, timeout_s: float = CLOSE_S) -> None:  # noqa: B027 - as for `open`
        """Release connections. A later call of another method opens them again.

        Args:
            timeout_s: maximum duration.
        """

    def abandon(self) -> None:  # noqa: B027 - an exporter without threads keeps no process from ending
        """Release everything that could keep the process from exiting, without a round trip.

        Called when the process exits, after `close` has returned or run out of time.
        """


def read_rejected(answer: object, count: int) -> int:
    """Return the number of records that an exporter rejected; 0 for an invalid answer.

    An invalid answer is not retried: the exporter would only give it again.

    Args:
        answer: the return value of `export`.
        count: the number of records it was given.
    """
    if answer is None:
        return 0
    if type(answer) is int and 0 <= answer <= count:
        return answer
    warn_rarely(
        "nonsense",
        "The exporter returned %s; expected the number of rejected records or None.",
        f"an invalid {type(answer).__name__}",
    )
    return 0
