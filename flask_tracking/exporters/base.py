"""`Exporter`: what takes records. What answers for them as well is a `flask_tracking.Store`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ..record import Record
from ..runtime.guard import warn_rarely

__all__ = ["Exporter", "read_rejected"]

CLOSE_S = 2.0
"""How long closing an exporter may take where nothing else is said."""


class Exporter(ABC):
    """Stores or sends batches of records. A new one writes `_store`, and whatever else it needs.

    Every method may be called again after it failed, and from any thread.

    .. versionadded:: 2.0
    """

    sides: Sequence[Exporter] = ()
    """The exporters that it passes records on to: commands look for a store among them."""

    def preload(self) -> None:  # noqa: B027 - most import all they need with their module
        """Import what only the worker's thread needs; called when the app is set up, before any fork.

        A process that forks in the middle of an import leaves the child half a module.
        """

    def open(self) -> None:  # noqa: B027 - an exporter without a connection has nothing to open
        """Connect and prepare; called on the worker's thread when it starts.

        Raises:
            ExportError: nothing can be stored now. The next `export` tries again.
            NoDatabaseError: no database is configured.
        """

    def export(self, records: Sequence[Record]) -> int:
        """Store `records`, each exactly once however often the batch is exported.

        Those that are `Record.kept` are stored a second time, where others do not overwrite them.

        Args:
            records: at most ``TRACKING_BATCH_RECORDS``.

        Returns:
            How many of them can never be stored and are lost; the others are stored. None means 0.

        Raises:
            ExportError: none or not all are stored; the batch may be exported again. Its text is
                logged, so it quotes nothing of any record.
            NoDatabaseError: no database is configured; the batch is dropped.
        """
        return self._store(records) if records else 0

    @abstractmethod
    def _store(self, records: Sequence[Record]) -> int:
        """Do what `export` promises, for at least one record."""

    def close(self, timeout_s: float = CLOSE_S) -> None:  # noqa: B027 - as for `open`
        """Release connections. A later call opens them again.

        Args:
            timeout_s: how long it may take at most.
        """

    def abandon(self) -> None:  # noqa: B027 - an exporter without threads keeps no process from ending
        """Release what would keep the process from ending, without a round trip.

        Called at the end of the process, when the time to close has passed or `close` is through.
        """


def read_rejected(answer: object, count: int) -> int:
    """Return how many records an exporter refused; what is no such number means none.

    To send the batch again would not mend the exporter.

    Args:
        answer: what its `export` returned.
        count: how many records it was given.
    """
    if answer is None:
        return 0
    if type(answer) is int and 0 <= answer <= count:
        return answer
    warn_rarely(
        "nonsense",
        "The exporter returned %s, expected the number of rejected records or None.",
        f"a wrong {type(answer).__name__}",
    )
    return 0
