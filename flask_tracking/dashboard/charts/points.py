"""Single requests as points of the heatmap, for ranges with few requests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from ...queries import find_newest
from ...record_summary import RecordSummary
from ..page import Page
from ..statistics.columns import Column
from ..templating import status_kind
from ..text.numbers import duration
from .heatmap import ROW, Heatmap

MAX_POINTS = 500
"""About 10 kB of a compressed page, and a tenth of a second for reading them."""


class Point(NamedTuple):
    """A request in the heatmap."""

    x: float
    y: float
    kind: str
    """The CSS class of its status, which gives it a colour and a shape."""
    title: str
    address: str
    """The URL of its page."""


def read_few(page: Page, columns: Sequence[Column]) -> Sequence[RecordSummary]:
    """Return the requests of columns if these are few enough for points, else nothing.

    Under a filter nothing is read: few requests may be scattered over a long range.
    """
    if not columns or page.q or _count(columns) > MAX_POINTS:
        return ()
    wanted = page.wanted_at_any_time.narrowed(columns[0].start, page.bounds[1])
    nothing: list[RecordSummary] = []

    def read() -> list[RecordSummary]:
        return find_newest(page.store, wanted, MAX_POINTS + 1, fields="summary")

    return page.share(
        ("points", columns[0].start),
        lambda: page.attempt("single requests in the chart", read, nothing),
    )


def make_points(
    page: Page,
    heatmap: Heatmap,
    columns: Sequence[Column],
    seconds: int,
    found: Sequence[RecordSummary],
) -> tuple[Point, ...]:
    """Return requests as points.

    Args:
        page: the page.
        heatmap: the heatmap.
        columns: its data.
        seconds: the width of a column.
        found: the newest requests that it shows, or up to a limit above `MAX_POINTS`.

    Returns:
        A point for each request with a known duration. Nothing if there are too many, or if some
        requests of the columns are not stored: then only cells show all of them.
    """
    # The range may begin within the first column.
    if not _count(columns[1:]) <= len(found) <= MAX_POINTS:
        return ()
    length = timedelta(seconds=seconds * len(columns))
    low_ms = min(cell.low_ms for cell in heatmap.cells)
    return tuple(
        _make_point(page, heatmap, (one.date_created - columns[0].start) / length, low_ms, one)
        for one in found
        if one.execution_time is not None and one.date_created >= columns[0].start
    )


def _count(columns: Sequence[Column]) -> float:
    """Return the requests of columns; infinity if not all of them were counted."""
    if not all(column.is_whole for column in columns):
        return math.inf
    return sum(column.counts.requests for column in columns)


def _make_point(page: Page, heatmap: Heatmap, share: float, low_ms: float, one: RecordSummary) -> Point:
    octaves = math.log2(max(one.execution_time or 0.0, low_ms) / low_ms)
    status = one.outcome if one.status_code is None else str(one.status_code)
    return Point(
        round(min(share, 1.0) * heatmap.width, 1),
        round(max(heatmap.plot_height - 2 * octaves * ROW, 0.0), 1),
        status_kind(one.status_code, one.outcome),
        f"{status}, {duration(one.execution_time)}",
        page.link_to("request", id=one.id),
    )
