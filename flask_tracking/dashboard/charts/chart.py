"""What stands beside the drawing of durations: its numbers as a table, and the words of its cells."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from ..page import Page
from ..statistics.columns import Column
from ..text import filter_text
from ..text.numbers import duration
from .heatmap import ROW, Heatmap

MAX_TABLE_ROWS = 60
MAX_BARS = 36


class Bars(NamedTuple):
    """Numbers as columns."""

    bars: tuple[tuple[float, float, float], ...]
    """Of each its place and width in percent, and its height, from 0 to 100."""
    most: int
    """The number of the highest."""


def make_bars(numbers: Sequence[int], most_bars: int = MAX_BARS) -> Bars:
    """Return a drawing of at most so many columns: neighbours are counted together."""
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
            column.counts.requests,
            column.counts.failed,
            *(
                duration(column.counts.percentile_ms(part) if column.counts.buckets else None)
                for part in (0.5, 0.95, 0.99)
            ),
        )
        for column in columns
        if column.counts.requests
    ][-MAX_TABLE_ROWS:]


def make_grid(
    heatmap: Heatmap | None, columns: Sequence[Column], seconds: int, within: str = ""
) -> dict[str, object]:
    """Return the data with which a script finds the requests of a part of the drawing.

    Its lengths are those of the drawing, `start` is in milliseconds of Unix time.

    Args:
        heatmap: the drawing; None for none.
        columns: what it shows.
        seconds: the length of a column.
        within: the terms of the requests that are drawn; empty for all.
    """
    if heatmap is None:
        return {}
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
    }


def make_titles(
    page: Page, heatmap: Heatmap | None, seconds: int, within: str = ""
) -> dict[int, tuple[str, str]]:
    """Return for each cell what it says, and the address of its requests.

    Args:
        page: the page.
        heatmap: the drawing; None for none.
        seconds: the length of a column.
        within: the terms of the requests that are drawn; empty for all.
    """
    titles = {}
    for at, cell in enumerate(heatmap.cells if heatmap is not None else ()):
        end = cell.start + timedelta(seconds=seconds)
        terms = f"slow:{_to_text(cell.low_ms)}ms slow:<{_to_text(cell.high_ms)}ms"
        times = {"from": f"{cell.start:%Y-%m-%dT%H:%M}", "to": f"{end:%Y-%m-%dT%H:%M}"}
        address = page.link_to("requests", q=filter_text.join(within, terms), **times)
        words = f"{cell.requests:,} from {duration(cell.low_ms)} to {duration(cell.high_ms)}"
        titles[at] = (f"{words}, {cell.start:%H:%M} UTC", address)
    return titles


def _to_text(ms: float) -> str:
    """Return four digits, and no exponent, which no filter knows: a script rounds in the same way."""
    return f"{float(f'{ms:.4g}'):.12g}"
