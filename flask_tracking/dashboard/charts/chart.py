"""Small bar charts, and the table and links that accompany the heatmap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from ...record_summary import RecordSummary
from ..page import Page
from ..statistics.columns import MERGED_SECONDS, Column, fit_column, merge_columns
from ..statistics.periods import Columns
from ..statistics.record_columns import PER_COLUMN
from ..text import filter_text
from ..text.numbers import count, duration
from .heatmap import NARROW, ROW, WIDE, Heatmap, Shape, draw_heatmap
from .points import Point, make_points

MAX_TABLE_ROWS = 60
MAX_BARS = 36


class Drawing(NamedTuple):
    """The durations, drawn for a screen."""

    heatmap: Heatmap
    grid: dict[str, object]
    """See `make_grid`."""
    links: Sequence[str]
    """See `make_links`."""
    points: Sequence[Point]
    """Shown in place of the cells if there are any."""


class Chart(NamedTuple):
    """Durations over time."""

    drawings: Sequence[Drawing]
    """For a screen and for a phone; none where no duration is known."""
    rows: Sequence[tuple[object, ...]]
    """See `make_table`."""
    about: str
    """Where the numbers come from, if not from rollups."""


class Bars(NamedTuple):
    """A small bar chart."""

    bars: tuple[tuple[float, float, float], ...]
    """The position, width and height of each bar, in percent."""
    most: int
    """The value of the highest bar."""


def make_chart(
    page: Page, columns: Columns, within: str = "", found: Sequence[RecordSummary] = ()
) -> Chart:
    """Return the chart of what a page counts.

    Args:
        page: the page, with its filter.
        columns: what it shows.
        within: the terms of the requests that are drawn, besides the filter of the page.
        found: the newest of these requests, drawn as points if they are all and few. A phone shows
            cells, which fingers can hit.
    """
    asked = filter_text.join(page.q, within) if within else page.q
    wide = draw_for(page, columns, asked, WIDE, found)
    shapes = [wide, draw_for(page, columns, asked, NARROW)]
    return Chart(
        [one for one in shapes if one is not None], make_table(columns.now), _describe(columns)
    )


def draw_for(
    page: Page,
    columns: Columns,
    within: str,
    shape: Shape,
    found: Sequence[RecordSummary] = (),
) -> Drawing | None:
    """Return the drawing for a screen; None where no duration is known.

    Args:
        page: the page.
        columns: what it shows.
        within: the terms of the requests that are drawn; empty for all.
        shape: of the screen.
        found: see `make_chart`.
    """
    shown, seconds = columns.now, columns.seconds
    if len(shown) > shape.max_columns:
        length = timedelta(seconds=seconds * len(shown))
        seconds = fit_column(length, shape.max_columns, MERGED_SECONDS)
        shown = merge_columns(shown, seconds)
    heatmap = draw_heatmap(shown, shape)
    if heatmap is None:
        return None
    grid = make_grid(heatmap, shown, seconds, within)
    points = make_points(page, heatmap, shown, seconds, found)
    return Drawing(heatmap, grid, make_links(page, heatmap, seconds, within), points)


def _describe(columns: Columns) -> str:
    if columns.source == "rollups":
        return ""
    if columns.is_whole:
        return "from records"
    return f"from records, of older columns the newest {PER_COLUMN}"


def make_bars(numbers: Sequence[int], most_bars: int = MAX_BARS) -> Bars:
    """Return a chart of at most `most_bars` bars: neighbouring values are added up."""
    each = max(1, -(-len(numbers) // most_bars))
    sums = [sum(numbers[at : at + each]) for at in range(0, len(numbers), each)]
    most, width = max(sums, default=0), 100 / max(1, len(sums))
    bars = tuple(
        (round(at * width, 2), round(0.8 * width, 2), round(100 * one / most, 1))
        for at, one in enumerate(sums)
        if one
    )
    return Bars(bars, most)


def make_table(columns: Sequence[Column]) -> list[tuple[object, ...]]:
    """Return the chart as rows: time, requests, failed, p50, p95, p99."""
    return [
        (
            column.start,
            f"{count(column.counts.requests)}{'' if column.is_whole else '+'}",
            f"{count(column.counts.failed)}{'' if column.is_whole else '+'}",
            *(
                duration(column.counts.percentile_ms(part) if column.counts.buckets else None)
                for part in (0.5, 0.95, 0.99)
            ),
        )
        for column in columns
        if column.counts.requests
    ][-MAX_TABLE_ROWS:]


def make_grid(
    heatmap: Heatmap, columns: Sequence[Column], seconds: int, within: str = ""
) -> dict[str, object]:
    """Return the geometry with which a script maps a selected box to a filter.

    Lengths are in the units of the heatmap, `start` is in milliseconds of Unix time.

    Args:
        heatmap: the heatmap.
        columns: its data.
        seconds: the width of a column.
        within: the terms of the requests shown; empty for all.
    """
    return {
        "within": within,
        "start": round(columns[0].start.timestamp() * 1000),
        "seconds": seconds,
        "columns": len(columns),
        "low_ms": min(cell.low_ms for cell in heatmap.cells),
        "rows": round(heatmap.plot_height / ROW),
        "row": ROW,
        "width": heatmap.width,
        "height": heatmap.plot_height,
        "is_whole": all(column.is_whole for column in columns),
    }


def make_links(page: Page, heatmap: Heatmap, seconds: int, within: str = "") -> list[str]:
    """Return the URL of the requests of each cell.

    Titles are made by `box.js`: they would take a fourth of the page.

    Args:
        page: the page.
        heatmap: the heatmap.
        seconds: the width of a column.
        within: the terms of the requests shown; empty for all.
    """
    rows: dict[float, str] = {}  # to make a link takes long, and cells of a row differ in time alone
    for cell in heatmap.cells:
        if cell.low_ms not in rows:
            terms = f"slow:{_to_text(cell.low_ms)}ms slow:<{_to_text(cell.high_ms)}ms"
            asked = filter_text.join(within, terms)
            rows[cell.low_ms] = page.link_to("requests", keep=("vs",), q=asked)
    length = timedelta(seconds=seconds)
    times = {
        start: f"from={start:%Y-%m-%dT%H:%M}&to={start + length:%Y-%m-%dT%H:%M}"
        for start in {cell.start for cell in heatmap.cells}
    }
    return [f"{rows[cell.low_ms]}&{times[cell.start]}" for cell in heatmap.cells]


def _to_text(ms: float) -> str:
    """Round to four digits, without an exponent, which filters do not accept. `box.js` rounds alike."""
    return f"{float(f'{ms:.4g}'):.12g}"
