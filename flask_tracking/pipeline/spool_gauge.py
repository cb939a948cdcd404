"""How much waits in the spool, for ``stats``: the directory is listed rarely."""

from __future__ import annotations

from time import monotonic
from typing import NamedTuple

from ..spool import Spool, SpoolError

__all__ = ["EMPTY", "Backlog", "SpoolGauge"]

INTERVAL_S = 5.0
"""The minimum time between two looks."""
SHARE = 0.01
"""Looking takes at most this share of the time, however many files there are."""


class Backlog(NamedTuple):
    """The content of a spool."""

    records: int | None
    """The number of waiting records; None if the directory cannot be read."""
    size: int | None
    """All that counts towards the limit of the spool, in bytes."""


EMPTY = Backlog(0, 0)
UNKNOWN = Backlog(None, None)


class SpoolGauge:
    """Looks how much waits, and remembers it for a while."""

    def __init__(self, spool: Spool) -> None:
        """Look into `spool`, when somebody asks."""
        self._spool = spool
        self._last = UNKNOWN
        self._due_at = 0.0

    def read(self) -> Backlog:
        """Return what waits, or waited some seconds ago."""
        began = monotonic()
        if began >= self._due_at:
            self._due_at = began + INTERVAL_S  # other threads do not look meanwhile
            self._last = self._count()
            took_s = monotonic() - began
            self._due_at = began + max(INTERVAL_S, took_s / SHARE)
        return self._last

    def _count(self) -> Backlog:
        try:
            waiting = self._spool.waiting()
            return Backlog(sum(file.entry_count for file in waiting), self._spool.size())
        except SpoolError:
            return UNKNOWN
