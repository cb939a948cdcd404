"""Message pages and redirects."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response

from ..errors import FilterError, StoreTimeoutError, TrackingError
from .page import Page
from .templating import html, render

RECORDING = "Recording goes on: the queue holds what comes in meanwhile."


def redirect_to(address: str, status: int = 302) -> Response:
    """Return a redirect to another page of the dashboard."""
    return Response(status=status, headers={"Location": address})


def show_store_error(page: Page, error: TrackingError) -> Response:
    """Return the error page for a failed read."""
    links = [("Try again", page.request.full_path)]
    if isinstance(error, StoreTimeoutError):
        lines = ["The database was slow: this page could not be read in time."]
        shorter = page.shorter_range
        if shorter is not None:
            lines.append("A shorter range is read faster.")
            links.append((shorter[0], page.with_(**{"from": shorter[1], "to": None})))
        return show_message(page, "The store does not answer in time", [*lines, RECORDING], links, 503)
    return show_message(page, "The store does not answer", [str(error), RECORDING], links, 503)


def show_filter_error(page: Page, error: FilterError) -> Response:
    """Return the error page for a filter that this page cannot evaluate."""
    links = [("Without the filter", page.with_(q=None))]
    if page.filter_error:  # the box shows what is wrong with it, as that of the list does
        return show_message(page, "Nothing is counted", ["The filter is wrong."], links, 200)
    return show_message(page, "This page cannot use the filter", [str(error)], links, 400)


def show_message(
    page: Page, title: str, lines: Sequence[str], links: Sequence[tuple[str, str]], status: int
) -> Response:
    """Return a message page: a title, paragraphs, and links as pairs of text and URL."""
    return html(render("message.html", page=page, title=title, lines=lines, links=links), status)
