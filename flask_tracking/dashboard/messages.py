"""Pages that only say something, and responses that lead elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response

from ..errors import FilterError, StoreTimeoutError, TrackingError
from .page import Page
from .templating import html, render

RECORDING = "Recording goes on: the queue holds what comes in meanwhile."


def redirect_to(address: str, status: int = 302) -> Response:
    """Return what leads to another page of ours."""
    return Response(status=status, headers={"Location": address})


def explain(page: Page, error: TrackingError) -> Response:
    """Return the page that says what failed."""
    links = [("Try again", page.request.full_path)]
    if isinstance(error, StoreTimeoutError):
        lines = ["The database was slow: this page could not be read in time."]
        shorter = page.shorter_range
        if shorter is not None:
            lines.append("A shorter range is read faster.")
            links.append((shorter[0], page.with_(**{"from": shorter[1], "to": None})))
        return tell(page, "The store does not answer in time", [*lines, RECORDING], links, 503)
    return tell(page, "The store does not answer", [str(error), RECORDING], links, 503)


def explain_filter(page: Page, error: FilterError) -> Response:
    """Return the page that says why a filter cannot be answered there."""
    links = [("Without the filter", page.with_(q=None))]
    if page.filter_error:  # the box shows what is wrong with it, as that of the list does
        return tell(page, "Nothing is counted", ["The filter is wrong."], links, 200)
    return tell(page, "This page cannot use the filter", [str(error)], links, 400)


def tell(
    page: Page, title: str, lines: Sequence[str], links: Sequence[tuple[str, str]], status: int
) -> Response:
    """Return a page that only says something."""
    return html(render("message.html", page=page, title=title, lines=lines, links=links), status)
