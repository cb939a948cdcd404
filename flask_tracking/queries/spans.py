"""Which rollups answer for a range of time: the coarsest that fit, and finer ones at its ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import NamedTuple

from ..exporters.rollup_table import GRACE, RollupQuery, RollupTable, align
from ..rollups.widths import Width

__all__ = ["Span", "choose_spans"]

Unmerged = Mapping[int, AbstractSet[datetime]]


class Span(NamedTuple):
    """A range of time that rollups of one width cover."""

    width_s: int
    since: datetime
    until: datetime


def choose_spans(table: RollupTable, since: datetime, until: datetime, now: datetime) -> list[Span]:
    """Return spans that cover a range, one after the other.

    Where no rollup is fine enough any more for an end of the range, the span reaches beyond it.

    Args:
        table: where the rollups are.
        since: where the range begins.
        until: where it ends, at the latest now.
        now: the present.
    """
    since = max(since, align(now - table.widths[-1].lifetime, table.widths[-1].seconds))
    chooser = _Chooser(table.widths, _find_unmerged(table, since, until), now)
    chooser.cover(len(table.widths) - 1, since, until)
    return chooser.spans


def _find_unmerged(table: RollupTable, since: datetime, until: datetime) -> Unmerged:
    """Return by width where spans begin whose finer rollups, of any width, are not all in them yet."""
    unmerged: dict[int, AbstractSet[datetime]] = {}
    # Those of a minute are missing in its five minutes, and so in its hour and its day.
    starts = set[datetime]()
    for fine, coarse in zip(table.widths, table.widths[1:], strict=False):
        query = RollupQuery(fine.seconds, align(since, coarse.seconds), until, is_merged=False)
        found = {start for start, _ in table.find_starts(query)}
        starts = {align(start, coarse.seconds) for start in found | starts}
        unmerged[coarse.seconds] = starts
    return unmerged


class _Chooser:
    def __init__(self, widths: Sequence[Width], unmerged: Unmerged, now: datetime) -> None:
        self.spans: list[Span] = []
        self._widths = widths
        self._unmerged = unmerged
        self._now = now

    def cover(self, level: int, since: datetime, until: datetime) -> None:
        """Cover a range by rollups of one width, and its rest by finer ones."""
        width_s = self._widths[level].seconds
        start = align(since, width_s)
        while start < until:
            end = start + timedelta(seconds=width_s)
            is_whole = since <= start and end <= until
            if (
                level
                and not (is_whole and self._is_merged(width_s, start))
                and self._is_there(level - 1, start)
            ):
                self.cover(level - 1, max(start, since), min(end, until))
            else:
                self._append(Span(width_s, start, end))
            start = end

    def _is_merged(self, width_s: int, start: datetime) -> bool:
        is_over = start + timedelta(seconds=width_s) + GRACE <= self._now
        return is_over and start not in self._unmerged[width_s]

    def _is_there(self, level: int, start: datetime) -> bool:
        """Tell whether finer rollups of a span are not deleted yet, nor just being deleted."""
        coarse_s = self._widths[level + 1].seconds
        oldest = align(self._now - self._widths[level].lifetime, coarse_s)
        return start >= oldest + timedelta(seconds=coarse_s)

    def _append(self, span: Span) -> None:
        last = self.spans[-1] if self.spans else None
        if last is not None and (last.width_s, last.until) == (span.width_s, span.since):
            self.spans[-1] = last._replace(until=span.until)
        else:
            self.spans.append(span)
