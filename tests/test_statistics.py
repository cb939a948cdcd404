"""Statistics: exact counts from the coarsest rollups that fit, and from records where need be."""

from __future__ import annotations

import dataclasses
import math
import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from unittest import mock

import pytest
from bson import ObjectId
from flask import Flask

from flask_tracking import Filter, FilterError, MemoryExporter, Tracking, TrackingError, queries
from flask_tracking.exporters.rollup_table import align
from flask_tracking.queries import measure, statistics
from flask_tracking.queries.spans import choose_spans
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Example, FailureKey, Failures, Rollup, RouteKey

from .captures import make_record

NOW = datetime(2026, 11, 24, 12, 34, 56, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    """Let it be the same moment in each test."""
    with mock.patch.object(statistics, "utc_now", lambda: NOW):
        yield


def make_minute(
    start: datetime, requests: int = 1, rule: str = "/a", version: str | None = None
) -> Rollup:
    """Make a minute of a process of its own."""
    counts = Counts()
    for _ in range(requests):
        counts.add_request(200, False, 5.0, 0, 0)
    source = f"{random.getrandbits(64)}"
    routes = {RouteKey(rule, "GET"): counts}
    return Rollup(width_s=60, start=align(start, 60), source=source, version=version, routes=routes)


def store_over_time(store: MemoryExporter, chance: random.Random, days: int) -> list[Rollup]:
    """Store minutes of some days as they pass, with merging in between; the last is of this minute."""
    table = store.rollups
    minutes = [make_minute(NOW - days * timedelta(days=1) * chance.random()) for _ in range(60)]
    minutes += [make_minute(NOW - timedelta(hours=3) * chance.random()) for _ in range(20)]
    minutes = [*sorted(minutes, key=lambda one: one.start), make_minute(NOW)]
    for minute in minutes:
        table.store([minute])
        if chance.random() < 0.6:
            table.merge("me", minute.start + MINUTE * chance.uniform(0, 10))
    return minutes


@pytest.mark.repeats
@pytest.mark.parametrize("days", [1, 3, 50, 390])
@pytest.mark.parametrize("seed", range(5))
def test_counts_are_exact(seed: int, days: int) -> None:
    """Whatever was merged so far, a range has the requests that ended in it."""
    chance = random.Random(seed)
    store = MemoryExporter()
    minutes = store_over_time(store, chance, days)
    for _ in range(20):
        since = NOW - timedelta(days=days) * chance.random() ** 3
        until = since + (NOW - since) * chance.choice([0.3, 0.9, 1.0])
        found = measure(store, since=since, until=until)
        assert found.since <= since and found.until >= until and found.source == "rollups"
        expected = [one for one in minutes if found.since <= one.start < found.until]
        assert found.total.requests == len(expected), since
        assert since - found.since < timedelta(days=1)
        assert found.until - until < timedelta(days=1)


@pytest.mark.parametrize(
    ("age", "widest_s"),
    [(timedelta(minutes=17), 300), (timedelta(hours=20), 3600), (timedelta(days=30), 86_400)],
)
def test_spans(age: timedelta, widest_s: int) -> None:
    """A range is covered without a gap and without an overlap, and by few rollups."""
    store = MemoryExporter()
    spans = choose_spans(store.rollups, NOW - age, NOW, NOW)
    assert spans[0].since <= NOW - age and spans[-1].until >= NOW
    for before, after in zip(spans, spans[1:], strict=False):
        assert before.until == after.since
    rollups = sum((one.until - one.since).total_seconds() / one.width_s for one in spans)
    assert rollups < 80
    assert max(one.width_s for one in spans) == widest_s


@pytest.mark.parametrize("merged_until", [None, MINUTE * 90, MINUTE * 30])
def test_nothing_is_merged_yet(merged_until: timedelta | None) -> None:
    """Minutes that nobody has merged are counted, also of hours and days that are long over."""
    store = MemoryExporter()
    store.rollups.store([make_minute(NOW - at * MINUTE) for at in range(150)])
    if merged_until is not None:
        store.rollups.merge("me", NOW - merged_until)
    for minutes in (30, 60, 120, 150):
        found = measure(store, since=NOW - minutes * MINUTE, until=NOW)
        assert found.total.requests == len({*range(minutes + 1)} & {*range(150)})


def test_coarsest_that_are_whole() -> None:
    """Each stretch is read from the widest rollups that have all of it, whatever is not merged yet."""
    store = MemoryExporter()
    noon = NOW.replace(hour=12, minute=0, second=0)
    for at in range(4 * 60, -35, -1):
        minute = noon - at * MINUTE
        store.rollups.store([make_minute(minute)])
        if at % 5 == 0:
            store.rollups.merge("me", minute + MINUTE)
    spans = choose_spans(store.rollups, noon - timedelta(hours=4), NOW, NOW)
    assert [(span.width_s, (span.until - span.since) / MINUTE) for span in spans] == [
        (3600, 240),
        (300, 30),
        (60, 5),
    ]


def test_range_of_rollups_that_expired() -> None:
    """What is older than the coarsest rollups live is not asked for."""
    spans = choose_spans(MemoryExporter().rollups, NOW - timedelta(days=4000), NOW, NOW)
    assert spans[0].since >= NOW - timedelta(days=401)


def test_groups() -> None:
    """Groups come with the most requests first; each by what it has in common."""
    store = MemoryExporter()
    store.rollups.store(
        [
            make_minute(NOW, 3, "/b", "1.0"),
            make_minute(NOW, 1, "/a", "2.0"),
            make_minute(NOW, 2, "/a", "1.0"),
            make_minute(NOW, 1, "/c", "2.0"),
        ]
    )
    expected: dict[str | None, dict[str | None, int]] = {
        "route": {"GET /a": 3, "GET /b": 3, "GET /c": 1},
        "url_rule": {"/a": 3, "/b": 3, "/c": 1},
        "method": {"GET": 7},
        "status": {"200": 7},
        "version": {"1.0": 5, "2.0": 2},
        None: {None: 7},
    }
    for by, counts in expected.items():
        found = measure(store, by=by, since="1h")
        assert [(one.key, one.requests) for one in found.groups] == list(counts.items())
        assert found.total.requests == 7
    assert queries.versions(store).values == {"1.0": 5, "2.0": 2}
    assert queries.top_routes(store, limit=1).values == {"GET /a": 3}
    rates = queries.rates(store, by="url_rule", since=NOW - MINUTE).values
    assert rates == pytest.approx({"/a": 3 / 116, "/b": 3 / 116, "/c": 1 / 116})


def test_percentiles() -> None:
    """Percentiles are within 1.1 % of the exact ones, and none exceeds the longest request."""
    chance = random.Random(1)
    durations = [chance.lognormvariate(3, 1) for _ in range(5000)]
    store = MemoryExporter()
    for at in range(0, 5000, 100):
        minute = make_minute(NOW - MINUTE * (at // 100), 0)
        counts = next(iter(minute.routes.values()))
        for duration_ms in durations[at : at + 100]:
            counts.add_request(200, False, duration_ms, 0, 0)
        store.rollups.store([minute])
    store.rollups.merge("me", NOW)
    shares = (0.01, 0.5, 0.95, 0.99, 1.0)
    (found,) = queries.percentiles(store, shares=shares).values.values()
    for share in shares:
        exact = sorted(durations)[math.ceil(share * 5000) - 1]
        value = found[share]
        assert value is not None and abs(value / exact - 1) < 0.011


def test_failures_and_fates() -> None:
    """Groups of failures, and what became of the records, come with the counts."""
    store = MemoryExporter()
    key = FailureKey("ValueError", "a.py", "f", "/a")
    for minute in (NOW, NOW - 10 * MINUTE):
        one = make_minute(minute)
        one.failures = {key: Failures(2)}
        one.stored, one.not_stored, one.dropped = 3, 1, Counter({"queue_full": 1})
        store.rollups.store([one])
    found = measure(store)
    assert [(name, group.count) for name, group in found.failures] == [(key, 4)]
    assert (found.stored, found.not_stored, found.dropped) == (6, 2, {"queue_full": 2})
    assert measure(store, Filter.parse("method:get")).failures == []


@pytest.mark.parametrize("text", ["route:/a", "method:get", "version:1.0"])
def test_fates_of_chosen_routes_are_unknown(text: str) -> None:
    """What became of records is counted without routes: an answer about some routes leaves it out."""
    store = MemoryExporter()
    one = make_minute(NOW)
    one.stored, one.not_stored, one.dropped = 3, 1, Counter({"queue_full": 1})
    store.rollups.store([one])
    found = measure(store, text)
    assert (found.source, found.stored, found.not_stored, found.dropped) == ("rollups", None, None, {})


def test_arguments_as_people_write_them() -> None:
    """A filter may be its text, and an age a timedelta; an answer says why it is from records."""
    store = MemoryExporter()
    store.rollups.store([make_minute(NOW - timedelta(hours=3), 2), make_minute(NOW, 3, "/b")])
    found = measure(store, "route:/b", since=timedelta(hours=2), until=timedelta(0))
    assert (found.total.requests, found.until) == (3, NOW)
    assert measure(store, since="2h").total == measure(store, since=timedelta(hours=2)).total
    assert queries.rates(store, since=timedelta(days=1)).reason == ""
    assert queries.rates(store, "user:ada").reason == "rollups cannot filter by user"


def test_method() -> None:
    """Rollups know the method."""
    store = MemoryExporter()
    store.rollups.store([make_minute(NOW, 2)])
    for by in ("route", "status", "version", None):
        assert measure(store, Filter.parse("method:get"), by=by).total.requests == 2
        found = measure(store, Filter.parse("method:post"), by=by)
        assert (found.total.requests, found.groups, found.source) == (0, [], "rollups")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("method:brew", 2),
        ("method:post or method:brew", 2),
        ("not method:brew", 1),
    ],
)
def test_methods_that_rollups_count_together(text: str, count: int) -> None:
    """Rollups have one number for all methods but the standard ones: records know each."""
    methods = ("BREW", "BREW", "PROPFIND")
    records = [
        dataclasses.replace(make_record(), date_created=NOW - MINUTE, method=method)
        for method in methods
    ]
    store = MemoryExporter()
    store.rollups.store([make_minute(NOW, 2)])
    store.export(records)
    found = measure(store, Filter.parse(text))
    assert (found.source, found.reason) == ("records", "rollups cannot filter by method")
    assert found.total.requests == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("route:/a", 3),
        ("route:/* not route:/a", 4),
        ("version:1.0 route:/a", 2),
        ("(version:2.0 or route:/b) since:2h", 5),
        ("method:post or version:2.0", 2),
        ("not version:2.0 until:1h", 0),
    ],
)
@pytest.mark.parametrize("by", ["url_rule", "version", "status", None])
def test_filters_that_rollups_can_answer(text: str, count: int, by: str | None) -> None:
    """Time, method, route and version may be combined in any way."""
    store = MemoryExporter()
    store.rollups.store(
        [
            make_minute(NOW, 3, "/b", "1.0"),
            make_minute(NOW, 1, "/a", "2.0"),
            make_minute(NOW, 2, "/a", "1.0"),
            make_minute(NOW, 1, "/c", "2.0"),
        ]
    )
    found = measure(store, Filter.parse(text), by=by)
    assert (found.total.requests, found.source) == (count, "rollups")
    assert sum(one.requests for one in found.groups) == count


def test_times_within_a_filter() -> None:
    """A time that does not hold for all of a filter is asked of the records."""
    found = measure(MemoryExporter(), Filter.parse("since:2h or version:1.0"), since="1d")
    assert (found.source, found.reason) == ("records", "rollups cannot filter by since")


RECORDS = [
    dataclasses.replace(
        make_record(status="500 X" if number % 4 == 0 else "200 OK"),
        date_created=NOW - MINUTE * number - timedelta(seconds=1),
        user_id=str(number % 2),
        host="a.example",
        execution_time=10.0 * (number + 1),
    )
    for number in range(8)
]


@pytest.mark.parametrize(
    ("text", "by", "reason", "counts"),
    [
        ("user:1", "route", "rollups cannot filter by user", {"GET /orders/<int:number>": 4}),
        ("status:5xx", "method", "rollups cannot filter by status", {"GET": 2}),
        ("slow:75ms", "status", "rollups cannot filter by slow", {"200": 1}),
        ("", "host", "rollups do not know the host", {"a.example": 8}),
        ("since:2026-11-24T12:31:30", "user", "rollups do not know the user", {"0": 2, "1": 2}),
        ("path:/x* or tea", "version", "rollups cannot filter by path and words", {}),
    ],
)
def test_records(text: str, by: str, reason: str, counts: dict[str, int]) -> None:
    """What rollups do not know is counted by records, and the answer says why."""
    store = MemoryExporter()
    store.export(RECORDS)
    found = measure(store, Filter.parse(text), by=by)
    assert {one.key: one.requests for one in found.groups} == counts
    assert (found.source, found.reason, found.is_complete) == ("records", reason, True)
    assert found.stored is None


def test_record_of_this_millisecond() -> None:
    """What has just arrived counts; a range that was asked for ends before its end."""
    store = MemoryExporter()
    store.export([dataclasses.replace(make_record(), date_created=NOW)])
    assert measure(store, by="host").total.requests == 1
    assert measure(store, by="host", until=NOW).total.requests == 0
    assert measure(store, f"until:{NOW:%Y-%m-%dT%H:%M:%SZ}", by="host").total.requests == 0


def test_records_without_a_duration() -> None:
    """A record that does not know how long it took is counted, and none of the durations is 0."""
    store = MemoryExporter()
    unknown = dataclasses.replace(RECORDS[0], execution_time=None, host="b.example")
    store.export([*RECORDS[1:], unknown, dataclasses.replace(unknown, id=ObjectId(), host="a.example")])
    found = measure(store, by="host")
    known, missing = found.groups
    assert (known.key, known.requests, known.max_ms, known.mean_ms) == ("a.example", 8, 80.0, 50.0)
    assert (missing.key, missing.requests, missing.max_ms) == ("b.example", 1, None)
    assert (missing.mean_ms, missing.percentile_ms(0.5)) == (None, None)
    assert known.percentile_ms(0.01) == pytest.approx(20, rel=0.02)


def test_failures_among_records() -> None:
    """They are named as in rollups, and each group leads to a record, to a kept one if there is one."""
    failed = dataclasses.replace(make_record(status="503 X"), date_created=NOW - MINUTE)
    kept = dataclasses.replace(make_record(status="503 X"), date_created=NOW - 2 * MINUTE, kept=True)
    torn = dataclasses.replace(
        make_record(), date_created=NOW - MINUTE, outcome="stream_error", url_rule="/stream"
    )
    store = MemoryExporter()
    store.export([failed, kept, torn])
    found = measure(store, by="host")
    assert [(key.error, group.count, group.example) for key, group in found.failures] == [
        ("status 503", 2, Example(True, kept.id)),
        ("stream_error", 1, Example(False, torn.id)),
    ]


def test_too_many_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound the newest are read; the answer says from when on."""
    monkeypatch.setattr(statistics, "MAX_RECORDS", 3)
    store = MemoryExporter()
    store.export(RECORDS)
    found = measure(store, by="user")
    assert (found.total.requests, found.is_complete) == (3, False)
    assert found.since == RECORDS[2].date_created
    assert queries.top_users(store, limit=1).values == {"0": 2}


def test_store_without_rollups() -> None:
    """A store that has none is asked for its records."""

    store = MemoryExporter()
    store.rollups = None  # type: ignore[assignment]
    store.export(RECORDS)
    found = measure(store)
    assert (found.total.requests, found.reason) == (8, "the store has no rollups")
    (failure,) = found.failures
    example = Example(False, max(one.id for one in RECORDS if one.status_code == 500))
    assert failure == (FailureKey("status 500", "", "", "/orders/<int:number>"), Failures(2, example))


def test_store_of_the_app(app: Flask, tracking: Tracking, memory: MemoryExporter) -> None:
    """Without a store it is that of the current app."""
    memory.rollups.store([make_minute(NOW)])
    with app.app_context():
        assert measure().total.requests == 1


def test_no_store(app: Flask) -> None:
    """Without an app and a store there is nothing to ask."""
    with mock.patch.object(statistics, "find_tracked", lambda: None):
        with pytest.raises(TrackingError, match="No store found"):
            measure()


def test_nonsense() -> None:
    """A wrong group and a wrong time are errors that name them."""
    with pytest.raises(FilterError, match="Invalid group 'colour': expected one of route, "):
        measure(MemoryExporter(), by="colour")
    with pytest.raises(FilterError, match="'soon'"):
        measure(MemoryExporter(), since="soon")
    with pytest.raises(FilterError, match="Invalid until 60: expected a datetime, a timedelta, or a"):
        measure(MemoryExporter(), until=60)  # type: ignore[arg-type]
    with pytest.raises(FilterError, match="Invalid share 95: expected 0 to 1, like 0.95"):
        queries.percentiles(MemoryExporter(), shares=(95,))
    with pytest.raises(FilterError, match="Unknown key 'methd'"):
        measure(MemoryExporter(), "methd:post")


@pytest.mark.parametrize(
    ("since", "until", "text"),
    [
        ("1h", "2h", ""),
        (NOW + MINUTE, None, ""),
        (None, None, "since:1h until:2h"),
        (None, "2d", "since:1d"),
    ],
)
def test_range_that_is_reversed(since: str | datetime | None, until: str | None, text: str) -> None:
    """A range that ends before it begins is an error, and not a range without requests."""
    with pytest.raises(FilterError, match="Invalid range: it begins at 2026-11-2.*, after its end at"):
        measure(MemoryExporter(), Filter.parse(text), since=since, until=until)


def test_rollups_are_off() -> None:
    """With TRACKING_ROLLUP_DAYS = 0 records are asked, also of a store that could have rollups."""
    store = MemoryExporter()
    store.export([dataclasses.replace(make_record(), date_created=NOW - MINUTE)])
    found = measure(store)
    assert (found.source, found.reason) == ("records", "there are no rollups of this range")
    assert found.total.requests == 1
    store.rollups.store([make_minute(NOW - MINUTE, 3)])
    found = measure(store, Filter.parse("route:/b"))
    assert (found.source, found.total.requests) == ("rollups", 0)


def test_empty() -> None:
    """No requests have no rate of errors, and no percentiles."""
    found = measure(MemoryExporter())
    assert (found.total.requests, found.total.error_rate, found.groups) == (0, 0.0, [])
    assert (found.total.percentile_ms(0.5), found.total.mean_ms, found.total.max_ms) == (None,) * 3
