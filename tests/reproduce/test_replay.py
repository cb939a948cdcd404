"""Recorded requests that are sent again: to the app, and to servers."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from bson import ObjectId
from flask import Flask, Response, request, session
from flask_login import LoginManager, UserMixin, current_user, login_required
from werkzeug.serving import make_server

from flask_tracking import MemoryExporter, Record, ReplayError, Tracking, TrackingError
from flask_tracking.reproduce.replay import replay

from ..captures import make_record
from .hostile import PLANTED
from .recorder import recorder


@pytest.fixture
def shop(app: Flask, tracking: Tracking) -> Flask:
    """An app whose answers change with what it is sent."""
    app.extensions["prices"] = {"sencha": 1190}
    seen = app.extensions["seen"] = []

    @app.route("/echo/<path:text>", methods=["GET", "POST", "PUT"])
    def echo(text: str) -> dict[str, Any]:
        seen.append((request.args.get("api_key"), request.get_json(silent=True)))
        return {
            "path": text,
            "query": request.query_string.decode(),
            "body": request.get_data(as_text=True),
            "header": request.headers.get("X-Custom"),
        }

    @app.get("/price")
    def price() -> dict[str, Any]:
        return dict(app.extensions["prices"], token="tok_" + ObjectId().__str__())

    return app


@pytest.fixture
def replayed(memory: MemoryExporter, shop: Flask) -> Callable[..., Any]:
    """Send the last recorded request again, within the app."""

    def again(**options: Any) -> Any:
        with shop.app_context():
            return replay(memory.records[0], **options)

    return again


def test_same_response(memory: MemoryExporter, shop: Flask, replayed: Callable[..., Any]) -> None:
    """A request that is sent again is the same, gets the same answer, and is recorded as a replay."""
    shop.test_client().get("/echo/a%20b%2520é?q=%7e+1&x", headers={"X-Custom": "a: b"})
    done = replayed()
    assert done.differences == []
    assert done.is_body_compared
    original, again = memory.records
    assert again.id == done.record_id
    assert again.replay_of == original.id
    assert original.replay_of is None
    assert (again.path, again.query_params) == (original.path, original.query_params)
    assert again.response_body == original.response_body


@pytest.mark.parametrize("path", ["//evil/x", "///x", "//[x", "http://evil/x", "a:b", "/a:b//c"])
def test_path_like_a_url(app: Flask, tracking: Tracking, path: str) -> None:
    """A path that begins like a URL arrives as it was: the test client takes none of it for a host."""
    arrived = []
    app.before_request(lambda: arrived.append((request.environ["PATH_INFO"], request.host)))
    with app.app_context():
        replay(dataclasses.replace(make_record(), path=path, query_params="a=//b"))
    assert arrived == [(path, "example.org")]


@pytest.mark.parametrize("host", ["localhost:99999", "[::1]:99999", "[:::::]", "[1.2.3.4]", "a b", "é"])
def test_host_that_is_none(app: Flask, tracking: Tracking, host: str) -> None:
    """What no URL can have as its host is sent as a header, as it was."""
    arrived = []
    app.before_request(lambda: arrived.append(request.environ["HTTP_HOST"]))
    record = dataclasses.replace(make_record(environ={"HTTP_HOST": host}), host=host)
    with app.app_context():
        replay(record)
    assert arrived == [host]


def test_differences(memory: MemoryExporter, shop: Flask, replayed: Callable[..., Any]) -> None:
    """What has changed since is found; secrets of the new response are not shown."""
    shop.test_client().get("/price")
    shop.extensions["prices"] = {"sencha": 990, "oolong": "?"}
    done = replayed()
    assert sorted(map(str, done.differences)) == [
        '$.oolong is extra: "?"',
        "$.sencha has another value: 1190 → 990",
    ]
    assert b"tok_" not in done.record.response_body


def test_unsafe_method(memory: MemoryExporter, shop: Flask, replayed: Callable[..., Any]) -> None:
    """What may change something is sent only if that is said."""
    shop.test_client().post("/echo/x", data=b"\x00\xc3\xa9 @x", content_type="text/plain")
    with pytest.raises(ReplayError, match="POST may change something. Allow it with unsafe=True"):
        replayed()
    assert len(memory.records) == 1
    assert replayed(unsafe=True).differences == []
    assert len(memory.records) == 2


def test_redacted_values(memory: MemoryExporter, shop: Flask, replayed: Callable[..., Any]) -> None:
    """What is missing is named, and is written as its place demands."""
    shop.test_client().post(
        "/echo/x?api_key=hunter2xyz", json={"password": "hunter2xyz"}, headers={"X-Custom": "1"}
    )
    with pytest.raises(ReplayError, match="Redacted or cut values are missing: api_key, password"):
        replayed(unsafe=True)
    with pytest.raises(ReplayError, match="missing: password. Give"):
        replayed(unsafe=True, values={"api_key": "x"})
    with pytest.raises(ReplayError, match="Unknown name: nonsense. Missing values: api_key,"):
        replayed(unsafe=True, values={"nonsense": "x"})
    done = replayed(unsafe=True, values={"api_key": "a&b+c%", "password": 'q"\\'})
    assert shop.extensions["seen"][1] == ("a&b+c%", {"password": 'q"\\'})
    assert done.record_id == memory.records[1].id


@pytest.mark.parametrize("value", ["x y", "Bearer x y", "bearer x y", b"BEARER x y"])
def test_scheme_in_a_value(
    app: Flask, memory: MemoryExporter, replayed: Callable[..., Any], value: str | bytes
) -> None:
    """The record has the scheme of credentials: a value that repeats it is sent with one."""
    app.add_url_rule("/who", "who", lambda: request.headers["Authorization"])
    app.test_client().get("/who", headers={"Authorization": "Bearer abc"})
    arrived = []
    app.before_request_funcs[None] = [lambda: arrived.append(request.headers["Authorization"])]
    replayed(values={"authorization": value})
    assert arrived == ["Bearer x y"]


@pytest.mark.parametrize("to", [None, "http://127.0.0.1:1"])
@pytest.mark.parametrize("end", ["\n", "\r\nX-Other: 1", "\0"])
def test_value_that_ends_its_header(
    memory: MemoryExporter, shop: Flask, replayed: Callable[..., Any], to: str | None, end: str
) -> None:
    """A value that no header can have is refused, like one from a file with a last line end."""
    shop.test_client().get("/echo/a", headers={"Authorization": "Bearer abc"})
    with pytest.raises(ReplayError, match="Invalid value of authorization: a header cannot"):
        replayed(to=to, values={"authorization": f"made up{end}"})
    assert len(memory.records) == 1


def test_cut_body(memory: MemoryExporter, app: Flask, replayed: Callable[..., Any]) -> None:
    """A body that is not whole has to be given."""
    app.test_client().put("/echo/x", data=b"x" * 70_000, content_type="text/plain")
    with pytest.raises(ReplayError, match="missing: body. Give"):
        replayed(unsafe=True)
    done = replayed(unsafe=True, values={"body": b"y"})
    assert memory.records[1].request_body == b"y"
    assert not done.is_body_compared


def test_text_of_the_result(memory: MemoryExporter, shop: Flask, replayed: Callable[..., Any]) -> None:
    """The result is shown as the replay of a record, with the new status, without data of clients."""
    shop.test_client().get("/price")
    (record,) = memory.records
    assert repr(replayed()) == f"<Replay of {record.id}: 200, 0 differences>"
    shop.extensions["prices"] = {"sencha": 990}
    assert repr(replayed()) == f"<Replay of {record.id}: 200, 1 difference>"


class User(UserMixin):
    """Somebody who may log in."""

    def __init__(self, name: str) -> None:
        self.id = name


def test_as_user(memory: MemoryExporter, app: Flask, tracking: Tracking) -> None:
    """A user is logged in instead of sending the redacted session; other cookies are asked for."""
    LoginManager(app).user_loader(User)

    @app.get("/me")
    @login_required
    def me() -> dict[str, str]:
        return {"name": current_user.id, "theme": request.cookies.get("theme", "")}

    client = app.test_client()
    with client.session_transaction() as values:
        values["_user_id"] = "ada"
    client.get("/me")
    client.set_cookie("theme", "dark")
    client.get("/me")
    with app.app_context():
        assert replay(memory.records[0], as_user="ada").differences == []
        (difference,) = replay(memory.records[0], as_user="grace").differences
        assert str(difference) == '$.name has another value: "ada" → "grace"'
        with pytest.raises(ReplayError, match="missing: cookie_theme. Give"):
            replay(memory.records[1], as_user="ada")
        assert not replay(memory.records[1], as_user="ada", values={"cookie_theme": "dark"}).differences
        with pytest.raises(ReplayError, match="leave out --to, or --as-user"):
            replay(memory.records[0], "http://localhost:1", as_user="ada")


def test_as_user_without_flask_login(replayed: Callable[..., Any], shop: Flask) -> None:
    """An app without Flask-Login would ignore the user: that is refused, as a wrong argument."""
    shop.test_client().get("/price")
    with pytest.raises(ReplayError, match="The app has no Flask-Login: leave out --as-user") as refused:
        replayed(as_user="ada")
    assert refused.value.is_argument_wrong


def test_as_user_without_sessions(
    app: Flask, replayed: Callable[..., Any], shop: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no cookie holds a session, nobody can be logged in."""
    LoginManager(app)
    # All apps share this object.
    monkeypatch.setattr(app.session_interface, "should_set_cookie", lambda *_: False)
    shop.test_client().get("/price")
    with pytest.raises(ReplayError, match="keeps no session in a cookie"):
        replayed(as_user="ada")


def test_endless_stream(
    app: Flask, memory: MemoryExporter, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a stream without an end, a part is read."""
    closed = threading.Event()

    @app.get("/stream")
    def stream() -> Response:
        def chunks() -> Iterator[str]:
            try:
                while True:
                    yield "x" * 1000
            finally:
                closed.set()

        return Response(chunks(), mimetype="text/plain")

    monkeypatch.setattr("flask_tracking.reproduce.replay.MAX_RESPONSE_BYTES", 5000)
    memory.export([make_record(path="/stream")])
    with app.app_context():
        done = replay(memory.records[0])
    assert closed.is_set()
    assert len(done.record.response_body) == 5000


@pytest.fixture
def server(shop: Flask) -> Iterator[str]:
    """The URL of a server that serves the app."""
    running = make_server("127.0.0.1", 0, shop, threaded=True)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.mark.integration
def test_to_a_server(memory: MemoryExporter, shop: Flask, server: str) -> None:
    """A server answers instead of the app; it records the replay, too."""
    shop.test_client().post("/echo/a%20b?c=%7e", data="é", content_type="text/plain")
    (record,) = memory.records
    done = replay(record, server, unsafe=True)
    assert done.differences == []
    assert done.record_id is None
    assert memory.records[1].replay_of == record.id


@pytest.mark.integration
@pytest.mark.parametrize("planted", PLANTED)
def test_bytes_to_a_server(planted: str) -> None:
    """The bytes arrive as they were recorded; what is no ASCII in a target is percent-encoded."""
    data = planted.encode()
    with recorder() as running:
        text = data.decode("latin-1").replace("\x1b", "")
        record = dataclasses.replace(
            make_record(environ={"HTTP_X_A": text}),
            method="PUT",
            target="/x?" + text.replace(" ", "+"),
            request_body=data,
            request_body_size=len(data),
        )
        replay(record, f"http://{running.host}/base/", unsafe=True)
        received = running.take()
    assert received.body == data
    assert received.headers["x-a"] == text.encode("latin-1")
    assert received.headers["x-tracking-replay-of"] == str(record.id).encode()
    assert received.target.startswith(b"/base/x?")


@pytest.mark.integration
@pytest.mark.parametrize("path", ["/ä b", "/\u20ac", "/%C3%A4%20b"])
def test_path_of_a_server(path: str) -> None:
    """A URL may be given as it is read: its path is percent-encoded."""
    with recorder() as running:
        replay(dataclasses.replace(make_record(), target="/x?a=1"), f"http://{running.host}{path}/")
        received = running.take()
    assert received.target.decode() == quote(path, safe="/%") + "/x?a=1"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:5000", "Invalid URL 'localhost:5000': expected one like http://localhost:5000."),
        ("file:///etc/passwd", "Invalid URL 'file:///etc/passwd'"),
        ("http://localhost:x", "Invalid URL"),
        ("http://[::1", "Invalid URL"),
        ("http://localhost@evil.example", "Invalid URL"),
        ("http://:password@localhost", "Invalid URL"),
        ("http://localhost?x", "Invalid URL"),
        (
            "http://evil.example",
            "evil.example is another machine. Allow it with any_host=True.",
        ),
        ("http://127.0.0.1.evil.example", "is another machine"),
        ("http://10.0.0.1", "is another machine"),
        ("http://0x7f.1", "is another machine"),
        ("http://a..b", "Invalid URL 'http://a..b'"),
        (f"http://{'a' * 64}.example", "Invalid URL"),
        ("http://127.0.0.1:1", "127.0.0.1:1 does not answer: ConnectionRefusedError."),
    ],
)
def test_refused_urls(url: str, message: str) -> None:
    """Another machine, and what is no URL, is refused before anything is sent."""
    with pytest.raises(ReplayError) as refused:
        replay(make_record(), url)
    assert message in str(refused.value)


@pytest.mark.integration
def test_any_host() -> None:
    """Another machine is asked where that is allowed."""
    with pytest.raises(ReplayError, match="nowhere.invalid does not answer: gaierror"):
        replay(make_record(), "http://nowhere.invalid", any_host=True)


def test_no_app() -> None:
    """Without a current app there is nobody to answer."""
    with pytest.raises(ReplayError, match="No app is current. Replay inside `with app.app_context"):
        replay(make_record())


def test_no_request(app: Flask) -> None:
    """A task is not replayed."""
    with app.app_context(), pytest.raises(TrackingError, match="has no request"):
        replay(dataclasses.replace(make_record(), method=None))


def test_header_of_a_stranger(memory: MemoryExporter, shop: Flask) -> None:
    """A header that is no id is no replay."""
    for value in ("", "x", "0" * 23, "é" * 12):
        shop.test_client().get("/price", headers={"X-Tracking-Replay-Of": value})
    assert {record.replay_of for record in memory.records} == {None}


def test_replay_of_a_replay(memory: MemoryExporter, shop: Flask, replayed: Callable[..., Any]) -> None:
    """A replay can be replayed; it names the record that it was made of."""
    shop.test_client().get("/echo/x")
    replayed()
    with shop.app_context():
        replay(memory.records[1])
    first, second, third = memory.records
    assert (second.replay_of, third.replay_of) == (first.id, second.id)


def test_session_is_not_kept(memory: MemoryExporter, app: Flask, tracking: Tracking) -> None:
    """A replay has the cookies that were recorded, and none of an earlier one."""

    @app.get("/count")
    def count() -> dict[str, int]:
        session["n"] = session.get("n", 0) + 1
        return {"n": session["n"]}

    app.test_client().get("/count")
    with app.app_context():
        assert [replay(memory.records[0]).differences for _ in range(2)] == [[], []]


def test_record_is_json(memory: MemoryExporter, shop: Flask, replayed: Callable[..., Any]) -> None:
    """The new response is in the result, as it would be stored."""
    shop.test_client().get("/echo/x")
    assert json.loads(replayed().record.response_body)["path"] == "x"
    assert isinstance(replayed().record, Record)
