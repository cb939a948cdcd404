"""Significance tests for the difference of two periods, by counts and histograms alone.

All intervals are `Z` standard errors wide on each side, about one false alarm in a thousand, because a
page makes many comparisons. Small samples give no result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...rollups.histogram import BUCKETS_PER_DOUBLING

Z = 3.3
MIN_REQUESTS = 60
"""The minimum in each period for any comparison."""
MIN_SHIFT, MIN_SHIFT_MS = 0.2, 5.0
"""A percentile has to move by more than this share of its value, and by more than this time."""
MIN_POINTS = 0.002
"""A share has to change by more than this, by the bound of its interval."""
MIN_RATE = 0.2
CUT_Z, CUT_COLUMNS = 5.0, 4
"""The minimum z score of a change point, and the minimum number of columns on each side of it."""


class Interval(NamedTuple):
    """An estimate with its bounds."""

    low: float
    middle: float
    high: float


def percentile_interval(buckets: Mapping[int, int], share: float) -> Interval | None:
    """Return the interval of a percentile in milliseconds; None without durations.

    The bounds are the values at the ranks ``nq ± Z·√(nq(1−q))``.

    Args:
        buckets: the number of durations by bucket.
        share: from 0 to 1, like 0.95.
    """
    count = sum(buckets.values())
    if not count:
        return None
    middle = count * share
    spread = Z * math.sqrt(count * share * (1 - share))
    ranks = (math.floor(middle - spread), round(middle), math.ceil(middle + spread) + 1)
    low, at, high = (_value_at(buckets, min(max(rank, 1), count)) for rank in ranks)
    return Interval(low, at, high)


def _value_at(buckets: Mapping[int, int], rank: int) -> float:
    seen = 0
    bucket = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= rank:
            break
    return float(2 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING)) * 1000


def compare_percentiles(
    before: Mapping[int, int], now: Mapping[int, int], share: float
) -> tuple[Interval, Interval] | None:
    """Return the percentile of both periods if it changed significantly, else None."""
    if min(sum(before.values()), sum(now.values())) < MIN_REQUESTS:
        return None
    was, is_now = percentile_interval(before, share), percentile_interval(now, share)
    if was is None or is_now is None or (was.low <= is_now.high and is_now.low <= was.high):
        return None
    shift = abs(is_now.middle - was.middle)
    return (was, is_now) if shift > max(MIN_SHIFT * was.middle, MIN_SHIFT_MS) else None


def ordered_interval(values: Sequence[tuple[float, float]], share: float = 0.5) -> Interval:
    """Return the interval of a percentile of weighted values.

    Args:
        values: at least one, with weights. Unequal weights reduce the effective sample size.
        share: from 0 to 1; by default the median.
    """
    total = sum(weight for _, weight in values)
    alike = total * total / sum(weight * weight for _, weight in values)
    spread = Z * math.sqrt(share * (1 - share) / alike)
    ordered = sorted(values)
    low, at, high = (_weighted_value(ordered, total * (share + by)) for by in (-spread, 0.0, spread))
    return Interval(low, at, high)


def _weighted_value(ordered: Sequence[tuple[float, float]], rank: float) -> float:
    seen = 0.0
    for value, weight in ordered:
        seen += weight
        if seen >= rank:
            return value
    return ordered[-1][0]


def share_difference(hits: float, count: float, hits_before: float, count_before: float) -> Interval:
    """Return the difference of two shares with Newcombe's interval.

    Args:
        hits: the successes of the later sample.
        count: its size, above 0; fractional for weighted samples.
        hits_before: the successes of the earlier sample.
        count_before: its size, as `count`.
    """
    now, before = share_interval(hits, count), share_interval(hits_before, count_before)
    middle = now.middle - before.middle
    low = middle - math.hypot(now.middle - now.low, before.high - before.middle)
    high = middle + math.hypot(now.high - now.middle, before.middle - before.low)
    return Interval(low, middle, high)


def share_interval(hits: float, count: float) -> Interval:
    """Return a share with Wilson's interval.

    Args:
        hits: the successes.
        count: the size of the sample, above 0.
    """
    share, square = hits / count, Z * Z
    centre = (share + square / (2 * count)) / (1 + square / count)
    spread = Z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    spread /= 1 + square / count
    return Interval(centre - spread, share, centre + spread)


def compare_shares(hits: int, count: int, hits_before: int, count_before: int) -> int:
    """Return 1 if a share grew significantly, -1 if it fell, else 0."""
    if min(count, count_before) < MIN_REQUESTS:
        return 0
    difference = share_difference(hits, count, hits_before, count_before)
    return int(difference.low > MIN_POINTS) - int(difference.high < -MIN_POINTS)


def compare_rates(count: int, seconds: float, count_before: int, seconds_before: float) -> int:
    """Return 1 if the rate grew by more than `MIN_RATE`, -1 if it fell by as much, else 0."""
    if min(count, count_before) < MIN_REQUESTS or not seconds or not seconds_before:
        return 0
    ratio = math.log((count / seconds) / (count_before / seconds_before))
    spread = Z * math.sqrt(1 / count + 1 / count_before)
    limit = math.log(1 + MIN_RATE)
    return int(ratio - spread > limit) - int(ratio + spread < -limit)


def find_cut(columns: Sequence[tuple[int, int]]) -> int | None:
    """Return the first column after the change point; None if no change is significant.

    Args:
        columns: the requests of each column, and how many of them are slow or failed.
    """
    count, hits = (sum(parts) for parts in zip(*columns, strict=True)) if columns else (0, 0)
    best, best_z = None, CUT_Z
    count_left = hits_left = 0
    for at, (column_count, column_hits) in enumerate(columns):
        is_inside = CUT_COLUMNS <= at <= len(columns) - CUT_COLUMNS
        z = _two_proportions(hits_left, count_left, hits - hits_left, count - count_left)
        if is_inside and abs(z) > best_z:
            best, best_z = at, abs(z)
        count_left += column_count
        hits_left += column_hits
    return best


def _two_proportions(hits: int, count: int, others: int, other_count: int) -> float:
    if not count or not other_count:
        return 0.0
    share = (hits + others) / (count + other_count)
    variance = share * (1 - share) * (1 / count + 1 / other_count)
    return (others / other_count - hits / count) / math.sqrt(variance) if variance > 0 else 0.0
