"""A range in columns where rollups cannot answer: of the newest records of each column."""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic

from ...exporters.rollup_table import align
from ...filters import Filter
from ...queries import find_newest
from ...queries.statistics import count_record
from ...record_summary import RecordSummary
from ...rollups.counts import Counts, is_failure
from ..page import Page
from .columns import Column

NEWEST = 2_000
"""So many are read at once; a filter that selects fewer is counted whole."""
PER_COLUMN = 100
"""An older column with more records shows how its newest are spread, and not how many there are."""
BUDGET_S = 0.8
"""For the older columns; those without time are left empty."""
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
    inside = wanted.narrowed(since, until)
    newest = find_newest(page.store, inside, NEWEST, now=page.now, fields="summary")
    reach = newest[-1].date_created if len(newest) == NEWEST else since
    by_start: dict[datetime, list[RecordSummary]] = {}
    for one in newest:
        by_start.setdefault(align(one.date_created, seconds), []).append(one)
    ends_at, columns = monotonic() + BUDGET_S, list[Column]()
    while until > since:
        start = align(until - timedelta.resolution, seconds)
        if start >= reach or reach == since:
            columns.append(_make_column(start, by_start.get(start, []), is_whole=True))
        else:
            between = max(start, since), until
            some = _read(page, wanted, between, ends_at - monotonic())
            is_whole = some is not None and len(some) <= PER_COLUMN
            columns.append(_make_column(start, (some or [])[:PER_COLUMN], is_whole=is_whole))
        until = start
    return columns[::-1]


def _read(
    page: Page, wanted: Filter, between: tuple[datetime, datetime], within_s: float
) -> list[RecordSummary] | None:
    """Return the newest records of a column, one too many if there are more; None if time was over."""

    def find() -> list[RecordSummary] | None:
        return page.store.find(wanted, limit=PER_COLUMN + 1, between=between, fields="summary")

    return page.attempt("older parts of the chart", find, None, max(within_s, LEAST_S))


def _make_column(start: datetime, records: list[RecordSummary], *, is_whole: bool) -> Column:
    counts = Counts()
    for one in records:
        count_record(counts, one, is_failure(one.status_code, one.outcome))
    versions = frozenset(one.version for one in records if one.version is not None)
    return Column(start, counts, 0, versions, {}, is_whole)
