"""Where the time of a request went: its child spans as bars on one scale."""

from __future__ import annotations

import math
from typing import NamedTuple

from ...record import ChildTiming, Record

MAX_BARS = 200


class Bar(NamedTuple):
    """A child span, placed in percent of the whole request."""

    name: str
    left: float
    width: float
    duration_ms: float | None
    error: str | None


class Waterfall(NamedTuple):
    """The bars, and the scale below them."""

    total_ms: float
    """How long the request took."""
    bars: tuple[Bar, ...]
    first_byte: float | None
    """In percent."""
    ticks: tuple[tuple[float, float], ...]
    """Position in percent, and time in milliseconds."""
    longest: Bar | None
    """The child that took most, where it took a third of the request or more."""
    unnamed: float
    """Share of the time, from 0 to 1, in which no child span ran."""
    left_out: int
    """How many more children there are."""
    whole: float
    """The width of the whole request, in percent."""


def make_waterfall(record: Record, scale_ms: float | None = None) -> Waterfall | None:
    """Return the waterfall of a record; None where its time is not known or nothing.

    Args:
        record: the record.
        scale_ms: the time of the whole width, for two that are compared; by default the record's.
    """
    took = record.execution_time
    if not took or took <= 0:
        return None
    total = scale_ms or took
    children = sorted(record.children, key=lambda child: child.start_ms)
    bars = tuple(_bar(child, took, total) for child in children[:MAX_BARS])
    longest = max(bars, key=lambda bar: bar.width, default=None)
    first = record.time_to_first_byte
    return Waterfall(
        took,
        bars,
        None if first is None else _percent(first, total),
        tuple((_percent(ms, total), ms) for ms in _ticks(total)),
        longest if longest is not None and longest.width >= 100 / 3 else None,
        1 - _covered(children, took) / took,
        len(children) - len(bars),
        _percent(took, total),
    )


def _bar(child: ChildTiming, took: float, total: float) -> Bar:
    left = _percent(child.start_ms, total)
    end = child.start_ms + child.duration_ms if child.duration_ms is not None else took
    return Bar(child.name, left, _percent(end, total) - left, child.duration_ms, child.error)


def _percent(ms: float, total: float) -> float:
    return round(100 * min(max(ms / total, 0.0), 1.0), 2)


def _ticks(total: float) -> list[float]:
    """Return three to six round times below `total`."""
    step = 10 ** math.floor(math.log10(total / 2))
    for factor in (1, 2, 5, 10):
        if total / (step * factor) <= 6:
            break
    return [step * factor * at for at in range(int(total / (step * factor)) + 1)]


def _covered(children: list[ChildTiming], total: float) -> float:
    """Return the milliseconds in which at least one child ran."""
    covered = reach = 0.0
    for child in children:
        start = min(max(child.start_ms, reach), total)
        end = total if child.duration_ms is None else min(child.start_ms + child.duration_ms, total)
        if end > start:
            covered += end - start
            reach = end
    return covered
