"""Store minutes every few seconds, and let one process merge those of all."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
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
            lost = sum(one.unwritten.total.requests for one in self._waiting().values())
            if lost:
                guard.logger.warning(
                    "Rollups were not stored in time; requests that are not counted: %d.", lost
                )
        elif self.spool_all() and self._has_counted:  # a command that only reads changes nothing
            self._try(self._send_spooled, "stored")

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
            self._minutes[number] = _Minute(more, more, monotonic())
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
        lost = sum(one.unwritten.total.requests for one in dropped.values())
        is_spooled = self._spool_minutes(dropped)
        self._minutes = {number: one for number, one in self._minutes.items() if number not in dropped}
        return 0 if is_spooled else lost

    # Storing

    def _spool_minutes(self, minutes: Mapping[int, _Minute]) -> bool:
        if not minutes:
            return True
        left = [one.unwritten for one in minutes.values()]
        if self._spool is None or not self._spool.write(left):
            return False
        for number in minutes:
            del self._minutes[number]
        return True

    def _spool_late(self) -> None:
        """Spool all minutes once one has waited for too long."""
        waiting = {number: one for number, one in self._waiting().items() if not one.is_uncertain}
        if self._spool is not None and waiting:
            first = min(one.waits_since or 0.0 for one in waiting.values())
            if monotonic() >= first + SPOOLED_AFTER_S:
                self._spool_minutes(waiting)

    def _send_spooled(self) -> None:
        if self._spool is not None:
            self._spool.send(self._table.store)

    def _write(self) -> None:
        waiting = self._waiting()
        for minute in waiting.values():
            minute.is_tried = True
        self._store([one.whole for one in waiting.values()])
        for minute in waiting.values():
            minute.note_written()
            self._has_written = True
        # Later counts of an older minute become another rollup.
        still_open = (wall_time() - OPEN_S) // MINUTE
        self._minutes = {number: one for number, one in self._minutes.items() if number >= still_open}
        self._send_spooled()

    def _store(self, rollups: Sequence[Rollup]) -> None:
        if self._spool is None:
            self._table.store(rollups)
        else:
            self._spool.pass_on(rollups, self._table.store)

    def _merge(self) -> None:
        interval_s = MERGE_INTERVAL_S if self._has_written else IDLE_MERGE_INTERVAL_S
        if monotonic() >= self._last_merge + interval_s:
            self._last_merge, self._has_written = monotonic(), False
            now = datetime.fromtimestamp(wall_time(), timezone.utc)
            self._try(lambda: self._table.merge(self._holder, now, pause=give_way), "merged")

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
    """A minute of this process, and the part that is not stored yet.

    It is always written as a whole, so that writing twice is harmless. Later the store may have merged
    and deleted the rollup: a part that has waited longer is written separately, with an id of its own.
    """

    def __init__(self, whole: Rollup, unwritten: Rollup, waits_since: float) -> None:
        self.whole = whole
        self.unwritten = unwritten
        self.waits_since: float | None = waits_since
        """None if nothing waits."""
        self.is_tried = False
        """Whether the unwritten part may be stored without our knowledge."""

    @property
    def is_uncertain(self) -> bool:
        """Whether the unwritten part may be stored already, with the id of the whole."""
        return self.is_tried and self.unwritten is not self.whole

    def add(self, more: Rollup) -> None:
        """Count more requests."""
        is_new = self.unwritten is self.whole
        self.whole = _join(self.whole, more)
        if self.waits_since is None:
            self.unwritten, self.waits_since = more, monotonic()
        else:
            self.unwritten = self.whole if is_new else _join(self.unwritten, more)

    def note_written(self) -> None:
        """Note that everything is stored."""
        self.waits_since, self.is_tried = None, False


def _join(one: Rollup, more: Rollup) -> Rollup:
    return merge((one, more), width_s=MINUTE, start=one.start, source=one.source, version=one.version)


def _warn_of_lost_requests(count: int) -> None:
    guard.warn_rarely(
        "lost rollups",
        "Rollups waited too long; requests that are not counted: %d.",
        count,
    )
