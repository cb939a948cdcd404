"""The page of one request."""

from __future__ import annotations

import functools
import json
import operator
from datetime import datetime, timedelta, timezone
from typing import Any

from bson import ObjectId
from flask import Response

from ...exporters.rollup_table import align
from ...filters import FIRST, Filter
from ...queries.statistics import name_route
from ...record import Headers, Record, Remark, find_header
from ...record_summary import RecordSummary, summarize
from ..charts.place import read_place
from ..messages import show_message
from ..page import Page
from ..record.bodies import Piece, read_body, reason_of, split_marks
from ..record.facts import read_custom, read_facts
from ..record.languages import LANGUAGES
from ..record.tracebacks import split_traceback
from ..record.waterfall import make_waterfall
from ..statistics.failures import HISTORY, find_group, read_history
from ..tables.keyset import Cursor, read_page
from ..tables.route_rows import link_to_route
from ..templating import html, render
from ..text import filter_text
from ..text.numbers import iso, moment

Neighbours = tuple[RecordSummary | None, RecordSummary | None]
"""The next newer and the next older record, or None."""
RelatedRequests = tuple[str, list[RecordSummary], str]
"""A title, the nearest records, and the URL of all of them."""

MAX_RELATED = 6
RELATED_WITHIN = timedelta(minutes=5)
LAST = datetime.max.replace(tzinfo=timezone.utc) - RELATED_WITHIN
NEAR = timedelta(seconds=5)
"""How many requests came within this time tells how many there are in more of it."""
MAX_READ = 2000
NO_LINES: list[str] = []
NO_RELATED: list[RelatedRequests] = []
NOT_READ: Neighbours = (None, None)
NEIGHBOURS_S = 1.0
"""The time limit for reading neighbours and related requests."""


def show_request(page: Page, id: str) -> Response:
    """Show one request."""
    record = page.get_record(id)
    if record is None:
        return _explain_missing(page, id)
    newer, older = page.attempt(
        "the requests before and after", lambda: _find_neighbours(page, record), NOT_READ, NEIGHBOURS_S
    )
    remarks = _by_place(record)
    group = page.attempt("its group of errors", lambda: find_group(page, record), "", NEIGHBOURS_S)
    traceback = split_traceback(record.exception.traceback) if record.exception else []
    return html(
        render(
            "request.html",
            page=page,
            record=record,
            newer=newer,
            older=older,
            copies=[(name, title) for name, (title, _) in LANGUAGES.items()],
            route_terms=filter_text.route_terms(name_route(record.method, record.url_rule)),
            group=group,
            history=page.attempt(HISTORY, lambda: read_history(page, group), None, NEIGHBOURS_S),
            can_keep=bool(page.tracked.settings.kept_size_bytes),
            error_term=filter_text.find_term("error", record.exception.type)
            if record.exception
            else "",
            exception_message=_mark(record.exception.message) if record.exception else (),
            traceback=traceback,
            waterfall=make_waterfall(record),
            place=page.attempt(
                "its place among its route", lambda: read_place(page, record), None, NEIGHBOURS_S
            ),
            route=link_to_route(page, name_route(record.method, record.url_rule)),
            request_headers=_mark_headers(record.request_headers, "request_headers", remarks),
            response_headers=_mark_headers(record.response_headers, "response_headers", remarks),
            request_body=read_body(
                record.request_body,
                find_header(record.request_headers, "content-type") or "",
                remarks.get("request_body", []),
            ),
            response_body=read_body(
                record.response_body,
                find_header(record.response_headers, "content-type") or "",
                remarks.get("response_body", []),
            ),
            facts=read_facts(record),
            custom=read_custom(record),
            custom_tree=_read_tree(record),
            around=page.attempt(
                "requests of the same user and trace",
                lambda: _find_related(page, record),
                NO_RELATED,
                NEIGHBOURS_S,
            ),
        )
    )


def _mark(text: str) -> tuple[Piece, ...]:
    return split_marks(text, iter(()))


def _read_tree(record: Record) -> Any:
    """Return the custom data as a tree, if the facts do not show all of it."""
    data = record.custom_data
    if data is None or (isinstance(data, dict) and len(read_custom(record)) == len(data)):
        return None
    written = json.dumps(data, default=str, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return read_body(written, "application/json", ()).tree


def _by_place(record: Record) -> dict[str, list[Remark]]:
    places: dict[str, list[Remark]] = {}
    for remark in record.redacted:
        place = remark.path
        if place.startswith(("request_body", "response_body")):
            place = place.partition(".")[0]
        places.setdefault(place, []).append(remark)
    return places


def _mark_headers(
    headers: Headers, field: str, remarks: dict[str, list[Remark]]
) -> list[tuple[str, tuple[Piece, ...]]]:
    marked = []
    for name, value in headers:
        reasons = iter([reason_of(one) for one in remarks.get(f"{field}.{name}", [])])
        marked.append((name, split_marks(value, reasons)))
    return marked


def _find_neighbours(page: Page, record: Record) -> Neighbours:
    """Return the next newer and the next older record that match the filter of the page."""
    if page.filter_error:
        return NOT_READ
    wanted = page.wanted_at_any_time
    cursor = Cursor(record.date_created, record.id)
    older = next(iter(read_page(page.store, wanted, cursor, 1).summaries), None)
    after = page.store.find(
        wanted,
        limit=MAX_READ,
        between=(record.date_created, _find_middle(record) + RELATED_WITHIN),
        fields="summary",
    )
    newer = [one for one in after if (one.date_created, one.id) > cursor]
    return (newer[-1] if newer else None), older


def _find_related(page: Page, record: Record) -> list[RelatedRequests]:
    """Return related requests: of the same user, and of the same trace."""
    kinds = [
        (title, term, Filter.parse(term))
        for title, term in (
            ("Same user, around it", record.user_id and filter_text.term("user", record.user_id)),
            ("Same trace", record.trace_id and filter_text.term("trace", record.trace_id)),
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
            found.append((title, nearest, page.narrow_to(term)))
    return found


def _find_range(page: Page, record: Record) -> tuple[datetime, datetime]:
    """Return the time around a record in which there are not too many others to read."""
    middle = _find_middle(record)
    near = (middle - NEAR, middle + NEAR)
    count = len(page.store.find(Filter(), limit=MAX_READ, between=near, fields="summary"))
    within = min(RELATED_WITHIN, NEAR * (MAX_READ / max(1, count)))
    return middle - within, middle + within


def _find_middle(record: Record) -> datetime:
    """Return when a record arrived; that of another program may be at the end of all times."""
    return max(FIRST, min(record.date_created, LAST))


def _take_nearest(others: list[RecordSummary], record: Record) -> list[RecordSummary]:
    """Return the records nearest to a record, including it, the oldest first."""
    mine = (record.date_created, record.id)
    before = [one for one in others if (one.date_created, one.id) < mine][: MAX_RELATED // 2]
    after = [one for one in reversed(others) if (one.date_created, one.id) > mine][: MAX_RELATED // 2]
    return [*reversed(before), summarize(record), *after]


def _explain_missing(page: Page, text: str) -> Response:
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
