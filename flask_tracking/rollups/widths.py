"""The widths of rollups, and how long the rollups of each width are stored."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

__all__ = ["MINUTE", "WIDTHS_S", "Width", "make_widths"]

MINUTE = 60


class Width(NamedTuple):
    """A width of rollups."""

    seconds: int
    """The covered span of time: a multiple of the next finer one."""
    lifetime: timedelta


_LIFETIMES = {
    MINUTE: timedelta(hours=3),
    5 * MINUTE: timedelta(hours=48),
    60 * MINUTE: timedelta(days=35),
}
DAY = 24 * 60 * MINUTE
WIDTHS_S = (*_LIFETIMES, DAY)


def make_widths(days: int) -> tuple[Width, ...]:
    """Return the widths, the finest first.

    Args:
        days: ``TRACKING_ROLLUP_DAYS``: how long the coarsest are stored, and the limit for all others.
    """
    longest = timedelta(days=days)
    lifetimes = {**_LIFETIMES, DAY: longest}
    return tuple(Width(seconds, min(lifetime, longest)) for seconds, lifetime in lifetimes.items())
