"""Rows of lists of requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bson import ObjectId

from ...filters import FIRST
from ...record_summary import RecordSummary
from ..page import Page
from ..templating import status_kind


class Row(NamedTuple):
    """A row of the list."""

    summary: RecordSummary
    address: str
    kind: str
    share: float
    """Its duration in percent of the longest one on the page."""
    is_slow: bool


BLANK = Row(RecordSummary(ObjectId(b"\0" * 12), FIRST), "", "none", 0.0, False)
"""The row in the template that scripts clone."""


def make_rows(page: Page, summaries: Sequence[RecordSummary]) -> list[Row]:
    """Return a row for each request, with a bar that compares the durations."""
    longest = max((one.execution_time or 0 for one in summaries), default=0) or 1
    slow_ms = page.tracked.settings.slow_ms
    before, after = _split_address(page)
    return [
        Row(
            one,
            f"{before}{one.id}{after}",
            status_kind(one.status_code, one.outcome),
            round(100 * (one.execution_time or 0) / longest, 1),
            (one.execution_time or 0) >= slow_ms,
        )
        for one in summaries
    ]


def _split_address(page: Page) -> tuple[str, str]:
    """Return what stands before and after the id in the address of a request, which is made once."""
    path = f"/requests/{BLANK.summary.id}"
    before, _, after = page.link_to("request", id=BLANK.summary.id).partition(path)
    return f"{before}/requests/", after
