"""The first record after a time, for a list that ends before there is any."""

from __future__ import annotations

from datetime import datetime, timedelta

from ...record_summary import RecordSummary
from ..page import Page

FEW = 50
"""A range with fewer records is read whole; stores return the newest first."""
LEAST = timedelta(milliseconds=1)
GROWTH = 4


def find_first_after(page: Page, since: datetime) -> RecordSummary | None:
    """Return the first record of the filter that arrived at a time or later; None if there is none.

    Each step reads one range of arrival times, which grows until it holds some.
    """
    start, length = since, timedelta(seconds=1)
    while start < page.now:
        found = page.store.find(
            page.wanted_at_any_time, limit=FEW, between=(start, start + length), fields="summary"
        )
        if not found:
            start, length = start + length, min(GROWTH * length, page.now - start)
        elif len(found) < FEW or length <= LEAST:
            return found[-1]
        else:
            length /= GROWTH
    return None
