"""Samples: even, bounded, and of short ranges of time only."""

from __future__ import annotations

import functools
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock

import pytest
from bson import ObjectId

from flask_tracking import Filter, MemoryExporter, Record
from flask_tracking.exporters.rollup_table import align
from flask_tracking.queries import (
    Sample,
    SampleSide,
    find_reach,
    read_density,
    sample,
    sample_pair,
    sampling,
)
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Rollup, RouteKey

from .captures import make_record

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
SINCE = NOW - HOUR
RECORD = make_record()


def fill(store: MemoryExporter, per_minute: dict[int, int], *, slow_from: int = 60) -> None:
    """Store records of an hour, so many for each minute, and the rollups that count them."""
    for minute, count in per_minute.items():
        records, rollup = make_minute(SINCE + timedelta(minutes=minute), count, minute >= slow_from)
        store.export(records)
        store.rollups.store([rollup])


@functools.lru_cache(maxsize=60)  # the next case often has the same hour
def make_minute(start: datetime, count: int, has_slow: bool) -> tuple[list[Record], Rollup]:
    """Make the records of a minute, one in ten maybe slow, and the rollup that counts them."""
    counts = Counts()
    records = []
    for at in range(count):
        took = 2_000.0 if has_slow and at % 10 == 0 else 20.0
        counts.add_request(200, False, took, 0, 0)
        records.append(make(start + timedelta(seconds=60 * at / count), took))
    routes = {RouteKey(RECORD.url_rule, RECORD.method or ""): counts}
    return records, Rollup(width_s=60, start=align(start, 60), source="p.1", routes=routes)


def make(arrived: datetime, took_ms: float) -> Record:
    """Make a record of that moment."""
    of_its_own = {"id": ObjectId(), "date_created": arrived, "execution_time": took_ms}
    return Record.from_values({**vars(RECORD), **of_its_own})


def take(store: MemoryExporter, text: str = "", **options: Any) -> Sample:
    """Take a sample of the hour."""
    density = read_density(store, Filter(), SINCE, NOW, NOW)
    options = {"budget_s": 60.0, **options}
    return sample(store, Filter.parse(text), density, since=SINCE, until=NOW, **options)


def count_all(counts: Counts) -> int:
    """Count all requests."""
    return counts.requests


def count_slow(counts: Counts) -> int:
    """Count those of a second or more."""
    return sum(count for bucket, count in counts.buckets.items() if bucket >= 0)


@pytest.fixture
def store() -> MemoryExporter:
    """An empty store."""
    return MemoryExporter(max_records=100_000)


def test_few(store: MemoryExporter) -> None:
    """Where there are fewer than wanted, all of them are read, without bodies."""
    fill(store, dict.fromkeys(range(60), 3))
    found = take(store, count=count_all)
    assert (len(found.records), found.requests, found.is_whole) == (180, 180, True)
    assert [one.date_created for one in found.records] == sorted(
        one.date_created for one in found.records
    )
    assert {one.response_body for one in found.records} == {b""}


def test_even(store: MemoryExporter) -> None:
    """Where there are more, each part has its share, busy minutes more than idle ones."""
    fill(store, {minute: 300 if minute < 20 else 30 for minute in range(60)})
    found = take(store, count=count_all, limit=400)
    assert 300 <= len(found.records) <= 400 and found.requests == 7_200
    busy = sum(one.date_created < SINCE + timedelta(minutes=20) for one in found.records)
    assert busy / len(found.records) == pytest.approx(6_000 / 7_200, abs=0.05)
    assert len(Counter(one.date_created.minute for one in found.records)) >= 20


def test_bounds(store: MemoryExporter) -> None:
    """At most 40 short ranges are read, of which each is asked for its part only."""
    fill(store, dict.fromkeys(range(60), 100))
    with mock.patch.object(store, "find", wraps=store.find) as find:
        take(store, count=count_all, limit=400)
    asked = [call.kwargs for call in find.call_args_list]
    assert len(asked) <= 40 and max(one["limit"] for one in asked) <= 20
    widths = [until - since for since, until in (one["between"] for one in asked)]
    assert sum(widths, timedelta()) < HOUR / 10
    assert {one["fields"] for one in asked} == {"facts"}


def test_rare_ones(store: MemoryExporter) -> None:
    """Slices hold as many of those that are wanted, wherever they are."""
    fill(store, dict.fromkeys(range(60), 100), slow_from=50)
    found = take(store, "slow:>=1s", count=count_slow)
    assert (len(found.records), found.requests) == (100, 100)
    assert min(one.date_created for one in found.records) >= SINCE + timedelta(minutes=50)


def test_unknown_numbers(store: MemoryExporter) -> None:
    """Where counts cannot tell how many there are, the slices are read whole."""
    fill(store, dict.fromkeys(range(60), 100), slow_from=50)
    found = take(store, "slow:>=1s")
    assert (len(found.records), found.requests) == (100, None)


def test_time_over(store: MemoryExporter) -> None:
    """A sample that is broken off says so, and is even all the same."""
    fill(store, dict.fromkeys(range(60), 100))
    with mock.patch.object(sampling, "monotonic", side_effect=range(100)):
        found = take(store, count=count_all, limit=400, budget_s=11.0)
    assert not found.is_whole and 50 <= len(found.records) <= 110
    halves = Counter(one.date_created.minute < 30 for one in found.records)
    assert halves[True] == pytest.approx(halves[False], rel=0.4)


@pytest.mark.parametrize("windows", [2, 8, 9, 16, 17, 18, 34, 40])
def test_time_over_early(store: MemoryExporter, windows: int) -> None:
    """However many windows there are, the first ones that are read are far apart."""
    fill(store, dict.fromkeys(range(60), 100))
    with mock.patch.object(sampling, "monotonic", side_effect=range(100)):
        found = take(store, count=count_all, limit=400, windows=windows, budget_s=3.0)
    assert found.windows == 2
    times = [one.date_created for one in found.records]
    assert max(times) - min(times) >= HOUR / 4


def count_quick(counts: Counts) -> int:
    """Count those of less than a second."""
    return counts.requests - count_slow(counts)


def take_pair(store: MemoryExporter, **options: Any) -> tuple[Sample, Sample]:
    """Take the slow ones and the others of the hour."""
    density = read_density(store, Filter(), SINCE, NOW, NOW)
    slow = SampleSide(Filter.parse("slow:>=1s"), density, count_slow)
    quick = SampleSide(Filter.parse("slow:<1s"), density, count_quick)
    options = {"budget_s": 60.0, "limit": 400, **options}
    return sample_pair(store, slow, quick, since=SINCE, until=NOW, **options)


def test_pair(store: MemoryExporter) -> None:
    """Both sides are read to their limits, each where its requests are."""
    fill(store, dict.fromkeys(range(60), 100), slow_from=30)
    slow, quick = take_pair(store)
    assert (len(slow.records), slow.requests) == (300, 300)
    assert 350 <= len(quick.records) <= 400 and quick.requests == 5_700
    assert slow.is_whole and quick.is_whole
    early = sum(one.date_created < SINCE + HOUR / 2 for one in quick.records)
    assert early / len(quick.records) == pytest.approx(3_000 / 5_700, abs=0.05)


@pytest.mark.repeats
@pytest.mark.parametrize("budget_s", range(3, 60, 4))
def test_pair_whose_time_is_over(store: MemoryExporter, budget_s: int) -> None:
    """What was read is of the same times on both sides."""
    fill(store, dict.fromkeys(range(60), 100), slow_from=0)
    with mock.patch.object(sampling, "monotonic", side_effect=range(100)):
        slow, quick = take_pair(store, limit=4_000, budget_s=float(budget_s))
    assert not slow.is_whole and slow.windows == quick.windows == (budget_s - 1) // 2
    early = [
        sum(one.date_created < SINCE + HOUR / 2 for one in side.records) / len(side.records)
        for side in (slow, quick)
    ]
    assert early[0] == pytest.approx(early[1], abs=0.05)


@pytest.mark.parametrize("length", [timedelta(0), -HOUR])
def test_no_time_at_all(store: MemoryExporter, length: timedelta) -> None:
    """A range that ends where it begins, or before, has no requests."""
    fill(store, {0: 100})
    density = read_density(store, Filter(), SINCE, NOW, NOW)
    found = sample(store, Filter(), density, since=SINCE, until=SINCE + length, budget_s=60.0)
    assert found.records == []


def test_without_rollups(store: MemoryExporter) -> None:
    """Without rollups the range is one stretch, in slices of the same length."""
    fill(store, dict.fromkeys(range(60), 100))
    store.rollups.clear()
    found = take(store, count=count_all, limit=400)
    assert len(found.records) == 400 and found.requests is None
    assert len({one.date_created.minute for one in found.records}) >= 40


@pytest.mark.parametrize("first", [0, 7, 31])
def test_reach(store: MemoryExporter, first: int) -> None:
    """Records reach back to the oldest one, or as far as is asked, where there are older ones."""
    fill(store, dict.fromkeys(range(first, 60), 5))
    oldest = SINCE + timedelta(minutes=first)
    found = find_reach(store, Filter(), SINCE, NOW)
    assert found is not None and timedelta() <= oldest - found <= HOUR / 256
    assert find_reach(store, Filter(), NOW - HOUR / 4, NOW) == NOW - HOUR / 4
    assert find_reach(store, Filter.parse("user:ada"), SINCE, NOW) is None


def test_nothing(store: MemoryExporter) -> None:
    """Of an empty range there is an empty sample."""
    assert take(store, count=count_all).records == []


def test_of_a_route(store: MemoryExporter) -> None:
    """Rollups tell routes apart."""
    fill(store, dict.fromkeys(range(60), 5))
    for rule, expected in ((RECORD.url_rule, 300), ("/other", 0)):
        density = read_density(store, Filter.term("route", str(rule)), SINCE, NOW, NOW)
        assert sum(one.counts.requests for one in density if one.counts) == expected
