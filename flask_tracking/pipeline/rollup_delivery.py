"""Minutes to the store: written every few seconds, and merged by one process for all."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from time import monotonic
from time import time as wall_time

from ..errors import ExportError, NoDatabaseError
from ..exporters.base import Exporter
from ..exporters.rollup_table import RollupTable
from ..exporters.store import find_store
from ..rollups.rollup import Rollup, merge
from ..rollups.widths import MINUTE
from ..runtime import guard
from .counters import Counters
from .minute_rollups import MAX_MINUTES, MinuteRollups
from .untraced import untraced

__all__ = ["RollupDelivery", "find_table"]

INTERVAL_S = 10.0
"""How often minutes are written: to write each costs as much as to count a few hundred requests."""
OPEN_S = 2 * MINUTE
"""A minute stays in memory for so long after its end: its last requests are counted late."""
FAILURE_PAUSE_S = 30.0
MERGE_INTERVAL_S = 60.0

_random = random.SystemRandom()  # another would give all forks of a process the same times


def find_table(exporter: Exporter) -> RollupTable | None:
    """Return where the store behind `exporter` has its rollups; None where there are none."""
    store = find_store(exporter)
    return None if store is None else store.rollups


class RollupDelivery:
    """Gives what one process has counted to the store."""

    def __init__(self, table: RollupTable, counters: Counters, counted: MinuteRollups) -> None:
        """Take what is wanted.

        Args:
            table: where rollups are stored.
            counters: of the app: what has become of the records.
            counted: the requests; guarded by the lock of `counters`.
        """
        self._table = table
        self._counters = counters
        self._counted = counted
        self._sending = threading.Lock()
        self._next_write = monotonic() + INTERVAL_S
        # Processes that begin at once do not all merge at once.
        self._next_merge = monotonic() + _random.uniform(0, MERGE_INTERVAL_S)
        self._minutes: dict[int, Rollup] = {}
        """What is not written yet, or may still grow, by the number of the minute."""
        self._unwritten: dict[int, float] = {}
        """Which of them are to be written, and since when."""
        self._holder = f"{os.getpid()}:{os.urandom(8).hex()}"

    def tend(self, *, is_forced: bool = False) -> None:
        """Write and merge what is due; makes no round trip while nothing is.

        Args:
            is_forced: write at once, due or not.
        """
        if not is_forced and monotonic() < self._next_write:
            return
        if not self._sending.acquire(blocking=False):  # by the thread of another request
            return
        try:
            self._next_write = monotonic() + INTERVAL_S
            self._take()
            if not self._try(self._write, "stored"):
                self._next_write = monotonic() + FAILURE_PAUSE_S
            elif not is_forced:  # somebody waits
                self._merge()
        finally:
            self._sending.release()

    def finish(self) -> list[Rollup]:
        """Write all that is left; return what could not be written."""
        self.tend(is_forced=True)
        return [self._minutes[number] for number in self._unwritten]

    # Counting

    def _take(self) -> None:
        """Add what was counted meanwhile to the minutes."""
        with self._counters.lock:
            taken = self._counted.take()
            lost = self._counted.take_lost()
            fates = self._counters.take_fates()
        for number, rollup in taken.items():
            self._add(number, rollup)
        if any(fates):
            number = int(wall_time() // MINUTE)
            told = self._counted.make_rollup(number)
            told.stored, told.not_stored, told.dropped = fates
            self._add(number, told)
        lost += self._drop_oldest()
        if lost:
            _warn_of_lost_requests(lost)

    def _add(self, number: int, more: Rollup) -> None:
        before = self._minutes.get(number)
        if before is None:
            self._minutes[number] = more
        else:
            self._minutes[number] = merge(
                (before, more),
                width_s=MINUTE,
                start=before.start,
                source=before.source,
                version=before.version,
            )
        self._unwritten.setdefault(number, monotonic())

    def _drop_oldest(self) -> int:
        """Forget what has waited too long, or is too much; return how many requests these were."""
        oldest = monotonic() - MAX_MINUTES * MINUTE
        dropped = [number for number, since in self._unwritten.items() if since < oldest]
        if len(self._unwritten) - len(dropped) > MAX_MINUTES:
            dropped = sorted(self._unwritten)[:-MAX_MINUTES]
        for number in dropped:
            del self._unwritten[number]
        return sum(self._minutes.pop(number).total.requests for number in dropped)

    # Storing

    def _write(self) -> None:
        self._table.store([self._minutes[number] for number in self._unwritten])
        self._unwritten.clear()
        # What is counted of an older minute from now on is another rollup.
        still_open = (wall_time() - OPEN_S) // MINUTE
        self._minutes = {number: one for number, one in self._minutes.items() if number >= still_open}

    def _merge(self) -> None:
        if monotonic() >= self._next_merge:
            self._next_merge = monotonic() + MERGE_INTERVAL_S
            now = datetime.fromtimestamp(wall_time(), timezone.utc)
            self._try(lambda: self._table.merge(self._holder, now), "merged")

    def _try(self, function: Callable[[], object], done: str) -> bool:
        """Call `function`; log an error, and return False."""
        try:
            with untraced():
                function()
        except NoDatabaseError:
            return False  # the export says so
        except ExportError as error:
            guard.warn_rarely("rollups", "Rollups cannot be %s: %s", done, error)
            return False
        except Exception as error:
            guard.report_failure("storing rollups", error)
            return False
        return True


def _warn_of_lost_requests(count: int) -> None:
    guard.warn_rarely(
        "lost rollups",
        "Rollups waited too long; requests that are not counted: %d.",
        count,
    )
