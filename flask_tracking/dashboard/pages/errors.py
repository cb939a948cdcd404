"""The page of all groups of failures."""

from __future__ import annotations

from flask import Response

from ..charts.chart import Bars, make_bars
from ..page import Page
from ..statistics.failures import FAILURES, count_users, read_groups, read_summaries
from ..statistics.periods import Columns, read_drawing, read_periods
from ..tables.error_rows import SORTS, make_error_rows, sort_groups
from ..templating import html, render


def show_errors(page: Page) -> Response:
    """Show the groups of failures, sorted by novelty, number or users."""
    by = page.request.args.get("sort", "")
    by = by if by in SORTS else "times"
    periods = read_periods(page)
    columns = read_drawing(page, periods, also=FAILURES)
    groups, newest = read_groups(page, periods, columns), read_summaries(page)
    groups = groups if newest is None else count_users(groups, newest)
    return html(
        render(
            "errors.html",
            page=page,
            errors=make_error_rows(page, sort_groups(groups, by)),
            by=by,
            statistics=periods.now,
            trend=_make_trend(columns),
        )
    )


def _make_trend(columns: Columns) -> Bars | None:
    """Return all failures over time; None where not all were read."""
    return make_bars([column.counts.failed for column in columns.now]) if columns.is_whole else None
