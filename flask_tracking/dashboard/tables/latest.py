"""The records that were stored last, for a list that is live."""

from __future__ import annotations

from datetime import datetime, timedelta

from ...record_summary import RecordSummary
from ..page import Page

MAX_ROWS = 100
OVERLAP = timedelta(seconds=10)
"""How late a record may appear: a batch is stored at a time that was taken before it was sent."""
STEP_S = 2
"""Times are rounded down to it, so that viewers ask the same."""
FURTHEST = timedelta(hours=1)
"""A tab that was away for longer shows the newest of the last hour."""


def round_down(page: Page, since: datetime) -> datetime:
    """Return from when on to read, so that nothing is missed that was stored since a time."""
    early = max(since, page.now - FURTHEST) - OVERLAP
    return early - timedelta(seconds=early.timestamp() % STEP_S)


def find_latest(page: Page, since: datetime) -> list[RecordSummary]:
    """Return the records of the list that were stored since a time, the last first.

    While the filter of the page is wrong, the list is empty.
    """
    if page.filter_error:
        return []
    return page.store.find_stored(page.wanted, since, limit=MAX_ROWS)
