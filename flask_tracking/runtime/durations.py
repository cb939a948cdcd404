"""Durations as text: ``200ms``, ``1.5s``, ``15m``, ``2h``, ``7d``, ``4w``."""

from __future__ import annotations

import re
from datetime import timedelta

__all__ = ["UNITS_MS", "format_duration", "parse_duration"]

UNITS_MS = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
"""The units, from the shortest, in milliseconds."""
_DURATION = re.compile(rf"([0-9]{{1,12}}(?:\.[0-9]{{1,6}})?)({'|'.join(UNITS_MS)})")
_SHOWN = ("d", "h", "m", "s")


def parse_duration(text: str) -> float | None:
    """Parse a number with a unit into milliseconds; None if `text` is not a duration."""
    match = _DURATION.fullmatch(text)
    return None if match is None else float(match[1]) * UNITS_MS[match[2]]


def format_duration(duration: timedelta) -> str:
    """Return a duration by its two largest units, like ``1h 59m``; from days to seconds."""
    seconds = max(0, round(duration.total_seconds()))
    parts = []
    for unit in _SHOWN:
        count, seconds = divmod(seconds, UNITS_MS[unit] // 1000)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
