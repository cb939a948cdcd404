"""A range in columns where rollups cannot answer: of the newest records of each column."""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic

from ...exporters.rollup_table import align
from ...filters import Filter
from ...queries.statistics import count_record
from ...record_summary import RecordSummary
from ...rollups.counts import Counts, is_failure
from ..page import Page
from .columns import Column

PER_COLUMN = 100
"""A column with more records shows how its newest are spread, and not how many there are."""
BUDGET_S = 1.0
"""For all columns; the older ones are left empty then."""
LEAST_S = 0.001
"""PyMongo takes no time at all for no limit."""


def read_record_columns(
    page: Page, wanted: Filter, since: datetime, until: datetime, seconds: int
) -> list[Column]:
    """Return the columns of a range, the oldest first; the newest is read first.

    Args:
        page: notes what could not be read in time.
        wanted: which requests.
        since: where the range begins.
        until: where it ends.
        seconds: the length of a column.
    """
    ends_at, columns = monotonic() + BUDGET_S, list[Column]()
    while until > since:
        start = align(until - timedelta.resolution, seconds)
        between = max(start, since), until
        columns.append(_make_column(start, _read(page, wanted, between, ends_at - monotonic())))
        until = start
    return columns[::-1]


def _read(
    page: Page, wanted: Filter, between: tuple[datetime, datetime], within_s: float
) -> list[RecordSummary] | None:
    """Return the newest records of a column, one too many if there are more; None if time was over."""

    def find() -> list[RecordSummary] | None:
        return page.store.find(wanted, limit=PER_COLUMN + 1, between=between, fields="summary")

    return page.attempt("older parts of the chart", find, None, max(within_s, LEAST_S))


def _make_column(start: datetime, found: list[RecordSummary] | None) -> Column:
    counts, records = Counts(), (found or [])[:PER_COLUMN]
    for one in records:
        count_record(counts, one, is_failure(one.status_code, one.outcome))
    versions = frozenset(one.version for one in records if one.version is not None)
    is_whole = found is not None and len(found) <= PER_COLUMN
    return Column(start, counts, 0, versions, {}, {}, is_whole)
