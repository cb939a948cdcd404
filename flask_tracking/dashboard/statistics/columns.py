"""Rollups of a range of time in columns, for charts and for the search of a change point."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ...exporters.rollup_table import RollupQuery, RollupTable, align
from ...queries.rollup_filter import Selects
from ...rollups.counts import Counts
from ...rollups.rollup import FailureKey, Rollup, RouteKey

COLUMN_SECONDS = (60, 300, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800)
MERGED_SECONDS = tuple(sorted({*COLUMN_SECONDS, 120, 600}))
"""The lengths of columns that are put together of others."""
MAX_COLUMNS = 72


class Column(NamedTuple):
    """The requests of one interval."""

    start: datetime
    counts: Counts
    dropped: int
    """The number of records lost in that interval."""
    versions: frozenset[str]
    failures: Mapping[FailureKey, Counter[str | None]]
    """The number of failures of each group, by version."""
    is_whole: bool = True
    """False where only some of the requests were read, or none."""


def choose_column(
    table: RollupTable, length: timedelta, oldest: datetime, now: datetime, most: int = MAX_COLUMNS
) -> int:
    """Return the width of a column in seconds.

    Args:
        table: the table of rollups.
        length: the length of the range.
        oldest: the earliest time to be shown: old rollups are coarse.
        now: the current time.
        most: the maximum number of columns.
    """
    finest = next(
        (width.seconds for width in table.widths if now - oldest <= width.lifetime),
        table.widths[-1].seconds,
    )
    return max(finest, fit_column(length, most))


def fit_column(
    length: timedelta, most: int = MAX_COLUMNS, lengths: Sequence[int] = COLUMN_SECONDS
) -> int:
    """Return how many seconds a column covers, so that a range has at most so many columns."""
    least = length.total_seconds() / most
    return next((one for one in lengths if one >= least), lengths[-1])


def read_columns(
    table: RollupTable,
    since: datetime,
    until: datetime,
    now: datetime,
    seconds: int,
    route: RouteKey | None = None,
    selects: Selects | None = None,
    *,
    with_failures: bool = True,
) -> list[Column]:
    """Return all columns of a range, also empty ones.

    Args:
        table: the table of rollups.
        since: the beginning of the range.
        until: its end.
        now: the current time.
        seconds: the width of a column, from `choose_column`.
        route: the route to count; None for all routes together.
        selects: which requests are counted; None for all.
        with_failures: False leaves the groups of failures out of the columns, to read less.
    """
    with_routes = route is not None or selects is not None
    start = align(since, seconds)
    wanted = RollupQuery(
        _choose_width(table, since, now, seconds),
        start,
        until,
        with_routes=with_routes,
        route=route,
        with_failures=with_failures,
        with_examples=False,
    )
    found = _find(table, wanted)
    if selects is not None:
        found = [_select(rollup, selects) for rollup in found]
    return _make_columns(found, start, until, seconds)


def read_route_columns(
    table: RollupTable,
    since: datetime,
    until: datetime,
    now: datetime,
    seconds: int,
    selects: Selects | None = None,
) -> dict[RouteKey, list[Counts]]:
    """Return what was counted of each route in each column of a range; the arguments are the same."""
    start = align(since, seconds)
    width_s = _choose_width(table, since, now, seconds)
    wanted = RollupQuery(width_s, start, until, with_failures=False, with_examples=False)
    number = math.ceil((until - start) / timedelta(seconds=seconds))
    routes: dict[RouteKey, list[Counts]] = {}
    for rollup in _find(table, wanted):
        at = (rollup.start - start) // timedelta(seconds=seconds)
        for key, counts in rollup.routes.items():
            if selects is None or selects(key.method, key.url_rule, rollup.version):
                columns = routes.get(key) or routes.setdefault(key, [Counts() for _ in range(number)])
                columns[at].add(counts)
    return routes


def _choose_width(table: RollupTable, since: datetime, now: datetime, seconds: int) -> int:
    """Return the coarsest width that fits into columns and is still there."""
    fitting = (
        width.seconds
        for width in table.widths
        if width.seconds <= seconds and (now - since <= width.lifetime or width.seconds == seconds)
    )
    return max(fitting, default=table.widths[-1].seconds)


def _find(table: RollupTable, wanted: RollupQuery) -> list[Rollup]:
    found = table.find(wanted)
    if wanted.width_s > table.widths[0].seconds:
        found += _read_unmerged(table, wanted)
    return found


def _read_unmerged(table: RollupTable, wanted: RollupQuery) -> list[Rollup]:
    """Return the finer rollups that are not merged into coarser ones yet."""
    finer = [width.seconds for width in table.widths if width.seconds < wanted.width_s]
    return [
        rollup
        for seconds in finer
        for rollup in table.find(wanted._replace(width_s=seconds, is_merged=False))
    ]


def _select(rollup: Rollup, selects: Selects) -> Rollup:
    """Return a rollup of the requests that are meant; failures know the route, and not the method."""
    routes = {
        key: counts
        for key, counts in rollup.routes.items()
        if selects(key.method, key.url_rule, rollup.version)
    }
    rules = {key.url_rule for key in routes}
    failures = {key: group for key, group in rollup.failures.items() if key.url_rule in rules}
    version = rollup.version if routes else None
    return dataclasses.replace(
        rollup, routes=routes, overall=None, failures=failures, examples={}, version=version
    )


def _make_columns(
    rollups: Iterable[Rollup], start: datetime, until: datetime, seconds: int
) -> list[Column]:
    by_start: dict[datetime, list[Rollup]] = {}
    for rollup in rollups:
        by_start.setdefault(align(rollup.start, seconds), []).append(rollup)
    columns = []
    while start < until:
        columns.append(_make_column(start, by_start.get(start, ())))
        start += timedelta(seconds=seconds)
    return columns


def _make_column(start: datetime, rollups: Sequence[Rollup]) -> Column:
    counts, dropped = Counts(), Counter[str]()
    failures: dict[FailureKey, Counter[str | None]] = {}
    for rollup in rollups:
        counts.add(rollup.total)
        dropped.update(rollup.dropped)
        for key, group in rollup.failures.items():
            failures.setdefault(key, Counter())[rollup.version] += group.count
    versions = frozenset(rollup.version for rollup in rollups if rollup.version is not None)
    return Column(start, counts, dropped.total(), versions, failures)


def merge_columns(columns: Sequence[Column], seconds: int) -> list[Column]:
    """Return the same in columns of so many seconds, which begin at round times, too."""
    merged: dict[datetime, Column] = {}
    for one in columns:
        start = align(one.start, seconds)
        known = merged.get(start) or Column(start, Counts(), 0, frozenset(), {})
        known.counts.add(one.counts)
        merged[start] = known._replace(
            dropped=known.dropped + one.dropped,
            versions=known.versions | one.versions,
            is_whole=known.is_whole and one.is_whole,
        )
    return list(merged.values())


def sum_columns(columns: Iterable[Column]) -> Counts:
    """Return the sum of all columns."""
    total = Counts()
    for column in columns:
        total.add(column.counts)
    return total
