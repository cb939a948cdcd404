"""The latest stored records, for a live list."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from ...record_summary import RecordSummary
from ..page import Page

MAX_ROWS = 100
OVERLAP = timedelta(seconds=10)
"""The maximum delay of a record: a batch gets its time of storage before it is sent."""
STEP = timedelta(seconds=2)
"""Spans of time are multiples of it, so that viewers share queries."""
FURTHEST = timedelta(hours=1)
"""The maximum age of new rows, for a tab that was suspended."""


def choose_span(now: datetime, since: datetime) -> timedelta:
    """Return how far to read back from `now`, so that no record stored since `since` is missed."""
    age = min(max(now - since, timedelta()), FURTHEST)
    return STEP * math.ceil((age + OVERLAP) / STEP)


def find_latest(page: Page, since: datetime) -> list[RecordSummary]:
    """Return the records of the list stored since a time, the latest first.

    While the filter of the page is wrong, the list is empty.
    """
    if page.filter_error:
        return []
    return page.store.find_stored(page.wanted, since, limit=MAX_ROWS)
