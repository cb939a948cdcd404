"""New rows of a live list."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from math import inf
from time import monotonic
from typing import Any, NamedTuple

from flask import Response

from ...errors import FilterError
from ...filters.term_values import parse_time
from ...record_summary import RecordSummary
from ..circuit_breaker import circuit_breaker
from ..page import Page
from ..tables.feed import Feed, begin_feed, renew_feed
from ..tables.keyset import MILLISECOND
from ..tables.latest import FURTHEST, MAX_ROWS, choose_span, find_latest
from ..tables.request_rows import Row, make_rows
from ..text.hidden_characters import split_shortened
from ..text.numbers import duration, iso

FRESH_S = 0.65
"""How long viewers share what was read. They ask again when it is over, at the latest after `SPREAD_S`:
together that must stay below a second."""
SPREAD_S = 0.25
"""Viewers ask again at different times, because many polls at once would hold up the app."""


class Answer(NamedTuple):
    """What a viewer gets."""

    rows: Sequence[str]
    """As JSON, those that arrived last first."""
    has_more: bool
    """Whether older ones may be missing."""
    read_at: datetime
    position: str
    """The position in the feed of this process from which the viewer goes on."""


def show_rows(page: Page) -> Response:
    """Send the records that the client does not have yet, the newest first.

    A client with a position in the feed of this process gets what came after it. One that comes from
    another process, or after a while, gets what was stored since a time, and leaves out what it has.
    """
    since = _read_since(page)
    with circuit_breaker(page.tracked):
        feed = _share_feed(page, since)
        new = feed.rows_after(page.request.args.get("have", ""))
        if new is None:
            answer = _share_since(page, since, feed)
        else:
            answer = Answer(new, False, feed.read_at, feed.position)
    return Response(_write(answer, feed), content_type="application/json")


def _share_feed(page: Page, since: datetime) -> Feed:
    return page.share(
        ("feed", page.request.root_path),
        lambda: begin_feed(page),
        for_s=inf,
        heavy_s=0.0,
        is_usable=lambda feed: _fresh_s(feed) > 0 and _is_newer(feed.read_at, since),
        renew=lambda feed: renew_feed(page, feed, partial(_render, page)),
    )


def _share_since(page: Page, since: datetime, feed: Feed) -> Answer:
    span = choose_span(page.now, since)
    answer = page.share(
        ("rows", span, page.request.root_path),
        lambda: _read(page, span, feed),
        FRESH_S,
        heavy_s=0.0,
        is_usable=lambda cached: _is_newer(cached.read_at, since),
    )
    return answer._replace(has_more=answer.has_more or page.now - since > FURTHEST)


def _is_newer(read_at: datetime, since: datetime) -> bool:
    """Tell whether something was read after another process answered. Clients know milliseconds."""
    return read_at - since >= MILLISECOND


def _write(answer: Answer, feed: Feed) -> str:
    head = {
        "now": iso(answer.read_at),
        "position": answer.position,
        "more": answer.has_more,
        "again_ms": _pause_ms(feed),
    }
    return f'{json.dumps(head)[:-1]}, "rows": [{", ".join(answer.rows)}]}}'


def _fresh_s(feed: Feed) -> float:
    """Return for how many seconds what was read is still shared; 0 or less if it is to be read anew."""
    return feed.ended_at + FRESH_S * feed.slowdown - monotonic()


def _pause_ms(feed: Feed) -> int:
    """Return after how many milliseconds to ask again: a poll before that would find nothing new."""
    fresh_s = max(0.0, _fresh_s(feed))
    return round((fresh_s + random.uniform(0, SPREAD_S)) * 1000)  # noqa: S311  # no secret


def _read_since(page: Page) -> datetime:
    try:
        time = parse_time(page.request.args.get("since", ""))
    except FilterError:
        return page.now
    return page.now - time if isinstance(time, timedelta) else time


def _read(page: Page, span: timedelta, feed: Feed) -> Answer:
    """Return what was stored within a span; what comes later is in the feed, which was read before."""
    found = find_latest(page, page.now - span)
    # A batch is stored in the order in which requests ended, and a list is in that of their arrival.
    newest_first = sorted(found, key=lambda one: (one.date_created, one.id), reverse=True)
    rows = _render(page, newest_first)
    return Answer(rows, len(found) == MAX_ROWS, page.now, feed.position)


def _render(page: Page, summaries: Sequence[RecordSummary]) -> list[str]:
    return [json.dumps(_describe(row)) for row in make_rows(page, summaries)]


def _describe(row: Row) -> dict[str, Any]:
    """Return the values of a row, as the template ``request_row.html`` shows them."""
    one = row.summary
    return {
        "id": str(one.id),
        "address": row.address,
        "time": iso(one.date_created),
        "kind": row.kind,
        "status": "–" if one.status_code is None else str(one.status_code),
        "method": split_shortened(one.method or one.kind, 100),
        "path": split_shortened(one.path_and_query or one.name or "–", 300),
        "ms": one.execution_time,
        "took": duration(one.execution_time),
        "is_slow": row.is_slow,
        "who": split_shortened(one.user, 80),
        "what": split_shortened(one.error, 120),
        "is_kept": one.kept,
    }
