"""What `rewrite` promises, over every store, and what MongoDB in particular makes hard."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import bson
import pytest
from bson import Int64, ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from flask_tracking import Filter, MemoryExporter, Record, Store
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.exporters.mongo import rewrite as rewrite_module
from flask_tracking.exporters.store import Rewritten
from flask_tracking.record import Remark
from flask_tracking.storable import CODEC

from ..captures import make_record
from .conftest import Make
from .test_mongo import plan_stages

Document = dict[str, Any]
NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)
MARKER = "[redacted]"
SECRET = "hunter2-hunter2"


def revise(records: Sequence[Record]) -> list[Record]:
    """Take one word out of bodies, as redaction does."""
    return [_revise(record) for record in records]


def _revise(record: Record) -> Record:
    record = dataclasses.replace(record, redaction_version="2")
    at = record.request_body.find(SECRET.encode())
    if at < 0:
        return record
    return dataclasses.replace(
        record,
        request_body=record.request_body.replace(SECRET.encode(), MARKER.encode()),
        redacted=(*record.redacted, Remark("request_body", "name", at, len(SECRET))),
    )


def make_stored(number: int, **changes: Any) -> Record:
    """Make a record of one of some thousand moments; each third has the secret."""
    body = b"password=" + SECRET.encode() if number % 3 == 0 else b"a=1"
    moment = NOON + timedelta(milliseconds=number // 2)
    values = {"date_created": moment, "request_body": body, "redaction_version": "1", **changes}
    return dataclasses.replace(make_record(), **values)


def rewrite(store: Store, *, is_dry_run: bool = False, with_: Any = revise) -> Rewritten:
    """Rewrite all, and return the last count of the collection of all records."""
    steps = list(store.rewrite(with_, "2", is_dry_run=is_dry_run))
    return [step for step in steps if step.name == steps[0].name][-1]


@pytest.fixture
def store_settings() -> dict[str, Any]:
    """Keep nothing, so that there is one collection to count in."""
    return {"kept_size_bytes": 0}


@pytest.fixture
def mongo(make: Make) -> MongoExporter:
    """A store in a real MongoDB."""
    return make(kept_size_bytes=0)


# The contract


def test_rewrite_changes_what_differs(store: Any) -> None:
    """Records are stored as they were revised, and counted; a dry run only counts the same."""
    records = [make_stored(number) for number in range(9)]
    records.append(make_stored(9, redaction_version="2"))
    records.append(make_stored(10, redaction_version=None))
    store.export(records)
    before = {record.id: store.get(record.id) for record in records}

    counted = rewrite(store, is_dry_run=True)
    assert {record.id: store.get(record.id) for record in records} == before
    done = rewrite(store)

    assert done == counted
    assert done[2:] == (10, 3, 1, 0)
    for record in records:
        kept = record if record.redaction_version == "2" else _revise(record)
        assert store.get(record.id) == kept


def test_second_rewrite_does_nothing(store: Any) -> None:
    """What was rewritten is not looked at again."""
    store.export([make_stored(number) for number in range(7)])
    rewrite(store)
    assert rewrite(store, with_=lambda records: pytest.fail("it looked"))[2:] == (0, 0, 7, 0)


def test_rewrite_of_nothing(store: Any) -> None:
    """In an empty store nothing is looked at."""
    store.open()
    for step in store.rewrite(revise, "2"):
        assert step[1:] == (0, 0, 0, 0, 0)
    assert store.find(Filter(), limit=5) == []


def test_what_goes_meanwhile_stays_away(store: Any) -> None:
    """A record that makes room while it is revised does not come back."""
    store.export([make_stored(0), make_stored(3)])

    def revise_and_lose(records: Sequence[Record]) -> list[Record]:
        if isinstance(store, MemoryExporter):
            store.clear()
        else:
            store.collection().delete_many({})
        return revise(records)

    done = rewrite(store, with_=revise_and_lose)
    assert (done.changed, done.left) == (0, 0)
    assert store.find(Filter(), limit=5) == []


def test_rewrite_goes_on_where_it_was_broken_off(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interruption the next rewrite does what is left."""
    monkeypatch.setattr(rewrite_module, "STEP", 10)
    monkeypatch.setattr("flask_tracking.exporters.memory.REWRITE_BATCH", 10)
    store.export([make_stored(number) for number in range(60)])
    calls: list[int] = []

    def revise_twice(records: Sequence[Record]) -> list[Record]:
        calls.append(len(records))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return revise(records)

    with pytest.raises(KeyboardInterrupt):
        rewrite(store, with_=revise_twice)
    done = rewrite(store)
    assert done.current == sum(calls[:2])
    assert done.looked_at == 60 - done.current
    assert rewrite(store)[2:] == (0, 0, 60, 0)


# MongoDB


def read_raw(database: Database[Document]) -> dict[Any, bytes]:
    """Return the bytes of every document."""
    options: Any = bson.DEFAULT_CODEC_OPTIONS.with_options(document_class=RawBSONDocument)
    raw = database["tracking"].with_options(options)
    return {document["_id"]: document.raw for document in raw.find()}


def test_other_fields_stay_byte_for_byte(mongo: MongoExporter, database: Database[Document]) -> None:
    """Of a document of the first flask-tracking only the changed field and the version are touched."""
    mongo.open()
    classic = {
        "_id": ObjectId(),
        "date_created": NOON,
        "execution_time": Int64(12),
        "request_headers": [["Host", "example.org"]],
        "request_body": b"password=" + SECRET.encode(),
        "response_body": b"\x00\xff",
        "custom_data": {"a": [1, Int64(2), 2.0, float("nan"), {"$c.d": None}]},
        "of_another_time": {"z": 1, "a": Int64(1)},
        "user_agent": {"string": "curl", "more": 1},
    }
    database["tracking"].insert_one(classic)
    (before,) = read_raw(database).values()

    assert rewrite(mongo)[2:] == (1, 1, 0, 0)

    (after,) = read_raw(database).values()
    old, new = (bson.decode(raw, CODEC) for raw in (before, after))
    assert new.pop("redaction_version") == "2"
    assert new.pop("redacted") == [
        {"path": "request_body", "rule": "name", "offset": 9, "length": len(SECRET)}
    ]
    assert (old.pop("request_body"), new.pop("request_body")) == (
        b"password=" + SECRET.encode(),
        b"password=[redacted]",
    )
    assert list(new) == list(old)
    assert bson.encode(new, codec_options=CODEC) == bson.encode(old, codec_options=CODEC)


def test_second_run_touches_no_byte(mongo: MongoExporter, database: Database[Document]) -> None:
    """After a rewrite the next one leaves every byte as it is, in the kept collection too."""
    mongo.export([make_stored(number) for number in range(200)])
    database["tracking_kept"].insert_many(list(database["tracking"].find().limit(5)))
    *_, kept = mongo.rewrite(revise, "2")
    assert (kept.name, kept.looked_at) == ("tracking_kept", 5)
    before = read_raw(database)

    counts = list(mongo.rewrite(revise, "2"))

    assert read_raw(database) == before
    assert {one.name: one[2:] for one in counts} == {
        "tracking": (0, 0, 200, 0),
        "tracking_kept": (0, 0, 5, 0),
    }


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_every_record_is_looked_at_once(
    mongo: MongoExporter, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Whatever the gaps and floods in time are, each record is counted once, the dry run's way too."""
    monkeypatch.setattr(rewrite_module, "STEP", step)
    moments = [NOON - timedelta(days=3000)] * 3 + [NOON] * 12
    moments += [NOON + timedelta(hours=number**2) for number in range(10)]
    moments += [datetime.now(timezone.utc) + timedelta(hours=1)]
    records = [make_stored(0, date_created=moment) for moment in moments]
    mongo.export(records)
    for is_dry_run in (True, False):
        assert rewrite(mongo, is_dry_run=is_dry_run)[2:] == (len(moments), len(moments), 0, 0)
    assert rewrite(mongo).current == len(moments)


def test_what_others_change_is_not_overwritten(
    mongo: MongoExporter, database: Database[Document]
) -> None:
    """A record that changes between reading and writing is read again, and both changes stand."""
    records = [make_stored(0), make_stored(3), make_stored(1)]
    mongo.export(records)
    seen: list[int] = []

    def revise_and_meddle(given: Sequence[Record]) -> list[Record]:
        seen.append(len(given))
        if len(seen) == 1:
            values = {"request_body": b"other=1&password=" + SECRET.encode(), "status_code": 299}
            database["tracking"].update_one({"_id": records[1].id}, {"$set": values})
        return revise(given)

    done = rewrite(mongo, with_=revise_and_meddle)

    assert (seen, done[2:]) == ([3, 1], (3, 2, 0, 0))
    meddled = mongo.get(records[1].id)
    assert meddled is not None
    assert (meddled.request_body, meddled.status_code) == (b"other=1&password=[redacted]", 299)


def test_two_rewrites_at_once(mongo: MongoExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that go on in turns do together what one would have done, each record once."""
    monkeypatch.setattr(rewrite_module, "STEP", 10)
    mongo.export([make_stored(number) for number in range(60)])
    runs = [mongo.rewrite(revise, "2") for _ in range(2)]
    last: dict[int, Rewritten] = {}
    going = {0, 1}
    while going:
        for number in sorted(going):
            step = next(runs[number], None)
            if step is None:
                going.discard(number)
            else:
                last[number] = step
    assert sum(one.left for one in last.values()) == 0
    hidden = list(mongo.collection().find({"request_body": b"password=[redacted]"}))
    assert [len(document["redacted"]) for document in hidden] == [1] * 20
    assert rewrite(mongo)[2:] == (0, 0, 60, 0)


def test_rewrite_never_scans(
    mongo: MongoExporter, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every query and every update is a range of the arrival time, or by ids."""
    mongo.export([make_stored(number) for number in range(50)])
    asked: list[Document] = []

    def note(name: str) -> None:
        method = getattr(Collection, name)

        def noting(self: Any, query: Document, *args: Any, **options: Any) -> Any:
            asked.append(query)
            return method(self, query, *args, **options)

        monkeypatch.setattr(Collection, name, noting)

    for name in ("find", "count_documents", "update_many"):
        note(name)
    rewrite(mongo)
    monkeypatch.undo()
    assert len(asked) > 3
    for query in asked:
        key = "_id" if "_id" in query else "date_created"
        # That key alone: SecantusDB says COLLSCAN where other conditions stand beside a range.
        command = {"find": "tracking", "filter": {key: query[key]}, "sort": {"date_created": -1}}
        explained = database.command("explain", command, verbosity="queryPlanner")
        stages = plan_stages(explained["queryPlanner"]["winningPlan"])
        assert "COLLSCAN" not in stages and stages & {"IXSCAN", "IDHACK"}


def test_what_is_no_record_is_left(mongo: MongoExporter, database: Database[Document]) -> None:
    """A document that cannot be read as a record is counted and left as it is."""
    mongo.export([make_stored(0)])
    database["tracking"].insert_one({"date_created": NOON, "request_headers": 17})
    assert rewrite(mongo)[2:] == (2, 1, 0, 1)


def test_one_that_is_refused_keeps_none_from_being_written(
    mongo: MongoExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the one command for all fails, each record is written by itself."""
    mongo.export([make_stored(number) for number in range(6)])

    def fail(*_: Any, **__: Any) -> None:
        raise OperationFailure("no", 17419)

    monkeypatch.setattr("pymongo.collection.Collection.update_many", fail)
    assert rewrite(mongo)[2:] == (6, 2, 0, 0)
