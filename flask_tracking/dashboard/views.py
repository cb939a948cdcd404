"""The pages: each a function of what all pages share, and of what its address names."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from bson import ObjectId
from flask import Response, abort

from ..errors import TrackingError
from ..exporters.store import Store
from ..filters import Filter
from ..queries import find_newest
from ..record import Headers, Record, Remark, find_header
from ..record_summary import RecordSummary, summarize
from ..reproduce import curl, har, httpie, powershell, pytest_function, python
from ..runtime.guard import logger
from . import changes, filtering, static_files
from .bodies import Piece, read_body, reason_of, split_marks
from .facts import read_custom, read_facts
from .health import show_health
from .listing import Cursor, read_page
from .overview import show_errors, show_overview, show_routes
from .page import Page
from .templating import html, render, status_kind
from .tracebacks import split_traceback
from .waterfall import make_waterfall

TEXT = "text/plain; charset=utf-8"
PAGE_ROWS = 50
NEIGHBOURS = 6
AROUND = timedelta(minutes=5)
MAX_AROUND = 200
QUICK = (
    ("is:error", "failed"),
    ("status:4xx", "4xx"),
    ("status:5xx", "5xx"),
    ("slow:>1s", "over 1 s"),
    ("has:exception", "with an exception"),
    ("is:kept", "kept"),
)
"""Filters that are one click away, with their titles."""
LANGUAGES: dict[str, tuple[str, Callable[[Record], str]]] = {
    "curl": ("Copy as cURL", curl),
    "pytest": ("Copy as pytest", pytest_function),
    "python": ("Copy as Python", python),
    "httpie": ("Copy as HTTPie", httpie),
    "powershell": ("Copy as PowerShell", powershell),
    "har": ("Copy as HAR", lambda record: json.dumps(har(record), indent=2, ensure_ascii=False)),
}
"""In what a request can be copied, each with the words of its button."""


class Row(NamedTuple):
    """A line of the list."""

    summary: RecordSummary
    address: str
    kind: str
    share: float
    """Of the longest request on the page, in percent."""
    is_slow: bool


def show_requests(page: Page) -> Response:
    """Show the newest requests to which the filter applies."""
    after = Cursor.parse(page.request.args.get("after", ""))
    wanted = page.wanted
    found = read_page(page.store, wanted, after, PAGE_ROWS)
    state = {} if found.summaries else _explain_nothing(page)
    oldest = found.summaries[-1].date_created if found.summaries else None
    return html(
        render(
            "requests.html",
            page=page,
            rows=_make_rows(page, found.summaries),
            quick=QUICK,
            after=after,
            next_page=str(found.next) if found.next else None,
            about=_count_rows(found.summaries, has_more=found.next is not None),
            searched=f"Looked back to {oldest:%Y-%m-%d %H:%M:%S} UTC." if oldest else "",
            **state,
        )
    )


def _count_rows(summaries: Sequence[RecordSummary], *, has_more: bool) -> str:
    if has_more:
        return f"{len(summaries)} on this page, there are more"
    return f"{len(summaries):,} in this range" if summaries else "none in this range"


def _make_rows(page: Page, summaries: Sequence[RecordSummary]) -> list[Row]:
    longest = max((one.execution_time or 0 for one in summaries), default=0) or 1
    slow_ms = page.tracked.settings.slow_ms
    return [
        Row(
            one,
            page.link_to("request", id=one.id),
            status_kind(one.status_code, one.outcome),
            round(100 * (one.execution_time or 0) / longest, 1),
            (one.execution_time or 0) >= slow_ms,
        )
        for one in summaries
    ]


def _explain_nothing(page: Page) -> dict[str, Any]:
    """Explain an empty list: no records at all, the nearest one, or the term that excludes them."""
    newest = find_newest(page.store, Filter(), 1, fields="summary")
    if not newest:
        return {
            "is_empty": True,
            "example_address": page.request.host_url,
            "nearest_before": None,
            "hits_without": (),
        }
    before = None
    if page.since is not None:
        mine = page.wanted_at_any_time.narrowed(None, page.since)
        before = next(iter(find_newest(page.store, mine, 1, fields="summary")), None)
    return {
        "is_empty": False,
        "example_address": "",
        "nearest_before": before,
        "hits_without": _find_hits_without(page),
    }


def _find_hits_without(page: Page) -> list[tuple[str, str]]:
    """Return the terms of the filter without which something is found, each with that address."""
    if page.filter_error or not page.q:
        return []
    found = []
    for text, rest in filtering.without(page.q)[:5]:
        wanted = Filter.parse(rest).narrowed(page.since, page.until)
        if find_newest(page.store, wanted, 1, fields="summary"):
            found.append((text, page.with_(q=rest or None)))
    return found


def show_request(page: Page, id: str) -> Response:
    """Show all that is known of one request."""
    record = _get(page, id)
    if record is None:
        return _explain_missing(page, id)
    newer, older = _find_beside(page, record)
    remarks = _by_place(record)
    traceback = split_traceback(record.exception.traceback) if record.exception else []
    frames = [frame for block in traceback for frame in block.frames if not block.packages]
    return html(
        render(
            "request.html",
            page=page,
            record=record,
            newer=newer,
            older=older,
            copies=[(name, title) for name, (title, _) in LANGUAGES.items()],
            can_keep=bool(page.tracked.settings.kept_size_bytes),
            error_term=filtering.term("error", record.exception.type) if record.exception else "",
            exception_message=_mark(record.exception.message) if record.exception else (),
            traceback=traceback,
            last_frame=frames[-1] if frames else None,
            waterfall=make_waterfall(record),
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
            custom=read_custom(record.custom_data),
            custom_tree=_read_tree(record),
            around=_find_around(page, record),
        )
    )


def _mark(text: str) -> tuple[Piece, ...]:
    return split_marks(text, iter(()))


def _read_tree(record: Record) -> Any:
    """Return the custom data as a tree, where it is more than facts can show."""
    data = record.custom_data
    if data is None or (isinstance(data, dict) and len(read_custom(data)) == len(data)):
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


def _find_beside(page: Page, record: Record) -> tuple[RecordSummary | None, RecordSummary | None]:
    """Return the next newer and the next older record to which the filter of the page applies."""
    wanted = page.wanted_at_any_time
    cursor = Cursor(record.date_created, record.id)
    older = next(iter(read_page(page.store, wanted, cursor, 1).summaries), None)
    after = page.store.find(
        wanted,
        limit=MAX_AROUND,
        between=(record.date_created, record.date_created + AROUND),
        fields="summary",
    )
    newer = [one for one in after if (one.date_created, one.id) > cursor]
    return (newer[-1] if newer else None), older


def _find_around(page: Page, record: Record) -> list[tuple[str, list[RecordSummary], str]]:
    """Return who else came around this request: the same user's, and those of its trace."""
    between = (record.date_created - AROUND, record.date_created + AROUND)
    found = []
    for title, key, value in (
        ("Same user, around it", "user", record.user_id),
        ("Same trace", "trace", record.trace_id),
    ):
        if not value:
            continue
        term = filtering.term(key, value)
        others = page.store.find(
            Filter.parse(term), limit=MAX_AROUND, between=between, fields="summary"
        )
        nearest = _take_nearest(others, record)
        if len(nearest) > 1:
            found.append((title, nearest, page.narrow_to(term)))
    return found


def _take_nearest(others: list[RecordSummary], record: Record) -> list[RecordSummary]:
    """Return the few that came next to a record, with itself, the oldest first."""
    mine = (record.date_created, record.id)
    before = [one for one in others if (one.date_created, one.id) < mine][: NEIGHBOURS // 2]
    after = [one for one in reversed(others) if (one.date_created, one.id) > mine][: NEIGHBOURS // 2]
    return [*reversed(before), summarize(record), *after]


def _get(page: Page, text: str) -> Record | None:
    return page.store.get(ObjectId(text)) if ObjectId.is_valid(text) else None


def _explain_missing(page: Page, text: str) -> Response:
    lines = [f"There is no record {text}."]
    if ObjectId.is_valid(text):
        arrived = ObjectId(text).generation_time
        lines = [
            f"The record {text} is not stored any more, or never was.",
            f"Its id says that it arrived about {arrived:%Y-%m-%d %H:%M:%S} UTC.",
            "Newer records overwrite older ones. With a larger TRACKING_TABLE_SIZE all of them stay "
            "longer, and a kept record is not overwritten by routine ones.",
        ]
    links = [("The newest requests", page.link_to("requests"))]
    return tell(page, "Record not found", lines, links, 404)


def send_body(page: Page, id: str, side: str) -> Response:
    """Send a body as it was stored, as a file that no browser opens."""
    record = _get(page, id)
    if record is None or side not in ("request", "response"):
        abort(404)
    body = record.request_body if side == "request" else record.response_body
    response = Response(body, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{record.id}-{side}.bin"'
    return response


def reproduce(page: Page, id: str, language: str) -> Response:
    """Send the text that makes the request again."""
    record = _get(page, id)
    if record is None or language not in LANGUAGES:
        abort(404)
    try:
        text = LANGUAGES[language][1](record)
    except TrackingError as error:
        return Response(str(error), 422, content_type=TEXT)
    return Response(text, content_type=TEXT)


def keep(page: Page, id: str) -> Response:
    """Keep a record."""
    return _change(page, id, "kept", lambda store, record_id: store.keep(record_id, "dashboard"))


def unkeep(page: Page, id: str) -> Response:
    """Keep a record no longer."""
    return _change(page, id, "unkept", lambda store, record_id: store.unkeep(record_id))


def _change(page: Page, text: str, done: str, change: Callable[[Store, ObjectId], bool]) -> Response:
    if not ObjectId.is_valid(text):
        abort(404)
    if not changes.is_from_our_page(page.request):
        lines = ["This request did not come from a page of the dashboard, so nothing was changed."]
        links = [("Back to the request", page.link_to("request", id=text))]
        return tell(page, "Refused", lines, links, 403)
    if change(page.store, ObjectId(text)):
        logger.info("The dashboard %s record %s", done, text)
    return redirect_to(page.link_to("request", id=text), 303)


def send_static(page: Page, version: str, name: str) -> Response:
    """Send a file of ours."""
    file = static_files.load_files().get(name)
    if file is None or version != static_files.hash_files():
        abort(404)
    response = Response(file.content, content_type=file.media_type)
    response.headers["Cache-Control"] = static_files.CACHE
    return response


def redirect_to(address: str, status: int = 302) -> Response:
    """Return what leads to another page of ours."""
    return Response(status=status, headers={"Location": address})


@dataclasses.dataclass(frozen=True)
class Route:
    """An address below the prefix."""

    path: str
    name: str
    view: Callable[..., Response]
    methods: tuple[str, ...] = ("GET", "HEAD")
    is_download: bool = False


ROUTES = (
    Route("/", "overview", show_overview),
    Route("/requests", "requests", show_requests),
    Route("/routes", "routes", show_routes),
    Route("/errors", "errors", show_errors),
    Route("/health", "health", show_health),
    Route("/requests/<id>", "request", show_request),
    Route("/requests/<id>/body/<side>", "body", send_body, is_download=True),
    Route("/requests/<id>/as/<language>", "reproduce", reproduce),
    Route("/requests/<id>/keep", "keep", keep, ("POST",)),
    Route("/requests/<id>/unkeep", "unkeep", unkeep, ("POST",)),
    Route("/static/<version>/<name>", "static", send_static),
)


def explain(page: Page, error: TrackingError) -> Response:
    """Return the page that says what failed."""
    lines = [str(error), "Recording goes on: the queue holds what comes in meanwhile."]
    links = [("Try again", page.request.full_path)]
    return tell(page, "The store does not answer", lines, links, 503)


def tell(
    page: Page, title: str, lines: Sequence[str], links: Sequence[tuple[str, str]], status: int
) -> Response:
    """Return a page that only says something."""
    return html(render("message.html", page=page, title=title, lines=lines, links=links), status)
