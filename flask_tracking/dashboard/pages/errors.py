"""All groups of failures."""

from __future__ import annotations

from flask import Response

from ..charts.chart import make_bars
from ..page import Page
from ..statistics.failures import count_users, read_groups, read_summaries
from ..statistics.periods import read_chart, read_periods
from ..tables.error_rows import SORTS, make_error_rows, sort_groups
from ..templating import html, render


def show_errors(page: Page) -> Response:
    """Show the groups of failures, sorted by how new they are, their number or their users."""
    by = page.request.args.get("sort", "")
    by = by if by in SORTS else "times"
    periods = read_periods(page)
    columns = read_chart(page, periods)
    groups, newest = read_groups(page, periods, columns), read_summaries(page)
    groups = groups if newest is None else count_users(groups, newest)
    return html(
        render(
            "errors.html",
            page=page,
            errors=make_error_rows(page, sort_groups(groups, by)),
            by=by,
            statistics=periods.now,
            trend=make_bars([column.counts.failed for column in columns.now]) if not page.q else None,
        )
    )
