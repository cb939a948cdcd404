"""Another size or kind for a collection that is being written to, against a real server."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from flask_tracking import ExportError, Filter, MemoryExporter, Record, TrackingError
from flask_tracking.exporters.mongo import MongoExporter, inserting, rebuilding
from flask_tracking.exporters.mongo.inserting import Refused, insert_once
from flask_tracking.exporters.store import Store

from ..captures import make_record
from .conftest import MakeStore

Document = dict[str, Any]
Make = Callable[..., MongoExporter]

BODY = b"x" * 1000


def make_records(count: int, **parts: Any) -> list[Record]:
    """Make records that arrived a second apart, the last one now."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    return [
        dataclasses.replace(
            make_record(),
            date_created=now - timedelta(seconds=count - at),
            response_body=BODY,
            **parts,
        )
        for at in range(count)
    ]


def export_all(exporter: Store, records: Sequence[Record]) -> None:
    """Export records as a worker does, in batches: one call has a few seconds for what it is given."""
    for start in range(0, len(records), 500):
        exporter.export(records[start : start + 500])


def stored_ids(database: Database[Document], name: str = "tracking") -> list[ObjectId]:
    """Return the ids in a collection, in the order in which they were stored."""
    return [document["_id"] for document in database[name].find({}, {"_id": True})]


def rebuild(store: Store, *arguments: Any, **options: Any) -> Any:
    """Rebuild, and return the last counts."""
    *_, last = store.rebuild(*arguments, **options)
    return last


# Every store


def test_store_says_how_full_it_is(make_store: MakeStore) -> None:
    """A store that knows how full it is counts its records, and the oldest of them."""
    store = make_store()
    records = make_records(3)
    store.export(records)
    usages = store.measure()
    if usages:
        assert (usages[0].records, usages[0].oldest) == (3, records[0].date_created)


def test_store_without_a_size(memory: MemoryExporter) -> None:
    """A store that has no size in bytes says so, and has nothing to rebuild."""
    assert memory.resize(5000) is None
    assert memory.resizes_in_place()
    assert list(memory.rebuild()) == []
    assert memory.describe() == ("the memory of this process",)


def test_rates_of_a_store(memory: MemoryExporter) -> None:
    """Its bound is a number of records; with the rate that makes a number of days."""
    store = MemoryExporter(max_records=4000)
    now = datetime.now(timezone.utc)
    store.export([dataclasses.replace(make_record(), date_created=now - timedelta(hours=12))] * 1)
    usage = store.measure()[0]
    assert usage.records_per_day(now) == pytest.approx(2)
    assert usage.days_at(None, now) == pytest.approx(2000)
    assert usage.record_bytes is None
    assert memory.measure()[0].records_per_day(now) is None


# MongoDB


def test_measure(make: Make) -> None:
    """The bytes are those of the documents, the bounds those of the collection."""
    exporter = make(table_size_bytes=1_048_576, max_documents=5000)
    exporter.export(make_records(10))
    usage, kept = exporter.measure()
    assert (usage.name, usage.records, usage.max_bytes) == ("tracking", 10, 1_048_576)
    assert usage.max_records == 5000
    assert usage.record_bytes is not None and 1000 < usage.record_bytes < 3000
    assert (kept.name, kept.records, kept.max_records, kept.oldest) == ("tracking_kept", 0, None, None)
    assert kept.record_bytes is None


def test_bound_of_documents_far_below_the_size(make: Make, fail_command: Callable[..., None]) -> None:
    """A bound of documents that leaves most of the size unused is a problem; one near it is none."""
    exporter = make(table_size_bytes=2**22, max_documents=150)
    exporter.prepare()
    export_all(exporter, make_records(100))
    (problem,) = exporter.check()
    assert problem.what.startswith("tracking uses at most ")
    assert problem.what.endswith(" kB of 4.19 MB: TRACKING_MAX_DOCUMENTS is 150")
    assert problem.command.startswith("flask tracking resize")
    fail_command("collStats", errorCode=13)
    assert exporter.check() == []
    near = make(table_size_bytes=2**22, max_documents=2**21 // 1000, collection="near")
    near.prepare()
    export_all(near, make_records(100))
    assert near.check() == []


def test_measure_before_anything_is_stored(make: Make) -> None:
    """What is not there has no size."""
    assert make().measure() == []


def test_resize_is_read_back(make: Make, database: Database[Document]) -> None:
    """What the server does not do is not said to be done, whatever it answers."""
    make(table_size_bytes=8192).prepare()
    resized = make(table_size_bytes=8192).resize(65_536)
    assert resized is not None
    found = database["tracking"].options()["size"]
    assert (resized.old_bytes, resized.new_bytes) == (8192, found)
    assert resized.is_done is (found == 65_536)


def test_server_that_resizes_in_place(make: Make) -> None:
    """What is said of the server is what it does."""
    exporter = make(table_size_bytes=8192)
    exporter.prepare()
    resized = exporter.resize(65_536)
    assert resized is not None
    assert exporter.resizes_in_place() is resized.is_done


def test_resize_that_the_server_refuses(make: Make, fail_command: Callable[..., None]) -> None:
    """The server's words are passed on."""
    make(table_size_bytes=8192).prepare()
    fail_command("collMod", errorCode=72)
    resized = make(table_size_bytes=8192).resize(65_536)
    assert resized is not None
    assert (resized.is_done, resized.new_bytes, bool(resized.refusal)) == (False, 8192, True)


def test_resize_to_the_settings(make: Make) -> None:
    """Without a size it is that of the settings; one that is there already is done."""
    make(table_size_bytes=8192).prepare()
    resized = make(table_size_bytes=8192).resize()
    assert resized is not None and resized.is_done


def test_resize_without_a_bound(make: Make) -> None:
    """Where records expire there is no size; where none are kept there is no collection."""
    with pytest.raises(TrackingError, match="TRACKING_RETENTION is 'ttl'"):
        make(retention="ttl").resize(8192)
    with pytest.raises(TrackingError, match="TRACKING_KEPT_SIZE is 0"):
        make(kept_size_bytes=0).resize(8192, is_kept=True)


def test_rebuild_keeps_all_records(make: Make, database: Database[Document]) -> None:
    """The new collection has the size, the indexes and the records, in their order."""
    records = make_records(2500)
    exporter = make(table_size_bytes=8 * 2**20)
    export_all(exporter, records)
    last = rebuild(exporter, None, 16 * 2**20)
    assert (last.copied, last.skipped, last.left) == (2500, 0, 0)
    assert database["tracking"].options()["size"] == 16 * 2**20
    assert stored_ids(database) == [record.id for record in records]
    assert exporter.get(records[0].id) == records[0]
    assert sorted(database.list_collection_names()) == ["tracking", "tracking_kept"]
    assert exporter.prepare()[0].indexes == ("_id_", "date_created_1", "date_stored_1", "failures")
    assert list(exporter.rebuild(None, 16 * 2**20)) == []


def test_rebuild_of_kept_records(make: Make, database: Database[Document]) -> None:
    """The collection of kept records is rebuilt alone."""
    exporter = make(kept_size_bytes=2**20)
    export_all(exporter, make_records(20, kept=True, kept_reason="error"))
    assert rebuild(exporter, None, 2 * 2**20, is_kept=True).copied == 20
    assert database["tracking_kept"].options()["size"] == 2 * 2**20
    assert len(exporter.find(Filter.parse("is:kept"), limit=100)) == 20


def test_smaller_collection_keeps_the_newest(make: Make, database: Database[Document]) -> None:
    """What has no room are the oldest; of what is copied nothing is overwritten at once."""
    records = make_records(1000)
    exporter = make(table_size_bytes=8 * 2**20)
    export_all(exporter, records)
    last = rebuild(exporter, None, 2**19)
    assert last.skipped + last.copied == 1000
    assert 100 < last.copied < 500
    assert stored_ids(database) == [record.id for record in records[-last.copied :]]


def test_collection_without_a_bound_is_capped(make: Make, database: Database[Document]) -> None:
    """An ordinary collection that is in the way becomes a capped one, with its documents."""
    database["tracking"].insert_many([{"_id": number} for number in range(5)])
    rebuild(make(table_size_bytes=8192))
    assert database["tracking"].options()["capped"] is True
    assert stored_ids(database) == list(range(5))


def test_migrate_to_ttl_and_back(make: Make, database: Database[Document]) -> None:
    """A capped collection becomes one whose records expire, and the other way round."""
    records = make_records(30)
    exporter = make(table_size_bytes=2**20, ttl_s=3600)
    export_all(exporter, records)
    assert rebuild(exporter, "ttl").copied == 30
    assert database["tracking"].options() == {}
    assert database["tracking"].index_information()["date_created_1"]["expireAfterSeconds"] == 3600
    assert list(make(retention="ttl").rebuild("ttl")) == []
    assert rebuild(exporter, "capped").copied == 30
    assert database["tracking"].options()["capped"] is True
    assert stored_ids(database) == [record.id for record in records]


class Writer(threading.Thread):
    """Stores a record after the other, as an app under traffic does."""

    def __init__(self, exporter: MongoExporter, pause_s: float = 0.01) -> None:
        super().__init__()
        self.exporter = exporter
        self.pause_s = pause_s
        self.stored: list[ObjectId] = []
        self.ends = threading.Event()

    def run(self) -> None:
        while not self.ends.is_set():
            batch = make_records(5)
            while not self._is_stored(batch):  # a busy machine: the batch is sent again
                pass
            self.stored += [record.id for record in batch]
            self.ends.wait(self.pause_s)

    def _is_stored(self, batch: list[Record]) -> bool:
        try:
            return self.exporter.export(batch) == 0
        except ExportError:
            return False

    def __enter__(self) -> Writer:
        self.start()
        while not self.stored:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.set()
        self.join()


def test_what_is_written_meanwhile(make: Make, database: Database[Document]) -> None:
    """Nothing is lost that writers store while the collection is rebuilt, again and again."""
    exporter = make(table_size_bytes=2**24)
    records = make_records(1500)
    export_all(exporter, records)
    with Writer(make(table_size_bytes=2**24)) as one, Writer(make(table_size_bytes=2**24)) as other:
        for size in (2**25, 2**24, 2**25):
            rebuild(exporter, None, size)
    found = stored_ids(database)
    assert len(found) == len(set(found))
    assert {record.id for record in records} | {*one.stored, *other.stored} == set(found)


@pytest.mark.parametrize("bounds", [{"table_size_bytes": 2**21}, {"max_documents": 1000}])
def test_smaller_collection_keeps_what_is_written_meanwhile(
    make: Make, database: Database[Document], bounds: dict[str, int]
) -> None:
    """Old records give way to those that come in while they are copied."""
    exporter = make(table_size_bytes=2**24)
    export_all(exporter, make_records(3000))
    with Writer(make(table_size_bytes=2**24), pause_s=0.1) as writer:
        last = rebuild(make(**{"table_size_bytes": 2**24, **bounds}))
    assert last.skipped > 1000
    assert set(writer.stored) <= set(stored_ids(database))


def test_small_collection_on_a_slow_database(
    make: Make, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room is measured again before writes of the time of a batch have taken it."""
    insert, writer, written = inserting.insert_once, make(table_size_bytes=2**24), list[Record]()

    def insert_slowly(target: Any, batch: Any) -> Any:
        meanwhile = make_records(len(batch) // 8)
        written.extend(meanwhile)
        writer.export(meanwhile)
        return insert(target, batch)

    export_all(writer, make_records(3000))
    monkeypatch.setattr(rebuilding, "insert_once", insert_slowly)
    assert rebuild(make(table_size_bytes=2**24, max_documents=1000)).copied > 500
    assert len(written) > 50
    assert {record.id for record in written} <= set(stored_ids(database))


def test_writer_that_is_faster(
    make: Make, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a write creates the collection first, its records are copied, too."""
    exporter = make(table_size_bytes=2**20)
    exporter.export(make_records(3))
    create, calls = Database.create_collection, []

    def create_late(self: Database[Document], name: str, **options: Any) -> Any:
        calls.append(name)
        if len(calls) < 3:
            self[name].insert_one({"_id": len(calls)})
        return create(self, name, **options)

    monkeypatch.setattr(Database, "create_collection", create_late)
    assert rebuild(exporter, None, 2**21).copied == 5
    assert {1, 2} < set(stored_ids(database))


def test_collection_that_others_always_create(
    make: Make, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is given up, and the next run goes on from there."""
    exporter = make(table_size_bytes=2**20)
    exporter.export(make_records(3))
    create = Database.create_collection

    def create_late(self: Database[Document], name: str, **options: Any) -> Any:
        self[name].insert_one({})
        return create(self, name, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Database, "create_collection", create_late)
        with pytest.raises(TrackingError, match="created by others again and again"):
            list(exporter.rebuild(None, 2**21))
    assert any("a rebuild was interrupted" in problem.what for problem in exporter.check())
    assert rebuild(exporter, None, 2**21).copied > 3


def test_records_that_are_refused_stay(
    make: Make, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that the new collection refuses stays where it was, and is counted."""
    records = make_records(3)
    exporter = make(table_size_bytes=2**20)
    export_all(exporter, records)

    def refuse_one(collection: Any, documents: list[Any]) -> list[Refused]:
        taken = [one for one in documents if one["_id"] != records[1].id]
        insert_once(collection, taken)
        return [Refused(one, "code 1") for one in documents if one not in taken]

    monkeypatch.setattr(rebuilding, "insert_once", refuse_one)
    last = rebuild(exporter, "ttl")
    assert (last.copied, last.left) == (2, 1)
    assert stored_ids(database) == [records[0].id, records[2].id]
    assert records[1].id in stored_ids(database, "tracking_rebuild_1")


def test_interrupted_rebuild_is_a_problem(make: Make, database: Database[Document]) -> None:
    """A check names the collection that holds the rest, and the command that copies it."""
    exporter = make(table_size_bytes=2**22)
    exporter.prepare()
    export_all(exporter, make_records(1500))
    steps = exporter.rebuild(None, 2**23)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    (problem,) = [one for one in make(table_size_bytes=2**23).check() if "interrupted" in one.what]
    assert "tracking_rebuild_1" in problem.what
    assert problem.command == "flask tracking migrate --to capped"
    assert rebuild(exporter, None, 2**23).copied == 1500
    assert make(table_size_bytes=2**23).check() == []


def test_resumed_rebuild_counts_no_record_twice(
    make: Make, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an interrupted run has copied needs no room again, so nothing else is said to have none."""
    monkeypatch.setattr(rebuilding, "BATCH_RECORDS", 100)
    exporter = make(table_size_bytes=2**24)
    records = make_records(1000)
    export_all(exporter, records)
    size = database.command("collStats", "tracking")["size"]
    steps = exporter.rebuild(None, int(size * 1.15))
    assert next(one for one in steps if one.looked_at >= 600).skipped == 0
    steps.close()  # type: ignore[attr-defined]
    last = rebuild(exporter, None, int(size * 1.15))
    assert (last.copied, last.skipped, last.left) == (1000, 0, 0)
    assert stored_ids(database) == [record.id for record in records]


def test_resumed_migration_creates_the_indexes(make: Make, database: Database[Document]) -> None:
    """A writer may have created the new collection, where a run was killed before it did."""
    exporter = make(table_size_bytes=2**22, ttl_s=3600)
    records = make_records(50)
    export_all(exporter, records)
    database["tracking"].rename("tracking_rebuild_1")
    database["tracking"].insert_one({})
    rebuild(exporter, "ttl")
    assert database["tracking"].index_information()["date_created_1"]["expireAfterSeconds"] == 3600
    assert {record.id for record in records} < set(stored_ids(database))


KILLED = """
import sys
from flask_tracking import Settings
from flask_tracking.exporters.mongo import MongoExporter, inserting, rebuilding
rebuilding.BATCH_RECORDS = 50
exporter = MongoExporter(Settings(mongodb_uri=sys.argv[1], table_size_bytes=2**24, ttl_s=10**6))
print("begun", flush=True)
for _ in exporter.rebuild(sys.argv[2]):
    pass
"""


@pytest.mark.parametrize("retention", ["ttl", "capped"])
def test_killed_at_random_moments(
    make: Make, database: Database[Document], database_uri: str, retention: str
) -> None:
    """A migration that is killed again and again, and resumed, loses nothing and has nothing twice."""
    seed = random.randrange(10**6)
    dice = random.Random(seed)
    exporter = make(table_size_bytes=2**24, retention="capped" if retention == "ttl" else "ttl")
    records = make_records(1000)
    export_all(exporter, records)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED, database_uri, retention]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    with Writer(exporter) as writer:
        for _ in range(10):
            with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(dice.uniform(0, 0.4))
                process.kill()
        subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
    found = stored_ids(database)
    assert len(found) == len(set(found)), seed
    assert {record.id for record in records} | set(writer.stored) == set(found), seed
    assert bool(database["tracking"].options().get("capped")) is (retention == "capped")
    assert "date_created_1" in database["tracking"].index_information(), seed
    assert sorted(database.list_collection_names()) == ["tracking", "tracking_kept"]


def test_rename_that_is_refused(make: Make, fail_command: Callable[..., None]) -> None:
    """Where the role may not rename, that is said, and nothing has changed."""
    exporter = make(table_size_bytes=2**20)
    exporter.export(make_records(3))
    fail_command("renameCollection", errorCode=13)
    with pytest.raises(TrackingError, match="refuses the login or write access"):
        list(exporter.rebuild(None, 2**21))
    assert exporter.measure()[0].records == 3
