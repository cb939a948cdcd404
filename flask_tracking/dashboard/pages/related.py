"""The requests of the same user and trace around a request, as a fragment and as a page."""

from __future__ import annotations

import functools
import operator
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from flask import Response

from ...filters import FIRST, Filter
from ...record import Record
from ...record_summary import RecordSummary, summarize
from ..messages import show_missing_record
from ..page import Page
from ..templating import html, render
from ..text import filter_text

MAX_RELATED = 6
RELATED_WITHIN = timedelta(minutes=5)
LAST = datetime.max.replace(tzinfo=timezone.utc) - RELATED_WITHIN
NEAR = timedelta(seconds=5)
"""How many requests came within this time tells how many there are in more of it."""
MAX_READ = 2000
RELATED = "requests of the same user and trace"
"""The name of the read."""
RELATED_S = 1.0


class RelatedRequests(NamedTuple):
    """Requests that have something in common."""

    title: str
    nearest: list[RecordSummary]
    """Those nearest to the request, including it, the oldest first."""
    address: str
    """The URL of all of them."""


def show_related(page: Page, id: str) -> Response:
    """Show the related requests as a page, for browsers without JavaScript."""
    record = page.get_record(id)
    if record is None:
        return show_missing_record(page, id)
    return html(render("related.html", page=page, record=record, related=_read_related(page, record)))


def send_related(page: Page, id: str) -> Response:
    """Send the related requests alone, which the page of a request loads after itself."""
    record = page.get_record(id)
    related = [] if record is None else _read_related(page, record)
    return html(render("related_fragment.html", page=page, record=record, related=related))


def _read_related(page: Page, record: Record) -> list[RelatedRequests]:
    nothing: list[RelatedRequests] = []
    return page.attempt(RELATED, lambda: _find_related(page, record), nothing, RELATED_S)


def _find_related(page: Page, record: Record) -> list[RelatedRequests]:
    """Return related requests: of the same user, and of the same trace."""
    kinds = [
        (title, term, Filter.parse(term))
        for title, term in (
            ("Same user, around it", record.user_id and filter_text.find_term("user", record.user_id)),
            ("Same trace", record.trace_id and filter_text.find_term("trace", record.trace_id)),
        )
        if term
    ]
    if not kinds:
        return []
    any_of = functools.reduce(operator.or_, [wanted for _, _, wanted in kinds])  # read once
    between = _find_range(page, record)
    others = page.store.find(any_of, limit=MAX_READ, between=between, fields="summary")
    found: list[RelatedRequests] = []
    for title, term, wanted in kinds:
        nearest = _take_nearest([one for one in others if wanted.matches(one)], record)
        if len(nearest) > 1:
            found.append(RelatedRequests(title, nearest, page.narrow_to(term)))
    return found


def _find_range(page: Page, record: Record) -> tuple[datetime, datetime]:
    """Return the time around a record in which there are not too many others to read."""
    # A record of another program may be at the end of all times.
    middle = max(FIRST, min(record.date_created, LAST))
    near = (middle - NEAR, middle + NEAR)
    count = len(page.store.find(Filter(), limit=MAX_READ, between=near, fields="summary"))
    within = min(RELATED_WITHIN, NEAR * (MAX_READ / max(1, count)))
    return middle - within, middle + within


def _take_nearest(others: list[RecordSummary], record: Record) -> list[RecordSummary]:
    """Return the records nearest to a record, including it, the oldest first."""
    mine = (record.date_created, record.id)
    before = [one for one in others if (one.date_created, one.id) < mine][: MAX_RELATED // 2]
    after = [one for one in reversed(others) if (one.date_created, one.id) > mine][: MAX_RELATED // 2]
    return [*reversed(before), summarize(record), *after]
