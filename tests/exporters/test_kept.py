"""The collection of kept records, against a real server."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from flask_tracking import ExportError, Filter, Record, Settings, TrackingError
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.queries import find_newest

from ..captures import make_record

Document = dict[str, Any]
Make = Callable[..., MongoExporter]


def make_kept(**parts: Any) -> Record:
    """Make a record that is kept because it failed."""
    return dataclasses.replace(make_record(**parts), kept=True, kept_reason="error", status_code=500)


def ids_of(collection: Any) -> list[ObjectId]:
    """Return all ids of a collection, each as often as it is there."""
    return sorted(document["_id"] for document in collection.find({}, {"_id": True}))


def test_collection_is_capped(make: Make, database: Database[Document]) -> None:
    """It is created beside the other, of its own size, with the indexes that reading needs."""
    _, state, _ = make(kept_size_bytes=1_000_000).prepare()
    assert (state.name, state.was_created, state.problems) == ("tracking_kept", True, ())
    assert database["tracking_kept"].options() == {"capped": True, "size": 1_000_192}
    assert state.indexes == ("_id_", "date_created_1")


def test_collection_with_ttl(make: Make, database: Database[Document]) -> None:
    """Whatever the retention is, the kept records are capped, and none of them expires."""
    _, state, _ = make(retention="ttl", ttl_s=60, collection="requests").prepare()
    assert (state.name, state.is_capped, state.ttl_s) == ("requests_kept", True, None)
    assert database["requests"].options() == {}


def test_many_start_at_once(make: Make, database: Database[Document]) -> None:
    """Exporters that start at the same moment agree on one collection."""
    exporters = [make() for _ in range(8)]
    barrier = threading.Barrier(len(exporters))
    lost: list[int] = []

    def start(exporter: MongoExporter) -> None:
        barrier.wait()
        lost.append(exporter.export([make_kept()]))

    threads = [threading.Thread(target=start, args=[exporter]) for exporter in exporters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == [0] * 8
    assert database["tracking_kept"].options()["capped"] is True
    assert ids_of(database["tracking_kept"]) == ids_of(database["tracking"])


def test_existing_collection_is_used_as_it_is(
    make: Make, database: Database[Document], caplog: pytest.LogCaptureFixture
) -> None:
    """Another size is kept, and said once with the command that mends it."""
    database.create_collection("tracking_kept", capped=True, size=8192, max=10)
    for _ in range(2):
        make(kept_size_bytes=16_384).open()
    assert database["tracking_kept"].options() == {"capped": True, "size": 8192, "max": 10}
    assert [record.getMessage() for record in caplog.records] == [
        "tracking_kept is capped at 8.19 kB (8,192 bytes), "
        "TRACKING_KEPT_SIZE is 16.4 kB (16,384 bytes). "
        "To resize it, by a copy where the server cannot: flask tracking resize --kept --rebuild",
    ]


def test_existing_collection_that_is_not_capped(make: Make, database: Database[Document]) -> None:
    """A plain collection of that name is used, and said to grow without bound."""
    database.create_collection("tracking_kept")
    _, state, _ = make(kept_size_bytes=16_384).prepare()
    assert [str(problem) for problem in state.problems] == [
        "tracking_kept is not capped and grows without bound. To cap it: "
        "flask tracking resize --kept --rebuild"
    ]


def test_only_kept_ones_are_copied(make: Make, database: Database[Document]) -> None:
    """Kept records are in both collections, with the same document; others in one."""
    records = [make_record(), make_kept(), make_record(keep_reason="vip")]
    records[2] = dataclasses.replace(records[2], kept=True, kept_reason="vip")
    assert make().export(records) == 0
    assert ids_of(database["tracking"]) == [record.id for record in records]
    copies = list(database["tracking_kept"].find())
    assert copies == list(database["tracking"].find({"_id": {"$ne": records[0].id}}))
    assert [copy["kept_reason"] for copy in copies] == ["error", "vip"]


def test_without_kept_records(make: Make, database: Database[Document]) -> None:
    """TRACKING_KEPT_SIZE = 0: no second collection, and nothing is kept by hand."""
    exporter = make(kept_size_bytes=0)
    record = make_kept()
    assert exporter.export([record]) == 0
    assert database.list_collection_names() == ["tracking"]
    (found,) = exporter.find(Filter(), limit=5)
    assert (found.id, found.kept, found.kept_reason) == (record.id, False, None)
    assert exporter.find(Filter.parse("is:kept"), limit=5) == []
    for call in (lambda: exporter.keep(record.id), lambda: exporter.unkeep(record.id)):
        with pytest.raises(TrackingError, match="^TRACKING_KEPT_SIZE is 0, so records cannot be kept"):
            call()


class Failing:
    """Stands in for a collection that fails, after some documents or at once."""

    name = "tracking"

    def __init__(self, collection: Any, arriving: int) -> None:
        self.collection, self.arriving = collection, arriving

    def with_options(self, *_: Any, **__: Any) -> Failing:
        return self

    def insert_many(self, documents: list[Document], ordered: bool) -> None:
        if self.arriving:
            self.collection.insert_many(documents[: self.arriving])
        errors = [{"code": 91, "index": index} for index in range(self.arriving, len(documents))]
        raise BulkWriteError({"writeErrors": errors})


@pytest.mark.parametrize("failing", ["collection", "kept_collection"])
@pytest.mark.parametrize("arriving", [0, 1, 3])
def test_batch_that_failed_half_way(
    make: Make,
    database: Database[Document],
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
    arriving: int,
) -> None:
    """Wherever a batch fails, once it is exported again all is there, once, in both collections."""
    exporter = make()
    exporter.open()
    records = [make_kept() if number % 2 else make_record() for number in range(8)]
    kept = [record.id for record in records if record.kept]
    with monkeypatch.context() as patch:
        stand_in = Failing(getattr(exporter, failing)(), arriving)
        patch.setattr(exporter, failing, lambda: stand_in)
        with pytest.raises(ExportError, match="code 91"):
            exporter.export(records)
    if failing == "collection":
        assert ids_of(database["tracking_kept"]) == kept  # what is worth most is stored first
    for _ in range(2):
        assert exporter.export(records) == 0
        assert ids_of(database["tracking"]) == [record.id for record in records]
        assert ids_of(database["tracking_kept"]) == kept


def test_server_that_hangs_up(
    make: Make, database: Database[Document], fail_command: Callable[..., None]
) -> None:
    """A connection that breaks in the middle of a batch costs nothing in either collection."""
    exporter = make()
    exporter.open()
    records = [make_kept() for _ in range(5)]
    fail_command("insert", closeConnection=True, times=2)
    with pytest.raises(ExportError):
        for _ in range(2):  # a driver may try once more by itself
            exporter.export(records)
    fail_command("insert", times=0, errorCode=8)
    assert exporter.export(records) == 0
    assert ids_of(database["tracking"]) == ids_of(database["tracking_kept"])
    assert ids_of(database["tracking"]) == [record.id for record in records]


def test_one_bad_record_loses_no_other(make: Make, database: Database[Document]) -> None:
    """What BSON cannot hold is escaped in both; what nothing helps is lost once, and alone."""
    hopeless = dataclasses.replace(make_kept(), url_rule="x" * 17_000_000)
    records = [make_kept(), make_kept(custom_data={"bad": "\ud800"}), make_record()]
    exporter = make(retention="ttl")
    assert exporter.export([*records, hopeless]) == 1
    assert ids_of(database["tracking"]) == [record.id for record in records]
    assert ids_of(database["tracking_kept"]) == [record.id for record in records[:2]]
    escaped = database["tracking_kept"].find_one({"_id": records[1].id})
    assert escaped is not None
    assert escaped["custom_data"] == {"bad": "\\ud800"}


@pytest.mark.parametrize("name", ["tracking", "tracking_kept"])
def test_record_longer_than_the_collection(make: Make, database: Database[Document], name: str) -> None:
    """A record longer than a small collection sheds its bodies there, and pushes nothing out."""
    sizes = {"table_size_bytes": 4_194_304, "kept_size_bytes": 4_194_304}
    sizes["table_size_bytes" if name == "tracking" else "kept_size_bytes"] = 65_536
    exporter = make(**sizes)
    small = [make_kept() for _ in range(3)]
    large = make_kept(response_chunks=(b"r" * 60_000,), request_chunks=(b"q" * 60_000,), size=120_000)
    large = dataclasses.replace(large, endpoint="e" * 20_000)
    assert exporter.export(small) == exporter.export([large]) == 0
    for each in ("tracking", "tracking_kept"):
        assert ids_of(database[each]) == [*(record.id for record in small), large.id]
        document = database[each].find_one({"_id": large.id})
        assert document is not None
        assert (document["response_body"] == b"") is (each == name)


def test_record_that_no_collection_holds(make: Make, database: Database[Document]) -> None:
    """A record that stays longer than the collection is refused and counted, the others stay."""
    exporter = make(kept_size_bytes=4096)
    small, large = make_kept(), dataclasses.replace(make_kept(), url_rule="e" * 5000)
    assert exporter.export([small]) == 0
    assert exporter.export([large]) == 1
    assert ids_of(database["tracking_kept"]) == [small.id]


def test_failures_outlive_the_flood(make: Make, database: Database[Document]) -> None:
    """What was pushed out of the one collection is found in the other, among those that were not."""
    exporter = make(table_size_bytes=65_536)
    start = make_record().date_created - timedelta(hours=1)
    failures = [dataclasses.replace(make_kept(), date_created=start) for _ in range(3)]
    assert exporter.export(failures) == 0
    for _ in range(10):
        assert exporter.export([make_record() for _ in range(100)]) == 0
    assert database["tracking"].count_documents({"status_code": 500}) == 0
    found = find_newest(exporter, Filter.parse("status:5xx"), 10)
    assert [record.id for record in found] == [record.id for record in failures[::-1]]
    assert all(record.kept and record.kept_reason == "error" for record in found)
    newest = find_newest(exporter, Filter(), 5)
    assert [record.kept for record in newest] == [False] * 5
    assert exporter.get(failures[0].id) == failures[0]


def test_kept_one_makes_room_for_newer_ones(make: Make, database: Database[Document]) -> None:
    """A record whose copy has made room is kept no more, and says so while it is still there."""
    exporter = make(kept_size_bytes=8192)
    records = [make_kept() for _ in range(40)]
    for record in records:
        assert exporter.export([record]) == 0
    left = len(ids_of(database["tracking_kept"]))
    assert 0 < left < 40
    found = exporter.find(Filter(), limit=100)
    assert [record.kept for record in found] == [True] * left + [False] * (40 - left)
    assert found[-1] == dataclasses.replace(records[0], kept=False, kept_reason=None)


def test_first_document_is_left_as_it_is(make: Make, database: Database[Document]) -> None:
    """keep and unkeep change nothing of the document that is pushed out some day."""
    exporter = make()
    by_rule, by_hand = make_kept(), make_record()
    exporter.export([by_rule, by_hand])
    before = list(database["tracking"].find())
    assert exporter.keep(by_hand.id, "why") and exporter.unkeep(by_rule.id)
    assert list(database["tracking"].find()) == before
    (copy,) = database["tracking_kept"].find()
    assert copy == {**before[1], "kept": True, "kept_reason": "why"}


def test_keep_creates_the_collection(make: Make, database: Database[Document]) -> None:
    """Where records come from before there were kept ones, the first that is kept finds it capped."""
    make(kept_size_bytes=0).export([record := make_record()])
    assert make().keep(record.id, "why") is True
    assert database["tracking_kept"].options()["capped"] is True


def test_classic_document_is_kept_as_it_is(make: Make, database: Database[Document]) -> None:
    """What a record has no field for is copied, too."""
    document = {"_id": ObjectId(), "path": "/", "execution_time": 7, "of_old": {"a": [1, None]}}
    document["date_created"] = make_record().date_created
    database["tracking"].insert_one(document)
    assert make().keep(document["_id"], "old") is True  # type: ignore[arg-type]
    copy = database["tracking_kept"].find_one()
    assert copy == {**document, "kept": True, "kept_reason": "old"}


@pytest.mark.parametrize(("command", "code"), [("delete", 13), ("insert", 13), ("find", 8)])
def test_server_that_refuses(
    make: Make, fail_command: Callable[..., None], command: str, code: int
) -> None:
    """Whatever else the server answers is said as everywhere."""
    exporter = make()
    exporter.export([record := make_record()])
    fail_command(command, errorCode=code, times=2)
    with pytest.raises(ExportError, match=rf"\(code {code}\)"):
        (exporter.unkeep if command == "delete" else exporter.keep)(record.id)


def test_name_of_the_setting() -> None:
    """The collection is named after the other one."""
    assert Settings(collection="shop.requests").kept_collection == "shop.requests_kept"
