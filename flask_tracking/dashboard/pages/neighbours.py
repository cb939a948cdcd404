"""The next newer and the next older request: found when somebody goes there."""

from __future__ import annotations

from flask import Response

from ...record_summary import RecordSummary
from ..messages import redirect_to, show_message
from ..page import Page
from ..tables.keyset import Cursor, find_first_after, read_page
from ..text.numbers import moment


def go_newer(page: Page, cursor: str) -> Response:
    """Lead to the next newer record of the filter of the page."""
    position = Cursor.parse(cursor)
    if position is None:
        return _explain_position(page, cursor)
    newer = find_first_after(page.store, page.wanted_at_any_time, position, page.now)
    return _go_to(page, newer, position, ("newer", "newest"))


def go_older(page: Page, cursor: str) -> Response:
    """Lead to the next older record of the filter of the page."""
    position = Cursor.parse(cursor)
    if position is None:
        return _explain_position(page, cursor)
    found = read_page(page.store, page.wanted_at_any_time, position, 1)
    if not found.summaries and found.resume is not None:
        lines = [f"The time was over: nothing before {moment(found.resume)} was read."]
        links = [("Go on in the list", page.link_to("requests", after=position))]
        return show_message(page, "No older request found in time", lines, links, 503)
    return _go_to(page, next(iter(found.summaries), None), position, ("older", "oldest"))


def _go_to(
    page: Page, summary: RecordSummary | None, position: Cursor, words: tuple[str, str]
) -> Response:
    if summary is not None:
        return redirect_to(page.link_to("request", id=summary.id), 303)
    matching = " of those that the filter selects" if page.q else ""
    lines = [f"The request that you came from is the {words[1]}{matching}."]
    links = [
        ("Back to the request", page.link_to("request", id=position.id)),
        ("The list of requests", page.link_to("requests")),
    ]
    return show_message(page, f"There is no {words[0]} request", lines, links, 200)


def _explain_position(page: Page, text: str) -> Response:
    links = [("The list of requests", page.link_to("requests"))]
    lines = [f"{text} is not a position in the list."]
    return show_message(page, "Invalid position", lines, links, 404)
