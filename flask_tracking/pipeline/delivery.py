"""Pass records to the exporter: retry while the store is unavailable, and isolate failing records.

With a spool, records wait on disk meanwhile, and not in memory. One batch may be sent ahead, on another
thread, while the next one is made; it is settled before the next one is sent.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic
from typing import NamedTuple, TypeVar

from ..errors import ExportError, NoDatabaseError
from ..exporters.base import Exporter, read_rejected
from ..exporters.bisection import Bisection, Failure, Outcome, join_company, say_lost
from ..record import Record
from ..runtime import guard
from ..runtime.durations import format_duration
from .background import BackgroundCall
from .counters import Counters
from .interrupts import ends_thread, persist
from .jitter import spread
from .spooling import SpoolWriter
from .untraced import untraced

__all__ = ["Delivery", "Resent", "Undelivered"]

FIRST_RETRY_S = 0.25
LAST_RETRY_S = 5.0
"""The pause before a batch is retried, doubling from the first value up to the last."""


R = TypeVar("R")


class Undelivered(NamedTuple):
    """Records that are given up, with a reason of ``stats.dropped``."""

    records: Sequence[Record]
    reason: str


class Resent(NamedTuple):
    """The result of sending records of the spool."""

    left: Sequence[Record]
    """The records that are not stored."""
    failure: Failure | None
    """The reason; None if all are stored."""
    rejected: int
    """The number of records that can never be stored."""


class Ahead(NamedTuple):
    """A batch whose first attempt is made on another thread."""

    records: Sequence[Record]
    call: BackgroundCall[Failure | None]


Company = Callable[[int], Sequence[Record]]
"""Takes the number of records at hand; returns more waiting records to export, possibly none."""


class Delivery:
    """Passes batches to an exporter."""

    def __init__(
        self,
        exporter: Exporter,
        counters: Counters,
        on_recovery: Callable[[], object],
        spool: SpoolWriter | None = None,
    ) -> None:
        """Store the arguments.

        Args:
            exporter: the exporter.
            counters: the counters of the app.
            on_recovery: called when an export succeeds after a failure.
            spool: writes records that the exporter does not take; None to retry from memory.
        """
        self._exporter = exporter
        self._counters = counters
        self._on_recovery = on_recovery
        self._spool = spool
        self._pause_s = FIRST_RETRY_S
        self._under_way: Sequence[Record] = ()
        self._next: Sequence[Record] = ()
        """The batch that waits until the one that was sent ahead is settled."""
        self._ahead: Ahead | None = None
        self._is_failing = False
        self._failing_since = 0.0
        """The monotonic time of the first failure since the last success."""
        self._has_complained = False
        """Whether that was logged."""
        self.next_try = 0.0
        """The monotonic time of the next attempt after the store was unavailable."""
        self.is_proven = False
        """True if the last export succeeded."""
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
        if not self._begin_batch(records):
            return None
        return self._deliver(records, closing, get_company)

    def send_ahead(self, records: Sequence[Record]) -> None:
        """Make the first attempt to store `records` on another thread. Then call `settle`.

        So the next batch can be made while the store works on this one.
        """
        if not self._begin_batch(records) or not records:
            return
        call = BackgroundCall("flask-tracking sender", functools.partial(self._attempt_ahead, records))
        self._ahead = Ahead(records, call)
        call.start()

    def settle(
        self,
        following: Sequence[Record],
        closing: threading.Event,
        get_company: Company | None = None,
    ) -> Undelivered | None:
        """Wait for the batch that was sent ahead, if there is one, and deliver what is left of it.

        Args:
            following: the batch that waits for it; `take_over` returns it, too.
            closing: as for `deliver`.
            get_company: as for `deliver`.

        Returns:
            The records that are given up, as `deliver` does.
        """
        ahead = self._ahead
        if ahead is None:
            return None
        with self._counters.lock:
            self._next = following
        ahead.call.wait()
        self._ahead = None
        failure = ahead.call.result()
        if failure is None or self.is_abandoned:
            return None
        return self._deliver(ahead.records, closing, get_company, failure)

    @property
    def is_ahead(self) -> bool:
        """Whether a batch that was sent ahead must be settled."""
        return self._ahead is not None

    def _attempt_ahead(self, records: Sequence[Record]) -> Failure | None:
        with guard.counting(self._counters.failures):
            return self._persist(records)

    def _deliver(
        self,
        records: Sequence[Record],
        closing: threading.Event,
        get_company: Company | None,
        failure: Failure | None = None,
    ) -> Undelivered | None:
        """Implement `deliver`; `failure` is that of an attempt that was made already."""
        if closing.is_set() or self.is_away:
            records = self._write_to_spool(records)
        pause_s = FIRST_RETRY_S
        is_broken = False
        bisection = Bisection(self._persist)
        while records and not self.is_abandoned:
            is_last_try = closing.is_set()
            self._begin(records)
            if is_broken or is_last_try:
                outcome = self._bisect(bisection, records)
            else:
                outcome = Outcome(records, failure or self._persist(records))
            records, failure, is_alone, _ = outcome
            if failure is None or self.is_abandoned:
                return None
            # If one record were the cause, bisection would have found it by now.
            if failure.broke is None or is_last_try or pause_s == LAST_RETRY_S:
                records = self._write_to_spool(records)
                if not records:
                    return None
            if failure.reason == "not_configured" or is_last_try:
                return Undelivered(records, "shutdown" if is_last_try else failure.reason)
            is_broken, failure = failure.broke is not None, None
            # Meanwhile the queue fills up, and evicts routine captures.
            closing.wait(spread(pause_s))
            pause_s = min(pause_s * 2, LAST_RETRY_S)
            if is_alone and get_company is not None:
                records = join_company(records, get_company(len(records)))
        return None

    def _write_to_spool(self, records: Sequence[Record]) -> Sequence[Record]:
        """Return the records that could not be written, or all of them without a spool."""
        if self._spool is None:
            return records
        left = self._spool.write(records)
        self._begin(left)
        return left

    def _begin_batch(self, records: Sequence[Record]) -> bool:
        """Take `records` in hand; False if another thread has taken them over."""
        with self._counters.lock:
            if self.is_abandoned:
                return False
            self._under_way, self._next = records, ()
            return True

    def _begin(self, records: Sequence[Record]) -> None:
        with self._counters.lock:
            self._under_way = records

    def _end(self, done: Sequence[Record]) -> None:
        """Note that records are counted. The lock must be held."""
        ids = {record.id for record in done} if len(done) < len(self._under_way) else None
        self._under_way = () if ids is None else [one for one in self._under_way if one.id not in ids]

    def take_over(self) -> Sequence[Record]:
        """Give up the batches in hand and return them. The counters' lock must be held."""
        self.abandon()
        return [*self._under_way, *self._next]

    def abandon(self) -> None:
        """Count nothing more, whatever happens to the batches in hand."""
        self.is_abandoned = True
        if self._spool is not None:
            self._spool.is_abandoned = True

    def deliver_once(self, records: Sequence[Record]) -> Undelivered | None:
        """Store `records` with a single attempt; otherwise spool them, or give them up."""
        if self.is_away:  # no request waits for an unavailable store
            records = self._write_to_spool(records)
        if not records:
            return None
        # Exceptions that interrupt a request belong to the server: no step is repeated.
        outcome = self._bisect(Bisection(self._try), records)
        if outcome.failure is None:
            return None
        left = self._write_to_spool(outcome.left)
        return Undelivered(left, outcome.failure.reason) if left else None

    def resend(self, records: Sequence[Record]) -> Resent:
        """Export records of the spool once, without counting them; bisect if the exporter raises."""
        rejected = 0

        def attempt(part: Sequence[Record]) -> Failure | None:
            nonlocal rejected
            outcome = self._contain(self._export, part)
            if isinstance(outcome, Failure):
                return outcome
            rejected += outcome
            self._note_success()
            return None

        failure = attempt(records)
        left = records if failure else ()
        if failure is not None and failure.broke is not None:
            left, failure, *_ = Bisection(attempt).store(records)
        return Resent(left, failure, rejected)

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
            self._end(records)
        say_lost(records)

    def _persist(self, records: Sequence[Record]) -> Failure | None:
        return self._contain(self._try, records)

    def _contain(
        self, attempt: Callable[[Sequence[Record]], R], records: Sequence[Record]
    ) -> R | Failure:
        """Call `attempt` on a thread of ours; an exporter that exits has failed, and ends no thread."""
        try:
            return persist(attempt, records)
        except BaseException as error:
            if ends_thread(error):
                raise
            return self._note_failure(error)

    def _try(self, records: Sequence[Record]) -> Failure | None:
        """Export once and count the stored records; return the failure, or None."""
        outcome = self._export(records)
        if isinstance(outcome, Failure):
            return outcome
        with self._counters.lock:
            if not self.is_abandoned:
                self._counters.note_export(len(records) - outcome, outcome)
                self._end(records)
        self._note_success()
        return None

    def _export(self, records: Sequence[Record]) -> int | Failure:
        """Export once; return the number of rejected records, or the failure."""
        try:
            with untraced():
                answer: object = self._exporter.export(records)
        except Exception as error:
            return self._note_failure(error)
        return read_rejected(answer, len(records))

    def _note_success(self) -> None:
        self._pause_s, self.next_try, self.is_proven = FIRST_RETRY_S, 0.0, True
        if self._is_failing:
            self._is_failing = False
            self._on_recovery()
            self._say_recovered()

    def _say_recovered(self) -> None:
        """Log the end of an outage if its begin was logged: the last line of a log must be true."""
        if self._has_complained and not self.is_abandoned:
            self._has_complained = False
            away = timedelta(seconds=monotonic() - self._failing_since)
            guard.warn("Records are stored again after %s.", format_duration(away))

    @property
    def is_away(self) -> bool:
        """Whether the store was unavailable at the last attempt. Without a spool always False.

        Records then go to the spool at once, and the next attempt is made with spooled ones: a killed
        process loses what waits for an answer.
        """
        return self.next_try > 0.0

    def note_away(self) -> None:
        """Spool records from now on, because the store is unavailable."""
        if self._spool is not None:
            self._put_off()

    def note_unopened(self, error: ExportError | NoDatabaseError) -> None:
        """Spool records from now on, because the exporter could not be opened.

        Without a spool the first export meets the same error again, and logs it.
        """
        if self._spool is not None:
            self._note_failure(error)

    def end_wait(self) -> None:
        """Let the next batch try the store: no spooled records are left to try it with."""
        self.next_try = 0.0

    def _put_off(self) -> None:
        """Set the time of the next attempt, later with each failure."""
        self.next_try = monotonic() + spread(self._pause_s)
        self._pause_s = min(self._pause_s * 2, LAST_RETRY_S)

    def _note_failure(self, error: BaseException) -> Failure:
        """Log and count a failure; return it with the reason for ``stats.dropped``."""
        if self.is_abandoned:
            # At exit, a daemon thread that holds the lock of a log handler may crash the process.
            return Failure("shutdown")
        self.is_proven = False
        if isinstance(error, ExportError | NoDatabaseError):
            return self._note_away(error)
        self._begin_failing()
        guard.report_failure("exporting records", error)
        return Failure("export_failed", error)

    def _note_away(self, error: ExportError | NoDatabaseError) -> Failure:
        is_configured = isinstance(error, ExportError)
        if is_configured or self._spool is not None:
            self._begin_failing()
        # The messages of these errors are safe to log: they quote no record.
        if self._spool is not None:
            self._put_off()
            said = guard.warn_rarely(
                "export", "Records cannot be stored, and wait in the spool: %s", error
            )
        elif is_configured:
            said = guard.warn_rarely("export", "Records cannot be stored: %s", error)
        else:
            said = guard.warn_rarely("no database", "Nothing is recorded: %s", error)
        self._has_complained |= said and self._is_failing
        return Failure("export_failed" if is_configured else "not_configured", error)

    def _begin_failing(self) -> None:
        if not self._is_failing:
            self._is_failing, self._failing_since = True, monotonic()
        self._counters.note_failed_export()
