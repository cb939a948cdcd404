"""Where a request stands among the others of its route: usual, or slower than most."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import NamedTuple

from ...record import Record
from ...rollups.histogram import find_bucket
from ...rollups.rollup import METHODS, OTHER_METHOD, RouteKey
from ..page import Page
from ..statistics.columns import choose_column, read_columns, sum_columns
from .histogram import WIDTH, Histogram, draw_histogram

__all__ = ["Place", "read_place"]

AROUND = timedelta(minutes=30)
"""The others ended in this time before and after it; in a longer one where rollups are coarse."""
LEAST_COLUMN_S = 300
"""Minutes would be eight times as many documents, for the same numbers."""
MIN_REQUESTS = 20
"""Among fewer, no place says much."""


class Place(NamedTuple):
    """The durations of a route around a request, and its own."""

    histogram: Histogram
    at: float
    """The duration of the request, in the units of the histogram."""
    slower_than: float
    """The share of the requests that took less time, from 0 to 1."""
    requests: int


def read_place(page: Page, record: Record) -> Place | None:
    """Return the place of a request among its route; None if rollups do not know, or of too few."""
    table, took_ms = page.store.rollups, record.execution_time
    if table is None or took_ms is None:
        return None
    arrived = page.confine(record.date_created)
    since, until = page.confine(arrived - AROUND), page.confine(arrived + AROUND)
    seconds = max(LEAST_COLUMN_S, choose_column(table, until - since, since, page.now))
    method = record.method if record.method in METHODS else OTHER_METHOD
    key = RouteKey(record.url_rule, method or "")
    columns = read_columns(table, since, until, page.now, seconds, key, with_failures=False)
    buckets = sum_columns(columns).buckets
    drawn, measured = draw_histogram(buckets, {}), sum(buckets.values())
    if drawn is None or measured < MIN_REQUESTS:
        return None
    mine = find_bucket(took_ms / 1000)
    faster = sum(number for bucket, number in buckets.items() if bucket < mine)
    return Place(drawn, _find_x(drawn, took_ms), faster / measured, measured)


def _find_x(drawn: Histogram, ms: float) -> float:
    low, high = math.log2(drawn.columns[0].low_ms), math.log2(drawn.columns[-1].high_ms)
    share = (math.log2(max(ms, 1e-3)) - low) / (high - low)
    return round(WIDTH * min(max(share, 0.0), 1.0), 1)
