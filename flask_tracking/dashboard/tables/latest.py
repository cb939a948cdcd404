"""The latest stored records, for a live list."""

from __future__ import annotations

from datetime import datetime, timedelta

from ...record_summary import RecordSummary
from ..page import Page

MAX_ROWS = 100
OVERLAP = timedelta(seconds=10)
"""The maximum delay of a record: a batch gets its time of storage before it is sent."""
STEP_S = 2
"""Times are rounded down to a multiple, so that viewers share queries."""
FURTHEST = timedelta(hours=1)
"""The maximum age of new rows, for a tab that was suspended."""


def round_down(page: Page, since: datetime) -> datetime:
    """Return the time from which to read, so that no record stored since `since` is missed."""
    early = max(since, page.now - FURTHEST) - OVERLAP
    return early - timedelta(seconds=early.timestamp() % STEP_S)


def find_latest(page: Page, since: datetime) -> list[RecordSummary]:
    """Return the records of the list stored since a time, the latest first.

    While the filter of the page is wrong, the list is empty.
    """
    if page.filter_error:
        return []
    return page.store.find_stored(page.wanted, since, limit=MAX_ROWS)
