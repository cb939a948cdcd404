"""What every store promises: one test over all of them."""

from __future__ import annotations

import dataclasses
import random
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from bson import Decimal128, ObjectId

from flask_tracking import (
    Exporter,
    Filter,
    Record,
    Store,
)
from flask_tracking.config.overrides import parse_overrides, utc_now
from flask_tracking.queries import find_newest
from flask_tracking.queries.values import find_custom_values
from flask_tracking.record import ChildTiming, ExceptionInfo, Remark, UserAgent, UserRef
from flask_tracking.testing import assert_store

from ..captures import make_record
from ..filters.cases import CASES, TARGETS, USERS, make_records
from .conftest import MakeStore

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)
KEPT = Filter.parse("is:kept")


FULL = dataclasses.replace(
    make_record(),
    date_created=NOON,
    user=UserRef("User", "users", ObjectId()),
    user_id="42",
    user_repr="Ada",
    user_agent=UserAgent("firefox", "120.0", "linux", None, "Mozilla/5.0", "Firefox", "Linux"),
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
    redaction_version="1",
)


def test_store_is_an_exporter(store: Store) -> None:
    """Our stores are stores, and so exporters."""
    assert isinstance(store, Store)
    assert isinstance(store, Exporter)


def test_published_contract(make_store: MakeStore) -> None:
    """What others put their stores through holds for ours."""
    assert_store(make_store)


def test_record_comes_back_as_it_was(store: Store) -> None:
    """Every field survives, types and order included."""
    store.open()
    assert store.export([FULL]) == 0
    assert store.get(FULL.id) == FULL


def test_absent_record(store: Store) -> None:
    """A record that is not there is None."""
    assert store.get(ObjectId()) is None


def test_find_ids(store: Store) -> None:
    """Of the ids that are asked for, those of stored records are returned, kept or not."""
    records = [make_record(), dataclasses.replace(make_record(), kept=True), make_record()]
    store.export(records[:2])
    assert store.find_ids([one.id for one in records]) == {one.id for one in records[:2]}
    assert store.find_ids([]) == set()


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


def test_filters(store: Store) -> None:
    """Every expression selects the same records in every store."""
    records = make_records()
    store.export(list(records.values()))
    names = {record.id: name for name, record in records.items()}
    for text, expected in CASES:
        wanted = Filter.parse(text)
        found = [names[one.id] for one in store.find(wanted, limit=10)]
        assert found == expected.split()[::-1], text
        assert [one.id for one in store.find(wanted, limit=10, fields="summary")] == [
            records[name].id for name in found
        ], text
        assert [names[one.id] for one in store.find(wanted, limit=1)] == found[:1], text


def test_list_that_an_index_names(store: Store, request: pytest.FixtureRequest) -> None:
    """A list that the last index of a path names is a value: its items are not searched."""
    if "mongomock" in request.node.name:
        pytest.skip("mongomock searches that list, too")
    store.export([make_record(custom_data={"lists": [[1], [[2]]]})])
    for text in ("custom.lists.0:1", "custom.lists.1.0:2"):
        assert not store.find(Filter.parse(text), limit=1), text
    assert store.find(Filter.parse("custom.lists.1.0.0:2"), limit=1)


@pytest.mark.parametrize(("field", "cases"), [("path", TARGETS), ("user", USERS)], ids=["path", "user"])
def test_paths_and_users(store: Store, field: str, cases: list[tuple[Any, ...]]) -> None:
    """Every store finds by path, query and user what the filter selects."""
    columns = ("path", "query_params") if field == "path" else ("user_id", "user_repr")
    for asked, first, second, is_meant in cases:
        parts: dict[str, Any] = dict(zip(columns, (first, second), strict=True))
        record = dataclasses.replace(make_record(method="PUT"), **parts)
        store.export([record])
        # Beside another choice, too: both must hold.
        other = Filter.parse("user:*" if field == "path" else "path:*?*")
        wanted = Filter.term(field, asked)
        for one in (wanted, Filter.parse("method:put") & wanted):
            is_found = record.id in [found.id for found in store.find(one, limit=100)]
            assert is_found is is_meant, (asked, first, second)
        if record.user_id and record.query_params:
            found = [one.id for one in store.find(wanted & other, limit=100)]
            assert (record.id in found) is is_meant, (asked, first, second)


def test_true_is_not_one(store: Store, request: pytest.FixtureRequest) -> None:
    """Custom data is found by its type: true is another value than 1."""
    if "mongomock" in request.node.name:
        pytest.skip("mongomock compares as Python does")
    records = [make_record(custom_data={"paid": value}) for value in (True, 1, 1.0, "true")]
    store.export(records)
    for text, expected in (("true", "03"), ("1", "12"), ("false", ""), ("1.0", "12")):
        found = store.find(Filter.term("custom.paid", text), limit=5)
        assert {one.id for one in found} == {records[int(number)].id for number in expected}


def test_nan_is_found(store: Store, request: pytest.FixtureRequest) -> None:
    """NaN is found by the name that `show` prints, though in Python it equals nothing."""
    if "mongomock" in request.node.name:
        pytest.skip("mongomock compares as Python does")
    store.export([make_record(custom_data={"ratio": value}) for value in (float("nan"), 1.0, "nan")])
    assert len(store.find(Filter.parse("custom.ratio:NaN"), limit=5)) == 1
    assert len(store.find(Filter.parse("not custom.ratio:NaN"), limit=5)) == 2
    assert find_custom_values(store, "ratio") == {"NaN", "1.0", "nan"}


ODD = [
    "a\0b*",
    "*\0",
    "\udcff*",
    "a\\",
    "[",
    "*(?i)A*",
    "(*ACCEPT)*",
    "$where",
    '{"$gt": ""}',
    "\U0010ffff",
]


@pytest.mark.parametrize("text", ODD)
def test_odd_values_are_only_values(store: Store, text: str) -> None:
    """Nothing in a filter's value is an expression, nor anything that a store cannot be asked for."""
    record = dataclasses.replace(
        make_record(),
        path="/a",
        user_id="a",
        user_repr="<User a>",
        custom_data={"a": 1},
        request_headers=(("Accept", "a"),),
    )
    store.export([record])
    keys = ("user", "route", "error", "header.accept", "custom.a", "version", "host", "body")
    terms = [("path", f"/{text}"), ("path", f"/a?{text}"), *((key, text) for key in keys)]
    for key, value in terms:
        wanted = Filter.term(key, value)
        assert store.find(wanted, limit=5) == [], (key, value)
        assert store.find(~wanted, limit=5) == [record], (key, value)


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
        found = store.find(Filter().narrowed(of_filter, None), limit=5, between=(of_call, None))
        assert len(found) == count


def test_until_of_the_call_and_of_the_filter(store: Store) -> None:
    """The earlier of the two upper bounds holds, and neither is included."""
    store.export([dataclasses.replace(make_record(), date_created=NOON)])
    minute = timedelta(minutes=1)
    for of_filter, of_call, count in (
        (NOON + minute, NOON, 0),
        (NOON, NOON + minute, 0),
        (NOON + minute, NOON + minute, 1),
        (None, NOON, 0),
    ):
        found = store.find(Filter().narrowed(None, of_filter), limit=5, between=(None, of_call))
        assert len(found) == count


def make_any_record(chance: random.Random) -> Record:
    """Make a record of any age and status, now and then of the same moment as another."""
    age_s = round(4 ** chance.uniform(0, 13))
    is_kept = chance.random() < 0.4
    return dataclasses.replace(
        make_record(method=chance.choice(["GET", "POST"])),
        date_created=NOON - timedelta(seconds=age_s),
        status_code=chance.choice([None, 200, 404, 499, 500, 500, 500, 501, 503, 599]),
        kept=is_kept,
        kept_reason="error" if is_kept else None,
    )


QUESTIONS = ["", "status:5xx", "status:500", "status:4xx", "is:kept", "status:5xx method:get"]


@pytest.mark.repeats
@pytest.mark.parametrize("seed", range(3))
def test_newest_are_those_that_a_look_at_all_finds(store: Store, seed: int) -> None:
    """What the newest are found by is no matter: they are those of all records, in the same order."""
    chance = random.Random(seed)
    records = [make_any_record(chance) for _ in range(80)]
    store.export(records)
    for index in (3, 33, 63):
        store.unkeep(records[index].id)
        records[index] = dataclasses.replace(records[index], kept=False, kept_reason=None)
    newest = sorted(records, key=lambda record: (record.date_created, record.id), reverse=True)
    since = NOON - timedelta(hours=1)
    for text in [*QUESTIONS, *(f"{text} since:{since:%Y-%m-%dT%H:%M}" for text in QUESTIONS)]:
        wanted = Filter.parse(text)
        expected = [record for record in newest if wanted.matches(record)]
        for limit in (1, 7, 100):
            assert find_newest(store, wanted, limit, now=NOON) == expected[:limit]


def test_count(store: Store) -> None:
    """The number of records is about right, or not known."""
    store.export([make_record() for _ in range(5)])
    assert store.count_records() in (5, None)


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


def make_kept(**parts: Any) -> Record:
    """Make the record of a request that failed, as the rules keep it."""
    record = dataclasses.replace(make_record(), date_created=NOON, kept=True, kept_reason="error")
    return dataclasses.replace(record, **parts)


def test_kept_record_is_found_once(store: Store) -> None:
    """A kept record is there twice, and is shown once, however often its batch is exported."""
    records = [make_kept(), dataclasses.replace(make_record(), date_created=NOON)]
    for _ in range(2):
        assert store.export(records) == 0
    assert store.find(Filter(), limit=10) == records[::-1]
    assert store.get(records[0].id) == records[0]


def test_only_kept_ones(store: Store) -> None:
    """is:kept finds kept ones only, together with the other terms."""
    old, new = make_kept(status_code=500), make_kept(status_code=200, kept_reason="slow")
    store.export([old, make_record(), new, make_record(status="500 X")])
    assert store.find(Filter.parse("is:kept"), limit=10) == [new, old]
    assert store.find(Filter.parse("is:kept"), limit=1) == [new]
    assert store.find(Filter.parse("is:kept status:5xx"), limit=10) == [old]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8, 20])
def test_limit_of_kept_ones_and_others(store: Store, limit: int) -> None:
    """Whatever the limit, it is the newest of both that are found, in their order."""
    records = [
        make_kept(
            date_created=NOON + timedelta(seconds=number // 3),
            kept=number % 2 == 0,
            kept_reason="error" if number % 2 == 0 else None,
        )
        for number in range(12)
    ]
    store.export(records)
    assert store.find(Filter(), limit=limit) == records[::-1][:limit]


def test_keep(store: Store) -> None:
    """A stored record that is kept says so and why, and all else of it is as it was."""
    record = dataclasses.replace(FULL, kept=False, kept_reason=None)
    store.export([record])
    assert store.keep(record.id, "for the talk") is True
    kept = dataclasses.replace(record, kept=True, kept_reason="for the talk")
    assert store.get(record.id) == kept
    assert store.find(Filter(), limit=5) == store.find(KEPT, limit=5) == [kept]


def test_keep_twice(store: Store) -> None:
    """What is kept already stays as it is, with its first reason, and is there once."""
    by_rule, by_hand = make_kept(), make_record()
    store.export([by_rule, by_hand])
    for reason in ("first", "second"):
        assert store.keep(by_rule.id, reason) is True
        assert store.keep(by_hand.id, reason) is True
    reasons = {record.id: record.kept_reason for record in store.find(KEPT, limit=5)}
    assert reasons == {by_rule.id: "error", by_hand.id: "first"}
    assert store.export([by_hand]) == 0
    assert len(store.find(Filter(), limit=5)) == 2


def test_keep_without_a_reason(store: Store) -> None:
    """The reason may be left out, and a strange one is stored as text within bounds."""
    records = [make_record() for _ in range(2)]
    store.export(records)
    assert store.keep(records[0].id) and store.keep(records[1].id, "\udcff" + "x" * 2000)
    reasons = [record.kept_reason for record in store.find(KEPT, limit=5)]
    assert reasons == ["\\udcff" + "x" * 994, "asked for"]


def test_keep_what_is_not_there(store: Store) -> None:
    """A record that is not there cannot be kept, nor kept no longer."""
    assert store.keep(ObjectId(), "why") is False
    assert store.unkeep(ObjectId()) is False


def test_unkeep(store: Store) -> None:
    """A record that is kept no longer stays where all are, and says so."""
    record, other = make_kept(), make_kept()
    store.export([record, other])
    assert store.unkeep(record.id) is True
    assert store.unkeep(record.id) is False
    assert store.get(record.id) == dataclasses.replace(record, kept=False, kept_reason=None)
    assert [one.kept for one in store.find(Filter(), limit=5)] == [True, False]
    assert store.find(KEPT, limit=5) == [other]


def test_unkept_record_is_kept_again(store: Store) -> None:
    """A record that was kept can be kept again."""
    record = make_kept()
    store.export([record])
    assert store.unkeep(record.id) and store.keep(record.id, "after all")
    assert store.get(record.id) == dataclasses.replace(record, kept_reason="after all")


def test_overrides(store: Store) -> None:
    """Rules come back as they were, by name, and one of the same name replaces the older."""
    assert store.load_overrides() == []
    terms = ["slow_ms=200", "sample_rate=0.1", "exclude_methods=HEAD,OPTIONS", "exclude_status_codes="]
    first = parse_overrides(terms, "10m")
    store.store_overrides(first)
    assert store.load_overrides() == sorted(first)
    again = parse_overrides(["slow_ms=300"], "1h")
    store.store_overrides(again)
    assert store.load_overrides() == sorted([*again, *first[1:]])


def test_cleared_rules(store: Store) -> None:
    """Rules are removed by their names; one that is not there is no error."""
    store.store_overrides(parse_overrides(["slow_ms=200", "sample_rate=0.1"], "10m"))
    store.clear_overrides(["slow_ms", "min_execution_time"])
    assert [rule.name for rule in store.load_overrides()] == ["sample_rate"]
    store.clear_overrides(["sample_rate"])
    assert store.load_overrides() == []


def test_expired_rules_are_not_loaded(store: Store) -> None:
    """A rule is not there from its time on, whether the store has removed it or not."""
    (rule,) = parse_overrides(["slow_ms=200"], "10m")
    now = utc_now()
    store.store_overrides([rule._replace(set_at=now - timedelta(minutes=1), expires_at=now)])
    assert store.load_overrides() == []
    store.store_overrides([rule])
    assert store.load_overrides() == [rule]
