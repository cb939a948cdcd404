"""Durations in buckets: percentiles within their bound, and packed bytes that come back."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.histogram import (
    LEAST_S,
    Buckets,
    add_buckets,
    add_packed,
    check_packed,
    find_bucket,
    pack,
    percentile,
    unpack,
)

SHARES = (0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0)
many_buckets = st.dictionaries(st.integers(-638, 957), st.integers(1, 2**40), max_size=50)


def count(durations_s: list[float]) -> Buckets:
    """Return the buckets of durations."""
    buckets: Buckets = {}
    for one in durations_s:
        add_buckets(buckets, {find_bucket(one): 1})
    return buckets


@given(st.floats(LEAST_S, 1e9))
def test_bucket_holds_its_duration(seconds: float) -> None:
    """A bucket reaches from its lower bound to its upper one, which is in it."""
    bucket = find_bucket(seconds)
    slack = 1e-12  # of a logarithm in floating point
    assert 2 ** (bucket / 32) <= seconds * (1 + slack)
    assert seconds <= 2 ** ((bucket + 1) / 32) * (1 + slack)


@pytest.mark.parametrize(("power", "bucket"), [(0, -1), (1, 31), (-1, -33), (10, 319)])
def test_bounds_are_those_of_opentelemetry(power: int, bucket: int) -> None:
    """A power of two is the upper bound of its bucket, as in OpenTelemetry's scale 5."""
    assert find_bucket(2.0**power) == bucket
    assert find_bucket(math.nextafter(2.0**power, math.inf) + 1e-9) == bucket + 1


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-9, 1e300])
def test_odd_durations(seconds: float) -> None:
    """What no request takes is counted at the ends of the scale."""
    assert find_bucket(seconds) in (find_bucket(1e-6), find_bucket(1e9))


@given(st.lists(st.floats(LEAST_S, 1e6), min_size=1, max_size=200), st.sampled_from(SHARES))
def test_percentile_is_near(durations_s: list[float], share: float) -> None:
    """A percentile is within 1.1 % of the exact one."""
    exact = sorted(durations_s)[max(1, math.ceil(share * len(durations_s))) - 1]
    found = percentile(count(durations_s), share)
    assert found is not None and abs(found / exact - 1) <= 0.011


@pytest.mark.parametrize("seed", range(3))
def test_percentiles_of_many(seed: int) -> None:
    """The same for many requests of the kind that there are."""
    chance = random.Random(seed)
    durations_s = [chance.lognormvariate(-4, 1.5) for _ in range(20_000)]
    buckets = unpack(pack(count(durations_s)))
    for share in SHARES:
        exact = sorted(durations_s)[max(1, math.ceil(share * 20_000)) - 1]
        found = percentile(buckets, share)
        assert found is not None and abs(found / exact - 1) <= 0.011


def test_percentile_of_none() -> None:
    """Without durations there is no percentile."""
    assert percentile({}, 0.5) is None


@given(many_buckets)
def test_packed_buckets_come_back(buckets: Buckets) -> None:
    """What was packed is the same again."""
    assert unpack(pack(buckets)) == buckets


@given(st.dictionaries(st.integers(-100, 99), st.integers(1, 255), min_size=1, max_size=50))
def test_few_are_two_bytes_each(buckets: Buckets) -> None:
    """A bucket of a busy minute takes two bytes."""
    assert len(pack(buckets)) == 2 * len(buckets) + 2


@given(many_buckets, st.lists(many_buckets, max_size=5))
def test_packed_buckets_are_added(buckets: Buckets, others: list[Buckets]) -> None:
    """Packed histograms add up to what they are one after the other."""
    wanted = dict(buckets)
    for one in others:
        add_buckets(wanted, one)
    add_packed(buckets, map(pack, others))
    assert buckets == wanted


def test_distant_buckets_come_back() -> None:
    """Buckets may be further from each other than a byte can say."""
    assert unpack(pack({-600: 1, 900: 2})) == {-600: 1, 900: 2}


@pytest.mark.parametrize("change", [lambda packed: b"?" + packed[1:], lambda packed: packed[:-1]])
def test_broken_bytes(change: Callable[[bytes], bytes]) -> None:
    """What begins like no histogram, or is cut off, is a ValueError."""
    with pytest.raises(ValueError):
        check_packed(change(pack({0: 1, 5: 1})))


def test_packed_nothing() -> None:
    """No buckets are no bytes."""
    assert pack({}) == b"" and unpack(b"") == {}
    counts = Counts()
    counts.add_packed_durations(b"")
    assert counts.buckets == {}


@given(st.binary(max_size=20))
def test_accepted_bytes_are_added(packed: bytes) -> None:
    """What is accepted can be added: whoever reads it later need not expect an error."""
    try:
        check_packed(packed)
    except ValueError:
        return
    buckets: Buckets = {}
    add_packed(buckets, [packed])
    assert buckets == unpack(packed)


@given(st.binary(max_size=20))
def test_other_bytes(packed: bytes) -> None:
    """What is no histogram is one by chance, or a ValueError."""
    try:
        buckets = unpack(packed)
    except ValueError:
        return
    assert all(isinstance(one, int) for pair in buckets.items() for one in pair)
