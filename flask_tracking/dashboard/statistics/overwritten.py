"""What rollups know of requests of which no record is found: how many there were, and an example."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from ...exporters.rollup_table import RollupQuery, RollupTable
from ...filters import Filter
from ...filters.conditions import All, Compares, Condition, Term, all_of
from ...queries.rollup_filter import find_unknown, make_route_filter
from ...queries.spans import choose_spans
from ...record_summary import RecordSummary, summarize
from ...rollups.counts import Counts
from ...rollups.histogram import BUCKETS_PER_DOUBLING
from ...rollups.rollup import BUCKETS_PER_EXAMPLE, Example, Rollup
from ..page import Page

MAX_EXAMPLES = 5
"""So many are looked for: examples may have been overwritten, too, or be of other routes."""


class Counted(NamedTuple):
    """Requests that rollups count, though no record of the range is found."""

    requests: int
    """About so many: durations are counted in buckets, and requests when they end."""
    example: RecordSummary | None
    """A record of one of them, which arrived before the range, or is all that is left."""


class _Durations(NamedTuple):
    """Bounds of the duration, in milliseconds."""

    low: float
    high: float

    def includes(self, bucket: float, buckets: int = 1) -> bool:
        """Return whether the middle of some buckets lies within the bounds."""
        middle = 2 ** ((bucket + buckets / 2) / BUCKETS_PER_DOUBLING) * 1000
        return self.low <= middle < self.high


def read_counted(page: Page) -> Counted | None:
    """Return what rollups count of the filter and range of a page; None where they cannot tell."""
    table, wanted = page.store.rollups, page.wanted_at_any_time
    durations, rest = _split(wanted.condition)
    if table is None or find_unknown(rest):
        return None
    selects = make_route_filter(rest)
    total, examples = Counts(), list[Example]()
    for rollup in _read(table, *page.bounds, page.now, with_routes=selects is not None):
        if selects is None:
            total.add(rollup.total)
        for key, counts in rollup.routes.items():
            if selects is not None and selects(key.method, key.url_rule, rollup.version):
                total.add(counts)
        examples += [
            example
            for octave, example in rollup.examples.items()
            if durations.includes(octave * BUCKETS_PER_EXAMPLE, BUCKETS_PER_EXAMPLE)
        ]
    number = sum(count for bucket, count in total.buckets.items() if durations.includes(bucket))
    return Counted(number, _find_example(page, examples)) if number else None


def _split(condition: Condition) -> tuple[_Durations, Filter]:
    """Return the bounds that a filter has for the duration, and the filter without them."""
    parts = condition.conditions if isinstance(condition, All) else (condition,)
    low, high, rest = 0.0, float("inf"), list[Condition]()
    for part in parts:
        inner = part.condition if isinstance(part, Term) else part
        if not (isinstance(inner, Compares) and isinstance(inner.value, int | float)):
            rest.append(part)  # of the numbers of a record, rollups only know the duration
        elif inner.operator in (">", ">="):
            low = max(low, inner.value)
        else:
            high = min(high, inner.value)
    return _Durations(low, high), Filter(all_of(rest))


def _read(
    table: RollupTable, since: datetime, until: datetime, now: datetime, *, with_routes: bool
) -> Iterator[Rollup]:
    for span in choose_spans(table, since, until, now):
        query = RollupQuery(span.width_s, span.since, span.until, with_routes=with_routes)
        yield from table.find(query._replace(with_failures=False))


def _find_example(page: Page, examples: list[Example]) -> RecordSummary | None:
    """Return an example that is stored and that the filter selects; kept ones are tried first."""
    best = sorted(set(examples), reverse=True)
    records = (page.store.get(one.record_id) for one in islice(best, MAX_EXAMPLES))
    found = (one for one in records if one is not None and page.wanted_at_any_time.matches(one))
    return next(map(summarize, found), None)
