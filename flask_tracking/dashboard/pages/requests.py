"""The list of requests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from bson import ObjectId
from flask import Response

from ...filters import Filter
from ...queries import find_newest
from ...record_summary import RecordSummary
from ..charts.traffic import Traffic, read_traffic
from ..page import Page
from ..record.languages import FILE_FORMATS
from ..statistics.overwritten import read_counted
from ..tables.keyset import MILLISECOND, Cursor, Rows, find_first_after, read_page
from ..tables.latest import OVERDUE_SPAN, STEP, find_latest
from ..tables.request_rows import BLANK, make_rows
from ..templating import html, render
from ..text import filter_text
from ..text.numbers import iso, moment

PAGE_ROWS = 50
NO_HITS: list[tuple[str, str]] = []
TRAFFIC_S = 0.5
NOT_KNOWN = {
    "is_empty": False,
    "example_address": "",
    "nearest_before": None,
    "nearest_after": None,
    "hits_without": (),
    "counted": None,
}
"""The explanation of an empty list after a timeout."""
QUICK = (
    ("is:error", "failed"),
    ("status:4xx", "4xx"),
    ("status:5xx", "5xx"),
    ("slow:>1s", "over 1 s"),
    ("has:exception", "with an exception"),
    ("is:kept", "kept"),
)
"""Quick filters, with their titles."""


class Chip(NamedTuple):
    """A quick filter."""

    title: str
    address: str
    """Toggles the filter."""
    is_pressed: bool


def show_requests(page: Page) -> Response:
    """Show the newest requests that match the filter."""
    after = Cursor.parse(page.request.args.get("after", ""))
    # Before the list is read: what is stored in between is then in the list, or new.
    known = _find_known(page) if page.is_live else ()
    # All requests in place of an answer would be taken for it.
    found = Rows([], None)
    if not page.filter_error:
        read = partial(read_page, page.store, page.wanted, after, PAGE_ROWS)
        # A live list asks for what is new from now on, so it must begin with all that is stored now.
        found = page.share(
            ("list", after),
            read,
            is_usable=lambda cached: bool(cached.summaries) and not page.is_live,
        )
    state: dict[str, Any] = {}
    if not (found.summaries or found.resume or page.filter_error):
        state = page.attempt("the nearest requests", lambda: _explain_nothing(page), NOT_KNOWN)
    traffic = None
    if found.summaries and not (after or page.is_live):
        traffic = _share_traffic(page)
    return html(
        render(
            "requests.html",
            page=page,
            rows=make_rows(page, found.summaries),
            traffic=traffic,
            blank_row=BLANK,
            can_mark=True,
            marked=_read_marked(page),
            is_live=(page.is_live and not page.filter_error) or bool(state.get("is_empty")),
            known=known,
            quick=_make_chips(page),
            saved=_list_saved(page),
            formats=FILE_FORMATS,
            after=after,
            next_page=str(found.next) if found.next else None,
            about=_count_rows(page, found),
            searched=_describe_search(found),
            go_on=_go_on(page, found),
            **state,
        )
    )


def _share_traffic(page: Page) -> Traffic | None:
    def read() -> Traffic | None:
        return page.attempt("how many there are", lambda: read_traffic(page), None, TRAFFIC_S)

    # Its links begin with the path of the app.
    return page.share(("traffic", page.request.root_path), read)


def _make_chips(page: Page) -> list[Chip]:
    """Return the quick filters; those in the current filter are pressed."""
    rests = dict(filter_text.without(page.q)) if page.q and not page.filter_error else {}
    return [
        Chip(title, page.link_to("requests", q=rests[term]), True)
        if term in rests
        else Chip(title, page.add(term), False)
        for term, title in QUICK
    ]


def _list_saved(page: Page) -> list[tuple[str, str]]:
    """Return the names of the filters in ``TRACKING_FILTERS``, each with the URL of its list."""
    saved = []
    for name, one in page.tracked.settings.filters:
        # The range of the page does not narrow a filter with a time of its own.
        times = {} if one.arrival() == (None, None) else {"from": "all", "to": None}
        saved.append((name, page.with_(q=str(one), after=None, **times)))
    return saved


def _find_known(page: Page) -> Sequence[ObjectId]:
    """Return the ids of the latest stored records, which the live list must not show as new."""
    nothing: list[RecordSummary] = []
    since = page.now - OVERDUE_SPAN - STEP  # it asks a little later
    found = page.attempt("what was stored last", lambda: find_latest(page, since), nothing)
    return [one.id for one in found]


def _read_marked(page: Page) -> str:
    """Return the id of the request marked for comparison; empty for none."""
    text = page.request.args.get("mark", "")
    return text if ObjectId.is_valid(text) else ""


def _go_on(page: Page, found: Rows) -> str | None:
    """Return the URL that continues a search after a timeout; None without a timeout."""
    if found.resume is None:
        return None
    # Records arrive in whole milliseconds, and the one in which the search ended was not read.
    return page.with_(to=iso(found.resume + MILLISECOND - timedelta.resolution), after=None)


def _describe_search(found: Rows) -> str:
    """Describe how far back the list reaches, and what was searched."""
    bodies = "" if found.searched is None else f"Searched the bodies of {found.searched:,} records. "
    if found.resume is not None:
        return f"{bodies}The time was over: nothing before {moment(found.resume)} was read."
    if found.summaries:
        return f"{bodies}Looked back to {moment(found.summaries[-1].date_created)}."
    return bodies


def _count_rows(page: Page, found: Rows) -> str:
    summaries = found.summaries
    if page.filter_error:
        return "none: the filter is wrong"
    if found.resume is not None:
        return f"{len(summaries):,} found so far"
    if found.next is not None:
        return f"{len(summaries)} on this page, there are more"
    return f"{len(summaries):,} in this range" if summaries else "none in this range"


def _explain_nothing(page: Page) -> dict[str, Any]:
    """Explain an empty list: no records at all, the nearest ones, or the term that excludes them."""
    newest = find_newest(page.store, Filter(), 1, fields="summary")
    if not newest:
        return {**NOT_KNOWN, "is_empty": True, "example_address": page.request.host_url}
    return {
        **NOT_KNOWN,
        "nearest_before": page.attempt(
            "the newest before this range", lambda: _find_before(page), None
        ),
        "hits_without": page.attempt(
            "which part of the filter excludes them", lambda: _find_hits_without(page), NO_HITS
        ),
        "counted": page.attempt("what rollups count", lambda: read_counted(page), None),
        "nearest_after": page.attempt("the first after this range", lambda: _find_after(page), None),
    }


def _find_before(page: Page) -> RecordSummary | None:
    if page.since is None:
        return None
    mine = page.wanted_at_any_time.narrowed(None, page.since)
    return next(iter(find_newest(page.store, mine, 1, fields="summary")), None)


def _find_after(page: Page) -> RecordSummary | None:
    if page.until is None:
        return None
    end = Cursor.before(page.confine(page.until))
    return find_first_after(page.store, page.wanted_at_any_time, end, page.now)


def _find_hits_without(page: Page) -> list[tuple[str, str]]:
    """Return the terms of the filter without which something is found, each with that address."""
    if not page.q:
        return []
    found = []
    for text, rest in filter_text.without(page.q)[:5]:
        wanted = Filter.parse(rest).narrowed(page.since, page.until)
        if find_newest(page.store, wanted, 1, fields="summary"):
            found.append((text, page.with_(q=rest or None)))
    return found
