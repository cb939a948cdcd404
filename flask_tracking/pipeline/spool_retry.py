"""Send the files of the spool for a command, and count what became of them as a worker does."""

from __future__ import annotations

from typing import NamedTuple

from ..config import Settings
from ..errors import ExportError, NoDatabaseError
from ..exporters.base import Exporter
from ..spool import HeldFile, Spool
from .counters import Counters
from .delivery import Delivery
from .drain import Drain
from .minute_rollups import MinuteRollups
from .rollup_delivery import RollupDelivery, find_table
from .rollup_spool import RollupSpool
from .spooling import SpoolWriter

__all__ = ["SpoolRetry", "Totals"]


class Totals(NamedTuple):
    """What became of the entries of the files, so far."""

    records: int
    """The number of stored records."""
    rollups: int
    """The number of stored rollups."""
    damaged_records: int
    """The number of records that were lost because their files are damaged."""
    damaged_rollups: int
    rejected: int
    """The number of records that the store rejected for good."""


class SpoolRetry:
    """Sends files that the caller holds. The exporter must be open."""

    def __init__(self, settings: Settings, exporter: Exporter, spool: Spool) -> None:
        """Take the settings, the exporter and the spool of the app."""
        table = find_table(exporter) if settings.rollup_days else None
        counted = None if table is None else MinuteRollups(settings.app_version)
        self._counters = Counters(rollups=counted)
        writer = SpoolWriter(spool, self._counters)
        delivery = Delivery(exporter, self._counters, lambda: None, writer)
        self._drain = Drain(spool, writer, delivery)
        self._rollup_spool = RollupSpool(spool)
        # The exporter is open, so damaged files may be set aside.
        delivery.is_proven = self._rollup_spool.is_proven = True
        self._table = table
        self._own_rollups: RollupDelivery | None = None
        if table is not None and counted is not None:
            self._own_rollups = RollupDelivery(table, self._counters, counted, self._rollup_spool)
        self._rollups = self._damaged_rollups = 0

    @property
    def takes_rollups(self) -> bool:
        """Whether rollups are on, and the exporter stores them."""
        return self._table is not None

    @property
    def totals(self) -> Totals:
        """What became of the entries so far."""
        stats = self._counters.read(0)
        return Totals(
            stats.unspooled,
            self._rollups,
            stats.dropped.get("spool_damaged", 0),
            self._damaged_rollups,
            stats.dropped.get("rejected", 0),
        )

    def send_records(self, held: HeldFile) -> bool:
        """Send a file of records; return False if the exporter raises for it.

        Raises:
            ExportError, NoDatabaseError: the store does not take them.
            SpoolError: the file cannot be read, or not moved.
        """
        self._drain.send(held)
        failure = self._drain.failure
        if failure is not None and isinstance(failure.error, ExportError | NoDatabaseError):
            raise failure.error
        return failure is None

    def send_rollups(self, held: HeldFile) -> bool:
        """Send a file of rollups; return False if the exporter stores none.

        Raises:
            ExportError, NoDatabaseError: the store does not take them.
            SpoolError: the file cannot be read.
        """
        if self._table is None:
            return False
        intact = self._rollup_spool.send_held(held, self._table.store, self._table.settle) or 0
        self._rollups += intact
        self._damaged_rollups += held.file.count_missing(intact)
        return True

    def finish(self, *, is_away: bool) -> None:
        """Count what was sent and lost in the rollups.

        Args:
            is_away: the store does not respond, so they are only spooled.
        """
        if self._own_rollups is not None:
            if is_away:
                self._own_rollups.spool_all()
            else:
                self._own_rollups.finish()
