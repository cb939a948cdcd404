"""Store minutes every few seconds, and let one process merge those of all."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from math import inf
from time import monotonic
from time import time as wall_time

from ..errors import ExportError, NoDatabaseError, StoreTimeoutError
from ..exporters.base import Exporter
from ..exporters.rollup_table import RollupTable
from ..exporters.store import find_store
from ..rollups.rollup import Rollup, merge
from ..rollups.widths import MINUTE
from ..runtime import guard
from .counters import Counters
from .jitter import spread
from .minute_rollups import MAX_MINUTES, MinuteRollups
from .pace import give_way
from .rollup_spool import RollupSpool
from .untraced import untraced

__all__ = ["RollupDelivery", "find_table"]

INTERVAL_S = 10.0
"""The interval of writes: writing a minute costs as much as counting a few hundred requests."""
OPEN_S = 2 * MINUTE
"""How long a minute stays in memory after its end, because its last requests are counted late."""
FAILURE_PAUSE_S = 30.0
SPOOLED_AFTER_S = 60.0
"""How long a minute that cannot be stored waits in memory: a killed process loses no more."""
MERGE_INTERVAL_S = 60.0
IDLE_MERGE_INTERVAL_S = 600.0
"""The same while this process writes nothing: others merge, and reading needs no merging."""
PATIENCE_S = 0.2
"""How long the exit of the process waits for a thread that may hang in a call to the store."""


def find_table(exporter: Exporter) -> RollupTable | None:
    """Return the table of rollups of the store behind `exporter`; None if it has none."""
    store = find_store(exporter)
    return None if store is None else store.rollups


class RollupDelivery:
    """Stores the counts of one process."""

    def __init__(
        self,
        table: RollupTable,
        counters: Counters,
        counted: MinuteRollups,
        spool: RollupSpool | None = None,
    ) -> None:
        """Store the arguments.

        Args:
            table: stores the rollups.
            counters: the counters of the app, for the numbers of stored and lost records.
            counted: the counted requests; guarded by the lock of `counters`.
            spool: takes minutes that cannot be stored, and the rest at exit; None to drop them at last.
        """
        self._table = table
        self._counters = counters
        self._counted = counted
        self._spool = spool
        self._sending = threading.Lock()
        self._next_write = monotonic() + INTERVAL_S
        # Processes that start together must not all merge together.
        self._last_merge = monotonic() - spread(MERGE_INTERVAL_S, least=0.0)
        self._has_written = False
        """Whether anything was written since the last merge."""
        self._has_timed_out = False
        self._has_counted = False
        """Whether this process has counted anything."""
        self._minutes: dict[int, _Minute] = {}
        """Minutes that are not written yet or may still grow, by number."""
        self._holder = f"{os.getpid()}:{os.urandom(8).hex()}"

    def tend(self, *, is_forced: bool = False, is_away: bool = False) -> bool:
        """Write and merge the minutes that are due; makes no round trip if none is.

        Args:
            is_forced: write immediately, even if no minute is due.
            is_away: the store does not respond, so only spool minutes that have waited for a while.

        Returns:
            False if the store did not answer in time.
        """
        if not is_forced and monotonic() < self._next_write:
            return True
        if not self._sending.acquire(blocking=False):  # by the thread of another request
            return True
        try:
            self._next_write, self._has_timed_out = monotonic() + INTERVAL_S, False
            self._take()
            if is_away or not self._write_and_merge(may_merge=not is_forced):  # else somebody waits
                self._spool_late()
            return not self._has_timed_out
        finally:
            self._sending.release()

    def _write_and_merge(self, *, may_merge: bool) -> bool:
        if not self._try(self._write, "stored"):
            self._next_write = monotonic() + FAILURE_PAUSE_S
            return False
        if may_merge:
            self._merge()
        return True

    def finish(self) -> None:
        """Store all remaining minutes: first in the spool, if there is one, where they are safe."""
        if self._spool is None:
            self.tend(is_forced=True)
            if lost := _count_unwritten(self._waiting()):
                guard.logger.warning(
                    "Rollups were not stored in time; requests that are not counted: %d.", lost
                )
            elif self._has_counted and not self._has_timed_out:
                self._try(self._settle_until, "stored")
        elif self.spool_all() and self._has_counted:  # a command that only reads changes nothing
            self._try(self._send_rest, "stored")

    def _send_rest(self) -> None:
        self._send_spooled()
        self._settle_until()

    def spool_all(self) -> bool:
        """Write all remaining minutes to the spool; return True if none is left.

        Also called for a thread that hangs in a call to the store.
        """
        is_locked = self._sending.acquire(timeout=PATIENCE_S)
        try:
            self._take()
            return self._spool_minutes(self._waiting())
        finally:
            if is_locked:
                self._sending.release()

    # Counting

    def _take(self) -> None:
        """Add new counts to the minutes."""
        with self._counters.lock:
            taken = self._counted.take()
            lost = self._counted.take_lost()
            fates = self._counters.take_fates()
        self._has_counted = self._has_counted or bool(taken) or fates.is_news
        for number, rollup in taken.items():
            self._add(number, rollup)
        if fates.is_news:
            number = int(wall_time() // MINUTE)
            told = self._counted.make_rollup(number)
            told.stored, told.not_stored, told.dropped, told.waiting, told.lag_ms = fates
            self._add(number, told)
        lost += self._drop_oldest()
        if lost:
            _warn_of_lost_requests(lost)

    def _add(self, number: int, more: Rollup) -> None:
        minute = self._minutes.get(number)
        if minute is None:
            self._minutes[number] = _Minute(more, monotonic())
        else:
            minute.add(more)

    def _waiting(self) -> dict[int, _Minute]:
        """Return the minutes that have something to write."""
        return {number: one for number, one in self._minutes.items() if one.waits_since is not None}

    def _drop_oldest(self) -> int:
        """Spool or drop minutes that are too old or too many; return the number of lost requests."""
        waiting = self._waiting()
        oldest = monotonic() - MAX_MINUTES * MINUTE
        dropped = {number: one for number, one in waiting.items() if (one.waits_since or 0) < oldest}
        if len(waiting) - len(dropped) > MAX_MINUTES:
            dropped = {number: waiting[number] for number in sorted(waiting)[:-MAX_MINUTES]}
        lost = _count_unwritten(dropped)
        is_spooled = self._spool_minutes(dropped)
        self._minutes = {number: one for number, one in self._minutes.items() if number not in dropped}
        return 0 if is_spooled else lost

    # Storing

    def _spool_minutes(self, minutes: Mapping[int, _Minute]) -> bool:
        """Spool minutes as a whole, under their ids: a write without an answer may have stored them."""
        if not minutes:
            return True
        if self._spool is None:
            return False
        for number in minutes:
            # Before: from now on a thread that hangs in a call must not settle them.
            self._minutes.pop(number, None)
        if not self._spool.write([one.whole for one in minutes.values()]):
            self._minutes.update(minutes)
            return False
        return True

    def _spool_late(self) -> None:
        """Spool all minutes once one has waited for too long."""
        waiting = self._waiting()
        if self._spool is not None and waiting:
            first = min(one.waits_since or 0.0 for one in waiting.values())
            if monotonic() >= first + SPOOLED_AFTER_S:
                self._spool_minutes(waiting)

    def _send_spooled(self) -> None:
        if self._spool is not None:
            self._spool.send(self._table.store, self._table.settle)

    def _write(self) -> None:
        written = {number: one.whole for number, one in self._waiting().items()}
        self._store(list(written.values()))
        for number, whole in written.items():
            self._has_written = True
            if (minute := self._minutes.get(number)) is not None:
                minute.note_written(whole)
        # Later counts of an older minute become another rollup.
        self._settle_until((wall_time() - OPEN_S) // MINUTE)
        self._send_spooled()

    def _settle_until(self, end: float = inf) -> None:
        """Let go of the stored minutes before the number `end`: none of them is written again."""
        settled: list[Rollup] = []
        for number, minute in list(self._minutes.items()):
            if number < end and minute.waits_since is None:
                taken = self._minutes.pop(number, None)  # another thread may have spooled it
                settled += [] if taken is None else [taken.whole]
        self._table.settle(settled)

    def _store(self, rollups: Sequence[Rollup]) -> None:
        if self._spool is None:
            self._table.store(rollups)
        else:
            self._spool.pass_on(rollups, self._table.store)

    def _merge(self) -> None:
        interval_s = MERGE_INTERVAL_S if self._has_written else IDLE_MERGE_INTERVAL_S
        if monotonic() >= self._last_merge + interval_s:
            self._last_merge, self._has_written = monotonic(), False
            self._try(self._merge_now, "merged")

    def _merge_now(self) -> None:
        now = self._table.read_clock(datetime.fromtimestamp(wall_time(), timezone.utc))
        self._table.merge(self._holder, now, pause=give_way)

    def _try(self, function: Callable[[], object], done: str) -> bool:
        """Call `function`; log an error, and return False."""
        try:
            with untraced():
                function()
        except NoDatabaseError:
            return False  # the export logs it
        except ExportError as error:
            self._has_timed_out = isinstance(error, StoreTimeoutError)
            guard.warn_rarely("rollups", "Rollups cannot be %s: %s", done, error)
            return False
        except Exception as error:
            guard.report_failure("storing rollups", error)
            return False
        return True


class _Minute:
    """A minute of this process. It is always written as a whole, so that writing twice is harmless."""

    def __init__(self, whole: Rollup, waits_since: float) -> None:
        self.whole = whole
        self.waits_since: float | None = waits_since
        """None if nothing waits."""
        self._stored: Rollup | None = None

    def add(self, more: Rollup) -> None:
        """Count more requests."""
        self.whole = _join(self.whole, more)
        if self.waits_since is None:
            self.waits_since = monotonic()

    def note_written(self, whole: Rollup) -> None:
        """Note that this is stored. Meanwhile another thread may have counted more."""
        self._stored = whole
        if self.whole is whole:
            self.waits_since = None

    def count_unwritten(self) -> int:
        """Return the number of requests of which nothing is stored, as far as is known."""
        stored = 0 if self._stored is None else self._stored.total.requests
        return self.whole.total.requests - stored


def _count_unwritten(minutes: Mapping[int, _Minute]) -> int:
    return sum(minute.count_unwritten() for minute in minutes.values())


def _join(one: Rollup, more: Rollup) -> Rollup:
    joined = merge((one, more), width_s=MINUTE, start=one.start, source=one.source, version=one.version)
    joined.revision, joined.is_open = one.revision + 1, True
    return joined


def _warn_of_lost_requests(count: int) -> None:
    guard.warn_rarely(
        "lost rollups",
        "Rollups waited too long; requests that are not counted: %d.",
        count,
    )
