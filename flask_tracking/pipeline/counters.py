"""Counters of the records that one app has received, stored and lost in this process."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from time import monotonic
from time import time as wall_time
from typing import NamedTuple

from .judged import Judged
from .minute_rollups import MinuteRollups
from .spool_gauge import EMPTY, Backlog
from .stats import Stats

__all__ = ["Counters"]


class Fates(NamedTuple):
    """The numbers of records by their fate."""

    stored: int
    not_stored: int
    dropped: Counter[str]
    """By reason."""
    waiting: int
    """How many waited in memory, at most."""
    lag_ms: int
    """How long the slowest of them took, or waits by now, since the end of its request."""

    @property
    def is_news(self) -> bool:
        """Whether any record was settled. How many wait is reported with the next settled one."""
        return bool(self.stored or self.not_stored or self.dropped or self.lag_ms)


NO_FATES = Fates(0, 0, Counter(), 0, 0)


class Counters:
    """The counters of one app. Hold `lock` to change several of them."""

    def __init__(
        self, failures: Counter[str] | None = None, rollups: MinuteRollups | None = None
    ) -> None:
        """Begin at zero.

        Args:
            failures: the counter in which `guard` counts errors of this app.
            rollups: counts all requests; None to count none.
        """
        self.lock = threading.RLock()  # a log handler may read the stats while something is counted
        self.failures = Counter() if failures is None else failures
        self.received = 0
        self.not_stored = 0
        """Requests that the rules or ``on_record`` dropped."""
        self.accepted = 0
        self.exported = 0
        self.spooled = 0
        self.unspooled = 0
        self.failed_exports = 0
        self.dropped: Counter[str] = Counter()
        self.dropped_kept: Counter[str] = Counter()
        self.spool_dropped: Counter[str] = Counter()
        """Records lost from the spool, whichever process received them."""
        self.spool_dropped_kept: Counter[str] = Counter()
        self.rollups = rollups
        self._told = NO_FATES
        self._gap = 0
        self._most_waiting = self._lag_ms = 0
        self._last_export: float | None = None

    @property
    def waiting(self) -> int:
        """The received captures that are neither exported, spooled, dropped nor excluded yet."""
        done = self.not_stored + self.exported + self.spooled + self.dropped.total()
        return self.received - done

    def drop(self, reason: str, count: int = 1, *, kept: int = 0, untold: int = 0) -> None:
        """Count lost records. `lock` must be held.

        Args:
            reason: a key of ``stats.dropped``.
            count: the number of lost records.
            kept: how many of them the rules would have kept.
            untold: earlier losses that the lost records were to report in ``dropped_before``.
        """
        if count:
            self.dropped[reason] += count
        if kept:
            self.dropped_kept[reason] += kept
        self._gap += count + untold

    def drop_spooled(self, reason: str, count: int, *, is_kept: bool, untold: int = 0) -> None:
        """Count records that are lost from the spool.

        Args:
            reason: a key of ``stats.dropped``.
            count: the number of lost records.
            is_kept: True if the rules would have kept them.
            untold: earlier losses that the lost records were to report in ``dropped_before``.
        """
        with self.lock:
            self.spool_dropped[reason] += count
            if is_kept:
                self.spool_dropped_kept[reason] += count
            self._gap += count + untold

    def count_dropped(self, reason: str) -> int:
        """Return the number of records lost for a reason. `lock` must be held."""
        return self.dropped[reason] + self.spool_dropped[reason]

    def add_to_rollups(self, judged: Iterable[Judged]) -> None:
        """Count requests. `lock` must be held."""
        if self.rollups is not None:
            for one in judged:
                self.rollups.add(one)

    def take_fates(self) -> Fates:
        """Return the fates of records since the last call. `lock` must be held."""
        told, stored = self._told, self.exported + self.unspooled
        self.note_waiting()
        dropped = self.dropped + self.spool_dropped
        self._told = Fates(stored, self.not_stored, dropped, self._most_waiting, self._lag_ms)
        self._most_waiting = self._lag_ms = 0
        return self._told._replace(
            stored=stored - told.stored,
            not_stored=self.not_stored - told.not_stored,
            dropped=dropped - told.dropped,
        )

    def note_waiting(self) -> None:
        """Take note of how many records wait now. `lock` must be held."""
        self._most_waiting = max(self._most_waiting, self.waiting)

    def note_lag(self, ended_at: float) -> None:
        """Take note of a request whose record is settled only now, or still waits. `lock` must be held.

        Args:
            ended_at: when the request ended; Unix time, in seconds.
        """
        self._lag_ms = max(self._lag_ms, round((wall_time() - ended_at) * 1000))

    def take_gap(self) -> int:
        """Return and reset the number of losses that no record reports yet. `lock` must be held."""
        gap, self._gap = self._gap, 0
        return gap

    def note_export(self, stored: int, rejected: int) -> None:
        """Count one successful export."""
        with self.lock:
            self.exported += stored
            self._last_export = monotonic()
            if rejected:
                self.drop("rejected", rejected)

    def note_unspooled(self, stored: int) -> None:
        """Count records that were stored from the spool."""
        with self.lock:
            self.unspooled += stored
            self._last_export = monotonic()

    def note_failed_export(self) -> None:
        """Count one failed export."""
        with self.lock:
            self.failed_exports += 1

    def read(self, queue_bytes: int, backlog: Backlog = EMPTY) -> Stats:
        """Return a snapshot of the counters. `lock` must be held."""
        last = self._last_export
        return Stats(
            received=self.received,
            accepted=self.accepted,
            exported=self.exported,
            spooled=self.spooled,
            unspooled=self.unspooled,
            dropped=dict(self.dropped + self.spool_dropped),
            dropped_kept=dict(self.dropped_kept + self.spool_dropped_kept),
            failed=self.failed_exports + self.failures.total(),
            queue_records=self.waiting,
            queue_bytes=queue_bytes,
            last_export_age_s=None if last is None else monotonic() - last,
            spool_records=backlog.records,
            spool_bytes=backlog.size,
        )
