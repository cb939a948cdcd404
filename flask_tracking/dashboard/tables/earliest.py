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

    Each step reads one range of arrival times. It grows until it holds some, and from then on is half
    of what is left before the earliest record found: a range without records is read at once, one with
    many is not.
    """
    start, end, length = since, page.now, timedelta(seconds=1)
    is_found = False
    while start < end:
        until = min(start + length, end)
        between = (start, until)
        found = page.store.find(page.wanted_at_any_time, limit=FEW, between=between, fields="summary")
        if found and (len(found) < FEW or until - start <= LEAST):
            return found[-1]
        if found:
            is_found, end = True, found[-1].date_created + LEAST
        else:
            start = until
        length = max(LEAST, (end - start) / 2) if is_found else GROWTH * length
    return None
