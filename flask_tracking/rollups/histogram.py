"""Durations in buckets of a fixed logarithmic scale, 32 to each doubling, and their percentiles.

This is OpenTelemetry's and Prometheus' scale 5, of seconds: histograms of any process merge by addition
and can be exported as they are. Any percentile is within 1.1 % of the exact one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from math import ceil, log2

__all__ = [
    "BUCKETS_PER_DOUBLING",
    "Buckets",
    "add_buckets",
    "find_bucket",
    "pack",
    "percentile",
    "unpack",
]

Buckets = dict[int, int]
"""How many durations are in each bucket: bucket `i` holds those above ``2**(i/32)`` seconds, up to
``2**((i+1)/32)``."""

BUCKETS_PER_DOUBLING = 32
LEAST_S = 1e-6
"""What is shorter counts as this."""
MOST_S = 1e9
"""What is longer counts as this."""
_LETTERS = {"B": 2**8 - 1, "H": 2**16 - 1, "I": 2**32 - 1, "Q": 2**64 - 1}
"""The greatest count that each letter of `struct` holds."""
_LONGEST = 255
"""The longest distance between two buckets that a byte holds."""


def find_bucket(seconds: float) -> int:
    """Return the bucket of a duration."""
    return ceil(log2(min(max(seconds, LEAST_S), MOST_S)) * BUCKETS_PER_DOUBLING) - 1


def add_buckets(buckets: Buckets, others: Mapping[int, int]) -> None:
    """Add `others` to `buckets`, in its place."""
    for bucket, count in others.items():
        buckets[bucket] = buckets.get(bucket, 0) + count


def percentile(buckets: Mapping[int, int], share: float) -> float | None:
    """Return the duration, in seconds, that a share of all durations do not exceed.

    Args:
        buckets: the durations.
        share: from 0 to 1; 0.95 for the 95th percentile. The nearest rank counts.

    Returns:
        The geometric middle of its bucket, at most 1.1 % beside the exact value; None without any.
    """
    rank = max(1, ceil(share * sum(buckets.values())))
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= rank:
            return float(2 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING))
    return None


def pack(buckets: Mapping[int, int]) -> bytes:
    """Return `buckets` as bytes: a letter, the first bucket, the distances to the others, the counts.

    All are little-endian. The first bucket counts from that of `LEAST_S` and takes two bytes, a
    distance one, a count as many as the letter says in the language of `struct`. Where a distance is
    too long there is a bucket of none in between.
    """
    if not buckets:
        return b""
    numbers = list(_fill_gaps(sorted(buckets)))
    counts = [buckets.get(number, 0) for number in numbers]
    letter = next(letter for letter, most in _LETTERS.items() if max(counts) <= most)
    distances = [after - before for before, after in pairwise(numbers)]
    values = (numbers[0] - _FIRST, *distances, *counts)
    return letter.encode() + struct.pack(f"<H{len(distances)}B{len(counts)}{letter}", *values)


def _fill_gaps(numbers: Sequence[int]) -> Iterator[int]:
    last = numbers[0]
    for number in numbers:
        while number - last > _LONGEST:
            last += _LONGEST
            yield last
        yield (last := number)


def unpack(packed: bytes) -> Buckets:
    """Return the buckets of what `pack` made.

    Raises:
        ValueError: that is something else.
    """
    if not packed:
        return {}
    letter = chr(packed[0])
    if letter not in _LETTERS:
        raise ValueError("no histogram begins like this")
    count, rest = divmod(len(packed) - 2, 1 + struct.calcsize(f"<{letter}"))
    if rest or not count:
        raise ValueError("the histogram is cut off")
    first, *values = struct.unpack_from(f"<H{count - 1}B{count}{letter}", packed, 1)
    counts = values[count - 1 :]
    buckets = dict(zip(accumulate(values[: count - 1], initial=first + _FIRST), counts, strict=True))
    return {bucket: one for bucket, one in buckets.items() if one} if 0 in counts else buckets


_FIRST = find_bucket(LEAST_S)
