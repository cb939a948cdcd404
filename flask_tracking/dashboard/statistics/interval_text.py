"""Formatting of intervals, like ``389 ms (350 ms to 420 ms)``."""

from __future__ import annotations

from collections.abc import Callable

from ...queries import Group
from ..text.numbers import duration, share
from .change import Interval, percentile_interval, share_interval

__all__ = ["write_failed", "write_percentile"]


def write_percentile(group: Group, part: float) -> str:
    """Format a percentile of the durations; ``–`` without durations."""
    return _write(percentile_interval(group.counts.buckets, part), duration)


def write_failed(group: Group) -> str:
    """Format the share of failed requests; ``–`` without requests."""
    return _write(share_interval(group.failed, group.requests) if group.requests else None, share)


def _write(interval: Interval | None, write: Callable[[float], str]) -> str:
    if interval is None:
        return "–"
    low, middle, high = (write(max(0.0, one)) for one in interval)
    return f"{middle} ({low} to {high})"
