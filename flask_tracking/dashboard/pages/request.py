"""The page of one request."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

from ...queries.statistics import name_route
from ...record import Headers, Record, Remark, find_header
from ..charts.place import read_place
from ..messages import show_missing_record
from ..page import Page
from ..record.bodies import Piece, read_body, reason_of, split_marks
from ..record.facts import read_custom, read_facts
from ..record.languages import LANGUAGES
from ..record.tracebacks import split_traceback
from ..record.waterfall import make_waterfall
from ..statistics.failures import HISTORY, find_group, read_history
from ..tables.keyset import Cursor
from ..tables.route_rows import link_to_route
from ..templating import html, render
from ..text import filter_text

CONTEXT_S = 1.0
"""The time limit for each read of what surrounds a request: its group, and its route."""


def show_request(page: Page, id: str) -> Response:
    """Show one request."""
    record = page.get_record(id)
    if record is None:
        return show_missing_record(page, id)
    remarks = _by_place(record)
    group = page.attempt("its group of errors", lambda: find_group(page, record), "", CONTEXT_S)
    traceback = split_traceback(record.exception.traceback) if record.exception else []
    return html(
        render(
            "request.html",
            page=page,
            record=record,
            position=Cursor.of(record),
            copies=[(name, title) for name, (title, _) in LANGUAGES.items()],
            route_terms=filter_text.route_terms(name_route(record.method, record.url_rule)),
            group=group,
            history=page.attempt(HISTORY, lambda: read_history(page, group), None, CONTEXT_S),
            can_keep=bool(page.tracked.settings.kept_size_bytes),
            error_term=filter_text.find_term("error", record.exception.type)
            if record.exception
            else "",
            exception_message=_mark(record.exception.message) if record.exception else (),
            traceback=traceback,
            waterfall=make_waterfall(record),
            place=page.attempt(
                "its place among its route", lambda: read_place(page, record), None, CONTEXT_S
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
