"""Send records to several exporters at once, isolated from each other's failures."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Sequence
from time import monotonic

from ..errors import ConfigError, ExportError, NoDatabaseError
from ..record import Record
from ..runtime import guard
from ..runtime.lifecycle import watch_forks
from .base import CLOSE_S, Exporter, read_rejected
from .bisection import Bisection, Failure, Outcome, say_lost

__all__ = ["TeeExporter"]

MAX_WAITING_RECORDS = 10_000
MAX_WAITING_BYTES = 64 * 1024 * 1024
BATCH_RECORDS = 500
"""Maximum number of waiting records in one export."""
RECORD_BYTES = 4096
"""The approximate memory of a record without its bodies."""
FIRST_PAUSE_S = 1.0
LAST_PAUSE_S = 30.0
"""The pause after a failed export to a side, doubling from the first value up to the second."""
PAUSED = Failure("paused after a failure")
"""The outcome of a side that was not tried, because a pause is not over yet."""


class TeeExporter(Exporter):
    """Passes each batch to several exporters, its sides.

    Records that a side cannot store wait in memory, within bounds, and are sent again with later
    batches; the other sides get each record once. A record that breaks a side is stored there without
    its content. The worker retries a batch only if no side stores it. Commands use the first side that
    is a `Store`.

    .. versionadded:: 2.0
    """

    def __init__(
        self,
        *exporters: Exporter,
        max_waiting_records: int = MAX_WAITING_RECORDS,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        """Take the sides.

        Args:
            *exporters: two or more.
            max_waiting_records: maximum number of waiting records for each side; beyond it the oldest
                are dropped.
            max_waiting_bytes: maximum memory of the waiting records for each side.

        Raises:
            ConfigError: there are fewer than two, or one is not an `Exporter`.
        """
        if len(exporters) < 2 or not all(isinstance(one, Exporter) for one in exporters):
            raise ConfigError(
                "Invalid arguments of TeeExporter: expected two or more exporters, like "
                "TeeExporter(MemoryExporter(), MemoryExporter())."
            )
        self.exporters = exporters
        self.outlives_process = any(one.outlives_process for one in exporters)
        kinds = Counter(type(one).__name__ for one in exporters)
        self._sides = [
            _Side(one, _name(number, one, kinds), max_waiting_records, max_waiting_bytes)
            for number, one in enumerate(exporters, 1)
        ]

    @property
    def failed(self) -> dict[str, int]:
        """The number of failed exports by side: its class name, numbered if two sides share it."""
        return {side.name: side.failed for side in self._sides}

    @property
    def dropped(self) -> dict[str, int]:
        """The number of lost records by side: rejected, or dropped while waiting."""
        return {side.name: side.dropped for side in self._sides}

    def preload(self) -> None:
        """Import what the worker's thread needs, for all sides."""
        for side in self._sides:
            guard.call_foreign(f"preloading {side.name}", side.exporter.preload, default=None)

    def open(self) -> None:
        """Open all sides.

        Raises:
            ExportError: no side can store records now.
        """
        failures = [failure for side in self._sides if (failure := side.open()) is not None]
        if len(failures) == len(self._sides):
            raise _join(failures)

    def _store(self, records: Sequence[Record]) -> int:
        outcomes = [side.store(records) for side in self._sides]
        if not any(isinstance(outcome, int) for outcome in outcomes):
            outcomes = self._try_paused(records, outcomes)
        for side, outcome in zip(self._sides, outcomes, strict=True):
            if isinstance(outcome, Failure):
                side.wait_with(records)
        return max(outcome for outcome in outcomes if isinstance(outcome, int))

    def _try_paused(
        self, records: Sequence[Record], outcomes: Sequence[int | Failure]
    ) -> list[int | Failure]:
        """Try the paused sides after all: the others have failed, and the worker may not retry.

        Raises:
            Exception: no side stores `records`. Now the worker decides when they are tried again.
        """
        tried = [
            side.store(records, must_try=True) if outcome is PAUSED else outcome
            for side, outcome in zip(self._sides, outcomes, strict=True)
        ]
        failures = [outcome for outcome in tried if isinstance(outcome, Failure)]
        if len(failures) == len(tried):
            raise _join(failures)
        return tried

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Try once more to send the waiting records, then close all sides.

        Args:
            timeout_s: maximum duration, shared by the sides. An export that has begun is not
                interrupted.
        """
        ends_at = monotonic() + timeout_s
        for left, side in zip(range(len(self._sides), 0, -1), self._sides, strict=True):
            side.close(max(0.0, ends_at - monotonic()) / left)

    def abandon(self) -> None:
        """Release everything that could keep the process from exiting, on all sides."""
        for side in self._sides:
            guard.call_foreign(f"abandoning {side.name}", side.exporter.abandon, default=None)


class _Side:
    """One exporter and the records that wait for it."""

    def __init__(self, exporter: Exporter, name: str, max_records: int, max_bytes: int) -> None:
        self.exporter = exporter
        self.name = name
        self.failed = 0
        self.dropped = 0
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._reset()
        watch_forks(self)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._sending = threading.Lock()
        self._waiting: deque[Record] = deque()
        self._bytes = 0
        self._pause_s = FIRST_PAUSE_S
        self._next_try = 0.0
        self._is_broken = False
        self._rejected = 0
        self._bisection = Bisection(self._try)

    def after_fork_in_child(self) -> None:
        """Forget the waiting records: the parent sends them."""
        self._reset()
        self.failed = self.dropped = 0

    def open(self) -> Failure | None:
        """Open the exporter; return the failure, or None."""
        try:
            self.exporter.open()
        except Exception as error:
            return self._note(error)
        return None

    def store(self, records: Sequence[Record], *, must_try: bool = False) -> int | Failure:
        """Store the waiting records, then `records`. If only a part of these is stored, the rest waits.

        Args:
            records: a batch.
            must_try: try even during the pause after a failure.

        Returns:
            The number of `records` that can never be stored, or a failure if none is stored now:
            `PAUSED` if the side was not tried.
        """
        if not must_try and monotonic() < self._next_try:
            return PAUSED
        sending = self._sending  # a fork replaces it in the child
        if not (self._waiting or self._is_broken or sending.locked()):
            return self._export(records)
        if not sending.acquire(blocking=False):  # another request is sending, and may hang
            self.wait_with(records)
            return 0
        try:
            return self._send_waiting() or self._store(records)
        finally:
            sending.release()

    def _send_waiting(self, ends_at: float = math.inf, *, is_last: bool = False) -> Failure | None:
        """Send the waiting records in batches, until a time; return the failure, or None."""
        while monotonic() < ends_at and (records := self._take()):
            outcome = self._send(records, is_last=is_last)
            if outcome.left:
                self._put_back(outcome.left)
                return outcome.failure
        return None

    def _take(self) -> list[Record]:
        with self._lock:
            records = [self._waiting.popleft() for _ in range(min(BATCH_RECORDS, len(self._waiting)))]
            self._bytes -= sum(map(_size, records))
        return records

    def _put_back(self, records: Sequence[Record]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(records))
            self._bytes += sum(map(_size, records))
            self._evict()

    def _store(self, records: Sequence[Record]) -> int | Failure:
        outcome = self._send(records)
        if outcome.failure is not None and len(outcome.left) == len(records):
            return outcome.failure
        self.wait_with(outcome.left)
        return self._rejected + len(outcome.lost)

    def _send(self, records: Sequence[Record], *, is_last: bool = False) -> Outcome:
        """Export `records`, bisected if the exporter broke before."""
        self._rejected = 0
        if self._is_broken or is_last:
            outcome = self._bisection.store(records)
        else:
            failure = self._try(records)
            outcome = Outcome(records if failure else (), failure)
        if outcome.lost:
            say_lost(outcome.lost)
            with self._lock:
                self.dropped += len(outcome.lost)
        return outcome

    def _try(self, records: Sequence[Record]) -> Failure | None:
        outcome = self._export(records)
        if isinstance(outcome, Failure):
            return outcome
        self._rejected += outcome
        return None

    def _export(self, records: Sequence[Record]) -> int | Failure:
        try:
            answer: object = self.exporter.export(records)
        except Exception as error:
            return self._note(error)
        rejected = read_rejected(answer, len(records))
        self._pause_s, self._next_try, self._is_broken = FIRST_PAUSE_S, 0.0, False
        with self._lock:
            self.dropped += rejected
        return rejected

    def _note(self, error: Exception) -> Failure:
        """Count and log a failure of the exporter, and begin a pause."""
        with self._lock:
            self.failed += 1
            self._next_try = monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, LAST_PAUSE_S)
        if not isinstance(error, ExportError | NoDatabaseError):
            guard.report_failure(f"exporting to {self.name}", error)
            self._is_broken = True
            return Failure(f"{self.name}: {type(error).__name__}", error)
        guard.warn_rarely(f"tee: {self.name}", "%s cannot store records: %s", self.name, error)
        return Failure(f"{self.name}: {error}", error)

    def wait_with(self, records: Sequence[Record]) -> None:
        """Let `records` wait for the exporter; drop the oldest beyond the bounds."""
        with self._lock:
            self._waiting.extend(records)
            self._bytes += sum(map(_size, records))
            self._evict()

    def _evict(self) -> None:
        count = 0
        while len(self._waiting) > self._max_records or self._bytes > self._max_bytes:
            self._bytes -= _size(self._waiting.popleft())
            count += 1
        self._drop(count)

    def _drop(self, count: int) -> None:
        if count:
            self.dropped += count
            guard.warn_rarely(
                f"tee lost: {self.name}", "Records lost before %s stored them: %d.", self.name, count
            )

    def close(self, timeout_s: float) -> None:
        """Try once more to send the waiting records, then close the exporter."""
        ends_at = monotonic() + timeout_s
        sending = self._sending
        if sending.acquire(timeout=timeout_s):
            try:
                self._send_waiting(ends_at, is_last=True)
            finally:
                sending.release()
        with self._lock:
            self._drop(len(self._waiting))
            self._waiting.clear()
            self._bytes = 0
        left_s = max(0.0, ends_at - monotonic())
        guard.call_foreign(f"closing {self.name}", self.exporter.close, left_s, default=None)


def _name(number: int, exporter: Exporter, kinds: Counter[str]) -> str:
    kind = type(exporter).__name__
    return kind if kinds[kind] == 1 else f"{kind} {number}"


def _size(record: Record) -> int:
    return RECORD_BYTES + len(record.request_body) + len(record.response_body)


def _join(failures: Sequence[Failure]) -> BaseException:
    """Combine the failures of all sides into one exception.

    If all sides broke, return the first exception itself: the worker then looks for the record that
    caused it. If a side is only unavailable, the whole batch is sent again.
    """
    broke = [failure.broke for failure in failures if failure.broke is not None]
    if len(broke) == len(failures):
        return broke[0]
    text = "; ".join(failure.reason for failure in failures)
    if all(isinstance(failure.error, NoDatabaseError) for failure in failures):
        return NoDatabaseError(text)
    return ExportError(text)
