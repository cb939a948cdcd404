"""What rollups say of a range of time, in columns: for the chart, and for the moment of a change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bson import ObjectId

from ...exporters.rollup_table import RollupQuery, RollupTable, align
from ...rollups.counts import Counts
from ...rollups.rollup import FailureKey, Rollup, RouteKey

COLUMN_SECONDS = (60, 300, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800)
MAX_COLUMNS = 72


class Column(NamedTuple):
    """The requests of a span of time."""

    start: datetime
    counts: Counts
    dropped: int
    """How many records were lost meanwhile."""
    versions: frozenset[str]
    examples: dict[int, ObjectId]
    """A record by half octave of the duration."""
    failures: Mapping[FailureKey, Counter[str | None]]
    """How many failures of each group, by version."""


def choose_column(table: RollupTable, length: timedelta, oldest: datetime, now: datetime) -> int:
    """Return how many seconds a column covers.

    Args:
        table: where the rollups are.
        length: of the range.
        oldest: the earliest time of which a column is wanted: old rollups are coarse.
        now: the present.
    """
    finest = next(
        (width.seconds for width in table.widths if now - oldest <= width.lifetime),
        table.widths[-1].seconds,
    )
    least = max(finest, length.total_seconds() / MAX_COLUMNS)
    fitting = [one for one in COLUMN_SECONDS if one >= least]
    return fitting[0] if fitting else COLUMN_SECONDS[-1]


def read_columns(
    table: RollupTable,
    since: datetime,
    until: datetime,
    now: datetime,
    seconds: int,
    route: RouteKey | None = None,
) -> list[Column]:
    """Return the columns of a range, those without requests as well.

    Args:
        table: where the rollups are.
        since: where it begins.
        until: where it ends.
        now: the present.
        seconds: the length of a column, from `choose_column`.
        route: the only one that is counted; None for all together.
    """
    fitting = (
        width.seconds
        for width in table.widths
        if width.seconds <= seconds and (now - since <= width.lifetime or width.seconds == seconds)
    )
    width_s = max(fitting, default=table.widths[-1].seconds)
    start = align(since, seconds)
    wanted = RollupQuery(width_s, start, until, with_routes=route is not None, route=route)
    found = table.find(wanted)
    if width_s > table.widths[0].seconds:
        found += _read_unmerged(table, wanted)
    return _make_columns(found, start, until, seconds)


def _read_unmerged(table: RollupTable, wanted: RollupQuery) -> list[Rollup]:
    """Return the finer rollups that no coarser one counts yet."""
    finer = [width.seconds for width in table.widths if width.seconds < wanted.width_s]
    return [
        rollup
        for seconds in finer
        for rollup in table.find(wanted._replace(width_s=seconds, is_merged=False))
    ]


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
    counts, dropped, examples = Counts(), Counter[str](), dict[int, ObjectId]()
    failures: dict[FailureKey, Counter[str | None]] = {}
    for rollup in rollups:
        counts.add(rollup.total)
        dropped.update(rollup.dropped)
        examples.update({half: one.record_id for half, one in rollup.examples.items()})
        for key, group in rollup.failures.items():
            failures.setdefault(key, Counter())[rollup.version] += group.count
    versions = frozenset(rollup.version for rollup in rollups if rollup.version is not None)
    return Column(start, counts, dropped.total(), versions, examples, failures)


def sum_columns(columns: Iterable[Column]) -> Counts:
    """Return the counts of all columns together."""
    total = Counts()
    for column in columns:
        total.add(column.counts)
    return total
