"""New rows of a live list."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from flask import Response

from ...errors import FilterError
from ...filters.term_values import parse_time
from ..circuit_breaker import circuit_breaker
from ..page import Page
from ..tables.latest import MAX_ROWS, find_latest, round_down
from ..tables.request_rows import Row, make_rows
from ..text.hidden_characters import split_shortened
from ..text.numbers import duration, iso

FRESH_S = 0.2
"""How long viewers share an answer. Together with the polling interval it must stay below a second."""


def show_rows(page: Page) -> Response:
    """Send the records stored since a time, the newest first; 204 if the client has them all."""
    since = round_down(page, _read_since(page))
    name = ("rows", since, page.request.root_path)
    with circuit_breaker(page.tracked):
        digest, body = page.share(name, lambda: _read(page, since), FRESH_S, heavy_s=0.0)
    if page.request.args.get("have") == digest:
        return Response(status=204)
    return Response(body, content_type="application/json")


def _read_since(page: Page) -> datetime:
    try:
        time = parse_time(page.request.args.get("since", ""))
    except FilterError:
        return page.now
    return page.now - time if isinstance(time, timedelta) else time


def _read(page: Page, since: datetime) -> tuple[str, str]:
    """Return a digest of the records, and the answer as JSON."""
    found = find_latest(page, since)
    ids = ",".join(f"{one.id}{one.kept}" for one in found)
    digest = hashlib.blake2b(ids.encode(), digest_size=8).hexdigest()
    # A batch is stored in the order in which requests ended, and a list is in that of their arrival.
    newest_first = sorted(found, key=lambda one: (one.date_created, one.id), reverse=True)
    rows = [_describe(row) for row in make_rows(page, newest_first)]
    answer = {"now": iso(page.now), "digest": digest, "more": len(found) == MAX_ROWS, "rows": rows}
    return digest, json.dumps(answer)


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
