"""The page of all groups of failures."""

from __future__ import annotations

import json
from typing import NamedTuple

from flask import Response

from ...errors import StoreTimeoutError, TrackingError
from ..charts.chart import Bars, make_bars
from ..page import Page
from ..statistics.failures import (
    FAILURES,
    MAX_SUMMARIES,
    Group,
    count_new,
    count_users,
    read_groups,
    read_summaries,
)
from ..statistics.periods import Columns, Periods, read_drawing, read_periods
from ..tables.error_rows import SORTS, make_error_rows, sort_groups, write_users
from ..templating import html, render

NEW_S = 60.0
"""How long the number of new groups is reused: each page asks for it."""


class Failed(NamedTuple):
    """The failures of the range."""

    periods: Periods
    columns: Columns
    groups: list[Group]


def show_errors(page: Page) -> Response:
    """Show the groups of failures, sorted by novelty, number or users.

    To count the users takes longer than all else. Where they do not decide the order, they come later.
    """
    by = page.request.args.get("sort", "")
    by = by if by in SORTS else "times"
    periods, columns, groups = _read(page)
    if by == "users":
        groups = _add_users(page, columns, groups)
    page.new_errors = None if page.q else count_new(groups)
    return html(
        render(
            "errors.html",
            page=page,
            errors=make_error_rows(page, sort_groups(groups, by)),
            by=by,
            most=MAX_SUMMARIES,
            users_address="" if by == "users" else page.link_to("users"),
            statistics=periods.now,
            trend=_make_trend(columns),
        )
    )


def send_users(page: Page) -> Response:
    """Send the number of users of each group as JSON, as text; 204 if it is not known in time.

    The page that asks has just read the groups, which are shared.
    """
    _, columns, groups = _read(page)
    texts = {one.id: write_users(one.users) for one in _add_users(page, columns, groups)}
    if page.missing:
        return Response(status=204)
    return Response(json.dumps(texts), content_type="application/json")


def _add_users(page: Page, columns: Columns, groups: list[Group]) -> list[Group]:
    newest = read_summaries(page, columns)
    return groups if newest is None else count_users(groups, newest)


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
        return count_new(_read(page).groups)
    except TrackingError:
        return None


def _read(page: Page) -> Failed:
    periods = read_periods(page, by=None, compares=False)
    columns = read_drawing(page, periods, also=FAILURES)
    return Failed(periods, columns, read_groups(page, periods, columns))


def _make_trend(columns: Columns) -> Bars | None:
    """Return all failures over time; None where not all were read."""
    return make_bars([column.counts.failed for column in columns.now]) if columns.is_whole else None
