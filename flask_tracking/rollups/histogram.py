"""Durations in buckets of a fixed logarithmic scale, 32 to each doubling, and their percentiles.

This is OpenTelemetry's and Prometheus' scale 5, of seconds: histograms of any process merge by addition
and can be exported as they are. Any percentile is within 1.1 % of the exact one.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
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
    """Return `buckets` as bytes: a letter, then the numbers of the buckets, then their counts.

    All are little-endian. The numbers count from the bucket of `LEAST_S` and take two bytes each, the
    counts as many as the letter says in the language of `struct`.
    """
    if not buckets:
        return b""
    numbers = sorted(buckets)
    largest = max(buckets.values())
    letter = next(letter for letter, most in _LETTERS.items() if largest <= most)
    values = (*(number - _FIRST for number in numbers), *map(buckets.__getitem__, numbers))
    return letter.encode() + struct.pack(f"<{len(numbers)}H{len(numbers)}{letter}", *values)


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
    count, rest = divmod(len(packed) - 1, 2 + struct.calcsize(f"<{letter}"))
    if rest:
        raise ValueError("the histogram is cut off")
    values = struct.unpack_from(f"<{count}H{count}{letter}", packed, 1)
    return dict(zip([number + _FIRST for number in values[:count]], values[count:], strict=True))


_FIRST = find_bucket(LEAST_S)
