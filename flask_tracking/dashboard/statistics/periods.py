"""Statistics of the range of a page and of the period that it is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from ...errors import FilterError
from ...filters import Filter
from ...queries import Group, Statistics, measure
from ...queries.rollup_filter import make_route_filter
from ...queries.statistics import Source, name_route, parse_route
from ...rollups.counts import Counts
from ...rollups.rollup import RouteKey
from ..page import Page
from .columns import Column, choose_column, fit_column, read_columns, read_route_columns
from .record_columns import read_record_columns

SHIFTS = {"day": timedelta(days=1), "week": timedelta(days=7)}
MAX_TREND = 36
"""A trend of a route has at most so many columns: each of all routes is read."""
LEAST_TREND_S = 300
"""Minutes would be eight times as many documents."""
WORDS = {"before": "before", "day": "a day before", "week": "a week before", "none": ""}


class Periods(NamedTuple):
    """The statistics of both periods."""

    now: Statistics
    before: Statistics
    """Empty if nothing is compared."""
    since: datetime
    until: datetime
    words: str = "before"
    """Completes "34 ms …"; empty where nothing is compared."""
    when: str = "in the time before"
    """Completes "No requests …": the time or version of the comparison; empty where it was not read."""
    wanted: Filter = Filter()
    """Which requests were counted."""


class Columns(NamedTuple):
    """A range in columns; empty if nothing answers."""

    now: Sequence[Column] = ()
    before: Sequence[Column] = ()
    """The period that it is compared with, which `read_both` reads."""
    seconds: int = 0
    """The width of a column."""
    source: Source = "rollups"

    @property
    def is_whole(self) -> bool:
        """True if all requests of the range are counted."""
        return all(one.is_whole for one in self.now)


def read_periods(
    page: Page,
    wanted: Filter | None = None,
    by: str | None = "route",
    *,
    compares: bool = True,
) -> Periods:
    """Return the statistics of the range and of the period that it is compared with.

    Args:
        page: the page, with its range and comparison.
        wanted: selects the requests; by default the page's filter.
        by: as for `queries.measure`.
        compares: False reads the range alone, for pages that show no other.
    """
    wanted = page.wanted_at_any_time if wanted is None else wanted
    compares = compares and page.vs != "none"
    name = ("periods", str(wanted), by, compares)
    return page.share(name, lambda: _measure(page, wanted, by, compares=compares))


def _measure(page: Page, wanted: Filter, by: str | None, *, compares: bool) -> Periods:
    since, until = page.bounds
    now = count_groups(page, wanted, by, since, until)
    words = WORDS.get(page.vs, f"with {page.vs_version}")
    earlier, later = shift(page, since, until)
    if not compares:
        return Periods(now, _count_nothing(earlier, later), since, until, words, "", wanted)
    others = wanted
    if page.vs_version:
        others, later = wanted & Filter.term("version", page.vs_version, is_literal=True), until
    nothing = _count_nothing(earlier, later)
    before = page.attempt(
        "what it is compared with",
        lambda: count_groups(page, others, by, earlier, later),
        nothing,
    )
    when = "" if before is nothing else _say_when(page, words)
    return Periods(now, before, since, until, words, when, wanted)


def _say_when(page: Page, words: str) -> str:
    """Describe the other period, like ``in the hour before`` or ``a day before``."""
    if page.vs != "before":
        return words
    _, is_named, length = page.range_title.partition("Last ")
    return f"in the {length if is_named else 'time'} before"


def count_groups(
    page: Page, wanted: Filter, by: str | None, since: datetime, until: datetime
) -> Statistics:
    """Return the statistics of a range by group; empty if the filter excludes the range."""
    try:
        return measure(page.store, wanted, by=by, since=since, until=until)
    except FilterError:  # the times in the filter exclude the range, or it ends before it begins
        return _count_nothing(since, until)


def shift(page: Page, since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """Return the period that a range is compared with."""
    by = SHIFTS.get(page.vs, until - since)
    return since - by, until - by


def _count_nothing(since: datetime, until: datetime) -> Statistics:
    total = Group(None, Counts(), (until - since).total_seconds())
    return Statistics(since=since, until=until, source="rollups", total=total)


def read_drawing(
    page: Page, periods: Periods, route: str | None = None, also: Filter = Filter.all
) -> Columns:
    """Read the columns that a page draws: as `read_chart` does, else from records.

    Args:
        page: with range and comparison.
        periods: what was counted.
        route: as for `read_chart`.
        also: which of the requests, where records are read.
    """
    columns = read_chart(page, periods, route)
    if columns.now or periods.now.source == "rollups":
        return columns
    wanted = periods.wanted & also
    read = partial(_read_records, page, periods, wanted)
    return page.share(("records", str(wanted)), lambda: page.attempt("the chart", read, Columns()))


def _read_records(page: Page, periods: Periods, wanted: Filter) -> Columns:
    since, until = _narrow(page, periods.wanted, periods.since, periods.until)
    seconds = fit_column(until - since)
    return Columns(read_record_columns(page, wanted, since, until, seconds), (), seconds, "records")


def _narrow(page: Page, wanted: Filter, since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """Return the part of a range that the times in a filter leave; an empty one if it is none."""
    first, last = wanted.arrival(page.now)
    since, until = max(since, first or since), min(until, last or until)
    return since, max(since, until)


def read_chart(page: Page, periods: Periods, route: str | None = None) -> Columns:
    """Return the range in columns; none where rollups cannot answer.

    Args:
        page: the page, with its range and comparison.
        periods: the statistics of the same requests.
        route: the route to count, like ``POST /checkout``; None for all routes together.
    """
    return page.share(
        ("chart", route, str(periods.wanted)),
        lambda: page.attempt("the chart", lambda: _read_columns(page, periods, route), Columns()),
    )


def read_both(page: Page, periods: Periods, route: str | None = None) -> Columns:
    """Return the range as `read_chart` does, and the period that it is compared with.

    Only the search for the moment of a change asks for both.
    """
    columns = read_chart(page, periods, route)
    if not columns.now or page.vs == "none":
        return columns
    return page.share(
        ("both", route, str(periods.wanted)),
        lambda: page.attempt(
            "when it changed", lambda: _read_before(page, periods, route, columns), columns
        ),
    )


def _read_columns(page: Page, periods: Periods, route: str | None) -> Columns:
    table = page.store.rollups
    if table is None or periods.now.source != "rollups":
        return Columns()
    since, until = _narrow(page, periods.wanted, periods.since, periods.until)
    # Both periods have the same columns, and those of the earlier one may be coarser.
    earlier, _ = shift(page, since, until)
    seconds = choose_column(table, until - since, earlier, page.now)
    selects = make_route_filter(periods.wanted)
    found = read_columns(table, since, until, page.now, seconds, _make_key(route), selects)
    return Columns(found, (), seconds)


def _read_before(page: Page, periods: Periods, route: str | None, columns: Columns) -> Columns:
    table = page.store.rollups
    if table is None:
        return columns
    since, until = _narrow(page, periods.wanted, periods.since, periods.until)
    found = read_columns(
        table,
        *shift(page, since, until),
        page.now,
        columns.seconds,
        _make_key(route),
        make_route_filter(periods.wanted),
        with_failures=False,
    )
    return columns._replace(before=found[: len(columns.now)])


def read_route_trends(page: Page, periods: Periods) -> Mapping[str, Sequence[float | None]]:
    """Return by name of a route its p95 over the range; empty where rollups cannot answer."""

    def read() -> Mapping[str, Sequence[float | None]]:
        table = page.store.rollups
        if table is None or periods.now.source != "rollups":
            return {}
        since, until = _narrow(page, periods.wanted, periods.since, periods.until)
        seconds = max(LEAST_TREND_S, choose_column(table, until - since, since, page.now, MAX_TREND))
        selects = make_route_filter(periods.wanted)
        found = read_route_columns(table, since, until, page.now, seconds, selects)
        return {
            name_route(key.method, key.url_rule): [one.percentile_ms(0.95) for one in columns]
            for key, columns in found.items()
        }

    return page.share(("trends", str(periods.wanted)), lambda: page.attempt("the trends", read, {}))


def _make_key(route: str | None) -> RouteKey | None:
    return None if route is None else parse_route(route)
