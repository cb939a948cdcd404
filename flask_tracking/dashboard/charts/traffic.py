"""How many requests a list is of, and when they came: bars that lead to a part of the range."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ...exporters.rollup_table import RollupTable
from ...queries import read_density
from ...queries.rollup_filter import find_unknown, make_route_filter
from ..page import Page
from ..statistics.columns import Column, choose_column, fit_column, read_columns
from ..text.numbers import count, iso, moment

__all__ = ["Traffic", "read_traffic"]

MAX_BARS = 30
"""Few, so that an hour is read from five minutes and a day from hours."""
LEAST_S = 300
SHORT = timedelta(minutes=30)
"""A shorter range has bars of a minute."""
WIDTH, HEIGHT, FAILED_HEIGHT = 960.0, 32.0, 10.0
"""In the units of the drawing. Failed ones have a scale of their own, or nobody would see them."""


class TrafficBar(NamedTuple):
    """The requests of one interval."""

    x: float
    width: float
    height: float
    failed_height: float
    title: str
    address: str
    """The URL of the list of this interval."""


class Traffic(NamedTuple):
    """The requests of a list over time."""

    bars: Sequence[TrafficBar]
    requests: int
    failed: int
    since: datetime
    until: datetime


def read_traffic(page: Page) -> Traffic | None:
    """Return the requests of the filter and range of a page; None where rollups cannot tell."""
    table, wanted = page.store.rollups, page.wanted_at_any_time
    if table is None or find_unknown(wanted) or wanted.arrival() != (None, None):
        return None
    columns = _read_columns(page, table)
    density = read_density(page.store, wanted, *page.bounds, page.now)
    totals = [one.counts for one in density if one.counts is not None]
    requests, failed = (sum(getattr(one, name) for one in totals) for name in ("requests", "failed"))
    if not requests:
        return None
    return Traffic(_draw(page, columns), requests, failed, *page.bounds)


def _read_columns(page: Page, table: RollupTable) -> list[Column]:
    since, until = page.bounds
    least = LEAST_S if until - since > SHORT else 0
    finest = choose_column(table, until - since, since, page.now)
    seconds = max(least, finest, fit_column(until - since, MAX_BARS))
    selects = make_route_filter(page.wanted_at_any_time)
    return read_columns(table, since, until, page.now, seconds, selects=selects, with_failures=False)


def _draw(page: Page, columns: Sequence[Column]) -> list[TrafficBar]:
    most = max((column.counts.requests for column in columns), default=0) or 1
    most_failed = max((column.counts.failed for column in columns), default=0) or 1
    units = HEIGHT / most, FAILED_HEIGHT / most_failed
    width = WIDTH / max(1, len(columns))
    ends = [*(column.start for column in columns[1:]), page.bounds[1]]
    return [
        _draw_bar(page, column, end, round(at * width, 2), width, units)
        for at, (column, end) in enumerate(zip(columns, ends, strict=True))
        if column.counts.requests
    ]


def _draw_bar(
    page: Page,
    column: Column,
    end: datetime,
    x: float,
    width: float,
    units: tuple[float, float],
) -> TrafficBar:
    requests, failed = column.counts.requests, column.counts.failed
    return TrafficBar(
        x,
        round(width, 2),
        round(requests * units[0], 1),
        round(failed * units[1], 1),
        f"{moment(column.start)}: {count(requests)} requests, {count(failed)} failed",
        page.link_to("requests", **{"from": iso(column.start), "to": iso(end)}),
    )
