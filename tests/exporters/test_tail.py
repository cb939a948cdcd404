"""`Store.tail` follows what is stored: each record once, whenever it appears."""

from __future__ import annotations

import dataclasses
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from flask_tracking import Filter, MemoryExporter, Record, Store
from flask_tracking.exporters.mongo import tail as tail_module
from flask_tracking.exporters.mongo.codec import to_document
from flask_tracking.exporters.mongo.query import to_tail_query
from flask_tracking.exporters.mongo.tail import OLDEST_FIRST
from flask_tracking.record_summary import summarize

from ..captures import make_record
from .conftest import Make
from .test_mongo import plan_stages

Document = dict[str, Any]
ALL = Filter()


def make_records(count: int, **parts: Any) -> list[Record]:
    """Make records, one after another."""
    return [dataclasses.replace(make_record(), **parts) for _ in range(count)]


def follow(store: Store, wanted: Filter, position: Any, limit: int = 500) -> tuple[list[Any], Any]:
    """Ask until nothing new is found; return all that was found, and the last position."""
    found: list[Any] = []
    while True:
        records, position = store.tail(wanted, position, limit=limit)
        found += records
        if not records:
            return found, position


def test_begins_behind_what_is_stored(store: Store) -> None:
    """What was there before the first call is not found by those that follow."""
    store.open()
    store.export(make_records(3))
    records, position = store.tail(ALL)
    assert records == []
    assert follow(store, ALL, position)[0] == []


@pytest.mark.parametrize("limit", [1, 2, 500])
def test_each_record_once(store: Store, limit: int) -> None:
    """All that comes is found in its order, whatever the limit; what is sent again is found once."""
    store.open()
    _, position = store.tail(ALL)
    stored: list[Record] = []
    for count in (1, 3, 0, 2):
        records = make_records(count)
        store.export(records)
        store.export(records)
        stored += records
        found, position = follow(store, ALL, position, limit)
        assert [one.id for one in found] == [one.id for one in records]
    assert store.tail(ALL, position).records == []


def test_a_position_may_be_used_again(store: Store) -> None:
    """A call that failed is repeated from the same position."""
    store.open()
    _, position = store.tail(ALL)
    records = make_records(2)
    store.export(records)
    assert store.tail(ALL, position).records == store.tail(ALL, position).records
    assert store.tail(ALL, position).records == [summarize(one) for one in records]


def test_filter(store: Store) -> None:
    """Only what is meant is found, and whether one is kept is said as it was stored."""
    store.open()
    _, position = store.tail(ALL)
    routine = make_records(2, status_code=200)
    failures = make_records(2, status_code=500, kept=True, kept_reason="error")
    store.export([*routine, *failures])
    for text, expected in (
        ("", [*routine, *failures]),
        ("status:5xx", failures),
        ("is:kept", failures),
        ("status:200 since:1h", routine),
        ("status:404", []),
    ):
        found, _ = follow(store, Filter.parse(text), position)
        assert found == [summarize(one) for one in expected]


def test_what_is_overwritten_meanwhile_is_gone() -> None:
    """In a small store a reader that is slow finds what is left, each once."""
    store = MemoryExporter(max_records=3)
    store.export(make_records(2))
    _, position = store.tail(ALL)
    records = make_records(5)
    store.export(records)
    found, position = follow(store, ALL, position, 2)
    assert [one.id for one in found] == [one.id for one in records[-3:]]
    store.clear()
    store.export(last := make_records(1))
    assert [one.id for one in store.tail(ALL, position).records] == [last[0].id]


@pytest.mark.parametrize("limit", [0, -1])
def test_no_limit_above_zero(store: Store, limit: int) -> None:
    """Nothing is returned then, and nothing is passed over; as `find` has it."""
    store.open()
    assert store.tail(ALL, limit=limit).records == []
    _, position = store.tail(ALL)
    store.export(records := make_records(2))
    nothing = store.tail(ALL, position, limit=limit)
    assert nothing.records == []
    assert len(store.tail(ALL, nothing.position).records) == len(records)


# MongoDB


def insert_late(database: Database[Document], age: timedelta) -> ObjectId:
    """Insert a record as if its batch had been sent so long ago."""
    return insert_at(database, datetime.now(timezone.utc) - age)


def insert_at(database: Database[Document], time: datetime) -> ObjectId:
    """Insert a record as if its batch had been sent at this time."""
    record = make_record()
    document = to_document(record, time)
    database["tracking"].insert_one(document)
    return record.id


@pytest.mark.parametrize("age_s", [0.5, 3, 8, -30])
def test_records_that_appear_late(make: Make, database: Database[Document], age_s: float) -> None:
    """A batch that was slow, or the clock of another machine, costs no record, and doubles none."""
    exporter = make()
    exporter.open()
    position = exporter.tail(ALL).position
    expected = []
    for _ in range(3):
        expected.append(insert_late(database, timedelta(seconds=age_s)))
        exporter.export(records := make_records(1))
        expected.append(records[0].id)
        found, position = follow(exporter, ALL, position)
        assert sorted(one.id for one in found) == sorted(expected[-2:])


def test_a_filter_that_finds_nothing_reads_no_more_and_more(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The range that is read moves on though nothing is found in it."""
    exporter = make()
    exporter.open()
    position = exporter.tail(ALL).position
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    monkeypatch.setattr(tail_module, "utc_now", lambda: later)
    assert exporter.tail(Filter.parse("status:404"), position).position.until == later


def test_a_reader_that_was_away_goes_on_by_steps(
    make: Make, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much was stored meanwhile, a call reads a part of it, and the next one goes on there."""
    monkeypatch.setattr(tail_module, "MOST_AT_ONCE", 3)
    exporter = make()
    exporter.open()
    position = exporter.tail(ALL).position
    began = datetime.now(timezone.utc)
    seconds = [*range(20, 220, 20), *[300] * 5]
    expected = [insert_at(database, began + timedelta(seconds=after)) for after in seconds]
    later = began + timedelta(hours=1)
    monkeypatch.setattr(tail_module, "utc_now", lambda: later)
    for wanted in (ALL, Filter.parse("status:404")):
        found, at, calls = [], position, 0
        while at.until < later and calls < 9:
            records, at = exporter.tail(wanted, at, limit=500)
            found += [one.id for one in records]
            calls += 1
        assert calls == 5
        assert found == (expected if wanted is ALL else [])


def test_what_was_seen_is_forgotten_in_time(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the ids of the last seconds are held."""
    exporter = make()
    exporter.open()
    position = exporter.tail(ALL).position
    exporter.export(make_records(5))
    position = exporter.tail(ALL, position).position
    assert len(position.seen) == 5
    later = datetime.now(timezone.utc) + timedelta(minutes=1)
    monkeypatch.setattr(tail_module, "utc_now", lambda: later)
    assert exporter.tail(ALL, position).position.seen == ()


def test_many_records_are_followed(make: Make, database: Database[Document]) -> None:
    """Thousands in a few seconds are each found once, also those that appear late among them."""
    exporter = make()
    exporter.open()
    position = exporter.tail(ALL).position
    expected, found = [], []
    for _ in range(6):
        batch = make_records(500)
        exporter.export(batch)
        expected += [one.id for one in batch]
        expected.append(insert_late(database, timedelta(seconds=4)))
        some, position = follow(exporter, ALL, position, 700)
        found += [one.id for one in some]
    deadline = time.monotonic() + 60.0
    while len(found) < len(expected) and time.monotonic() < deadline:
        some, position = follow(exporter, ALL, position, 700)
        found += [one.id for one in some]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("delay_s", [0.9, 4.0, 9.9])
def test_late_records_among_many(
    make: Make, database: Database[Document], monkeypatch: pytest.MonkeyPatch, delay_s: float
) -> None:
    """Where only some calls look back all the way, they look back as far as the longest delay asks."""
    clock = [datetime.now(timezone.utc)]
    monkeypatch.setattr(tail_module, "utc_now", lambda: clock[0])
    monkeypatch.setattr(tail_module, "MANY", -1)
    exporter = make()
    exporter.open()
    position = exporter.tail(ALL).position
    expected, found = [], []
    for number in range(40):
        clock[0] += timedelta(seconds=0.7)
        if number < 30:
            expected.append(insert_at(database, clock[0] - timedelta(seconds=delay_s)))
        records, position = exporter.tail(ALL, position)
        found += [one.id for one in records]
    assert sorted(found) == sorted(expected)


def test_any_id_is_followed(make: Make, database: Database[Document]) -> None:
    """Documents of others, which may have any id, are passed over once."""
    exporter = make()
    exporter.open()
    position = exporter.tail(ALL).position
    for number, one_id in enumerate(({"a": 1}, "x", 7, b"x")):
        database["tracking"].insert_one({"_id": one_id, "date_stored": datetime.now(timezone.utc)})
        exporter.export(records := make_records(1))
        found, position = follow(exporter, ALL, position)
        assert [one.id for one in found] == [records[0].id]
        assert len(position.seen) == 2 * (number + 1)


def test_tail_uses_the_index(make: Make, database: Database[Document]) -> None:
    """What is new is a range of the index of ``date_stored``."""
    make().export(make_records(20))
    query = to_tail_query(ALL, datetime.now(timezone.utc), has_kept=True)
    assert query is not None
    command = {"find": "tracking", "filter": query, "sort": dict(OLDEST_FIRST), "limit": 5}
    explained = database.command("explain", command, verbosity="queryPlanner")
    stages = plan_stages(explained["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in stages and "COLLSCAN" not in stages


def test_tail_without_kept_records(make: Make) -> None:
    """Where none is kept, no record says that it is."""
    exporter = make(kept_size_bytes=0)
    exporter.open()
    position = exporter.tail(ALL).position
    exporter.export(make_records(1, kept=True, kept_reason="error"))
    (found,) = exporter.tail(ALL, position).records
    assert (found.kept, found.kept_reason) == (False, None)
