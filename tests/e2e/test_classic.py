"""What the README of the first flask-tracking promises, against a real server."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response, request
from flask_compress import Compress
from flask_gzip import Gzip
from pymongo.database import Database

from flask_tracking import Tracking
from flask_tracking.documents import Tracking as TrackingDocument

Document = dict[str, Any]
TIMEOUT_S = 20.0


@pytest.fixture
def make_app(database_uri: str) -> Iterator[Callable[..., Flask]]:
    """Make apps that are tracked into the test's database, by the background worker."""
    trackings: list[Tracking] = []

    def make(install: tuple[Callable[[Flask], object], ...] = (), **config: Any) -> Flask:
        app = Flask("shop")
        app.config.update(TRACKING_MONGODB_URI=database_uri, **config)

        def track(app: Flask) -> None:
            trackings.append(Tracking(app))

        for one in install or (track,):
            (track if one is Tracking else one)(app)
        app.extensions["flush"] = lambda: all(tracking.flush(TIMEOUT_S) for tracking in trackings)
        return app

    yield make
    for tracking in trackings:
        assert tracking.close(TIMEOUT_S)


def test_all_requests_are_stored(make_app: Callable[..., Flask], database: Database[Document]) -> None:
    """``Tracking(app)`` stores every request in a capped collection named tracking."""
    app = make_app()
    app.add_url_rule("/", "index", lambda: "hello")
    assert app.test_client().get("/").text == "hello"
    assert app.extensions["flush"]()
    assert database["tracking"].options()["capped"] is True
    document = database["tracking"].find_one()
    assert document is not None
    assert (document["path"], document["response_body"]) == ("/", b"hello")


def test_exclude(make_app: Callable[..., Flask], database: Database[Document]) -> None:
    """TRACKING_EXCLUDE: the README's own list."""
    app = make_app(TRACKING_EXCLUDE=["^/favicon.ico$", "^/static/", "^/_debug_toolbar/"])
    client = app.test_client()
    for path in ("/favicon.ico", "/static/a.css", "/_debug_toolbar/x", "/favicon.ico/no", "/a/static/"):
        assert client.get(path).status_code == 404
    assert app.extensions["flush"]()
    assert sorted(database["tracking"].distinct("path")) == ["/a/static/", "/favicon.ico/no"]


def test_exclude_body(make_app: Callable[..., Flask], database: Database[Document]) -> None:
    """TRACKING_EXCLUDE_BODY: the README's own list."""
    app = make_app(TRACKING_EXCLUDE_BODY=["^/auth/login/$"])
    app.add_url_rule("/auth/login/", "login", lambda: request.form["password"], methods=["POST"])
    app.add_url_rule("/auth/", "auth", lambda: request.form["password"], methods=["POST"])
    client = app.test_client()
    for path in ("/auth/login/", "/auth/"):
        assert client.post(path, data={"password": "hunter2"}).text == "hunter2"
    assert app.extensions["flush"]()
    bodies = {
        document["path"]: (document["request_body"], document["response_body"])
        for document in database["tracking"].find()
    }
    assert bodies == {"/auth/login/": (b"", b""), "/auth/": (b"password=[redacted]", b"hunter2")}


def test_max_body_length(make_app: Callable[..., Flask], database: Database[Document]) -> None:
    """TRACKING_MAX_BODY_LENGTH: bodies are stored up to that many bytes."""
    app = make_app(TRACKING_MAX_BODY_LENGTH=4)
    app.add_url_rule("/", "index", lambda: request.get_data(), methods=["POST"])
    sent = app.test_client().post("/", data=b"a b c d e", content_type="text/plain")
    assert sent.data == b"a b c d e"
    assert app.extensions["flush"]()
    document = database["tracking"].find_one()
    assert document is not None
    assert (document["request_body"], document["response_body"]) == (b"a b ", b"a b ")


def test_queries(make_app: Callable[..., Flask], database: Database[Document]) -> None:
    """Slow requests, and those of a stretch of time given as text."""
    app = make_app()
    app.add_url_rule("/<path>", "view", lambda path: path)
    for path in ("fast", "slow"):
        app.test_client().get(f"/{path}")
    assert app.extensions["flush"]()
    # One wide column of a document is enough to be found by: no test waits for a second.
    slow_id = database["tracking"].find_one({"path": "/slow"}, {"_id": True})
    database["tracking"].update_one(slow_id or {}, {"$set": {"execution_time": 1000.5}})
    with app.app_context():
        found = TrackingDocument.objects.filter(execution_time__gte=1000)
        assert [document.path for document in found] == ["/slow"]
        created = found[0].date_created
        between = TrackingDocument.objects.filter(
            date_created__gte=f"{created:%Y-%m-%d %H:%M}:00",
            date_created__lte=f"{created:%Y-%m-%d %H:%M}:59.999999",
        )
        assert "/slow" in [document.path for document in between]
        assert TrackingDocument.objects.filter(date_created__lte="2012-10-22 23:45:00").count() == 0


def test_custom_data(make_app: Callable[..., Flask], database: Database[Document]) -> None:
    """request._tracking_data is stored as custom_data."""
    app = make_app()

    @app.get("/")
    def my_view() -> str:
        request._tracking_data = {"action": "view", "my_stuff": [1, 2, 3]}  # type: ignore[attr-defined]
        return "rendered"

    assert app.test_client().get("/").text == "rendered"
    assert app.extensions["flush"]()
    with app.app_context():
        (document,) = TrackingDocument.objects.filter(custom_data__action="view")
        assert document.custom_data == {"action": "view", "my_stuff": [1, 2, 3]}


PAGE = "a page that is long enough to be worth compressing. " * 40


@pytest.mark.parametrize("compress", [Compress, Gzip])
@pytest.mark.parametrize("tracking_is_first", [False, True])
def test_compressed_responses(
    make_app: Callable[..., Flask],
    database: Database[Document],
    compress: Callable[[Flask], object],
    tracking_is_first: bool,
) -> None:
    """The client gets the compressed page, the record has it readable, whatever came first."""
    install = (Tracking, compress) if tracking_is_first else (compress, Tracking)
    app = make_app(install, COMPRESS_ALGORITHM="gzip")

    @app.get("/")
    def page() -> Response:
        return Response(PAGE)

    response = app.test_client().get("/", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.data).decode() == PAGE
    assert app.extensions["flush"]()
    document = database["tracking"].find_one()
    assert document is not None
    assert document["response_body"].decode() == PAGE
    assert document["response_body_size"] == len(response.data)


def test_collection_stays_within_its_size(
    make_app: Callable[..., Flask], database: Database[Document]
) -> None:
    """A collection of 1 MiB stays at 1 MiB whatever comes, and the newest are there."""
    app = make_app(TRACKING_TABLE_SIZE=1_048_576, TRACKING_QUEUE_RECORDS=30_000)
    # Twenty times what there is room for: few large answers, for what counts is bytes.
    app.add_url_rule("/<int:number>", "view", lambda number: "x" * 3_200)
    client = app.test_client()
    total = 5_000
    for number in range(total):
        assert client.get(f"/{number}").status_code == 200
        if number % 1250 == 1249:
            assert app.extensions["flush"]()
    assert app.extensions["flush"]()
    collection = database["tracking"]
    assert collection.options()["capped"] is True
    assert collection.options()["size"] == 1_048_576
    assert database.command("collStats", "tracking")["size"] <= 1_048_576
    stored = [
        int(document["path"][1:])
        for document in collection.find({}, {"path": True}).sort("date_created", -1)
    ]
    assert 100 < len(stored) < total
    assert sorted(stored) == list(range(total - len(stored), total))
