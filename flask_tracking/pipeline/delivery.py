"""Records to the store: tried again while it is away, and one record never at the cost of another."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..errors import ExportError, NoDatabaseError
from ..exporters.base import Exporter, read_rejected
from ..record import Record
from ..runtime import guard
from .counters import Counters
from .interrupts import persist
from .untraced import untraced

__all__ = ["Delivery", "Undelivered"]

FIRST_RETRY_S = 0.25
LAST_RETRY_S = 5.0
"""A batch that could not be stored is tried again after these pauses, doubling between them."""
LEAST_JITTER = 0.5
"""The shortest pause, as a share of the whole one: processes that failed together retry apart."""

STUB_FIELDS = (
    "id",
    "kind",
    "date_created",
    "status_code",
    "execution_time",
    "time_to_first_byte",
    "request_body_size",
    "response_body_size",
    "outcome",
    "url_rule",
    "trace_id",
    "span_id",
    "hostname",
    "process",
    "kept",
    "kept_reason",
    "dropped_before",
    "redaction_version",
)
"""What a stub has of its record: nothing that came with the request, which is what breaks a store."""

_random = random.SystemRandom()  # another would give all forks of a process the same pauses


class Undelivered(NamedTuple):
    """Records that are given up, and why: a reason of ``stats.dropped``."""

    records: Sequence[Record]
    reason: str


class _Failure(NamedTuple):
    reason: str
    broke: str | None = None
    """The type of an exception that no exporter should raise: a record may be its cause."""


class Delivery:
    """Gives batches to an exporter."""

    def __init__(
        self, exporter: Exporter, counters: Counters, on_recovery: Callable[[], object]
    ) -> None:
        """Take what is wanted.

        Args:
            exporter: where records go.
            counters: of the app.
            on_recovery: called when the store answers again.
        """
        self._exporter = exporter
        self._counters = counters
        self._on_recovery = on_recovery
        self._is_failing = False
        self.is_abandoned = False
        """True once time has run out: what is still under way counts as lost, and nothing is logged."""

    def deliver(self, records: Sequence[Record], closing: threading.Event) -> Undelivered | None:
        """Store `records`, and try again until it is done.

        Args:
            records: a batch.
            closing: ends the pauses, and makes the next try the last one.

        Returns:
            What is given up; None where all is stored, or was counted as lost meanwhile.
        """
        pause_s = FIRST_RETRY_S
        is_broken = False
        while records and not self.is_abandoned:
            is_last_try = closing.is_set()
            if is_broken or is_last_try:
                records, failure = self._bisect(records, self._persist)
            else:
                failure = self._persist(records)
            if failure is None or self.is_abandoned:
                return None
            if failure.reason == "not_configured" or is_last_try:
                return Undelivered(records, "shutdown" if is_last_try else failure.reason)
            is_broken = failure.broke is not None
            # Meanwhile the queue fills up, and evicts what is routine.
            closing.wait(pause_s * _random.uniform(LEAST_JITTER, 1.0))
            pause_s = min(pause_s * 2, LAST_RETRY_S)
        return None

    def deliver_once(self, records: Sequence[Record]) -> Undelivered | None:
        """Store `records` now, or give them up."""
        if not records:
            return None
        # What interrupts a request belongs to the server: no step of it is repeated.
        left, failure = self._bisect(records, self._try)
        return None if failure is None else Undelivered(left, failure.reason)

    def _bisect(
        self, records: Sequence[Record], attempt: Callable[[Sequence[Record]], _Failure | None]
    ) -> tuple[Sequence[Record], _Failure | None]:
        """Store `records` by `attempt`, and a stub for each that the exporter breaks with.

        Returns:
            Those that are not stored, and why: the store is away, or takes no stub either.
        """
        parts = [records]
        while parts:
            part = parts.pop()
            failure = attempt(part)
            if failure is not None and failure.broke is not None:
                if len(part) > 1:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
                    continue
                if attempt([_make_stub(part[0], failure.broke)]) is None:
                    self._say_stub(part[0], failure.broke)
                    continue
            if failure is not None:
                return [record for one in (part, *reversed(parts)) for record in one], failure
        return (), None

    def _say_stub(self, record: Record, broke: str) -> None:
        guard.warn_rarely(
            "stub", "Record %s is stored without its content: %s while storing it", record.id, broke
        )

    def _persist(self, records: Sequence[Record]) -> _Failure | None:
        return persist(self._try, records)

    def _try(self, records: Sequence[Record]) -> _Failure | None:
        """Export once; return why it failed."""
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

    def _note_failure(self, error: Exception) -> _Failure:
        """Say and count what happened; return the reason to drop by."""
        if self.is_abandoned:
            # The process may be ending: a thread that holds a log's lock then takes it down.
            return _Failure("shutdown")
        if isinstance(error, NoDatabaseError):
            guard.warn_rarely("no database", "Nothing is recorded: %s", error)
            return _Failure("not_configured")
        self._is_failing = True
        self._counters.note_failed_export()
        if isinstance(error, ExportError):
            # Its text is made for this line: it says what happened and quotes nothing.
            guard.warn_rarely("export", "Records cannot be stored: %s", error)
            return _Failure("export_failed")
        guard.report_failure("exporting records", error)
        return _Failure("export_failed", type(error).__name__)


def _make_stub(record: Record, broke: str) -> Record:
    note = f"stored without its content: {broke} while storing it"
    return Record(**{name: getattr(record, name) for name in STUB_FIELDS}, notes=(note,))
