"""All groups of failures."""

from __future__ import annotations

from flask import Response

from ..error_rows import make_error_rows
from ..measured import read_periods
from ..page import Page
from ..templating import html, render


def show_errors(page: Page) -> Response:
    """Show the groups of failures, the largest first."""
    periods = read_periods(page)
    errors = make_error_rows(page, periods)
    return html(render("errors.html", page=page, errors=errors, statistics=periods.now))
