"""Whether two periods differ, decided by counts and histograms alone: silent where numbers are small.

All bounds are at `Z` standard errors, about one in a thousand, because a page compares many things.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...rollups.histogram import BUCKETS_PER_DOUBLING

Z = 3.3
LEAST_REQUESTS = 60
"""Fewer in one of the periods are too few to say anything."""
LEAST_SHIFT, LEAST_SHIFT_MS = 0.2, 5.0
"""A percentile has to move by both this share of it and this time."""
LEAST_POINTS = 0.002
"""A share has to grow by more than this, beyond doubt."""
LEAST_RATE = 0.2
CUT_Z, CUT_COLUMNS = 5.0, 4
"""A moment is named where the two sides differ by so much, with so many columns on each side."""


class Interval(NamedTuple):
    """A value with its bounds."""

    low: float
    middle: float
    high: float


def percentile_interval(buckets: Mapping[int, int], share: float) -> Interval | None:
    """Return a percentile in milliseconds; None without any duration.

    Its bounds are the values at the ranks ``nq ± Z·√(nq(1−q))``.

    Args:
        buckets: how many durations are in each bucket.
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
    """Return the percentile of both periods if it changed beyond doubt, else None."""
    if min(sum(before.values()), sum(now.values())) < LEAST_REQUESTS:
        return None
    was, is_now = percentile_interval(before, share), percentile_interval(now, share)
    if was is None or is_now is None or (was.low <= is_now.high and is_now.low <= was.high):
        return None
    shift = abs(is_now.middle - was.middle)
    return (was, is_now) if shift > max(LEAST_SHIFT * was.middle, LEAST_SHIFT_MS) else None


def ordered_interval(values: Sequence[tuple[float, float]], share: float = 0.5) -> Interval:
    """Return a percentile of values with weights, with its bounds.

    Args:
        values: each with its weight; at least one. Weights that differ widely count as fewer values.
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
    """Return by how much a share grew: Newcombe's interval, from Wilson's of both shares.

    Args:
        hits: how many of `count` now.
        count: above none; a fraction where some count for less.
        hits_before: how many of `count_before`.
        count_before: as `count`.
    """
    now, before = share_interval(hits, count), share_interval(hits_before, count_before)
    middle = now.middle - before.middle
    low = middle - math.hypot(now.middle - now.low, before.high - before.middle)
    high = middle + math.hypot(now.high - now.middle, before.middle - before.low)
    return Interval(low, middle, high)


def share_interval(hits: float, count: float) -> Interval:
    """Return a share with Wilson's bounds.

    Args:
        hits: how many of `count`.
        count: above none.
    """
    share, square = hits / count, Z * Z
    centre = (share + square / (2 * count)) / (1 + square / count)
    spread = Z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    spread /= 1 + square / count
    return Interval(centre - spread, share, centre + spread)


def compare_shares(hits: int, count: int, hits_before: int, count_before: int) -> int:
    """Return 1 where a share grew beyond doubt, -1 where it fell, else 0."""
    if min(count, count_before) < LEAST_REQUESTS:
        return 0
    difference = share_difference(hits, count, hits_before, count_before)
    return int(difference.low > LEAST_POINTS) - int(difference.high < -LEAST_POINTS)


def compare_rates(count: int, seconds: float, count_before: int, seconds_before: float) -> int:
    """Return 1 where more requests came in a second, -1 where fewer, else 0: by `LEAST_RATE`."""
    if min(count, count_before) < LEAST_REQUESTS or not seconds or not seconds_before:
        return 0
    ratio = math.log((count / seconds) / (count_before / seconds_before))
    spread = Z * math.sqrt(1 / count + 1 / count_before)
    limit = math.log(1 + LEAST_RATE)
    return int(ratio - spread > limit) - int(ratio + spread < -limit)


def find_cut(columns: Sequence[tuple[int, int]]) -> int | None:
    """Return the first column after the largest change; None if no change is beyond doubt.

    Args:
        columns: how many requests each has, and how many of them are longer or failed.
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
