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

__all__ = [
    "Density",
    "Sample",
    "SampleSide",
    "Stretch",
    "find_reach",
    "read_density",
    "sample",
    "sample_pair",
]

WINDOWS = 40
MAX_RECORDS = 2_000
BUDGET_S = 1.0
PER_WINDOW = 50
"""So few records are worth a window."""
HALVINGS = 8
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
    windows: int
    """How many windows were read."""


class SampleSide(NamedTuple):
    """The records of one of two samples that are compared with each other.

    .. versionadded:: 2.0
    """

    wanted: Filter
    density: Density
    """From `read_density`."""
    counting: Count | None = None
    """How many of the requests of a stretch are wanted; None where counts cannot tell."""


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
        query = RollupQuery(
            span.width_s,
            span.since,
            span.until,
            with_routes=selects is not None,
            with_failures=False,
            with_examples=False,
        )
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
    sides = [SampleSide(wanted, density, count)]
    return _sample(store, sides, (since, until), limit, windows, monotonic() + budget_s)[0]


def sample_pair(
    store: Store,
    one: SampleSide,
    other: SampleSide,
    *,
    since: datetime,
    until: datetime,
    limit: int = MAX_RECORDS,
    windows: int = WINDOWS,
    budget_s: float = BUDGET_S,
) -> tuple[Sample, Sample]:
    """Return samples of two sides from the same slices of a range, so that both are of the same times.

    Each slice is read for both sides or for none. Slices are read in a spread order, so that samples
    are even when the time is over.

    Args:
        store: the store.
        one: the first side.
        other: the second side.
        since: where the range begins.
        until: where it ends.
        limit: maximum number of records of each side.
        windows: maximum number of ranges that are read of each side.
        budget_s: the time for both, after which no further window is read.

    Raises:
        ExportError: the store is unreachable or refuses.
    """
    ends_at = monotonic() + budget_s
    mine, others = _sample(store, [one, other], (since, until), limit, windows, ends_at)
    return mine, others


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


class _Counted(NamedTuple):
    """A side, with about how many of its requests are in each part of the range."""

    wanted: Filter
    parts: Sequence[_Part]
    total: float
    is_known: bool


class _Window(NamedTuple):
    wanted: Filter
    between: tuple[datetime, datetime]
    limit: int


def _sample(
    store: Store,
    sides: Sequence[SampleSide],
    between: tuple[datetime, datetime],
    limit: int,
    windows: int,
    ends_at: float,
) -> list[Sample]:
    counted = [_count_parts(side, *between) for side in sides]
    if all(side.is_known for side in counted):
        most = max(round(side.total) for side in counted)
        windows = min(windows, -(-most // PER_WINDOW)) or 1
    slices = _cut(_add_parts(counted), windows)
    each = -(-limit // max(1, len(slices)))
    asked = [[_choose_window(side, one, limit, each) for side in counted] for one in slices]
    read = _read_windows(store, asked, ends_at)
    return [
        _make_sample([window[at] for window in read], side, limit, is_whole=len(read) == len(slices))
        for at, side in enumerate(counted)
    ]


def _count_parts(side: SampleSide, since: datetime, until: datetime) -> _Counted:
    parts = [_clip(one, since, until, side.counting) for one in side.density]
    is_known = side.counting is not None and all(one.counts is not None for one in side.density)
    return _Counted(side.wanted, parts, sum(one.requests for one in parts), is_known)


def _add_parts(sides: Sequence[_Counted]) -> list[_Part]:
    sums: dict[tuple[datetime, datetime], float] = {}
    for side in sides:
        for since, until, requests in side.parts:
            sums[since, until] = sums.get((since, until), 0.0) + requests
    return [_Part(*ends, requests) for ends, requests in sorted(sums.items())]


def _choose_window(side: _Counted, slice_: tuple[datetime, datetime], limit: int, each: int) -> _Window:
    """Return a window in the middle of a slice; the slice itself if all of it is wanted."""
    since, until = slice_
    share = 1.0 if not side.is_known or side.total <= limit else limit / side.total
    margin = (until - since) * (1 - share) / 2
    between = (since + margin, max(until - margin, since + margin + MILLISECOND))
    inside = sum(_clip_part(one, since, until) for one in side.parts) if side.is_known else 0.0
    return _Window(side.wanted, between, 2 * max(each, round(share * inside)))


def _clip_part(part: _Part, since: datetime, until: datetime) -> float:
    """Return about how many requests of a part are within a slice."""
    length = part.until - part.since
    inside = min(part.until, until) - max(part.since, since)
    return part.requests * (inside / length) if length and inside > timedelta() else 0.0


def _read_windows(
    store: Store, slices: Sequence[Sequence[_Window]], ends_at: float
) -> list[list[list[Record]]]:
    """Return what was read until the time was over: of each slice the records of each side."""
    read: list[list[list[Record]]] = []
    for at in _spread(len(slices)):
        try:
            read.append([_read_window(store, window, ends_at) for window in slices[at]])
        except StoreTimeoutError:
            break
    return read


def _spread(count: int) -> list[int]:
    """Return the numbers below `count` so that those at the beginning are spread over all of them."""
    digits = count.bit_length()
    return sorted(range(count), key=lambda at: f"{at:0{digits}b}"[::-1])


def _read_window(store: Store, window: _Window, ends_at: float) -> list[Record]:
    left_s = ends_at - monotonic()
    if left_s <= 0:
        raise StoreTimeoutError("the time for the sample is over")
    with store.limited(left_s):
        return store.find(window.wanted, limit=window.limit, between=window.between, fields="facts")


def _make_sample(
    windows: Sequence[list[Record]], side: _Counted, limit: int, *, is_whole: bool
) -> Sample:
    found = [record for window in windows for record in window]
    found.sort(key=lambda record: (record.date_created, record.id))
    requests = round(side.total) if side.is_known else None
    return Sample(_thin(found, limit), requests, is_whole, len(windows))


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
