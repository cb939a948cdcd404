"""Pass records to the exporter: retry while the store is unavailable, and isolate failing records."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..errors import ExportError, NoDatabaseError
from ..exporters.base import Exporter, read_rejected
from ..exporters.bisection import Bisection, Failure, Outcome, join_company, say_lost
from ..record import Record
from ..runtime import guard
from .counters import Counters
from .interrupts import persist
from .untraced import untraced

__all__ = ["Delivery", "Undelivered"]

FIRST_RETRY_S = 0.25
LAST_RETRY_S = 5.0
"""The pause before a batch is retried, doubling from the first value up to the last."""
LEAST_JITTER = 0.5
"""The minimum share of a pause. Jitter keeps processes that failed together from retrying together."""

_random = random.SystemRandom()  # a seeded generator would give all forks the same pauses


class Undelivered(NamedTuple):
    """Records that are given up, with a reason of ``stats.dropped``."""

    records: Sequence[Record]
    reason: str


Company = Callable[[int], Sequence[Record]]
"""Takes the number of records at hand; returns more waiting records to export, possibly none."""


class Delivery:
    """Passes batches to an exporter."""

    def __init__(
        self, exporter: Exporter, counters: Counters, on_recovery: Callable[[], object]
    ) -> None:
        """Store the arguments.

        Args:
            exporter: the exporter.
            counters: the counters of the app.
            on_recovery: called when an export succeeds after a failure.
        """
        self._exporter = exporter
        self._counters = counters
        self._on_recovery = on_recovery
        self._is_failing = False
        self.is_abandoned = False
        """True once time has run out: all records count as lost, and nothing more is logged."""

    def deliver(
        self, records: Sequence[Record], closing: threading.Event, get_company: Company | None = None
    ) -> Undelivered | None:
        """Store `records`, retrying until all are stored.

        Args:
            records: a batch.
            closing: ends the pauses, and makes the next attempt the last one.
            get_company: called for more records when the exporter fails with each of the remaining
                ones: whether it stores others tells whether the records or the exporter is at fault.

        Returns:
            The records that are given up; None if all are stored or already counted as lost.
        """
        pause_s = FIRST_RETRY_S
        is_broken = False
        bisection = Bisection(self._persist)
        while records and not self.is_abandoned:
            is_last_try = closing.is_set()
            if is_broken or is_last_try:
                outcome = self._bisect(bisection, records)
            else:
                outcome = Outcome(records, self._persist(records))
            records, failure, is_alone, _ = outcome
            if failure is None or self.is_abandoned:
                return None
            if failure.reason == "not_configured" or is_last_try:
                return Undelivered(records, "shutdown" if is_last_try else failure.reason)
            is_broken = failure.broke is not None
            # Meanwhile the queue fills up, and evicts routine captures.
            closing.wait(pause_s * _random.uniform(LEAST_JITTER, 1.0))
            pause_s = min(pause_s * 2, LAST_RETRY_S)
            if is_alone and get_company is not None:
                records = join_company(records, get_company(len(records)))
        return None

    def deliver_once(self, records: Sequence[Record]) -> Undelivered | None:
        """Store `records` with a single attempt, or give them up."""
        if not records:
            return None
        # Exceptions that interrupt a request belong to the server: no step is repeated.
        outcome = self._bisect(Bisection(self._try), records)
        if outcome.failure is None:
            return None
        return Undelivered(outcome.left, outcome.failure.reason)

    def _bisect(self, bisection: Bisection, records: Sequence[Record]) -> Outcome:
        outcome = bisection.store(records)
        if outcome.lost:
            self._lose(outcome.lost)
        return outcome

    def _lose(self, records: Sequence[Record]) -> None:
        with self._counters.lock:
            if self.is_abandoned:
                return
            kept = sum(record.kept for record in records)
            untold = sum(record.dropped_before for record in records)
            self._counters.drop("export_failed", len(records), kept=kept, untold=untold)
        say_lost(records)

    def _persist(self, records: Sequence[Record]) -> Failure | None:
        return persist(self._try, records)

    def _try(self, records: Sequence[Record]) -> Failure | None:
        """Export once; return the failure, or None."""
        try:
            with untraced():
                answer: object = self._exporter.export(records)
        except Exception as error:
            return self._note_failure(error)
        rejected = read_rejected(answer, len(records))
        with self._counters.lock:
            if not self.is_abandoned:
                self._counters.note_export(len(records) - rejected, rejected)
        if self._is_failing:
            self._is_failing = False
            self._on_recovery()
            guard.warn_rarely("recovered", "Records are stored again.", level=logging.INFO)
        return None

    def _note_failure(self, error: Exception) -> Failure:
        """Log and count a failure; return it with the reason for ``stats.dropped``."""
        if self.is_abandoned:
            # At exit, a daemon thread that holds the lock of a log handler may crash the process.
            return Failure("shutdown")
        if isinstance(error, NoDatabaseError):
            guard.warn_rarely("no database", "Nothing is recorded: %s", error)
            return Failure("not_configured", error)
        self._is_failing = True
        self._counters.note_failed_export()
        if isinstance(error, ExportError):
            # Its message is safe to log: it quotes no record.
            guard.warn_rarely("export", "Records cannot be stored: %s", error)
            return Failure("export_failed", error)
        guard.report_failure("exporting records", error)
        return Failure("export_failed", error)
