"""Samples of a range of time: records from short windows, spread evenly over the requests.

A range may hold millions of records. Rollups say how the requests are spread, so the range is cut into
slices of as many requests each, and of each slice one window is read: one range of the index of arrival
times, wide enough for its part of the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple

from ..config.overrides import utc_now
from ..errors import StoreTimeoutError
from ..exporters.rollup_table import RollupQuery
from ..exporters.store import Store
from ..filters import Filter
from ..record import Record
from ..rollups.counts import Counts
from .newest import find_newest
from .rollup_filter import find_unknown, make_route_filter
from .spans import choose_spans

__all__ = ["Density", "Sample", "Stretch", "find_reach", "read_density", "sample"]

WINDOWS = 40
MAX_RECORDS = 2_000
BUDGET_S = 1.0
PER_WINDOW = 50
"""So few records are worth a window."""
HALVINGS = 8
STRIDE = 17
"""Windows are read in steps of this many, so that a sample that is broken off is even, too."""
MILLISECOND = timedelta(milliseconds=1)
"""Times of arrival are whole milliseconds."""


class Stretch(NamedTuple):
    """A span of time in which requests came at an even rate, as far as is known.

    .. versionadded:: 2.0
    """

    since: datetime
    until: datetime
    counts: Counts | None
    """None where only the time is known."""


Density = Sequence[Stretch]
"""How the requests of a range are spread over it, in the order of time."""
Count = Callable[[Counts], int]


@dataclass(frozen=True, slots=True)
class Sample:
    """Some of the records of a range, the oldest first, spread evenly.

    .. versionadded:: 2.0
    """

    records: list[Record]
    """Without bodies and tracebacks."""
    requests: int | None
    """How many such requests the rollups count; None where they cannot tell."""
    is_whole: bool
    """False where the time was over before all windows were read."""


def read_density(
    store: Store, wanted: Filter, since: datetime, until: datetime, now: datetime | None = None
) -> Density:
    """Return how the requests of a range are spread over it.

    Args:
        store: the store. Without rollups it is one stretch of unknown counts.
        wanted: which requests. If rollups cannot tell them apart, all requests are counted.
        since: where the range begins.
        until: where it ends.
        now: the present by default.

    Raises:
        ExportError: the store is unreachable or refuses.
    """
    table, now = store.rollups, now or utc_now()
    if table is None:
        return [Stretch(since, until, None)]
    selects = None if find_unknown(wanted) else make_route_filter(wanted)
    sums: dict[tuple[datetime, datetime], Counts] = {}
    for span in choose_spans(table, since, until, now):
        query = RollupQuery(span.width_s, span.since, span.until, with_routes=selects is not None)
        for rollup in table.find(query):
            counts = sums.setdefault((rollup.start, rollup.end), Counts())
            if selects is None:
                counts.add(rollup.total)
                continue
            for key, of_route in rollup.routes.items():
                if selects(key.method, key.url_rule, rollup.version):
                    counts.add(of_route)
    stretches = [
        Stretch(*ends, counts) for ends, counts in sorted(sums.items(), key=lambda one: one[0])
    ]
    return stretches or [Stretch(since, until, None)]


def sample(
    store: Store,
    wanted: Filter,
    density: Density,
    *,
    since: datetime,
    until: datetime,
    count: Count | None = None,
    limit: int = MAX_RECORDS,
    windows: int = WINDOWS,
    budget_s: float = BUDGET_S,
) -> Sample:
    """Return some of the records of a range, spread evenly over its requests.

    Args:
        store: the store.
        wanted: which records.
        density: from `read_density`.
        since: where the range begins.
        until: where it ends.
        count: how many of the requests of a stretch are wanted; None where counts cannot tell.
        limit: maximum number of records.
        windows: maximum number of ranges that are read.
        budget_s: the time after which no further window is read.

    Raises:
        ExportError: the store is unreachable or refuses.
    """
    ends_at = monotonic() + budget_s
    parts = [_clip(one, since, until, count) for one in density]
    total = sum(one.requests for one in parts)
    is_known = count is not None and all(one.counts is not None for one in density)
    if is_known:
        windows = min(windows, -(-round(total) // PER_WINDOW)) or 1
    chosen = _choose_windows(parts, windows, limit if is_known else None)
    each = 2 * -(-limit // max(1, len(chosen)))
    found: list[Record] = []
    is_whole = True
    for at in sorted(range(len(chosen)), key=lambda at: at * STRIDE % len(chosen)):
        left_s = ends_at - monotonic()
        if left_s <= 0:
            is_whole = False
            break
        try:
            with store.limited(left_s):
                found += store.find(wanted, limit=each, between=chosen[at], fields="facts")
        except StoreTimeoutError:
            is_whole = False
            break
    found.sort(key=lambda record: (record.date_created, record.id))
    return Sample(_thin(found, limit), round(total) if is_known else None, is_whole)


def find_reach(store: Store, wanted: Filter, since: datetime, until: datetime) -> datetime | None:
    """Return since when records of a range are stored: where it begins, if there are older ones.

    Args:
        store: the store.
        wanted: which records.
        since: where the range begins.
        until: where it ends.

    Returns:
        The beginning, or about the arrival of the oldest record, to the length of the range / 256; None
        if there is no record.

    Raises:
        ExportError: the store is unreachable or refuses.
    """
    if find_newest(store, wanted.narrowed(None, since), 1, now=since, fields="summary"):
        return since
    low, high = since, until
    if not store.find(wanted, limit=1, between=(low, high), fields="summary"):
        return None
    for _ in range(HALVINGS):
        middle = low + (high - low) / 2
        if store.find(wanted, limit=1, between=(since, middle), fields="summary"):
            high = middle
        else:
            low = middle
    return low


class _Part(NamedTuple):
    since: datetime
    until: datetime
    requests: float


def _clip(stretch: Stretch, since: datetime, until: datetime, count: Count | None) -> _Part:
    """Return the part of a stretch that is in the range, and about how many requests it has."""
    start, end = max(stretch.since, since), min(stretch.until, until)
    length = stretch.until - stretch.since
    if start >= end or not length:
        return _Part(start, start, 0)
    share = (end - start) / length
    if stretch.counts is None:
        return _Part(start, end, 1)
    requests = stretch.counts.requests if count is None else count(stretch.counts)
    return _Part(start, end, share * requests)


def _choose_windows(
    parts: Sequence[_Part], windows: int, limit: int | None
) -> list[tuple[datetime, datetime]]:
    """Return a window in the middle of each slice; without a limit, the slices themselves."""
    total = sum(one.requests for one in parts)
    share = 1.0 if limit is None or total <= limit else limit / total
    chosen = []
    for slice_ in _cut(parts, windows):
        since, until = slice_[0], slice_[1]
        margin = (until - since) * (1 - share) / 2
        chosen.append((since + margin, max(until - margin, since + margin + MILLISECOND)))
    return chosen


def _cut(parts: Sequence[_Part], count: int) -> list[tuple[datetime, datetime]]:
    """Cut the parts into at most `count` slices with as many requests each."""
    filled = [one for one in parts if one.requests > 0]
    if not filled:
        return []
    size = sum(one.requests for one in filled) / count
    slices, start, room = [], filled[0].since, size
    for part in filled:
        at, left = part.since, part.requests
        rate = left / (part.until - part.since).total_seconds()
        while left > room * (1 + 1e-9):
            at += timedelta(seconds=room / rate)
            left -= room
            slices.append((start, at))
            start, room = at, size
        room -= left
    slices.append((start, filled[-1].until))
    return [one for one in slices if one[1] > one[0]]


def _thin(found: list[Record], limit: int) -> list[Record]:
    if len(found) <= limit:
        return found
    return [found[at * len(found) // limit] for at in range(limit)]
