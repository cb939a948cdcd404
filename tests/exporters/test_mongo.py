"""What the MongoDB store does beyond the contract, against a real server."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any
from unittest import mock

import mongoengine
import pytest
from bson import DBRef, ObjectId
from pymongo import MongoClient, _csot, monitoring
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from flask_tracking import (
    ConfigError,
    ExportError,
    Filter,
    FilterError,
    NoDatabaseError,
    Settings,
    TrackingError,
)
from flask_tracking.exporters.mongo import MongoExporter, connection
from flask_tracking.exporters.mongo.codec import from_document
from flask_tracking.exporters.mongo.query import NEWEST_FIRST, to_kept_query, to_queries
from flask_tracking.queries import find_newest
from flask_tracking.record import UserRef
from flask_tracking.runtime import guard

from ..captures import make_record
from ..filters.cases import CASES
from ..servers import free_port

Document = dict[str, Any]
Make = Callable[..., MongoExporter]


def test_creates_a_capped_collection(make: Make, database: Database[Document]) -> None:
    """The collection is created capped, with its indexes, and what is there is found."""
    exporter = make(table_size_bytes=1_000_000, max_documents=5000, indexes=((("user_id", 1),),))
    state, _, _ = exporter.prepare()
    assert (state.was_created, state.is_capped, state.problems) == (True, True, ())
    assert database["tracking"].options() == {"capped": True, "size": 1_000_192, "max": 5000}
    assert state.indexes == ("_id_", "date_created_1", "date_stored_1", "failures", "user_id_1")
    again, _, _ = exporter.prepare()
    assert (again.was_created, again.size_bytes, again.max_documents) == (False, 1_000_192, 5000)


@pytest.mark.parametrize(
    "text",
    [
        "regex pattern of 1501 chars exceeds the 1000-char cap",
        "Regular expression is too long",
    ],
)
def test_text_that_is_too_long(make: Make, text: str) -> None:
    """A text too long for the expressions of a server is a fault of the filter, and no other is."""
    exporter = make()
    with mock.patch.object(Collection, "find", side_effect=OperationFailure(text, 2)):
        with pytest.raises(FilterError, match="too long for the database to search: shorten it"):
            exporter.find(Filter.parse("path:/a*"), limit=1)
    with mock.patch.object(Collection, "find", side_effect=OperationFailure("unknown operator", 2)):
        with pytest.raises(ExportError, match=r"answers with an error \(code 2\)"):
            exporter.find(Filter.parse("path:/a*"), limit=1)


def test_long_texts(make: Make) -> None:
    """What is documented as short enough is searched."""
    exporter = make()
    exporter.export([make_record()])
    assert exporter.find(Filter.parse("x" * 200), limit=1) == []
    assert exporter.find(Filter.parse(f"path:/{'x' * 900}*"), limit=1) == []


def test_many_start_at_once(make: Make, database: Database[Document]) -> None:
    """Exporters that start at the same moment agree on one collection."""
    exporters = [make() for _ in range(8)]
    barrier = threading.Barrier(len(exporters))
    errors: list[BaseException] = []

    def start(exporter: MongoExporter) -> None:
        barrier.wait()
        try:
            exporter.export([make_record()])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start, args=[exporter]) for exporter in exporters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert database["tracking"].options()["capped"] is True
    assert database["tracking"].count_documents({}) == 8


def test_existing_collection_is_used_as_it_is(
    make: Make, database: Database[Document], caplog: pytest.LogCaptureFixture
) -> None:
    """Another size is kept, and said once with the command that mends it."""
    database.create_collection("tracking", capped=True, size=8192, max=10)
    exporter = make(table_size_bytes=16_384, max_documents=20)
    exporter.open()
    make(table_size_bytes=16_384, max_documents=20).open()
    assert exporter.export([make_record()]) == 0
    assert database["tracking"].options() == {"capped": True, "size": 8192, "max": 10}
    assert [record.getMessage() for record in caplog.records] == [
        "tracking is capped at 8.19 kB (8,192 bytes), TRACKING_TABLE_SIZE is 16.4 kB (16,384 bytes). "
        "To resize it, by a copy where the server cannot: flask tracking resize --rebuild",
        "tracking is capped at 10 documents, TRACKING_MAX_DOCUMENTS is 20. "
        "To change it, by a copy where the server cannot: flask tracking resize --rebuild",
    ]


def test_existing_collection_that_is_not_capped(make: Make, database: Database[Document]) -> None:
    """A plain collection of that name is used, and said to grow without bound."""
    database.create_collection("tracking")
    (problem,) = make(table_size_bytes=16_384).prepare()[0].problems
    assert str(problem) == (
        "tracking is not capped and grows without bound. To cap it: flask tracking resize --rebuild"
    )


def test_ttl(make: Make, database: Database[Document]) -> None:
    """ttl makes an ordinary collection whose index expires records; a change is applied."""
    state = make(retention="ttl", ttl_s=3600).prepare()[0]
    assert (state.is_capped, state.ttl_s, state.problems) == (False, 3600, ())
    assert database["tracking"].options() == {}
    assert make(retention="ttl", ttl_s=60).prepare()[0].ttl_s == 60
    assert database["tracking"].index_information()["date_created_1"]["expireAfterSeconds"] == 60


def test_ttl_that_differs(make: Make) -> None:
    """A check says that the next start applies another lifetime, and which command does it now."""
    make(retention="ttl", ttl_s=3600, kept_size_bytes=0).prepare()
    (problem,) = make(retention="ttl", ttl_s=60, kept_size_bytes=0).check()
    assert str(problem) == (
        "Records of tracking expire after 3600 s, TRACKING_TTL_S is 60. "
        "The next start of the app changes it. To change it now: flask tracking init"
    )


def test_ttl_that_may_not_be_changed(make: Make, fail_command: Callable[..., None]) -> None:
    """Where the role forbids changing an index the old expiry stands, and the command is named."""
    make(retention="ttl", ttl_s=3600).prepare()
    fail_command("collMod", errorCode=13)
    (problem,) = make(retention="ttl", ttl_s=60).prepare()[0].problems
    assert problem.what == (
        "Records of tracking expire after 3600 s, TRACKING_TTL_S is 60 "
        f"(the server refuses that: {SERVERS_WORDS})"
    )
    assert problem.command == (
        "db.runCommand({collMod: 'tracking', index: {keyPattern: {date_created: 1}, "
        "expireAfterSeconds: 60}})"
    )


def test_capped_without_a_bound_of_documents(make: Make, database: Database[Document]) -> None:
    """A capped collection without a bound of documents is as good: its size binds."""
    database.create_collection("tracking", capped=True, size=8192)
    state = make(table_size_bytes=8192).prepare()[0]
    assert (state.max_documents, state.problems) == (None, ())


def test_ttl_on_a_capped_collection(make: Make) -> None:
    """Nothing expires from a capped collection, and that is said."""
    make().prepare()
    (problem,) = make(retention="ttl").prepare()[0].problems
    assert problem.what == "tracking is capped, and nothing expires from a capped collection"
    assert problem.command == "flask tracking migrate --to ttl"


def test_capped_on_an_index_that_expires(make: Make, database: Database[Document]) -> None:
    """An index of the same keys with other options serves as well."""
    database["tracking"].create_index("date_created", expireAfterSeconds=60)
    assert make().prepare()[0].ttl_s == 60


def test_expiry_that_is_no_number(make: Make) -> None:
    """An expiry of NaN, which older servers took, keeps nothing from being recorded."""
    index = {"key": [("date_created", 1)], "expireAfterSeconds": float("nan")}
    with mock.patch.object(Collection, "index_information", return_value={"date_created_1": index}):
        exporter = make()
        assert exporter.prepare()[0].ttl_s is None
        assert exporter.export([make_record()]) == 0


# Servers and logins that allow less


Refuse = Callable[[Callable[[Document], bool]], None]
SERVERS_WORDS = "Failing command via 'failCommand' failpoint"
ALWAYS = 1000
"""Times that a command fails: more than are tried."""


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Make the server refuse the indexes of which a function of their specification is true."""

    def refuse(is_refused: Callable[[Document], bool]) -> None:
        create = Collection.create_indexes

        def create_some(self: Collection[Document], models: list[Any], **options: Any) -> list[str]:
            if any(is_refused(model.document) for model in models):
                words = "unknown option: { of: 'hunter2' }"
                raise OperationFailure(words, 67, {"errmsg": words, "code": 67})
            return create(self, models, **options)

        monkeypatch.setattr(Collection, "create_indexes", create_some)

    return refuse


def test_index_that_the_server_does_not_know(
    make: Make, database: Database[Document], refuse: Refuse, caplog: pytest.LogCaptureFixture
) -> None:
    """Without partial indexes there is no index of failures: said once, and all is recorded."""
    refuse(lambda index: "partialFilterExpression" in index)
    exporter = make(indexes=((("user_id", 1),),))
    for _ in range(2):
        assert exporter.export([make_record()]) == 0
        exporter.open()
    assert database["tracking"].count_documents({}) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "The server refuses tracking an index of status_code, date_created: unknown option. "
        "Recording goes on; queries for these fields are slower."
    ]
    state = exporter.prepare()[0]
    assert state.indexes == ("_id_", "date_created_1", "date_stored_1", "user_id_1")
    assert len(state.problems) == 1


def test_joint_attempt_that_fails(make: Make, fail_command: Callable[..., None]) -> None:
    """A server that refuses several indexes at once gets them one by one."""
    fail_command("createIndexes", errorCode=67)
    state = make().prepare()[0]
    assert state.indexes == ("_id_", "date_created_1", "date_stored_1", "failures")
    assert state.problems == ()


def test_no_index_may_be_made(
    make: Make, database: Database[Document], fail_command: Callable[..., None]
) -> None:
    """A login that may make no index records where the required one is there already."""
    database.create_collection("tracking", capped=True, size=8192)
    database["tracking"].create_index("date_created")
    fail_command("createIndexes", ALWAYS, errorCode=13)
    exporter = make(table_size_bytes=8192, kept_size_bytes=0)
    (state,) = exporter.prepare()
    assert [problem.what for problem in state.problems] == [
        f"The server refuses tracking an index of {fields}: {SERVERS_WORDS}"
        for fields in ("status_code, date_created", "date_stored")
    ]
    assert exporter.export([make_record()]) == 0
    assert database["tracking"].count_documents({}) == 1


def test_required_index_is_refused(
    make: Make, database: Database[Document], fail_command: Callable[..., None]
) -> None:
    """Without an index of date_created nothing is recorded, and the server's reason is named."""
    fail_command("createIndexes", ALWAYS, errorCode=67)
    exporter = make()
    with pytest.raises(ExportError, match=rf"\(code 67\). It says: {SERVERS_WORDS}$"):
        exporter.export([make_record()])
    assert database["tracking"].count_documents({}) == 0
    fail_command("createIndexes", 0, errorCode=67)
    assert exporter.export([make_record()]) == 0


def test_refusal_that_passes(make: Make, fail_command: Callable[..., None]) -> None:
    """A state of the server that passes is no refusal: it is asked again."""
    fail_command("createIndexes", 5, errorCode=112)
    exporter = make()
    with pytest.raises(ExportError, match="code 112"):
        exporter.prepare()
    fail_command("createIndexes", 0, errorCode=112)
    assert exporter.prepare()[0].problems == ()


def test_server_that_knows_no_expiry(make: Make, refuse: Refuse, database: Database[Document]) -> None:
    """Where nothing expires that is said, and recording goes on."""
    refuse(lambda index: "expireAfterSeconds" in index)
    exporter = make(retention="ttl", ttl_s=60)
    with mock.patch.object(Database, "command", side_effect=OperationFailure("no", 59)):
        state = exporter.prepare()[0]
    assert [problem.what for problem in state.problems] == [
        "Records of tracking never expire, TRACKING_TTL_S is 60 (the server refuses that: "
        "unknown option)"
    ]
    assert "date_created_1" in state.indexes
    with mock.patch.object(Database, "command", side_effect=OperationFailure("no", 59)):
        assert exporter.export([make_record()]) == 0
    assert database["tracking"].count_documents({}) == 1


def test_indexes_that_are_not_shown(
    make: Make, database: Database[Document], fail_command: Callable[..., None]
) -> None:
    """A login that may not list indexes makes them, or finds them made."""
    for retention in ("capped", "ttl"):
        fail_command("listIndexes", ALWAYS, errorCode=13)
        exporter = make(retention=retention, collection=retention)
        for _ in range(2):
            state = exporter.prepare()[0]
            assert [problem.what for problem in state.problems] == [
                f"The server does not show the indexes of {retention}: {SERVERS_WORDS}"
            ]
            assert state.indexes == ()
        fail_command("createIndexes", ALWAYS, errorCode=13)
        assert exporter.export([make_record()]) == 0
        fail_command("createIndexes", 0)
        assert "date_created_1" in database[retention].index_information()


def test_refusal_is_said_where_indexes_are_not_shown(
    make: Make, refuse: Refuse, fail_command: Callable[..., None]
) -> None:
    """What the server refuses is not forgotten because it shows no indexes either."""
    refuse(lambda index: "status_code" in index["key"])
    fail_command("listIndexes", ALWAYS, errorCode=13)
    unseen, refused = make().prepare()[0].problems
    assert unseen.what.startswith("The server does not show the indexes of tracking: ")
    assert refused.what.startswith(
        "The server refuses tracking an index of status_code, date_created: "
    )


def test_collections_that_are_not_shown(
    make: Make, database: Database[Document], fail_command: Callable[..., None]
) -> None:
    """A login that may not list collections uses those that it may use."""
    make().prepare()
    fail_command("listCollections", 1, errorCode=13)
    state = make().prepare()[0]
    assert [problem.what for problem in state.problems] == [
        f"The server does not show the options of tracking: {SERVERS_WORDS}"
    ]
    assert (state.was_created, state.is_capped, state.size_bytes) == (False, False, None)
    database.drop_collection("tracking")
    fail_command("listCollections", 1, errorCode=13)
    with pytest.raises(ExportError, match="refuses the login or write access"):
        make().prepare()
    assert "tracking" not in database.list_collection_names()


def test_collection_that_cannot_be_capped(
    make: Make, database: Database[Document], fail_command: Callable[..., None]
) -> None:
    """Where nothing can be capped no collection without a bound is made, and the reason is named."""
    fail_command("create", errorCode=115)
    with pytest.raises(ExportError, match=rf"\(code 115\). It says: {SERVERS_WORDS}$"):
        make().export([make_record()])
    assert database.list_collection_names() == []


def test_documents(make: Make, database: Database[Document]) -> None:
    """The document has the field names, the user as MongoEngine writes it, and no empty fields."""
    key = ObjectId()
    record = make_record(user=UserRef("User", "users", key), user_id=str(key))
    before = datetime.now(timezone.utc) - timedelta(milliseconds=1)
    make().export([record])
    document = database["tracking"].find_one()
    assert document is not None
    assert document["_id"] == record.id
    assert before <= document["date_stored"] <= datetime.now(timezone.utc)
    assert document["date_created"] == record.date_created
    assert list(document["user"].items()) == [("_cls", "User"), ("_ref", DBRef("users", key))]
    assert document["request_headers"] == [["Host", "example.org"], ["User-Agent", "curl/8.5.0"]]
    assert document["user_agent"] == {
        "browser": "curl",
        "version": "8.5.0",
        "string": "curl/8.5.0",
        "browser_name": "curl",
    }
    assert "exception" not in document and "custom_data" not in document


def test_documents_of_the_first_flask_tracking() -> None:
    """A classic document is read: an int of milliseconds, and the fields that it had."""
    key = ObjectId()
    record = from_document(
        {
            "_id": key,
            "date_created": datetime(2012, 10, 22, 23, 41, tzinfo=timezone.utc),
            "host": "example.org",
            "path": "/",
            "query_params": "",
            "user_agent": {"browser": "firefox", "language": "en", "string": "Mozilla"},
            "method": "GET",
            "request_headers": [["Host", "example.org"]],
            "status_code": 200,
            "response_body": b"hello",
            "execution_time": 1200,
            "user": {"_cls": "User"},
            "custom_data": [1],
        }
    )
    assert (record.id, record.execution_time, type(record.execution_time)) == (key, 1200.0, float)
    assert record.request_headers == (("Host", "example.org"),)
    assert (record.request_body, record.response_body) == (b"", b"hello")
    assert record.user_agent is not None
    assert (record.user_agent.browser, record.user_agent.platform) == ("firefox", None)
    assert (record.user, record.exception, record.children, record.custom_data) == (None, None, (), [1])


FOREIGN: list[dict[str, Any]] = [
    {"path": 7},
    {"status_code": "500"},
    {"date_created": "2026-11-24"},
    {"execution_time": "slow"},
    {"view_args": ["id"]},
    {"user_agent": "curl"},
    {"exception": ["ValueError"]},
    {"children": [7]},
    {"notes": 7},
    {"redacted": ["path"]},
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda one: next(iter(one)))
def test_document_of_somebody_else(
    make: Make,
    database: Database[Document],
    caplog: pytest.LogCaptureFixture,
    foreign: dict[str, Any],
) -> None:
    """What is no record is left out of lists, however many there are, and is said once."""
    exporter, started = make(), datetime(2026, 11, 24, tzinfo=timezone.utc)
    records = [
        dataclasses.replace(make_record(), id=ObjectId(), date_created=started + timedelta(seconds=at))
        for at in range(9)
    ]
    exporter.export(records)
    for record in records[3:8]:
        database["tracking"].update_one({"_id": record.id}, {"$set": foreign})
    left = [records[at].id for at in (8, 2, 1, 0)]
    for limit in (3, 4, 9):
        assert [one.id for one in exporter.find(Filter(), limit=limit)] == left[:limit]
    # A text is in no range of times: it is not found in the first place.
    assert len(caplog.records) == (0 if "date_created" in foreign else 1)
    with pytest.raises(TrackingError, match=f"{records[4].id} is not a record"):
        exporter.get(records[4].id)


def test_one_bad_value_loses_no_record(make: Make, database: Database[Document]) -> None:
    """What BSON cannot hold is escaped, with a note; the neighbours are stored as they are."""
    good = make_record()
    bad = make_record(
        custom_data={
            "surrogate": "\ud800",
            "big": 2**80,
            "object": frozenset({1}),
            "nul\0key": [1, ("\udfff", 2)],
        }
    )
    assert make().export([bad, good]) == 0
    documents = {document["_id"]: document for document in database["tracking"].find()}
    assert documents[bad.id]["custom_data"] == {
        "surrogate": "\\ud800",
        "big": str(2**80),
        "object": "frozenset({1})",
        "nul\\x00key": [1, ["\\udfff", 2]],
    }
    assert documents[bad.id]["notes"] == ["values that BSON cannot hold were escaped"]
    assert "notes" not in documents[good.id]


@pytest.mark.parametrize("name", ["user", "user_agent", "exception", "children", "redacted"])
def test_what_no_document_can_be_made_of(make: Make, database: Database[Document], name: str) -> None:
    """A record that an app's callback broke costs its content, and not the batch."""
    changed: dict[str, Any] = {name: ("text",)}
    broken, good = dataclasses.replace(make_record(), kept=True, **changed), make_record()
    exporter = make()
    assert exporter.export([broken, good]) == 0
    for collection in (database["tracking"], database["tracking_kept"]):
        stub = collection.find_one({"_id": broken.id})
        assert stub is not None
        assert stub["notes"] == ["stored without its content: no document can be made of it"]
    assert exporter.get(good.id) == good
    assert guard.failures == {"making a document": 1}


def test_custom_data_without_end(make: Make, database: Database[Document]) -> None:
    """What contains itself is left out, with a note: a callback may have put it there."""
    endless: dict[str, Any] = {}
    endless["a"] = endless["b"] = [endless]
    broken, good = make_record(custom_data=endless), make_record()
    assert make().export([broken, good]) == 0
    documents = {document["_id"]: document for document in database["tracking"].find()}
    assert documents[broken.id]["custom_data"] is None
    assert documents[broken.id]["notes"] == ["custom_data was shed: it had no end"]
    assert "notes" not in documents[good.id]


def test_bodies_and_headers_of_another_kind(make: Make) -> None:
    """What a callback put in the place of a body or of headers can be read."""
    exporter = make()
    record = make_record()
    changed: dict[str, Any] = {"request_body": "[gone]", "request_headers": {"A": "b"}}
    exporter.export([dataclasses.replace(record, **changed)])
    found = exporter.get(record.id)
    assert found is not None
    assert (found.request_body, found.request_headers) == (b"[gone]", (("A", "b"),))


def test_document_past_16_mb_sheds_its_bodies(make: Make, database: Database[Document]) -> None:
    """A document that is too large loses its bodies first, and says so."""
    eight = 8 * 1024 * 1024
    large = make_record(
        Settings(max_body_bytes=eight),
        request_chunks=(b"q" * eight,),
        request_size=eight,
        response_chunks=(b"r" * eight,),
        response_size=eight,
    )
    assert make(retention="ttl").export([make_record(), large]) == 0
    document = database["tracking"].find_one({"_id": large.id})
    assert document is not None
    assert (len(document["request_body"]), document["response_body"]) == (eight, b"")
    assert document["notes"] == ["response_body was shed: the document was past what MongoDB stores"]


def test_document_that_nothing_helps(make: Make, database: Database[Document]) -> None:
    """What stays too large is refused and counted, its neighbours are stored."""
    hopeless = make_record(url_rule="x" * 17_000_000, custom_data="gone")
    assert make(retention="ttl").export([hopeless, make_record()]) == 1
    assert database["tracking"].count_documents({}) == 1


def test_refused_document_is_stored_as_a_stub(
    make: Make, database: Database[Document], caplog: pytest.LogCaptureFixture
) -> None:
    """The record stays, without its content and with the reason, as where it breaks an exporter."""
    refused = make_record(endpoint="hunter2" * 3_000_000, url_rule="/orders/<id>")
    good = make_record()
    exporter = make(retention="ttl")
    assert exporter.export([good, refused]) == 0
    assert exporter.export([good, refused]) == 0
    found = exporter.get(refused.id)
    assert found is not None
    assert (found.url_rule, found.endpoint) == ("/orders/<id>", None)
    assert found.notes == ("stored without its content: too long or not encodable",)
    assert exporter.get(good.id) == good
    assert [record.getMessage() for record in caplog.records] == [
        f"Record {refused.id} is stored without its content: too long or not encodable"
    ]


def test_classic_fields_keep_their_meaning(make: Make, database: Database[Document]) -> None:
    """execution_time is a number in milliseconds that old queries compare."""
    make().export([make_record(duration_ns=1_500_000_000)])
    assert database["tracking"].count_documents({"execution_time": {"$gte": 1000}}) == 1


# Connections


def test_database_of_the_uri_and_its_default(mongodb: str, database: Database[Document]) -> None:
    """The URI names the database; without one it is `tracking`."""
    named = MongoExporter(Settings(mongodb_uri=f"{mongodb}{database.name}"))
    assert named.collection().full_name == f"{database.name}.tracking"
    named.close()
    unnamed = MongoExporter(Settings(mongodb_uri=mongodb, collection="requests"))
    assert unnamed.collection().full_name == "tracking.requests"
    unnamed.close()


@pytest.fixture
def alias(mongodb: str, database: Database[Document]) -> Iterator[str]:
    """A MongoEngine connection to `database` that nobody has opened yet."""
    mongoengine.register_connection(
        "app", db=database.name, host=mongodb, uuidRepresentation="standard", tz_aware=False
    )
    yield "app"
    mongoengine.disconnect("app")


def test_settings_of_a_mongoengine_alias(alias: str, database: Database[Document]) -> None:
    """Without a URI the alias says where; its own client is not shared."""
    exporter = MongoExporter(Settings(db_alias=alias))
    assert exporter.export([make_record()]) == 0
    assert database["tracking"].count_documents({}) == 1
    assert exporter.collection().database.client is not mongoengine.get_connection(alias)
    exporter.close()


def test_listeners_of_the_app_do_not_hear_us(mongodb: str, database: Database[Document]) -> None:
    """Command listeners that the app set on its connection are not told of our commands."""

    class Listener(monitoring.CommandListener):
        def started(self, event: Any) -> None:
            raise AssertionError(event)

        succeeded = failed = started

    mongoengine.register_connection(
        "heard",
        db=database.name,
        host=mongodb,
        event_listeners=[Listener()],
        uuidRepresentation="standard",
    )
    exporter = MongoExporter(Settings(db_alias="heard"))
    assert exporter.export([make_record()]) == 0
    exporter.close()
    mongoengine.disconnect("heard")


def test_no_database_is_configured() -> None:
    """Neither a URI nor an alias: the message names the fix; a later connect() heals it."""
    exporter = MongoExporter(Settings(db_alias="nowhere"))
    for call in (exporter.open, lambda: exporter.export([make_record()]), exporter.collection):
        with pytest.raises(NoDatabaseError, match="TRACKING_MONGODB_URI"):
            call()


@pytest.mark.parametrize(
    "uri", ["mongodb://user:hunter2@", "mongodb://u:hunter2@h:99999/x", "mongodb://u:hunter2@x@h/"]
)
def test_uri_that_cannot_be_used(uri: str) -> None:
    """A URI that PyMongo refuses is a wrong setting, named without quoting it."""
    with pytest.raises(ConfigError, match="^Invalid TRACKING_MONGODB_URI") as caught:
        MongoExporter(Settings(mongodb_uri=uri))
    assert "hunter2" not in str(caught.value)


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    return subprocess.run(command, text=True, capture_output=True, timeout=60)


@pytest.mark.integration
def test_eventlet_comes_too_late() -> None:
    """PyMongo cannot connect any more where eventlet was patched in after it: the fix is named."""
    done = run_script("""
        from flask_tracking import NoDatabaseError, Settings
        from flask_tracking.exporters.mongo import MongoExporter

        exporter = MongoExporter(Settings(mongodb_uri="mongodb://127.0.0.1:1/"))
        import eventlet
        eventlet.monkey_patch()
        try:
            exporter.open()
        except NoDatabaseError as error:
            print(error)
    """)
    assert done.stdout.startswith("PyMongo cannot connect: eventlet.monkey_patch() was"), done.stderr


@pytest.mark.integration
@pytest.mark.parametrize("patch", ["gevent.monkey.patch_all", "eventlet.monkey_patch"])
def test_greenlets_wait_for_one_client(patch: str) -> None:
    """Two greenlets that want the client at once get it, though the app was made before the patch."""
    done = run_script(f"""
        import mongoengine, threading, time
        from flask_tracking import Settings
        from flask_tracking.exporters.mongo import MongoExporter, connection

        class Slow(dict):
            def __init__(self, **_):
                time.sleep(0.01)
                made.append(self)

            def __getitem__(self, name):
                return name

        made = []
        mongoengine.register_connection("app", db="shop", mongo_client_class=Slow)
        exporter = MongoExporter(Settings(db_alias="app"))
        import {patch.rpartition(".")[0]}
        {patch}()
        connection._check_patches = lambda: None  # this client does without
        threads = [threading.Thread(target=exporter._connection.open) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(len(made))
    """)
    assert done.stdout == "1\n", done.stderr


@pytest.mark.integration
def test_server_that_is_away() -> None:
    """A server that does not answer is named, without the password, within the timeout."""
    port = free_port()
    uri = f"mongodb://user:hunter2@127.0.0.1:{port}/x?authSource=admin"
    exporter = MongoExporter(Settings(mongodb_uri=uri, export_timeout_s=0.05))
    wanted = rf"^MongoDB at 127.0.0.1:{port} does not answer within 0.05 s \(\w+\)$"
    for call in (
        lambda: exporter.export([make_record()]),
        lambda: exporter.get(ObjectId()),
        lambda: exporter.find(Filter(), limit=1),
        exporter.prepare,
    ):
        with pytest.raises(ExportError, match=wanted) as caught:
            call()
        assert caught.value.__cause__ is None and caught.value.__suppress_context__
    exporter.close()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"errorCode": 18}, "refuses the login or write access (code 18)"),
        ({"errorCode": 13}, "refuses the login or write access (code 13)"),
        ({"errorCode": 8}, "answers with an error (code 8)"),
        ({"errorCode": 14031}, "has no space left on its disk (code 14031)"),
        ({"closeConnection": True}, "is unreachable or closed the connection (AutoReconnect)"),
    ],
)
def test_server_that_refuses(
    make: Make,
    database: Database[Document],
    fail_command: Callable[..., None],
    how: Document,
    message: str,
) -> None:
    """What the server answers is said without quoting a record; the batch is stored when it can be."""
    exporter = make()
    exporter.open()
    fail_command("insert", **how, times=2)
    record = make_record(custom_data={"secret": "hunter2"})
    with pytest.raises(ExportError, match=re.escape(message)) as caught:
        for _ in range(2):  # a driver may try once more by itself
            exporter.export([record])
    assert "hunter2" not in str(caught.value)
    fail_command("insert", times=0, errorCode=8)
    assert exporter.export([record]) == 0
    assert database["tracking"].count_documents({}) == 1


@pytest.mark.parametrize("code", [10107, 13435])
def test_server_that_is_read_only(make: Make, fail_command: Callable[..., None], code: int) -> None:
    """A server that may not be written to is said to be one."""
    exporter = make()
    exporter.open()
    fail_command("insert", errorCode=code, times=2)
    with pytest.raises(ExportError, match=rf"is read-only \(code {code}\)"):
        exporter.export([make_record()])


def test_server_that_hangs(make: Make, fail_command: Callable[..., None]) -> None:
    """A server that accepts and does not answer is given up on."""
    exporter = make(export_timeout_s=1.0)
    exporter.open()
    fail_command("insert", times=2, blockConnection=True, blockTimeMS=5000)
    with pytest.raises(ExportError, match=r"does not answer within 1 s"):
        exporter.export([make_record()])


def test_batch_that_arrived_before_the_connection_broke(
    make: Make, database: Database[Document]
) -> None:
    """What had arrived is not stored twice when the batch is sent again."""
    records = [make_record() for _ in range(5)]
    exporter = make()
    exporter.export(records[:3])
    assert exporter.export(records) == 0
    assert database["tracking"].count_documents({}) == 5


def test_server_that_comes_back_empty(
    make: Make, database: Database[Document], fail_command: Callable[..., None]
) -> None:
    """The collections are made anew, with their bounds, before anything is stored in them."""
    exporter = make()
    exporter.export([make_record()])
    database.client.drop_database(database.name)
    fail_command("insert", errorCode=13)
    with pytest.raises(ExportError):
        exporter.export([make_record()])
    assert exporter.export([make_record()]) == 0
    assert all(database[name].options()["capped"] for name in ("tracking", "tracking_kept"))


class BulkFailure:
    """Stands in for a collection whose server refuses some documents."""

    name = "tracking"

    def __init__(self, *codes: int, concern: bool = False) -> None:
        self.codes, self.concern = codes, concern

    def with_options(self, *_: Any, **__: Any) -> BulkFailure:
        return self

    def insert_many(self, documents: list[Document], ordered: bool) -> None:
        from pymongo.errors import BulkWriteError

        raise BulkWriteError(
            {
                "writeErrors": [
                    {"code": code, "index": index, "op": {"secret": "hunter2"}}
                    for index, code in enumerate(self.codes[: len(documents)])
                ],
                "writeConcernErrors": [{"code": 64}] if self.concern else [],
            }
        )


@pytest.mark.parametrize(
    ("collection", "outcome"),
    [
        (BulkFailure(11000, 11000), 0),
        (BulkFailure(121, 10334, 11000), 2),
        (BulkFailure(91, 121), "the server could not write (code 91)"),
        (BulkFailure(concern=True), "the server could not confirm the write"),
    ],
)
def test_documents_that_the_server_refuses(
    make: Make, monkeypatch: pytest.MonkeyPatch, collection: BulkFailure, outcome: int | str
) -> None:
    """A document's own fault is final, the server's is not, and a duplicate is no fault."""
    exporter = make()
    exporter.open()
    monkeypatch.setattr(exporter, "collection", lambda: collection)
    records = [make_record() for _ in range(3)]
    if isinstance(outcome, int):
        assert exporter.export(records) == outcome
        return
    with pytest.raises(ExportError) as caught:
        exporter.export(records)
    assert str(caught.value) == outcome


def test_reason_of_a_refusal(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Why documents are refused for good is said in one line, without a word of them."""
    exporter = make(retention="ttl")
    exporter.open()
    hopeless = make_record(url_rule="hunter2" * 3_000_000)
    assert exporter.export([hopeless]) == 1
    guard._last_logged.clear()
    monkeypatch.setattr(exporter, "collection", lambda: BulkFailure(121, 2, 121))
    assert exporter.export([make_record() for _ in range(3)]) == 3
    assert exporter.export([make_record() for _ in range(3)]) == 3
    assert [record.getMessage() for record in caplog.records] == [
        "Records rejected by MongoDB and lost: 1 (too long or not encodable)",
        "Records rejected by MongoDB and lost: 3 (code 121, code 2)",
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_client_is_made_after_the_fork(make: Make, database: Database[Document]) -> None:
    """A child makes a client of its own; the parent's goes on and is not closed by the child."""
    exporter = make()
    exporter.export([make_record()])
    client = exporter.collection().database.client
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the test's process has other threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            assert exporter.collection().database.client is not client
            assert exporter.export([make_record()]) == 0
            exporter.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert exporter.collection().database.client is client
    assert exporter.export([make_record()]) == 0
    assert database["tracking"].count_documents({}) == 3


def test_threads_of_a_closed_client_are_not_waited_for(
    make: Make, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyMongo, which waits for each thread of a client at the end, waits for none of ours."""
    exporter = make()
    assert exporter.export([make_record()]) == 0
    joined: list[object] = []
    executors = list(connection._executors(exporter.collection().database.client))
    kind = type(executors[0])
    monkeypatch.setattr(kind, "join", lambda self, timeout=None: joined.append(self))
    assert len(executors) >= 2  # of the client, and of the server's monitor
    exporter.close()
    for executor in executors:
        executor.join(1)
    assert joined == []


def test_abandoned_exporter_makes_no_client(make: Make, database: Database[Document]) -> None:
    """When the process ends no further client is made, and the one there is holds nothing up."""
    exporter = make()
    exporter.abandon()
    with pytest.raises(ExportError, match="the process is ending"):
        exporter.export([make_record()])


def test_goodbye_to_a_database_that_hangs(
    make: Make, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing a client ends its sessions within a bound: a server that hangs is not waited for."""
    exporter = make()
    assert exporter.export([make_record()]) == 0
    bounds: list[float | None] = []
    client = exporter.collection().database.client
    monkeypatch.setattr(client, "_end_sessions", lambda _: bounds.append(_csot.get_timeout()))
    exporter.close()
    assert bounds == [connection.GOODBYE_S]


# Reading never scans


def plan_stages(plan: Any) -> set[str]:
    """Collect the names of all stages of an explained plan."""
    if isinstance(plan, dict):
        own = {plan["stage"]} if isinstance(plan.get("stage"), str) else set()
        return own.union(*(plan_stages(value) for value in plan.values()), set())
    if isinstance(plan, list):
        return set().union(*(plan_stages(value) for value in plan))
    return set()


def is_secantus(database: Database[Document]) -> bool:
    """Tell whether the server is SecantusDB, and not MongoDB."""
    return "secantusVersion" in database.client.admin.command("buildInfo")


def test_name_of_5000_digits(make: Make, database: Database[Document]) -> None:
    """A name that is too long for the index of a list finds nothing.

    SecantusDB reads it as a number, which Python refuses from 4,300 digits on: that is an error, as
    any other of a database.
    """
    exporter = make()
    exporter.export([make_record(custom_data={"list": [1]})])
    longest, longer = (Filter.parse(f"custom.list.{'9' * count}:1") for count in (4300, 5000))
    assert not exporter.find(longest, limit=1)
    if not is_secantus(database):
        assert not exporter.find(longer, limit=1)
    else:
        with pytest.raises(ExportError, match="answers with an error"):
            exporter.find(longer, limit=1)


class Explainer:
    """Says by which stages a server answers queries."""

    def __init__(self, database: Database[Document]) -> None:
        self.database = database
        self.is_secantus = is_secantus(database)

    def explain(self, wanted: Filter, limit: int) -> Iterator[set[str]]:
        """Yield the stages of each query that `wanted` is answered by."""
        kept = to_kept_query(wanted)
        for query in to_queries(wanted):
            # Of failures there is an index of their own.
            first = next(iter(query)) if wanted.wants_failures else "date_created"
            yield self._explain("tracking", query, limit, first)
        if kept is not None:
            yield self._explain("tracking_kept", kept, limit, "date_created")

    def _explain(self, name: str, query: Document, limit: int, first: str) -> set[str]:
        if self.is_secantus:
            # SecantusDB reads the range of the first indexed field, and says COLLSCAN all the same
            # where other conditions stand beside it: there that range alone is explained.
            query = {first: query[first]}
        command = {"find": name, "filter": query, "sort": dict(NEWEST_FIRST), "limit": limit}
        explained = self.database.command("explain", command, verbosity="queryPlanner")
        return plan_stages(explained["queryPlanner"]["winningPlan"])


class Explaining:
    """A reader that notes the plan of each query it is asked."""

    def __init__(self, exporter: MongoExporter, explainer: Explainer) -> None:
        self.exporter = exporter
        self.rollups = exporter.rollups
        self.explainer = explainer
        self.plans: list[set[str]] = []

    def find(self, wanted: Filter, *, limit: int, between: Any, fields: Any) -> Any:
        self.plans += self.explainer.explain(wanted.narrowed(*between), limit)
        return self.exporter.find(wanted, limit=limit, between=between, fields=fields)


@pytest.mark.parametrize("text", ["", "status:5xx", "is:kept", "since:1h", "until:1h"])
def test_no_query_of_the_newest_scans(make: Make, database: Database[Document], text: str) -> None:
    """Every query that the newest are found by is an indexed range."""
    exporter = make()
    exporter.export([make_record(keep_reason="why") for _ in range(50)])
    reader = Explaining(exporter, Explainer(database))
    find_newest(reader, Filter.parse(text), 100)  # type: ignore[call-overload]
    assert reader.plans
    for stages in reader.plans:
        assert "COLLSCAN" not in stages
        assert "IXSCAN" in stages


def test_no_filter_scans(make: Make, database: Database[Document]) -> None:
    """Whatever a filter asks for, its queries are indexed ranges."""
    make().export([make_record(keep_reason="why") for _ in range(50)])
    explainer = Explainer(database)
    for text, _ in CASES:
        wanted = Filter.parse(text)
        plans = list(explainer.explain(wanted, 100))
        assert bool(plans) is (text != "not ()")
        for stages in plans:
            assert "COLLSCAN" not in stages, text
            assert "IXSCAN" in stages, text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", [None]),
        ("status:404", [404]),
        ("status:4xx", [{"$gte": 400, "$lte": 499}]),
        ("status:503", [503]),
        ("status:5xx", [500, 501, 502, 503, 504, {"$gte": 505, "$lte": 599}]),
    ],
)
def test_failures_are_asked_for_in_parts(text: str, parts: list[Any]) -> None:
    """The first codes of a class of failures are asked for one by one: they are most of them."""
    wanted = Filter.parse(f"{text} method:GET since:2026-11-24 until:2026-11-25")
    first, last = (datetime(2026, 11, day, tzinfo=timezone.utc) for day in (24, 25))
    queries = to_queries(wanted)
    assert [query.get("status_code") for query in queries] == parts
    for query in queries:
        assert query["method"] == "GET"
        assert query["date_created"] == {"$gte": first, "$lt": last}


def test_range_of_failures_is_read_alone(make: Make, database: Database[Document]) -> None:
    """Nearly all failures are found by both fields of their index: their code, and when they were."""
    make().export([make_record()])
    query = to_queries(Filter.parse("status:5xx since:1h"))[0]
    command = {"find": "tracking", "filter": query, "sort": dict(NEWEST_FIRST), "limit": 20}
    explained = database.command("explain", command, verbosity="queryPlanner")
    stages = plan_stages(explained["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in stages and "COLLSCAN" not in stages


@pytest.mark.parametrize("name", ["tracking", "tracking_kept"])
def test_get_uses_the_id(make: Make, database: Database[Document], name: str) -> None:
    """A record is got by its id, from the index of ids."""
    exporter = make()
    record = make_record()
    exporter.export([record])
    command = {"find": name, "filter": {"_id": record.id}}
    explained = database.command("explain", command, verbosity="queryPlanner")
    stages = plan_stages(explained["queryPlanner"]["winningPlan"])
    assert stages & {"IDHACK", "IXSCAN", "EXPRESS_IXSCAN"} and "COLLSCAN" not in stages
    assert exporter.get(record.id) == record


# Servers that are too old


@pytest.fixture
def old_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every server be older than what is needed."""
    monkeypatch.setattr(connection, "OLDEST_WIRE_VERSION", 1000)


def test_server_that_is_too_old(make: Make, database: Database[Document], old_server: None) -> None:
    """One sentence says what is needed, wherever something would be written; nothing is created."""
    exporter = make()
    calls: list[Callable[[], object]] = [
        exporter.open,
        exporter.prepare,
        lambda: exporter.export([make_record()]),
        lambda: exporter.keep(ObjectId()),
        lambda: exporter.unkeep(ObjectId()),
        lambda: list(exporter.rewrite(lambda records: records, "1")),
    ]
    for call in calls:
        with pytest.raises(NoDatabaseError) as caught:
            call()
        assert re.fullmatch(
            r"MongoDB at [\w.]+:[0-9]+ is older than MongoDB 5.0, which flask-tracking needs. "
            "Upgrade the server.",
            str(caught.value),
        )
    assert database.list_collection_names() == []


def test_closing_waits_no_longer_than_it_may(make: Make) -> None:
    """While another thread makes the client, closing gives up in time."""
    exporter = make()
    with exporter._connection._lock:
        exporter.close(0.01)


def test_closing_when_no_time_is_left(make: Make) -> None:
    """The client is closed all the same, without a round trip, and a later call makes a new one."""
    exporter = make()
    exporter.prepare()
    client = exporter._connection._client
    exporter.close(0.0)
    assert client is not None and client._closed
    assert exporter._connection._client is None
    exporter.prepare()


# Checks


def test_check_creates_nothing(make: Make, database: Database[Document]) -> None:
    """A new database is in order: that nothing is stored yet is only told."""
    assert make().check() == []
    assert make().describe()[-1] == (
        "tracking and tracking_kept: created with the first record, or by `flask tracking init`"
    )
    assert database.list_collection_names() == []


def test_collection_that_is_missing(make: Make, database: Database[Document]) -> None:
    """A collection that is missing beside others is a problem, with the command that creates it."""
    exporter = make()
    exporter.prepare()
    exporter.export([make_record()])
    database.drop_collection("tracking_kept")
    database.drop_collection("tracking_rollup")
    create = "The next start of the app creates it. To create it now: flask tracking init"
    assert [str(problem) for problem in exporter.check()] == [f"tracking_kept does not exist. {create}"]
    counted = datetime.now(timezone.utc) - timedelta(minutes=2)
    exporter.export([dataclasses.replace(make_record(), date_created=counted)])
    assert [str(problem) for problem in exporter.check()] == [
        f"tracking_kept does not exist. {create}",
        f"tracking_rollup does not exist: there are no counts of requests. {create}",
    ]
    assert make(rollup_days=0, kept_size_bytes=0).check() == []
    exporter.prepare()
    assert exporter.check() == []


def test_rollups_without_an_index(make: Make, database: Database[Document]) -> None:
    """The collection of rollups lacks its indexes where it was dropped while an app was running."""
    exporter = make()
    exporter.prepare()
    database["tracking_rollup"].drop_indexes()
    assert [problem.what for problem in exporter.check()] == [
        "tracking_rollup has no index of width_s, start",
        "tracking_rollup has no index of width_s, is_merged, start",
    ]


def test_check_finds_what_preparing_finds(make: Make, database: Database[Document]) -> None:
    """What differs from the settings is told by both, in the same words."""
    database.create_collection("tracking", capped=True, size=8192, max=10)
    exporter = make()
    prepared = [problem for state in exporter.prepare() for problem in state.problems]
    assert exporter.check() == make().check() == prepared
    assert [problem.what.rpartition(" is ")[2] for problem in prepared] == [
        "105 MB (104,857,600 bytes)",
        "1,000,000",
    ]
    assert {problem.command for problem in prepared} == {"flask tracking resize --rebuild"}


def test_check_of_what_is_in_order(make: Make) -> None:
    """A store that is as the settings say has no problem."""
    exporter = make()
    exporter.prepare()
    assert exporter.check() == []


def test_check_tells_of_what_was_refused(make: Make, refuse: Refuse) -> None:
    """A missing index is a problem; who was refused it knows the reason, and others do not."""
    refuse(lambda index: "status_code" in index["key"])
    exporter = make()
    exporter.prepare()
    (refused,) = exporter.check()
    assert refused.what.startswith(
        "The server refuses tracking an index of status_code, date_created: "
    )
    assert [str(problem) for problem in make().check()] == [
        "tracking has no index of status_code, date_created. "
        "Queries for these fields are slower. To create it: flask tracking init"
    ]


def test_required_index_that_is_missing(make: Make, database: Database[Document]) -> None:
    """It is said what that costs; preparing creates it, and tells that it did."""
    exporter = make(kept_size_bytes=0)
    exporter.prepare()
    for name in ("tracking", "tracking_rollup"):
        database[name].drop_indexes()
    assert str(exporter.check()[0]) == (
        "tracking has no index of date_created. Every query reads all records, and takes seconds or "
        "fails. To create it: flask tracking init"
    )
    records, rollups = exporter.prepare()
    assert [fact for fact in records.facts if "created" in fact.split()] == [
        "created its index of date_created",
        "created its index of status_code, date_created",
        "created its index of date_stored",
    ]
    assert rollups.facts[-2:] == (
        "created its index of width_s, start",
        "created its index of width_s, is_merged, start",
    )
    assert not any("created its" in fact for state in exporter.prepare() for fact in state.facts)


def test_index_that_was_made_after_it_was_refused(
    make: Make, database: Database[Document], refuse: Refuse
) -> None:
    """What is mended is no problem any more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Collection, "create_indexes", mock.Mock(side_effect=OperationFailure("no", 67, {}))
        )
        database.create_collection("tracking", capped=True, size=8192)
        database.create_collection("tracking_kept", capped=True, size=8192)
        for name in ("tracking", "tracking_kept"):
            database.command("createIndexes", name, indexes=[{"key": {"date_created": 1}, "name": "d"}])
        exporter = make(table_size_bytes=8192, kept_size_bytes=8192)
        exporter.prepare()
        assert len(exporter.check()) == 2
    make(table_size_bytes=8192, kept_size_bytes=8192).prepare()
    assert exporter.check() == []


@pytest.mark.integration
def test_check_without_a_server() -> None:
    """A server that is away, or none at all, is an error among the problems, and raises nothing."""
    uri = f"mongodb://127.0.0.1:{free_port()}/shop"
    exporter = MongoExporter(Settings(mongodb_uri=uri, export_timeout_s=0.05))
    (away,) = exporter.check()
    exporter.close()
    assert away.level == "error" and "does not answer within 0.05 s" in away.what
    assert away.fix.startswith("Check that the server runs")
    (nowhere,) = MongoExporter(Settings(db_alias="nowhere")).check()
    assert nowhere.level == "error" and nowhere.what.startswith("No MongoDB is configured. Set")


IMPORTS = """
import sys
import brotli, zstandard
from flask import Flask, request
from flask_tracking import MemoryExporter, TeeExporter, Tracking
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.config import Settings

bodies = {"br": brotli.compress(b'{"password": "x9"}'), "zstd": zstandard.compress(b"a=b")}
for name in [name for name in sys.modules if name.startswith(("brotli", "zstandard", "_brotli"))]:
    del sys.modules[name]
app = Flask("imports")
app.config.update(TRACKING_MONGODB_URI=sys.argv[1], TRACKING_FLUSH_INTERVAL_S=0.01)
mongo = MongoExporter(Settings.from_mapping(app.config))
tracking = Tracking(app, exporter=TeeExporter(MemoryExporter(), mongo))
client = app.test_client()
before = set(sys.modules)
for coding, body in bodies.items():
    client.post("/", data=body, headers={"Content-Encoding": coding, "User-Agent": "Firefox/120"})
assert tracking.flush(20) and tracking.close(20)
assert tracking.stats.exported == 2, tracking.stats
print(*sorted(set(sys.modules) - before))
"""


def test_worker_imports_nothing(database_uri: str) -> None:
    """All is imported when the app is set up: a fork in mid-import leaves the child half a module."""
    command = [sys.executable, "-c", IMPORTS, database_uri]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


class Listener(monitoring.CommandListener):
    """Notes the commands that search."""

    def __init__(self) -> None:
        self.commands: list[Document] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in ("find", "aggregate"):
            self.commands.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Say nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Say nothing."""


@pytest.mark.parametrize("text", ["user:ada", "user:ada not method:POST", "header.host:example.org"])
def test_operators_stand_apart(database_uri: str, database: Database[Document], text: str) -> None:
    """An operator beside an indexed range makes simple planners scan: it has a stage of its own."""
    records = [dataclasses.replace(make_record(), user_id=name) for name in ("ada", "bob", "ada")]
    exporter = MongoExporter(Settings(mongodb_uri=database_uri))
    exporter.export(records)
    exporter.close()
    listener = Listener()
    with mock.patch.object(connection, "MongoClient", partial(MongoClient, event_listeners=[listener])):
        wanted = Filter.parse(text)
        found = exporter.find(wanted, limit=10)
    exporter.close()
    assert {one.id for one in found} == {one.id for one in records if wanted.matches(one)}
    assert listener.commands
    for command in listener.commands:
        first = command["filter"] if "filter" in command else command["pipeline"][0]["$match"]
        assert not any(key.startswith("$") for key in first), command
        assert "date_created" in first
