"""Message pages and redirects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bson import ObjectId
from flask import Response

from ..errors import FilterError, StoreTimeoutError, TrackingError
from ..exporters.rollup_table import align
from .page import Page
from .templating import html, render
from .text.numbers import iso, moment

RECORDING = "Recording goes on: the queue holds what comes in meanwhile."
NO_LINES: list[str] = []


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


def show_missing_record(page: Page, text: str) -> Response:
    """Return the page for an id whose record is not stored."""
    lines = [f"There is no record {text}."]
    links = [("The newest requests", page.link_to("requests"))]
    if ObjectId.is_valid(text):
        arrived = ObjectId(text).generation_time
        lines = [
            f"The record {text} is not stored any more, or never was.",
            f"Its id says that it arrived about {moment(arrived)}.",
            "Newer records overwrite older ones. With a larger `TRACKING_TABLE_SIZE` all of them stay "
            "longer, and a kept record is not overwritten by routine ones.",
            *page.attempt("how far records reach back", lambda: _describe_reach(page), NO_LINES),
        ]
        hour = align(arrived, 3600)
        times = {"from": iso(hour), "to": iso(hour + timedelta(hours=1))}
        links.append(("The overview of its hour", page.link_to("overview", keep=(), **times)))
    return show_message(page, "Record not found", lines, links, 404)


def _describe_reach(page: Page) -> list[str]:
    """Return a sentence on the oldest record; none if there is none."""
    oldest = next((usage.oldest for usage in page.store.measure()), None)
    return [f"Records reach back to {moment(oldest)}."] if oldest else []
