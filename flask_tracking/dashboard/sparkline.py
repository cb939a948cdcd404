"""Sparklines: a number over time, small enough to stand beside it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["HEIGHT", "WIDTH", "draw_sparkline"]

WIDTH, HEIGHT = 72.0, 20.0
"""In the units of the drawing; the browser scales it."""


def draw_sparkline(values: Sequence[float | None]) -> tuple[str, ...]:
    """Return the points of a polyline for each stretch without gaps, on a scale that begins at zero.

    Args:
        values: one for each column; None where nothing is known, which is a gap and not a zero.
    """
    most = max((one for one in values if one is not None), default=0.0) or 1.0
    step = WIDTH / max(1, len(values) - 1)
    parts: list[list[str]] = [[]]
    for at, one in enumerate(values):
        if one is None:
            parts.append([])
        else:
            parts[-1].append(f"{round(at * step, 1):g},{round(HEIGHT * (1 - one / most), 1):g}")
    return tuple(" ".join(part) for part in parts if len(part) > 1)
