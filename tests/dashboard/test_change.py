"""What is called a change: seldom without one, nearly always where there is one. On made data."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from flask_tracking.dashboard.statistics.change import (
    compare_percentiles,
    compare_rates,
    compare_shares,
    find_cut,
    percentile_interval,
    share_difference,
)
from flask_tracking.rollups.histogram import Buckets, find_bucket

pytestmark = pytest.mark.thorough
SEEDS = 200


def draw(rng: random.Random, count: int, median_ms: float = 50) -> Buckets:
    """Return the histogram of durations as apps have them: most are short, some very long."""
    buckets: Buckets = {}
    for _ in range(count):
        bucket = find_bucket(rng.lognormvariate(math.log(median_ms), 0.6) / 1000)
        buckets[bucket] = buckets.get(bucket, 0) + 1
    return buckets


def count_of(says: Callable[[random.Random], bool]) -> int:
    """Return for how many seeds something is said."""
    return sum(says(random.Random(seed)) for seed in range(SEEDS))


@pytest.mark.parametrize(("before", "now"), [(80, 80), (300, 300), (200, 2000)])
def test_percentile_without_a_change(before: int, now: int) -> None:
    """Two samples of the same seldom differ."""

    def says(rng: random.Random) -> bool:
        return compare_percentiles(draw(rng, before), draw(rng, now), 0.95) is not None

    assert count_of(says) <= SEEDS * 0.01


@pytest.mark.parametrize(("count", "least"), [(300, 0.75), (1500, 0.99)])
def test_percentile_that_changed(count: int, least: float) -> None:
    """What takes 2.5 times as long is found where there are some hundred requests."""

    def says(rng: random.Random) -> bool:
        return compare_percentiles(draw(rng, count), draw(rng, count, 125), 0.95) is not None

    assert count_of(says) >= SEEDS * least


def test_few_requests_say_nothing() -> None:
    """Below 60 requests in one of the periods nothing is claimed."""
    rng = random.Random(1)
    assert compare_percentiles(draw(rng, 59), draw(rng, 5000, 5000), 0.95) is None
    assert compare_shares(59, 59, 0, 5000) == 0
    assert compare_rates(59, 60, 5000, 60) == 0


def test_small_shifts_do_not_matter() -> None:
    """A change that nobody notices is none, however sure it is."""
    assert compare_percentiles({find_bucket(0.001): 10**6}, {find_bucket(0.004): 10**6}, 0.95) is None
    assert compare_percentiles({find_bucket(1.0): 10**6}, {find_bucket(1.1): 10**6}, 0.95) is None


def test_interval() -> None:
    """The bounds hold the value, and without any duration there is none."""
    found = percentile_interval(draw(random.Random(2), 1000), 0.5)
    assert found is not None
    assert found.low < found.middle < found.high
    assert found.middle == pytest.approx(50, rel=0.1)
    assert percentile_interval({}, 0.5) is None
    assert percentile_interval({0: 1}, 0.95) is not None


@pytest.mark.parametrize(
    ("now", "before", "change"),
    [
        ((50, 1000), (5, 1000), 1),
        ((5, 1000), (50, 1000), -1),
        ((6, 1000), (4, 1000), 0),
        ((1000, 1000), (0, 1000), 1),
        ((0, 1000), (0, 1000), 0),
    ],
)
def test_shares(now: tuple[int, int], before: tuple[int, int], change: int) -> None:
    """A share that grows beyond doubt is told, and one that may be chance is not."""
    assert compare_shares(*now, *before) == change
    difference = share_difference(*now, *before)
    assert difference.low <= difference.middle <= difference.high


def test_shares_without_a_change() -> None:
    """Chance is seldom called a change."""

    def says(rng: random.Random) -> bool:
        now, before = (sum(rng.random() < 0.02 for _ in range(800)) for _ in range(2))
        return compare_shares(now, 800, before, 800) != 0

    assert count_of(says) <= SEEDS * 0.01


def test_rates() -> None:
    """Twice as much traffic is a change, and a tenth more is none."""
    assert compare_rates(2000, 60, 1000, 60) == 1
    assert compare_rates(1000, 60, 2000, 60) == -1
    assert compare_rates(1100, 60, 1000, 60) == 0
    assert compare_rates(1000, 0, 1000, 60) == 0


def test_cut_without_a_change() -> None:
    """No moment is named where nothing happened."""

    def says(rng: random.Random) -> bool:
        columns = [(80, sum(rng.random() < 0.05 for _ in range(80))) for _ in range(60)]
        return find_cut(columns) is not None

    assert count_of(says) == 0


def test_cut() -> None:
    """The moment is placed within two columns, nearly always."""

    def says(rng: random.Random) -> bool:
        moment = rng.randrange(8, 52)
        columns = [
            (80, sum(rng.random() < (0.05 if at < moment else 0.15) for _ in range(80)))
            for at in range(60)
        ]
        found = find_cut(columns)
        return found is not None and abs(found - moment) <= 2

    assert count_of(says) >= SEEDS * 0.9


@pytest.mark.parametrize("columns", [[], [(0, 0)] * 20, [(10, 10)] * 20, [(5, 1)] * 3])
def test_cut_of_nothing(columns: list[tuple[int, int]]) -> None:
    """Empty, equal and few columns have no moment."""
    assert find_cut(columns) is None
