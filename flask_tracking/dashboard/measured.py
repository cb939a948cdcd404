"""What pages count: the requests of the range, and those that they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from ..queries import Statistics, measure
from ..queries.statistics import Group
from ..rollups.counts import Counts
from .page import Page
from .period import Column, choose_column, read_columns


class Periods(NamedTuple):
    """The range of the page, and the one before it of the same length."""

    now: Statistics
    before: Statistics
    since: datetime
    until: datetime


class Columns(NamedTuple):
    """Both periods in columns; none where rollups do not answer."""

    now: Sequence[Column] = ()
    before: Sequence[Column] = ()
    seconds: int = 0
    """The length of a column."""


def read_periods(page: Page) -> Periods:
    """Count the requests of the range, and of the one before it."""
    return page.share("periods", lambda: _measure(page))


def _measure(page: Page) -> Periods:
    since, until = page.bounds
    wanted = page.wanted_at_any_time
    now = measure(page.store, wanted, by="route", since=since, until=until)
    begin = since - (until - since)
    before = page.attempt(
        "the period before",
        lambda: measure(page.store, wanted, by="route", since=begin, until=since),
        _count_nothing(begin, since),
    )
    return Periods(now, before, since, until)


def _count_nothing(since: datetime, until: datetime) -> Statistics:
    total = Group(None, Counts(), (until - since).total_seconds())
    return Statistics(since=since, until=until, source="rollups", total=total)


def read_chart(page: Page, periods: Periods) -> Columns:
    """Read the same in columns, which only the overview shows."""
    return page.share(
        "chart", lambda: page.attempt("the chart", lambda: _read_columns(page, periods), Columns())
    )


def _read_columns(page: Page, periods: Periods) -> Columns:
    table = page.store.rollups
    if table is None or periods.now.source != "rollups":
        return Columns()
    since, until = periods.since, periods.until
    length = until - since
    seconds = choose_column(table, length, since - length, page.now)
    columns = read_columns(table, since, until, page.now, seconds)
    earlier = read_columns(table, since - length, since, page.now, seconds)
    return Columns(columns, earlier[: len(columns)], seconds)
