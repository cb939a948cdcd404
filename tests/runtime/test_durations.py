"""Durations as text."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flask_tracking.runtime.durations import UNITS_MS, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("200ms", 200.0),
        ("0.25ms", 0.25),
        ("0s", 0.0),
        ("1.5s", 1500.0),
        ("15m", 900_000.0),
        ("2h", 7_200_000.0),
        ("7d", 604_800_000.0),
        ("2w", 1_209_600_000.0),
        ("007m", 420_000.0),
    ],
)
def test_parse(text: str, expected_ms: float) -> None:
    """A number and a unit are a number of milliseconds."""
    assert parse_duration(text) == expected_ms


@pytest.mark.parametrize(
    "text",
    ["", "1", "ms", "-1s", "1.s", ".5s", "1,5s", "1 s", "1e3s", "infs", "1s\n", "1S", "1y", "٢h",
     "9" * 13 + "s"],
)  # fmt: skip
def test_no_duration(text: str) -> None:
    """Anything else is no duration."""
    assert parse_duration(text) is None


def test_units_ascend() -> None:
    """The units are sorted from the shortest."""
    assert list(UNITS_MS.values()) == sorted(UNITS_MS.values())


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=-5), "0s"),
        (timedelta(milliseconds=400), "0s"),
        (timedelta(seconds=59.6), "1m"),
        (timedelta(hours=1, minutes=59, seconds=59), "1h 59m"),
        (timedelta(days=3, seconds=2), "3d 2s"),
        (timedelta(weeks=2), "14d"),
    ],
)
def test_format(duration: timedelta, text: str) -> None:
    """A duration is shown by its two largest units."""
    assert format_duration(duration) == text
