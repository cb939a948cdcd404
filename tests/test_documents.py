"""The MongoEngine document: its schema, its collection, and the classic methods and queries."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import mongoengine
import pytest
from bson import DBRef, ObjectId
from flask import Flask
from pymongo import MongoClient
from pymongo.database import Database

from flask_tracking import MemoryExporter, Record, Tracking, TrackingError
from flask_tracking.documents import Tracking as TrackingDocument
from flask_tracking.exporters.mongo.codec import to_document, utc_now
from flask_tracking.record import ChildTiming, ExceptionInfo, Remark, UserAgent, UserRef

from .captures import make_record

Document = dict[str, Any]


class Person(mongoengine.Document):
    """A user of an app."""

    name = mongoengine.StringField()
    meta = {"db_alias": "people", "collection": "people"}


@pytest.fixture
def people(mongodb: str, database: Database[Document]) -> Iterator[None]:
    """A MongoEngine connection for the users."""
    mongoengine.connect(alias="people", db=database.name, host=mongodb, uuidRepresentation="standard")
    yield
    mongoengine.disconnect("people")


def make_app(name: str, uri: str, **config: Any) -> tuple[Flask, Tracking]:
    """Make an app that stores at once into `uri`."""
    app = Flask(name)
    app.config.update(TRACKING_MONGODB_URI=uri, TRACKING_WORKER="sync", **config)
    app.add_url_rule("/<path:path>", "view", lambda path: f"{name}: {path}")
    return app, Tracking(app)


@pytest.fixture
def tracked(database_uri: str) -> Iterator[Flask]:
    """A tracked app in whose context the test runs."""
    app, tracking = make_app("shop", database_uri)
    with app.app_context():
        yield app
    tracking.close(5)


FULL = dataclasses.replace(
    make_record(),
    name="a task",
    user=UserRef("Person", "people", ObjectId()),
    user_id="42",
    user_repr="Ada",
    user_agent=UserAgent("firefox", "120.0", "linux", "en", "Mozilla/5.0", "Firefox", "Linux"),
    request_body=b"\x00",
    request_body_note="truncated",
    response_body_note="binary",
    blueprint="admin",
    exception=ExceptionInfo("ValueError", "no", "Traceback"),
    custom_data={"a": [1, {"b": None}]},
    children=(ChildTiming("charge", 1.0, 2.0, "ValueError"),),
    parent_span_id="00f067aa0ba902b7",
    replay_of=ObjectId(),
    version="1.2",
    kept=True,
    kept_reason="slow",
    notes=("one",),
    redacted=(Remark("request_body", "name", 3, 7),),
    redaction_version="1",
)


def test_schema_is_what_the_exporter_writes() -> None:
    """The document class and the exporter know the same fields, in both directions."""
    written = to_document(FULL, utc_now())
    assert set(written) == set(TrackingDocument._db_field_map.values())
    for name, embedded in (("user_agent", written["user_agent"]), ("exception", written["exception"])):
        assert set(embedded) == set(TrackingDocument._fields[name].document_type._fields)
    (child,) = written["children"]
    assert set(child) == set(TrackingDocument.children.field.document_type._fields)
    loaded = TrackingDocument._from_son(written)
    loaded.validate()
    back = dict(loaded.to_mongo())
    for body in ("request_body", "response_body"):
        back[body] = bytes(back[body])
    assert back == {
        **written,
        "request_headers": [list(item) for item in FULL.request_headers],
        "response_headers": [list(item) for item in FULL.response_headers],
        "notes": ["one"],
    }


def test_record_has_the_same_fields() -> None:
    """Record and document have the same fields, by the collection's names."""
    fields = set(Record.__dataclass_fields__) - {"id"} | {"_id", "date_stored"}
    assert fields == set(TrackingDocument._db_field_map.values())


def test_classic_queries(tracked: Flask, database: Database[Document]) -> None:
    """By execution time and by time of arrival given as text, newest first."""
    for minute, took in ((39, 10), (41, 1500), (44, 900), (46, 2000)):
        record = dataclasses.replace(
            make_record(),
            date_created=datetime(2012, 10, 22, 23, minute, tzinfo=timezone.utc),
            execution_time=float(took),
        )
        database["tracking"].insert_one(to_document(record, utc_now()))
    slow = TrackingDocument.objects.filter(execution_time__gte=1000)
    assert [document.execution_time for document in slow] == [2000.0, 1500.0]
    between = TrackingDocument.objects.filter(
        date_created__gte="2012-10-22 23:40:00", date_created__lte="2012-10-22 23:45:00"
    )
    assert [document.date_created.minute for document in between] == [44, 41]
    assert between[0].date_created.tzinfo is None


def test_documents_of_the_first_flask_tracking(tracked: Flask, database: Database[Document]) -> None:
    """Documents that the first flask-tracking wrote are found by the same queries."""
    database["tracking"].insert_one(
        {
            "date_created": datetime(2012, 10, 22, 23, 41, tzinfo=timezone.utc),
            "host": "example.org",
            "path": "/a",
            "query_params": "b=1",
            "method": "GET",
            "user": {"_cls": "Person", "_ref": DBRef("people", "x")},
            "user_agent": {"browser": "firefox", "platform": "linux"},
            "request_headers": [["Host", "example.org"]],
            "request_body": b"",
            "status_code": 200,
            "execution_time": 1200,
            "hostname": "web1",
            "forgotten": True,
        }
    )
    (document,) = TrackingDocument.objects.filter(execution_time__gte=1000)
    assert str(document) == f"{document.id} 2012-10-22 23:41:00 GET x /a?b=1 200 1200ms"
    assert document.user_agent.browser == "firefox"


def test_old_words_find_new_documents(tracked: Flask, database: Database[Document]) -> None:
    """What finds the browsers and systems of old documents finds those of new ones."""
    old = {"date_created": datetime(2012, 10, 22, tzinfo=timezone.utc), "path": "/old"}
    old["user_agent"] = {"browser": "firefox", "platform": "macos"}
    database["tracking"].insert_one(old)
    agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 Firefox/128.0"
    client = tracked.test_client()
    assert client.get("/new", headers={"User-Agent": agent}).text == "shop: new"
    assert client.get("/other", headers={"User-Agent": "curl/8.5.0"}).text == "shop: other"
    for query in ({"user_agent__browser": "firefox"}, {"user_agent__platform": "macos"}):
        assert [one.path for one in TrackingDocument.objects.filter(**query)] == ["/new", "/old"]
    (new,) = TrackingDocument.objects.filter(user_agent__browser_name="Firefox")
    assert new.user_agent.platform_name == "Mac OS X"


def test_custom_data_queries(tracked: Flask, database: Database[Document]) -> None:
    """Custom data is queried by its keys, and may hold anything, what looks like a class too."""
    for data in ({"order_id": 17}, {"order_id": 18}, {"_cls": "Nothing", "order_id": 19}, [1], "x"):
        database["tracking"].insert_one(to_document(make_record(custom_data=data), utc_now()))
    (document,) = TrackingDocument.objects.filter(custom_data__order_id=17)
    assert document.custom_data == {"order_id": 17}
    (odd,) = TrackingDocument.objects.filter(custom_data__order_id=19)
    assert odd.custom_data == {"_cls": "Nothing", "order_id": 19}
    assert TrackingDocument.objects.count() == 5


def test_user_queries(people: None, tracked: Flask, database: Database[Document]) -> None:
    """filter(user=document) finds the records of a user, and the reference is followed."""
    ada, alan = Person(name="Ada").save(), Person(name="Alan").save()
    for person in (ada, alan):
        record = make_record(user=UserRef("Person", "people", person.id), user_id=str(person.id))
        database["tracking"].insert_one(to_document(record, utc_now()))
    (document,) = TrackingDocument.objects.filter(user=ada)
    assert document.user == ada
    assert document.user_repr() == str(ada.id)


def test_kept_objects(tracked: Flask, database: Database[Document]) -> None:
    """``kept_objects`` are the kept records, in their collection, as the same documents."""
    tracked.add_url_rule("/boom", "boom", lambda: [1 // 0])
    client = tracked.test_client()
    assert [client.get(path).status_code for path in ("/one", "/boom")] == [200, 500]
    database["tracking"].delete_many({})
    assert TrackingDocument.objects.count() == 0
    (kept,) = TrackingDocument.kept_objects.filter(status_code__gte=500)
    assert (type(kept), kept.path, kept.kept_reason) == (TrackingDocument, "/boom", "error")
    assert TrackingDocument.kept_objects(path="/one").first() is None
    assert [one.path for one in TrackingDocument.kept_objects] == ["/boom"]


@pytest.mark.parametrize("reference", ["class", "document", "shape"])
def test_user_that_cannot_be_had(
    people: None, tracked: Flask, database: Database[Document], reference: str
) -> None:
    """A user whose class or document is not to be had is the raw reference, never an exception."""
    key = ObjectId()
    user = {
        "class": {"_cls": "Unknown", "_ref": DBRef("people", key)},
        "document": {"_cls": "Person", "_ref": DBRef("people", key)},
        "shape": {"_ref": DBRef("people", key)},
    }[reference]
    database["tracking"].insert_one({**to_document(make_record(), utc_now()), "user": user})
    (document,) = TrackingDocument.objects
    assert document.user["_ref"] == DBRef("people", key)
    assert document.user_repr() == str(key)


def test_two_apps_on_two_databases(mongodb: str, database: Database[Document]) -> None:
    """Each app's context finds its own records; without one it is not clear which are meant."""
    client: MongoClient[Document] = MongoClient(mongodb)
    other = client[f"{database.name}_other"]
    first, tracking_first = make_app("first", f"{mongodb}{database.name}")
    second, tracking_second = make_app(
        "second", f"{mongodb}{other.name}", TRACKING_COLLECTION="requests"
    )
    assert first.test_client().get("/a").text == "first: a"
    assert second.test_client().get("/b").text == "second: b"
    assert second.test_client().get("/c").text == "second: c"
    with first.app_context():
        assert [document.path for document in TrackingDocument.objects] == ["/a"]
    with second.app_context():
        assert [document.path for document in TrackingDocument.objects] == ["/c", "/b"]
        assert TrackingDocument.objects.first().path == "/c"
    with pytest.raises(TrackingError, match=r"2 apps are tracked in this process \(first, second\)"):
        TrackingDocument.objects  # noqa: B018 - asking for it is what raises
    assert database["tracking"].count_documents({}) == 1
    assert other["requests"].count_documents({}) == 2
    tracking_first.close(5)
    tracking_second.close(5)
    client.drop_database(other.name)
    client.close()


def test_the_only_app_needs_no_context(database_uri: str) -> None:
    """Where one app is tracked its records are meant, with and without a context of another."""
    app, tracking = make_app("shop", database_uri)
    app.test_client().get("/a")
    assert [document.path for document in TrackingDocument.objects] == ["/a"]
    with Flask("not tracked").app_context():
        assert [document.path for document in TrackingDocument.objects] == ["/a"]
    tracking.close(5)


def test_without_any_app(
    mongodb: str, database: Database[Document], collect: Callable[[], None]
) -> None:
    """Without a tracked app it is the collection `tracking` of the connection `default`."""
    collect()
    mongoengine.connect(db=database.name, host=mongodb, uuidRepresentation="standard")
    try:
        database["tracking"].insert_one(to_document(make_record(), utc_now()))
        assert TrackingDocument.objects.count() == 1
        assert TrackingDocument.objects.first().user_repr() == "-"
    finally:
        mongoengine.disconnect()


def test_app_that_exports_elsewhere(app: Flask, memory: MemoryExporter) -> None:
    """An app whose records are in no MongoDB has no documents, and that is said."""
    Tracking(app, exporter=memory)
    with (
        app.app_context(),
        pytest.raises(TrackingError, match="has no MongoDB collection: its exporter is MemoryExporter"),
    ):
        TrackingDocument.objects  # noqa: B018 - asking for it is what raises


def test_get_header() -> None:
    """Headers are found whatever their case; the default otherwise."""
    document = TrackingDocument(request_headers=[["X-Real-Ip", "::1"], ["X-Real-Ip", "::2"]])
    assert document.get_header("x-real-ip") == "::1"
    assert document.get_header("Accept") is None
    assert document.get_header("Accept", "none") == "none"


def test_user_repr_of_the_constructor(database_uri: str) -> None:
    """Tracking(user_repr=...) replaces the method, and gets the document."""
    app = Flask("shop")
    app.config.update(TRACKING_MONGODB_URI=database_uri)
    tracking = Tracking(app, user_repr=lambda document: f"<{document.user_id}>")
    with app.app_context():
        assert TrackingDocument(user_id="42").user_repr() == "<42>"
    tracking.close(5)


@pytest.mark.parametrize(
    ("fields", "text"),
    [({"user_id": "42", "user_text": "Ada"}, "42"), ({"user_text": "Ada"}, "Ada"), ({}, "-")],
)
def test_user_repr(app: Flask, tracking: Tracking, fields: Any, text: str) -> None:
    """The user's id, else its text, else a dash."""
    with app.app_context():
        assert TrackingDocument(**fields).user_repr() == text


def test_debug_prints_nothing_that_a_terminal_obeys(
    app: Flask, tracking: Tracking, capsys: pytest.CaptureFixture[str]
) -> None:
    """debug() prints the record at length, control characters shown and not sent."""
    document = TrackingDocument(
        id=ObjectId("0" * 24),
        date_created=datetime(2026, 11, 24, 12, 0),
        method="POST",
        path="/\x1b[2J",
        status_code=500,
        execution_time=12.4,
        request_headers=[["X", "a\rb"]],
        request_body=b"line 1\nline 2\x07",
        response_headers=[],
        response_body_note="binary",
        exception={"type": "ValueError", "message": "m", "traceback": "Traceback\n  in view\n"},
        custom_data={"a": 1},
    )
    with app.app_context():
        document.debug()
    assert capsys.readouterr().out.splitlines() == [
        "000000000000000000000000 2026-11-24 12:00:00 POST - /\\x1b[2J 500 12ms",
        "",
        "Request:",
        "    X: a\\rb",
        "",
        "    line 1",
        "    line 2\\x07",
        "",
        "Response:",
        "    (body: binary)",
        "",
        "Exception:",
        "    Traceback",
        "      in view",
        "",
        "Custom data: {'a': 1}",
    ]
