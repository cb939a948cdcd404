"""`find_newest` asks small ranges, the newest first, and stops as soon as it can."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from bson import ObjectId

from flask_tracking import ExportError, Filter, MemoryExporter, Record
from flask_tracking.exporters.rollup_table import align
from flask_tracking.queries import find_newest, read_back, search_bodies
from flask_tracking.queries.newest import PAGE, RARE_WINDOWS, WINDOWS
from flask_tracking.rollups.rollup import Rollup

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

AGES = [
    timedelta(0),
    timedelta(milliseconds=1),
    *(window + change for window in WINDOWS for change in (-DAY / 10**6, timedelta(0), DAY / 10**6)),
    timedelta(days=3650),
]
"""Around every border of a window, and beyond the last."""


class RecordingReader(MemoryExporter):
    """A store in memory that notes what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[datetime | None, datetime | None, int]] = []

    def _find(self, wanted: Filter, limit: int) -> list[Record]:
        self.asked.append((*wanted.arrival(NOW), limit))
        return super()._find(wanted, limit)


@pytest.fixture
def reader() -> RecordingReader:
    """An empty store."""
    return RecordingReader()


def make_record(age: timedelta, **changes: Any) -> Record:
    """Make a record that arrived `age` ago."""
    return Record(**{"id": ObjectId(), "date_created": NOW - age, **changes})


def store(reader: RecordingReader, *ages: timedelta) -> list[Record]:
    """Store a record of each age; return them as they were given."""
    records = [make_record(age) for age in ages]
    reader.export(records)
    return records


def test_newest_come_first(reader: RecordingReader) -> None:
    """Records are found from the newest to the oldest, whatever their order in the store."""
    records = store(reader, DAY, timedelta(0), 4000 * DAY, 5 * MINUTE)

    found = find_newest(reader, Filter(), 10, now=NOW)

    assert found == sorted(records, key=lambda record: record.date_created, reverse=True)


def test_records_of_one_moment_come_by_id(reader: RecordingReader) -> None:
    """Records of one millisecond are found by descending id, so that the order is always the same."""
    records = store(reader, *[MINUTE] * 5)

    found = find_newest(reader, Filter(), 3, now=NOW)

    assert found == sorted(records, key=lambda record: record.id, reverse=True)[:3]


def test_every_record_is_found_once(reader: RecordingReader) -> None:
    """However old records are, at the border of a window too, each is found exactly once."""
    records = store(reader, *AGES)

    found = find_newest(reader, Filter(), len(AGES) + 10, now=NOW)

    assert found == sorted(records, key=lambda record: (record.date_created, record.id), reverse=True)


@pytest.mark.parametrize("limit", range(1, len(AGES) + 1))
def test_limit(reader: RecordingReader, limit: int) -> None:
    """As many of the newest are found as were asked for, no more."""
    records = store(reader, *AGES)

    found = find_newest(reader, Filter(), limit, now=NOW)

    newest = sorted(records, key=lambda record: (record.date_created, record.id), reverse=True)
    assert found == newest[:limit]


def test_windows_do_not_overlap(reader: RecordingReader) -> None:
    """Each step begins where the one before ended: together they are all of time, each part once."""
    find_newest(reader, Filter(), 1, now=NOW)

    ranges = [(since, until) for since, until, _ in reader.asked]
    assert ranges[0] == (NOW - WINDOWS[0], None)
    assert ranges[-1][0] is None
    assert len(ranges) == len(WINDOWS) + 1
    for (since, _), (_, next_until) in zip(ranges, ranges[1:], strict=False):
        assert since is not None
        assert next_until == since
    widths = [until - since for since, until in ranges if since and until]
    assert widths == sorted(widths)


def test_stops_when_the_list_is_full(reader: RecordingReader) -> None:
    """The step that fills the list is the last one: older records are not asked for."""
    first, second, third, *_ = WINDOWS
    store(reader, timedelta(0), second, second, third)

    found = find_newest(reader, Filter(), 3, now=NOW)

    assert len(found) == 3
    assert reader.asked == [(NOW - first, None, 3), (NOW - second, NOW - first, 2)]


def count_minutes(reader: RecordingReader, ages: list[timedelta], merged_until: timedelta) -> None:
    """Let the rollups count requests of these ages, and merge them."""
    minutes = [
        Rollup(width_s=60, start=align(NOW - age, 60), source=f"web:1:{number}.1", stored=1)
        for number, age in enumerate(ages)
    ]
    reader.rollups.store(minutes)
    reader.rollups.merge("me", NOW - merged_until)


@pytest.mark.parametrize("gap", [20 * MINUTE, 7 * 60 * MINUTE, 3 * DAY, 50 * DAY])
@pytest.mark.parametrize("text", ["", "status:200"])
def test_gap_without_requests(reader: RecordingReader, gap: timedelta, text: str) -> None:
    """Behind a long time without requests the steps begin small again: few records are read."""
    ages = [gap + age for age in (MINUTE, 2 * MINUTE, 30 * MINUTE, 5 * DAY)]
    records = [make_record(age, status_code=200) for age in ages]
    reader.export(records)
    count_minutes(reader, ages, timedelta(0))
    assert find_newest(reader, Filter.parse(text), 2, now=NOW) == records[:2]
    since, until, _ = reader.asked[-1]
    width = timedelta(days=1) if gap > 35 * DAY else timedelta(hours=1) if gap > DAY else 5 * MINUTE
    assert since is not None and until is not None
    assert until - since <= 4 * width + 64 * MINUTE
    borders = [border for begin, end, _ in reader.asked for border in (end, begin)]
    assert borders[0] is None and borders[1:-1:2] == borders[2::2]  # without gaps or overlaps


def test_gap_in_which_rollups_are_wrong(reader: RecordingReader) -> None:
    """They only say where to begin small: what they do not know is found all the same."""
    records = store(reader, 2 * 60 * MINUTE, 3 * 60 * MINUTE, 40 * DAY)
    count_minutes(reader, [20 * DAY], timedelta(0))
    assert find_newest(reader, Filter(), 3, now=NOW) == records


def test_rollups_that_cannot_be_read(reader: RecordingReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search needs them for speed only, and asks once."""
    records = store(reader, DAY)
    asked = []

    def refuse(now: datetime) -> datetime:
        asked.append(now)
        raise ExportError("forbidden")

    monkeypatch.setattr(reader.rollups, "find_last", refuse)
    assert find_newest(reader, Filter(), 2, now=NOW) == records
    assert asked == [NOW]


def test_asks_nothing_for_no_records(reader: RecordingReader) -> None:
    """A limit of nothing finds nothing and asks the store nothing."""
    store(reader, timedelta(0))

    assert find_newest(reader, Filter(), 0, now=NOW) == []
    assert reader.asked == []


def test_since_is_honoured(reader: RecordingReader) -> None:
    """Nothing older than `since` is found, and no range that begins before it is asked for."""
    store(reader, timedelta(0), 30 * MINUTE, 31 * MINUTE, DAY)
    since = NOW - 30 * MINUTE

    found = find_newest(reader, Filter().narrowed(since, None), 10, now=NOW)

    assert [NOW - record.date_created for record in found] == [timedelta(0), 30 * MINUTE]
    assert [asked_since for asked_since, _, _ in reader.asked] == [
        *[NOW - window for window in WINDOWS if window < 30 * MINUTE],
        since,
    ]


@pytest.mark.parametrize("window", WINDOWS)
def test_since_at_the_border_of_a_window(reader: RecordingReader, window: timedelta) -> None:
    """A `since` where a window ends is the last thing asked for, and includes its own moment."""
    (at_border, _) = store(reader, window, window + timedelta(milliseconds=1))

    found = find_newest(reader, Filter().narrowed(NOW - window, None), 10, now=NOW)

    assert found == [at_border]
    assert reader.asked[-1][0] == NOW - window
    assert len(reader.asked) == WINDOWS.index(window) + 1


def test_since_past_the_last_window(reader: RecordingReader) -> None:
    """A `since` of years ago is honoured in the last step."""
    last = WINDOWS[-1]
    store(reader, last + DAY, last + 2 * DAY, last + 3 * DAY)

    found = find_newest(reader, Filter().narrowed(NOW - last - 2 * DAY, None), 10, now=NOW)

    assert [NOW - record.date_created for record in found] == [last + DAY, last + 2 * DAY]
    assert reader.asked[-1] == (NOW - last - 2 * DAY, NOW - last, 10)


def test_until_is_where_the_steps_begin(reader: RecordingReader) -> None:
    """With an `until` the first step ends there, and the record of that very moment is not meant."""
    just_before = 3 * DAY + WINDOWS[0] / 2
    store(reader, timedelta(0), 3 * DAY, just_before, 4 * DAY)
    until = NOW - 3 * DAY

    found = find_newest(reader, Filter().narrowed(None, until), 1, now=NOW)

    assert [NOW - record.date_created for record in found] == [just_before]
    assert reader.asked == [(until - WINDOWS[0], until, 1)]


def test_since_and_until_together(reader: RecordingReader) -> None:
    """Between `since` and `until` everything is found, and nothing outside is asked for."""
    store(reader, timedelta(0), DAY, 2 * DAY, 3 * DAY)
    since, until = NOW - 2 * DAY, NOW - DAY + MINUTE

    found = find_newest(reader, Filter().narrowed(since, until), 10, now=NOW)

    assert [NOW - record.date_created for record in found] == [DAY, 2 * DAY]
    for asked_since, asked_until, _ in reader.asked:
        assert asked_since is not None and asked_since >= since
        assert asked_until is not None and asked_until <= until


def test_since_after_until_finds_nothing(reader: RecordingReader) -> None:
    """A range that is empty finds nothing and asks the store nothing."""
    store(reader, timedelta(0), MINUTE)

    assert find_newest(reader, Filter().narrowed(NOW, NOW - MINUTE), 10, now=NOW) == []
    assert reader.asked == []


@pytest.mark.parametrize("ahead", [timedelta(milliseconds=1), MINUTE, DAY, 4000 * DAY])
def test_records_of_a_clock_that_is_ahead_are_found(reader: RecordingReader, ahead: timedelta) -> None:
    """A record of a machine whose clock is ahead of ours is among the newest, in the first step."""
    _present, early = store(reader, timedelta(0), -ahead)

    assert find_newest(reader, Filter(), 1, now=NOW) == [early]
    assert len(reader.asked) == 1


def test_since_in_the_future(reader: RecordingReader) -> None:
    """A `since` that has not come yet finds what is dated after it, in one step."""
    _present, early = store(reader, timedelta(0), -DAY)

    assert find_newest(reader, Filter().narrowed(NOW + MINUTE, None), 10, now=NOW) == [early]
    assert reader.asked == [(NOW + MINUTE, None, 10)]


def test_until_at_the_beginning_of_time(reader: RecordingReader) -> None:
    """An `until` with no year before it is a question like any other: nothing is that old."""
    store(reader, timedelta(0))
    until = datetime(1, 1, 2, tzinfo=timezone.utc)

    assert find_newest(reader, Filter().narrowed(None, until), 10, now=NOW) == []


def test_other_parts_of_the_filter_hold(reader: RecordingReader) -> None:
    """What else the filter demands holds in every step."""
    wanted = [make_record(age, status_code=500) for age in AGES]
    others = [make_record(age, status_code=200) for age in AGES]
    reader.export(wanted + others)

    found = find_newest(reader, Filter.parse("status:5xx"), 1000, now=NOW)

    assert {record.id for record in found} == {record.id for record in wanted}
    assert len(found) == len(wanted)


@pytest.mark.parametrize("text", ["status:5xx", "status:503", "status:500 method:GET"])
def test_failures_are_asked_for_in_longer_steps(reader: RecordingReader, text: str) -> None:
    """Failures are rare: there are fewer steps, of which each begins where the one before ended."""
    find_newest(reader, Filter.parse(text), 1, now=NOW)

    ranges = [(since, until) for since, until, _ in reader.asked]
    begins = [NOW - window for window in RARE_WINDOWS]
    assert ranges == list(zip([*begins, None], [None, *begins], strict=True))
    assert set(RARE_WINDOWS) < set(WINDOWS)


@pytest.mark.parametrize("text", ["status:4xx", "slow:1s", "is:kept"])
def test_others_are_asked_for_in_short_steps(reader: RecordingReader, text: str) -> None:
    """What may be most of all records is asked for in short steps."""
    find_newest(reader, Filter.parse(text), 1, now=NOW)
    assert len(reader.asked) == len(WINDOWS) + 1


def test_present_is_the_default(reader: RecordingReader) -> None:
    """Without a "now" the steps go back from the clock."""
    before = datetime.now(timezone.utc)
    find_newest(reader, Filter(), 1)
    after = datetime.now(timezone.utc)

    (first, until, _), *_ = reader.asked
    assert until is None
    assert first is not None
    assert before <= first + WINDOWS[0] <= after


def test_empty_store(reader: RecordingReader) -> None:
    """An empty store has no newest records."""
    assert find_newest(reader, Filter(), 10, now=NOW) == []


# Reading back


def read_all(reader: RecordingReader, text: str = "", **options: Any) -> list[Record]:
    """Return all records that are read back; no step is larger than a page and a half."""
    found: list[Record] = []
    for page, since in read_back(reader, Filter.parse(text), now=NOW, **options):
        assert all(since is None or record.date_created >= since for record in page)
        found += page
    return found


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 5 * PAGE])
@pytest.mark.parametrize("apart", [timedelta(0), timedelta(milliseconds=1), MINUTE, 40 * DAY])
def test_read_back(reader: RecordingReader, count: int, apart: timedelta) -> None:
    """All records are read, each once, the newest first, however close together they are."""
    records = store(reader, *(number * apart for number in range(count)))
    found = read_all(reader)
    assert found == sorted(records, key=lambda one: (one.date_created, one.id), reverse=True)
    if apart:
        assert len(reader.asked) < 40 + 4 * count / PAGE
        assert max(limit for _, _, limit in reader.asked) == PAGE


def test_read_back_of_uneven_records(reader: RecordingReader) -> None:
    """Idle years, busy milliseconds and clocks that are ahead are read alike."""
    chance = random.Random(16)
    ages = [timedelta(milliseconds=round(4 ** chance.uniform(0, 18))) for _ in range(3000)]
    busy = [DAY] * 700 + [DAY + timedelta(milliseconds=1)] * 500
    records = store(reader, *ages, *busy, -MINUTE, -DAY)
    found = read_all(reader)
    assert found == sorted(records, key=lambda one: (one.date_created, one.id), reverse=True)


def test_read_back_within_bounds(reader: RecordingReader) -> None:
    """The bounds of the filter hold, and nothing outside is asked for."""
    records = store(reader, *(number * MINUTE for number in range(500)))
    found = read_all(
        reader, f"since:{NOW - 300 * MINUTE:%Y-%m-%dT%H:%M} until:{NOW - MINUTE:%Y-%m-%dT%H:%M}"
    )
    assert found == records[2:301]
    assert min(since for since, _, _ in reader.asked if since) == NOW - 300 * MINUTE


def test_search_in_bodies(reader: RecordingReader) -> None:
    """The newest records with a text in a body are found; the rest of the filter saves reading."""
    records = [
        make_record(
            number * MINUTE,
            response_body=b"x Needle" if number % 100 == 7 else b"hay",
            status_code=number % 2,
        )
        for number in range(1000)
    ]
    reader.export(records)
    wanted = Filter.parse("body:needle")
    result = search_bodies(reader, wanted, 3, now=NOW)
    assert result.records == [records[number] for number in (7, 107, 207)]
    assert 207 < result.searched < 500 and result.resume is None
    result = search_bodies(reader, wanted, 100, now=NOW)
    assert result.records == records[7::100]
    assert (result.searched, result.resume) == (1000, None)
    assert search_bodies(reader, Filter.parse("not body:hay"), 100, now=NOW).records == records[7::100]


@pytest.mark.repeats
def test_search_in_bodies_goes_on(reader: RecordingReader) -> None:
    """A search whose time is over says where, and goes on from there without reading twice."""
    ages = [number // 3 * MINUTE for number in range(1000)]
    records = [make_record(age, request_body=b"needle") for age in ages]
    reader.export(records)
    wanted, found, searched, steps = Filter.parse("body:needle"), [], 0, 0
    while True:
        result = search_bodies(reader, wanted, 10_000, budget_s=0, now=NOW)
        found += result.records
        searched += result.searched
        steps += 1
        if result.resume is None:
            break
        wanted = Filter.parse(f"body:needle until:{result.resume.isoformat()}")
    assert sorted(found, key=lambda one: one.id) == sorted(records, key=lambda one: one.id)
    assert (searched, steps > 10) == (1000, True)
