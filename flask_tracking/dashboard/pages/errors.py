"""The page of all groups of failures."""

from __future__ import annotations

import json

from flask import Response

from ...errors import StoreTimeoutError, TrackingError
from ..charts.chart import Bars, make_bars
from ..page import Page
from ..statistics.failures import FAILURES, count_new, count_users, read_groups, read_summaries
from ..statistics.periods import Columns, read_drawing, read_periods
from ..tables.error_rows import SORTS, make_error_rows, sort_groups
from ..templating import html, render

NEW_S = 60.0
"""How long the number of new groups is reused: each page asks for it."""


def show_errors(page: Page) -> Response:
    """Show the groups of failures, sorted by novelty, number or users."""
    by = page.request.args.get("sort", "")
    by = by if by in SORTS else "times"
    periods = read_periods(page, by=None, compares=False)
    columns = read_drawing(page, periods, also=FAILURES)
    groups, newest = read_groups(page, periods, columns), read_summaries(page)
    groups = groups if newest is None else count_users(groups, newest)
    page.new_errors = None if page.q else count_new(groups)
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


def send_new(page: Page) -> Response:
    """Send the number of new groups as JSON, for the navigation; 204 if it is not known in time."""
    try:
        count = page.share("new errors", lambda: _count_new(page), NEW_S, heavy_s=0.0)
    except StoreTimeoutError:  # another page is counting them
        count = None
    if count is None or page.missing:
        return Response(status=204)
    return Response(json.dumps({"count": count}), content_type="application/json")


def _count_new(page: Page) -> int | None:
    """Return the number of new groups; None, which is shared as well, if the store does not say."""
    try:
        periods = read_periods(page, by=None, compares=False)
        columns = read_drawing(page, periods, also=FAILURES)
        return count_new(read_groups(page, periods, columns))
    except TrackingError:
        return None


def _make_trend(columns: Columns) -> Bars | None:
    """Return all failures over time; None where not all were read."""
    return make_bars([column.counts.failed for column in columns.now]) if columns.is_whole else None
