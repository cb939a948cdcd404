"""The histogram of the durations of a route, with the outline of the period before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .heatmap import HALF_OCTAVE

WIDTH, HEIGHT = 600.0, 120.0
"""In the units of the drawing; the browser scales it."""


class Column(NamedTuple):
    """The requests with durations in one half octave."""

    x: float
    width: float
    height: float
    requests: int
    low_ms: float
    high_ms: float


class Histogram(NamedTuple):
    """The geometry of the histogram."""

    width: float
    height: float
    columns: tuple[Column, ...]
    before: str
    """The outline of the period before, as points of a polyline; empty for none."""
    ticks: tuple[tuple[float, float], ...]
    """Position, and milliseconds."""


def draw_histogram(now: Mapping[int, int], before: Mapping[int, int]) -> Histogram | None:
    """Return the drawing of two histograms, each normalised to its own total; None without any."""
    mine, theirs = _by_half(now), _by_half(before)
    halves = [*mine, *theirs]
    if not mine:
        return None
    low, high = min(halves), max(halves) + 1
    most = max(*_shares(mine).values(), *_shares(theirs).values(), 0.0)
    unit = WIDTH / (high - low)
    heights = {half: round(HEIGHT * part / most, 1) for half, part in _shares(mine).items()}
    return Histogram(
        WIDTH,
        HEIGHT,
        tuple(
            Column(
                round((half - low) * unit, 1),
                round(unit - 1, 1),
                heights[half],
                mine[half],
                _start_of(half),
                _start_of(half + 1),
            )
            for half in sorted(mine)
        ),
        _outline(_shares(theirs), low, high, unit, most),
        tuple(
            (round((half - low) * unit, 1), _start_of(half))
            for half in range(low, high + 1)
            if half % 4 == 0
        ),
    )


def _by_half(buckets: Mapping[int, int]) -> dict[int, int]:
    halves: dict[int, int] = {}
    for bucket, count in buckets.items():
        half = bucket // HALF_OCTAVE
        halves[half] = halves.get(half, 0) + count
    return halves


def _shares(halves: Mapping[int, int]) -> dict[int, float]:
    total = sum(halves.values())
    return {half: count / total for half, count in halves.items()}


def _start_of(half: int) -> float:
    """Return the lower bound of a half octave, in milliseconds."""
    return float(2 ** (half / 2)) * 1000


def _outline(shares: Mapping[int, float], low: int, high: int, unit: float, most: float) -> str:
    if not shares:
        return ""
    points = [f"0,{HEIGHT}"]
    for half in range(low, high):
        y = round(HEIGHT - HEIGHT * shares.get(half, 0.0) / most, 1)
        points += [f"{round((half - low) * unit, 1)},{y}", f"{round((half + 1 - low) * unit, 1)},{y}"]
    return " ".join([*points, f"{WIDTH},{HEIGHT}"])
