"""The axis of time below the chart of durations."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from flask_tracking.dashboard.charts.heatmap import WIDE, draw_heatmap
from flask_tracking.dashboard.statistics.columns import Column
from flask_tracking.rollups.counts import Counts

NOON = datetime(2026, 11, 30, 12, 3, tzinfo=timezone.utc)


def make_columns(count: int, seconds: int, start: datetime = NOON) -> list[Column]:
    """Return columns with a request each."""
    columns = []
    for at in range(count):
        counts = Counts()
        counts.add_request(200, False, 10.0, 0, 0)
        columns.append(Column(start + timedelta(seconds=at * seconds), counts, 0, frozenset(), {}))
    return columns


@pytest.mark.parametrize(
    ("count", "seconds", "texts"),
    [
        (15, 60, ["12:05", "12:10", "12:15"]),
        (60, 60, ["12:10", "12:20", "12:30", "12:40", "12:50", "13:00"]),
        (1, 60, ["12:03"]),
    ],
)
def test_round_times(count: int, seconds: int, texts: list[str]) -> None:
    """A few round times, each where its column begins."""
    heatmap = draw_heatmap(make_columns(count, seconds))
    assert heatmap is not None
    assert [tick.text for tick in heatmap.x_ticks] == texts
    for tick in heatmap.x_ticks:
        at = (tick.when - NOON) / timedelta(seconds=seconds)
        assert tick.x == pytest.approx(at * heatmap.width / count, abs=1)


@pytest.mark.parametrize("seconds", [60, 300, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400, 604_800])
@pytest.mark.parametrize("count", [2, 13, 48, 72])
def test_few_times(count: int, seconds: int) -> None:
    """However long the range is, the texts do not run into each other."""
    midnight = datetime(2026, 11, 26, tzinfo=timezone.utc)  # a week of Unix time begins with a Thursday
    heatmap = draw_heatmap(make_columns(count, seconds, midnight))
    assert heatmap is not None
    assert 1 <= len(heatmap.x_ticks) <= WIDE.max_times


def test_days() -> None:
    """In a range of several days midnight has the day."""
    start = datetime(2026, 11, 28, tzinfo=timezone.utc)
    heatmap = draw_heatmap(make_columns(48, 3600, start))
    assert heatmap is not None
    texts = [tick.text for tick in heatmap.x_ticks]
    assert texts == ["11-28", "06:00", "12:00", "18:00", "11-29", "06:00", "12:00", "18:00"]
