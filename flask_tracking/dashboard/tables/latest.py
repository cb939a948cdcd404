"""The latest stored records, for a live list."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from ...record_summary import RecordSummary
from ..page import Page

MAX_ROWS = 100
USUAL_DELAY = timedelta(seconds=1)
"""A batch gets its time of storage before it is sent: nearly all can be read so soon after it."""
LONGEST_DELAY = timedelta(seconds=10)
OVERDUE_EVERY_S = 5
"""How often records with a longer delay than usual are looked for."""
OVERDUE_SPAN = LONGEST_DELAY + timedelta(seconds=OVERDUE_EVERY_S)
"""How far back from the last query they are looked for, so that none is missed between two."""
STEP = timedelta(seconds=1)
"""Spans of time are multiples of it, so that viewers share queries."""
FURTHEST = timedelta(hours=1)
"""The maximum age of new rows, for a tab that was suspended."""


def choose_span(now: datetime, since: datetime) -> timedelta:
    """Return how far to read back from `now`, so that no record stored since `since` is missed.

    Records that the store took longer to take are found by the first query of each few seconds.
    """
    age = min(max(now - since, timedelta()), FURTHEST)
    is_first = now.timestamp() // OVERDUE_EVERY_S != since.timestamp() // OVERDUE_EVERY_S
    return STEP * math.ceil((age + (OVERDUE_SPAN if is_first else USUAL_DELAY)) / STEP)


def find_latest(page: Page, since: datetime) -> list[RecordSummary]:
    """Return the records of the list stored since a time, the latest first.

    While the filter of the page is wrong, the list is empty.
    """
    if page.filter_error:
        return []
    return page.store.find_stored(page.wanted, since, limit=MAX_ROWS)
