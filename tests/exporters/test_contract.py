"""What every store promises: one test over all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Protocol

import mongoengine
import mongomock
import pytest
from bson import Decimal128, ObjectId

from flask_tracking import (
    Exporter,
    Filter,
    MemoryExporter,
    Reader,
    Record,
    Settings,
    TrackingError,
)
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.record import ChildTiming, ExceptionInfo, Remark, UserAgent, UserRef
from flask_tracking.temporary import TemporaryRule, parse_rules, utc_now

from ..captures import make_record

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)


class Store(Protocol):
    """A store that can be written to and read from."""

    open: Callable[[], None]
    export: Callable[[list[Record]], int]
    close: Callable[[], None]
    get: Callable[[ObjectId], Record | None]
    find: Callable[..., list[Record]]
    load_rules: Callable[[], list[TemporaryRule]]
    store_rules: Callable[[list[TemporaryRule]], None]
    clear_rules: Callable[[list[str]], None]


@pytest.fixture(params=["memory", "mongodb", "mongomock"])
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each store in turn, empty."""
    if request.param == "memory":
        yield MemoryExporter()
        return
    if request.param == "mongodb":
        exporter = MongoExporter(Settings(mongodb_uri=request.getfixturevalue("database_uri")))
        yield exporter
        exporter.close()
        return
    mongoengine.register_connection(
        "mock", name="mock", mongo_client_class=mongomock.MongoClient, uuidRepresentation="standard"
    )
    exporter = MongoExporter(Settings(db_alias="mock"))
    yield exporter
    exporter.close()
    mongoengine.disconnect("mock")


FULL = dataclasses.replace(
    make_record(),
    date_created=NOON,
    user=UserRef("User", "users", ObjectId()),
    user_id="42",
    user_repr="Ada",
    user_agent=UserAgent("Firefox", "120.0", "Linux", None, "Mozilla/5.0"),
    request_body=b"\x00\xff",
    request_body_size=2,
    request_body_note="truncated",
    exception=ExceptionInfo("ValueError", "no", "Traceback …"),
    custom_data={"n": 1, "deep": {"a.b": [1, {"$c": None}]}, "at": NOON, "id": ObjectId()},
    children=(ChildTiming("charge", 1.5, 2.5, None), ChildTiming("open", 3.0, None, "ValueError")),
    kept=True,
    kept_reason="vip customer",
    dropped_before=3,
    parent_span_id="00f067aa0ba902b7",
    version="1.2",
    notes=("one", "two"),
    redacted=(Remark("request_body", "name", 3, 7),),
    rules_version="1",
)


def test_store_is_exporter_and_reader(store: Store) -> None:
    """Our stores are both."""
    assert isinstance(store, Exporter)
    assert isinstance(store, Reader)


def test_record_comes_back_as_it_was(store: Store) -> None:
    """Every field survives, types and order included."""
    store.open()
    assert store.export([FULL]) == 0
    assert store.get(FULL.id) == FULL


def test_absent_record(store: Store) -> None:
    """A record that is not there is None."""
    assert store.get(ObjectId()) is None


def test_export_of_nothing(store: Store) -> None:
    """An empty batch is no work."""
    assert store.export([]) == 0


def test_same_batch_twice(store: Store) -> None:
    """A batch that is exported again stores nothing twice and refuses nothing."""
    records = [make_record() for _ in range(3)]
    assert store.export(records[:2]) == 0
    assert store.export(records) == 0
    assert {record.id for record in store.find(Filter(), limit=10)} == {r.id for r in records}


def test_newest_first(store: Store) -> None:
    """find gives the newest first, ties by descending id, and no more than the limit."""
    records = [
        dataclasses.replace(make_record(), date_created=NOON + timedelta(seconds=number // 2))
        for number in range(6)
    ]
    store.export(records)
    found = store.find(Filter(), limit=4)
    assert [record.id for record in found] == [record.id for record in records[:1:-1]]
    assert store.find(Filter(), limit=0) == []


RECORDS = {
    "get": {"date_created": NOON, "method": "GET", "path": "/orders", "status_code": 200,
            "execution_time": 5.0, "user_id": "1", "user_repr": "Ada"},
    "post": {"date_created": NOON + timedelta(minutes=1), "method": "POST", "path": "/orders/7",
             "status_code": 503, "execution_time": 1500.0, "user_id": None, "user_repr": None},
    "odd": {"date_created": NOON + timedelta(minutes=2), "method": "GET", "path": "/a.b+c\n[x]",
            "status_code": 404, "execution_time": 200.0, "user_id": "2", "user_repr": "1"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"get", "post", "odd"}),
        ("since=2026-11-24T12:01", {"post", "odd"}),
        ("until=2026-11-24T12:01", {"get"}),
        ("since=2026-11-24T12:01 until=2026-11-24T12:02", {"post"}),
        ("since=2026-11-24T12:02 until=2026-11-24T12:01", set()),
        ("status=503", {"post"}),
        ("status=5xx", {"post"}),
        ("status=4xx", {"odd"}),
        ("method=get", {"get", "odd"}),
        ("path=/orders", {"get"}),
        ("path=/orders*", {"get", "post"}),
        ("path=*7", {"post"}),
        ("path=/a.b+c*", {"odd"}),
        ("path=/aXb*", set()),
        ("path=*[x]", {"odd"}),
        ("slower-than=200", {"post", "odd"}),
        ("slower-than=1.5s", {"post"}),
        ("user=1", {"get", "odd"}),
        ("user=Ada", {"get"}),
        ("status=404 method=GET slower-than=100ms", {"odd"}),
    ],
)
def test_filters(store: Store, text: str, expected: set[str]) -> None:
    """Every term of a filter means the same in every store."""
    named: dict[ObjectId, str] = {}
    for name, fields in RECORDS.items():
        record = dataclasses.replace(make_record(), **fields)  # type: ignore[arg-type]
        named[record.id] = name
        store.export([record])
    found = store.find(Filter.parse(text), limit=10)
    assert {named[record.id] for record in found} == expected


def test_since_of_the_call_and_of_the_filter(store: Store) -> None:
    """The later of the two lower bounds holds."""
    store.export([dataclasses.replace(make_record(), date_created=NOON)])
    minute = timedelta(minutes=1)
    for of_filter, of_call, count in (
        (NOON - minute, NOON + minute, 0),
        (NOON + minute, NOON - minute, 0),
        (NOON - minute, NOON - minute, 1),
        (None, NOON + minute, 0),
    ):
        found = store.find(Filter(since=of_filter), limit=5, since=of_call)
        assert len(found) == count


def test_closed_store_opens_again(store: Store) -> None:
    """A store that was closed can be used again."""
    store.export([make_record()])
    store.close()
    store.close()
    assert store.export([make_record()]) == 0


def test_decimal(store: Store) -> None:
    """A Decimal in custom data comes back as MongoDB's decimal."""
    record = make_record(custom_data={"price": Decimal128(Decimal("9.90"))})
    store.export([record])
    stored = store.get(record.id)
    assert stored is not None
    assert stored.custom_data["price"].to_decimal() == Decimal("9.90")


def test_temporary_rules(store: Store) -> None:
    """Rules come back as they were, by name, and one of the same name replaces the older."""
    assert store.load_rules() == []
    terms = ["slow_ms=200", "sample_rate=0.1", "exclude_methods=HEAD,OPTIONS", "exclude_status_codes="]
    first = parse_rules(terms, "10m")
    store.store_rules(first)
    assert store.load_rules() == sorted(first)
    again = parse_rules(["slow_ms=300"], "1h")
    store.store_rules(again)
    assert store.load_rules() == sorted([*again, *first[1:]])


def test_cleared_rules(store: Store) -> None:
    """Rules are forgotten by their names; one that is not there is no error."""
    store.store_rules(parse_rules(["slow_ms=200", "sample_rate=0.1"], "10m"))
    store.clear_rules(["slow_ms", "min_execution_time"])
    assert [rule.name for rule in store.load_rules()] == ["sample_rate"]
    store.clear_rules(["sample_rate"])
    assert store.load_rules() == []


def test_expired_rules_are_not_loaded(store: Store) -> None:
    """A rule is not there from its time on, whether the store has removed it or not."""
    (rule,) = parse_rules(["slow_ms=200"], "10m")
    now = utc_now()
    store.store_rules([rule._replace(set_at=now - timedelta(minutes=1), expires_at=now)])
    assert store.load_rules() == []
    store.store_rules([rule])
    assert store.load_rules() == [rule]


def test_store_without_a_place_for_rules() -> None:
    """A store that derives from the base alone has no rules, and says so when it is given some."""

    class Other(Exporter):
        def _store(self, records: Any) -> int:
            return 0

    assert Other().load_rules() == []
    for call in (lambda: Other().store_rules([]), lambda: Other().clear_rules([])):
        with pytest.raises(TrackingError, match="Other stores no temporary rules."):
            call()
