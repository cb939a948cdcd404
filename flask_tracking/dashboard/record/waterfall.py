"""The child spans of a request as bars on a common time scale."""

from __future__ import annotations

import math
from typing import NamedTuple

from ...record import ChildTiming, Record

MAX_BARS = 200


class Bar(NamedTuple):
    """A child span; its position and width are in percent of the scale."""

    name: str
    left: float
    width: float
    duration_ms: float | None
    error: str | None


class Waterfall(NamedTuple):
    """The bars and their scale."""

    total_ms: float
    """The duration of the request."""
    bars: tuple[Bar, ...]
    first_byte: float | None
    """In percent."""
    ticks: tuple[tuple[float, float], ...]
    """Position in percent, and time in milliseconds."""
    longest: Bar | None
    """The longest child span, if it took at least a third of the request."""
    unnamed: float
    """The share of the duration, from 0 to 1, during which no child span ran."""
    left_out: int
    """The number of child spans that are not shown."""
    whole: float
    """The width of the request itself, in percent of the scale."""


def make_waterfall(record: Record, scale_ms: float | None = None) -> Waterfall | None:
    """Return the waterfall of a record; None without a duration.

    Args:
        record: the record.
        scale_ms: the duration of the full width, for two records on one scale; by default the
            record's own.
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
    """Return three to six round times up to `total`."""
    step = 10 ** math.floor(math.log10(total / 2))
    for factor in (1, 2, 5, 10):
        if total / (step * factor) <= 6:
            break
    return [step * factor * at for at in range(int(total / (step * factor)) + 1)]


def _covered(children: list[ChildTiming], total: float) -> float:
    """Return the milliseconds during which at least one child span ran."""
    covered = reach = 0.0
    for child in children:
        start = min(max(child.start_ms, reach), total)
        end = total if child.duration_ms is None else min(child.start_ms + child.duration_ms, total)
        if end > start:
            covered += end - start
            reach = end
    return covered
