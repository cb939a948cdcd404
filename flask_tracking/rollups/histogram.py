"""Durations in buckets of a fixed logarithmic scale, 32 to each doubling, and their percentiles.

This is OpenTelemetry's and Prometheus' scale 5, of seconds: histograms of any process merge by addition
and can be exported as they are. Any percentile is within 1.1 % of the exact one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
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
_LAST_OF_A_BYTE = 127


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
    """Return `buckets` as bytes, about two for each: the distance from the one before, and the count.

    Both are written in groups of seven bits, the lowest first, as in Protocol Buffers. The first
    bucket counts from that of `LEAST_S`.
    """
    packed = bytearray()
    before = _FIRST
    for bucket in sorted(buckets):
        for number in (bucket - before, buckets[bucket]):
            while number > _LAST_OF_A_BYTE:
                packed.append(number & 0x7F | 0x80)
                number >>= 7
            packed.append(number)
        before = bucket
    return bytes(packed)


def unpack(packed: bytes) -> Buckets:
    """Return the buckets of what `pack` made.

    Raises:
        ValueError: that is something else.
    """
    # Nearly always all numbers are small, and then no loop of Python's is needed.
    numbers = packed if packed.isascii() else list(_read_numbers(packed))
    if len(numbers) % 2:
        raise ValueError("the buckets are cut off")
    buckets = accumulate(numbers[::2], initial=_FIRST)
    next(buckets)
    return dict(zip(buckets, numbers[1::2], strict=True))


def _read_numbers(packed: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte <= _LAST_OF_A_BYTE:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("the last number is cut off")


_FIRST = find_bucket(LEAST_S)
