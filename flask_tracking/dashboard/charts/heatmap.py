"""The heatmap of durations over time: each cell is an interval and a half octave of durations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from ...rollups.counts import Counts
from ...rollups.histogram import BUCKETS_PER_DOUBLING, LEAST_S
from ..statistics.columns import Column

STEPS = 7
HALF_OCTAVE = BUCKETS_PER_DOUBLING // 2
ROW, BARS, GAP = 12.0, 56.0, 10.0
"""In the units of the drawing; the browser scales it."""
SHARES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
LABEL = 20.0
"""The minimum distance between the names of two lines; phones use a larger font."""
DAY_S = 86_400
TIME_STEPS_S = (
    *(60 * minutes for minutes in (1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440)),
    *(DAY_S * days for days in (2, 7, 14, 28, 91, 182)),
)
"""Possible intervals between labels of the time axis."""
TICKS_MS = (1, 10, 100, 1_000, 10_000, 100_000)


class Shape(NamedTuple):
    """How a drawing suits a screen."""

    width: float
    max_columns: int
    max_times: int
    """So many texts have room below it."""


WIDE = Shape(960.0, 96, 8)
NARROW = Shape(248.0, 32, 5)
"""For a phone, which draws it in nearly its own size: its texts can be read, its cells be hit."""


class Cell(NamedTuple):
    """The requests of one interval with durations in one half octave."""

    x: float
    y: float
    width: float
    step: int
    """The shade, from 1 to 7."""
    requests: int
    start: datetime
    low_ms: float
    high_ms: float


class Bar(NamedTuple):
    """The requests of one interval, and below the axis those that failed."""

    x: float
    width: float
    height: float
    failed_height: float


class Line(NamedTuple):
    """A percentile over time, interrupted where there are no data."""

    name: str
    parts: tuple[str, ...]
    """The points of each polyline."""
    end: tuple[float, float] | None
    """The position of its name, at the right edge."""
    value: float | None
    """The last percentile, in milliseconds."""


class Tick(NamedTuple):
    """A tick of the duration axis."""

    at: float
    text: str


class TimeTick(NamedTuple):
    """A label of the time axis."""

    x: float
    when: datetime
    is_day: bool
    """Whether to show the date instead of the time."""

    @property
    def text(self) -> str:
        """The time in UTC."""
        return f"{self.when:%m-%d}" if self.is_day else f"{self.when:%H:%M}"


class Heatmap(NamedTuple):
    """The geometry of the heatmap."""

    width: float
    height: float
    plot_height: float
    cells: tuple[Cell, ...]
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    y_ticks: tuple[tuple[float, float], ...]
    """Position, and milliseconds."""
    x_ticks: tuple[TimeTick, ...]
    """At the columns that begin at round times."""
    flags: tuple[tuple[float, str], ...]
    """The position of the first column of each version, and its name."""
    lost: tuple[tuple[float, float], ...]
    """The position and width of the columns with lost records."""
    most: int
    """The requests of the fullest column; 0 where no column says how many there are."""
    most_failed: int


def draw_heatmap(columns: Sequence[Column], shape: Shape = WIDE) -> Heatmap | None:
    """Return the heatmap of some columns; None without durations.

    If not all requests were read, there are no bars: these would say how many there are.
    """
    halves = [bucket // HALF_OCTAVE for column in columns for bucket in column.counts.buckets]
    if not halves:
        return None
    low, high = min(halves), max(halves) + 1
    plot = (high - low) * ROW
    scale = _Scale(low, plot, shape.width / len(columns))
    counted = columns if all(column.is_whole for column in columns) else ()
    most = max((column.counts.requests for column in counted), default=0)
    most_failed = max((column.counts.failed for column in counted), default=0)
    cells = tuple(cell for at, column in enumerate(columns) for cell in _cells(scale, at, column))
    return Heatmap(
        shape.width,
        plot + (GAP + BARS if counted else 0.0),
        plot,
        _shade(cells),
        tuple(
            Bar(
                scale.x(at),
                scale.width,
                round((BARS - 16) * column.counts.requests / most, 1),
                round(14 * column.counts.failed / most_failed, 1) if most_failed else 0.0,
            )
            for at, column in enumerate(counted)
        ),
        _separate_names([_line(scale, name, share, columns) for name, share in SHARES]),
        tuple((y, ms) for ms in TICKS_MS if 0 <= (y := scale.y(ms)) <= plot),
        tuple(_times(scale, columns, shape.max_times)),
        tuple(_flags(scale, columns)),
        tuple((scale.x(at), scale.width) for at, column in enumerate(columns) if column.dropped),
        most,
        most_failed,
    )


class _Scale:
    def __init__(self, low: int, height: float, width: float) -> None:
        self._low = low
        self._height = height
        self.width = round(width, 2)

    def x(self, at: int) -> float:
        return round(at * self.width, 2)

    def top_of(self, half: int) -> float:
        return self._height - (half - self._low + 1) * ROW

    def y(self, ms: float) -> float:
        seconds = max(ms / 1000, LEAST_S)  # a percentile is zero if no request took a microsecond
        return round(self._height - (math.log2(seconds) * 2 - self._low) * ROW, 1)


def _cells(scale: _Scale, at: int, column: Column) -> list[Cell]:
    counts: dict[int, int] = {}
    for bucket, count in column.counts.buckets.items():
        half = bucket // HALF_OCTAVE
        counts[half] = counts.get(half, 0) + count
    return [
        Cell(
            scale.x(at),
            scale.top_of(half),
            scale.width,
            1,
            count,
            column.start,
            2 ** (half / 2) * 1000,
            2 ** ((half + 1) / 2) * 1000,
        )
        for half, count in sorted(counts.items())
    ]


def _shade(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Set the shade of each cell on a logarithmic scale, so that single slow requests stay visible."""
    most = max(cell.requests for cell in cells)
    unit = math.log(most + 1) / STEPS
    return tuple(
        cell._replace(step=min(STEPS, max(1, math.ceil(math.log(cell.requests + 1) / unit))))
        for cell in cells
    )


def _line(scale: _Scale, name: str, share: float, columns: Sequence[Column]) -> Line:
    parts: list[list[str]] = [[]]
    right = scale.x(len(columns))
    end = last = None
    for at, column in enumerate(columns):
        value = _percentile(column.counts, share)
        if value is None:
            parts.append([])
            continue
        x, y = round(scale.x(at) + scale.width / 2, 1), scale.y(value)
        parts[-1].append(f"{x},{y}")
        end, last = (right, y), value
    return Line(name, tuple(" ".join(part) for part in parts if part), end, last)


def _separate_names(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Move the names of p50 and p99 away from that of p95, so that they do not overlap."""
    if any(line.end is None for line in lines):
        return tuple(lines)
    (x, low), (_, middle), (_, high) = (line.end for line in lines if line.end is not None)
    at = max(low, middle + LABEL), middle, min(high, middle - LABEL)
    return tuple(line._replace(end=(x, y)) for line, y in zip(lines, at, strict=True))


def _times(scale: _Scale, columns: Sequence[Column], most: int) -> list[TimeTick]:
    seconds = [int(column.start.timestamp()) for column in columns]
    length = seconds[-1] - seconds[0]
    step = next((one for one in TIME_STEPS_S if length < one * most), TIME_STEPS_S[-1])
    return [
        TimeTick(scale.x(at), column.start, length > DAY_S and seconds[at] % DAY_S == 0)
        for at, column in enumerate(columns)
        if seconds[at] % step == 0
    ][:most]


def _percentile(counts: Counts, share: float) -> float | None:
    return counts.percentile_ms(share) if counts.buckets else None


def _flags(scale: _Scale, columns: Sequence[Column]) -> list[tuple[float, str]]:
    seen: set[str] = set()
    flags, was_busy = [], False
    for at, column in enumerate(columns):
        new = sorted(column.versions - seen)
        seen |= column.versions
        if new and was_busy:
            flags.append((scale.x(at), ", ".join(new)))
        was_busy = was_busy or column.counts.requests > 0
    return flags
