"""New rows of a live list."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple

from flask import Response

from ...errors import FilterError
from ...filters.term_values import parse_time
from ..circuit_breaker import circuit_breaker
from ..page import Page
from ..tables.keyset import MILLISECOND
from ..tables.latest import MAX_ROWS, choose_span, find_latest
from ..tables.request_rows import Row, make_rows
from ..text.hidden_characters import split_shortened
from ..text.numbers import duration, iso

FRESH_S = 0.65
"""How long viewers share an answer. They ask again when it is over, at the latest after `SPREAD_S`:
together that must stay below a second."""
SPREAD_S = 0.25
"""Viewers ask again at different times, because many polls at once would hold up the app."""


class Answer(NamedTuple):
    """What all viewers of a list get."""

    rows: str
    """As JSON."""
    digest: str
    has_more: bool
    read_at: datetime
    stale_at: float
    """When it should be read anew, by the monotonic clock."""


def show_rows(page: Page) -> Response:
    """Send the records stored since a time, the newest first, or no rows if the client has them all."""
    since = _read_since(page)
    span = choose_span(page.now, since)
    name = ("rows", span, page.request.root_path)
    with circuit_breaker(page.tracked):
        answer = page.share(
            name,
            lambda: _read(page, span),
            FRESH_S,
            heavy_s=0.0,
            # Another process may have answered this client since then. Clients know milliseconds.
            is_usable=lambda cached: cached.read_at - since >= MILLISECOND,
        )
    return Response(_write(answer, page.request.args.get("have")), content_type="application/json")


def _write(answer: Answer, digest: str | None) -> str:
    """Return an answer as JSON, for a client that has the rows of `digest`."""
    has_all = digest == answer.digest
    head = {
        "now": iso(answer.read_at),
        "digest": answer.digest,
        "more": answer.has_more and not has_all,
        "again_ms": _pause_ms(answer),
    }
    return f'{json.dumps(head)[:-1]}, "rows": {"[]" if has_all else answer.rows}}}'


def _pause_ms(answer: Answer) -> int:
    """Return after how many milliseconds to ask again: a poll before that would find nothing new."""
    fresh_s = max(0.0, answer.stale_at - monotonic())
    return round((fresh_s + random.uniform(0, SPREAD_S)) * 1000)  # noqa: S311  # no secret


def _read_since(page: Page) -> datetime:
    try:
        time = parse_time(page.request.args.get("since", ""))
    except FilterError:
        return page.now
    return page.now - time if isinstance(time, timedelta) else time


def _read(page: Page, span: timedelta) -> Answer:
    found = find_latest(page, page.now - span)
    ids = ",".join(f"{one.id}{one.kept}" for one in found)
    digest = hashlib.blake2b(ids.encode(), digest_size=8).hexdigest()
    # A batch is stored in the order in which requests ended, and a list is in that of their arrival.
    newest_first = sorted(found, key=lambda one: (one.date_created, one.id), reverse=True)
    rows = json.dumps([_describe(row) for row in make_rows(page, newest_first)])
    return Answer(rows, digest, len(found) == MAX_ROWS, page.now, monotonic() + FRESH_S)


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
