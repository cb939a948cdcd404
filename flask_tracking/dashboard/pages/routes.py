"""The page of all routes."""

from __future__ import annotations

from flask import Response

from ..page import Page
from ..statistics.periods import read_periods, read_route_trends
from ..tables.route_rows import make_route_rows
from ..templating import html, render


def show_routes(page: Page) -> Response:
    """Show all routes by their share of total time."""
    periods = read_periods(page)
    routes = make_route_rows(page, periods, read_route_trends(page, periods))
    return html(render("routes.html", page=page, routes=routes, statistics=periods.now))
