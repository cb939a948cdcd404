"""How an exchange ends: upgrades, answers that never begin, and what the client got of them."""

from __future__ import annotations

import io
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response, request
from flask_sock import Sock
from werkzeug.serving import make_server

from flask_tracking import MemoryExporter, Record, Tracking
from flask_tracking.capture.bodies import BodyCopy
from flask_tracking.capture.input_tee import tee_input
from flask_tracking.capture.middleware import TrackingMiddleware
from flask_tracking.pipeline.assemble import Assembler
from flask_tracking.record import Capture
from flask_tracking.runtime import guard

from .test_middleware import make_middleware, note_start

Only = Callable[[], Record]
ROUTINE = (101, "ok", None)
SOCKET = {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade"}
H2C = {"HTTP_UPGRADE": "h2c", "HTTP_CONNECTION": "Upgrade, HTTP2-Settings"}
HANDSHAKE = (
    b"GET /echo HTTP/1.1\r\nHost: shop.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def ends(app: Flask, captures: list[Capture]) -> list[tuple[int | None, str]]:
    """Return status and outcome of the records of `captures`."""
    assembler = Assembler(app.extensions["tracking"].settings)
    records = map(assembler.assemble, captures)
    return [(record.status_code, record.outcome) for record in records]


class Sentinel:
    """As servers have it for an app that has answered by itself: not iterable."""


class UnreadableError(Exception):
    """Raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise SystemError(name)


def test_exception_that_cannot_be_read(app: Flask, tracking: Tracking) -> None:
    """It reaches the server as it is, and costs the record its text and not the record."""

    def fail(environ: Any, start_response: Any) -> Any:
        raise UnreadableError

    middleware, captures, environ = make_middleware(app, fail)

    with pytest.raises(UnreadableError):
        middleware(environ, note_start([]))

    assert ends(app, captures) == [(500, "error")]
    guard.failures.clear()


@pytest.mark.parametrize("answer", [Sentinel(), object(), 17, None])
def test_answer_that_is_not_iterable_is_handed_on(app: Flask, tracking: Tracking, answer: Any) -> None:
    """The server gets the app's own object, which it may know, and the exchange has ended."""
    middleware, captures, environ = make_middleware(app, lambda environ, start_response: answer)

    assert middleware({**environ, **SOCKET}, note_start([])) is answer

    assert ends(app, captures) == [(101, "ok")]


def test_answer_past_the_server(app: Flask, tracking: Tracking) -> None:
    """An app that answers on the socket and says so is no failure; one that returns None is one."""
    answers = [Sentinel(), None]
    returned = iter(answers)
    middleware, captures, environ = make_middleware(app, lambda *_: next(returned))

    assert [middleware(dict(environ), note_start([])) for _ in answers] == answers

    assert ends(app, captures) == [(101, "ok"), (500, "error")]


@pytest.mark.parametrize("kind", [StopIteration, ConnectionError, BrokenPipeError])
def test_handler_that_took_the_socket_over(
    app: Flask, tracking: Tracking, kind: type[Exception]
) -> None:
    """Flask-SocketIO and flask-sock raise an exception that ends the connection for the server."""

    error = kind()

    def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
        raise error

    middleware, captures, environ = make_middleware(app, wsgi_app)
    for headers in (SOCKET, {}):
        with pytest.raises(kind) as caught:
            middleware({**environ, **headers}, note_start([]))
        assert caught.value is error

    assert ends(app, captures) == [(101, "ok"), (500, "error")]
    assert captures[0].exception is None and captures[1].exception is not None


def _leave(result: Any) -> None:
    """Drop it, as eventlet does with the answer of an app that has answered by itself."""


def _close(result: Any) -> None:
    result.close()


@pytest.mark.parametrize("end", [list, _close, _leave])
def test_handler_that_returns(
    app: Flask, tracking: Tracking, collect: Callable[[], None], end: Callable[[Any], object]
) -> None:
    """A handler under gevent or eventlet returns without a status; servers read, close or drop that."""
    middleware, captures, environ = make_middleware(app, lambda environ, start_response: [])

    end(middleware({**environ, **SOCKET}, note_start([])))
    collect()

    assert ends(app, captures) == [(101, "ok")]


@pytest.mark.parametrize("propagate", [True, False])
@pytest.mark.parametrize("kind", [ValueError, ConnectionRefusedError])
def test_view_that_crashes_beside_an_upgrade_header(
    app: Flask, tracking: Tracking, only_record: Only, kind: type[Exception], propagate: bool
) -> None:
    """``curl --http2`` sends such a header with every request: a crash is a 500 all the same."""
    app.config["PROPAGATE_EXCEPTIONS"] = propagate
    app.logger.disabled = True

    @app.get("/")
    def view() -> str:
        raise kind("backend")

    client = app.test_client()
    if propagate:
        with pytest.raises(kind):
            client.get("/", environ_overrides=H2C)
    else:
        assert client.get("/", environ_overrides=H2C).status_code == 500

    record = only_record()
    assert (record.status_code, record.kept_reason) == (500, "error")
    assert record.exception is not None and record.exception.type == kind.__name__


def test_view_beside_an_upgrade_header(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A page that was asked for with an Upgrade header is the page."""
    app.get("/")(lambda: "page")
    assert app.test_client().get("/", environ_overrides=H2C).text == "page"
    assert (only_record().status_code, only_record().response_body) == (200, b"page")


def test_switch_that_the_app_announced(app: Flask, tracking: Tracking) -> None:
    """An app that answers 101 by ``start_response`` has ended well when the connection is closed."""

    def wsgi_app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("101 Switching Protocols", [("Upgrade", "websocket")])
        yield b"frame"
        yield b"never asked for"

    middleware, captures, environ = make_middleware(app, wsgi_app)
    result: Any = middleware({**environ, **SOCKET}, note_start([]))
    assert next(iter(result)) == b"frame"
    result.close()

    assert ends(app, captures) == [(101, "ok")]


def test_answer_that_never_began(app: Flask, tracking: Tracking, collect: Callable[[], None]) -> None:
    """Where no answer began and nothing escaped there is no status, and no 500 that nobody got."""

    def lazy(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"never asked for"

    middleware, captures, environ = make_middleware(app, lazy)
    middleware(dict(environ), note_start([])).close()  # type: ignore[attr-defined]
    middleware(dict(environ), note_start([]))
    collect()

    assert ends(app, captures) == [(None, "disconnected"), (None, "unread")]


def test_body_without_a_status(app: Flask, tracking: Tracking) -> None:
    """An app that forgets ``start_response`` makes an error of the server's: kept as one."""
    middleware, captures, environ = make_middleware(app, lambda environ, start_response: [b"body"])
    assert list(middleware(dict(environ), note_start([]))) == [b"body"]
    assert ends(app, captures) == [(500, "error")]


@pytest.fixture
def served(app: Flask) -> Iterator[int]:
    """The port at which Werkzeug's own server serves `app`."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.integration
@pytest.mark.parametrize("body", [b"", b"a body"])
def test_websocket_on_a_real_server(
    app: Flask, memory: MemoryExporter, only_record: Only, served: int, body: bytes
) -> None:
    """A websocket works, with a body before it too, and is routine however long it was open."""
    app.config["TRACKING_SLOW_MS"] = 0.001
    Tracking(app, exporter=memory)
    ended = threading.Event()
    memory.export = _then(memory.export, ended)  # type: ignore[method-assign]

    @Sock(app).route("/echo")
    def echo(ws: Any) -> None:
        ws.send(ws.receive().upper())

    length = b"Content-Type: text/plain\r\nContent-Length: %d\r\n" % len(body) if body else b""
    with (
        socket.create_connection(("127.0.0.1", served), 10) as connection,
        connection.makefile("rb") as stream,
    ):
        connection.sendall(HANDSHAKE + length + b"\r\n")
        assert stream.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
        while stream.readline() != b"\r\n":
            pass
        connection.sendall(b"\x81\x85\0\0\0\0hello")
        assert stream.read(7) == b"\x81\x05HELLO"
        connection.sendall(b"\x88\x80\0\0\0\0")
    assert ended.wait(10)

    record = only_record()
    assert (record.status_code, record.outcome, record.kept_reason) == ROUTINE
    assert (record.url_rule, record.request_body_size) == ("/echo", len(body))


def _then(function: Callable[..., Any], event: threading.Event) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        finally:
            event.set()

    return call


def test_body_beside_an_upgrade_header(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """Nobody hides a body behind a header: what the app reads is stored."""

    @app.post("/")
    def echo() -> bytes:
        return request.get_data()

    response = app.test_client().post(
        "/", data="hello", content_type="text/plain", environ_overrides=H2C
    )

    assert response.data == b"hello"
    assert (only_record().request_body, only_record().request_body_note) == (b"hello", None)


def test_ways_to_the_socket_lead_through_the_tee() -> None:
    """Attributes of the server's input, by which libraries find the socket, are found on ours."""

    class Input(io.BytesIO):
        raw = rfile = _sock = object()

        def get_socket(self) -> object:
            return self._sock

    stream = Input(b"abc")
    tee = tee_input(stream, BodyCopy(10))
    assert tee.raw is tee.rfile is tee._sock is tee.get_socket() is stream._sock
    assert not hasattr(tee, "set_hundred_continue_response_headers")


# Tracebacks: what servers in debug mode send to clients, and what is logged.

BEFORE_3_11 = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10 raises again with the traceback that it remembered"
)


def frames_of(error: BaseException | None) -> list[str]:
    """Return the functions in a traceback, with the files of ours marked."""
    assert error is not None
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{'ours ' * ('flask_tracking' in one.filename)}{one.name}" for one in frames[1:]]


class FrozenError(Exception):
    """Takes no attribute, as an exception that is a frozen dataclass."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


def fail(*_: Any, **__: Any) -> Any:
    """Raise."""
    raise FrozenError("planted")


class Failing:
    """Fails at everything that a server, or an app, may ask of it."""

    def __init__(self, *what: str) -> None:
        self.what = what

    def _maybe(self, name: str) -> None:
        if name in self.what:
            fail()

    def __iter__(self) -> Any:
        self._maybe("iter")
        return self

    def __next__(self) -> bytes:
        self._maybe("next")
        raise StopIteration

    def __len__(self) -> int:
        self._maybe("len")
        return 1

    def close(self) -> None:
        self._maybe("close")

    read = readline = readlines = readinto = fail


def use(app: Flask, middleware: TrackingMiddleware, environ: Any, server: Any) -> Any:
    """Return what a server does with an app, piece by piece."""
    result: Any = middleware(dict(environ), server)
    return result


def catch(function: Callable[..., Any], *args: Any) -> BaseException:
    """Return what a call raises."""
    with pytest.raises(FrozenError) as caught:
        function(*args)
    return caught.value


@BEFORE_3_11
def test_call_leaves_no_frame(app: Flask, tracking: Tracking) -> None:
    """The traceback of what the app raises when it is called goes from the server into the app."""
    middleware, captures, environ = make_middleware(app, fail)
    assert frames_of(catch(middleware, environ, note_start([]))) == ["fail"]
    assert captures[0].exception is not None
    assert "middleware.py" not in captures[0].exception.traceback


@BEFORE_3_11
def test_call_past_us_leaves_no_frame(app: Flask, memory: MemoryExporter) -> None:
    """The same of a path that is not tracked."""
    app.config["TRACKING_EXCLUDE"] = [".*"]
    Tracking(app, exporter=memory)
    middleware, captures, environ = make_middleware(app, fail)
    assert frames_of(catch(middleware, environ, note_start([]))) == ["fail"]
    assert captures == []


@BEFORE_3_11
def test_start_response_and_write_leave_no_frame(app: Flask, tracking: Tracking) -> None:
    """What the server's functions raise goes from the app into the server."""
    returned: list[Any] = []

    def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
        returned.append(start_response("200 OK", []))
        return []

    middleware, _, environ = make_middleware(app, wsgi_app)
    assert frames_of(catch(middleware, dict(environ), fail)) == ["wsgi_app", "fail"]
    middleware(dict(environ), lambda *_: fail)
    assert frames_of(catch(returned[0], b"")) == ["fail"]


@BEFORE_3_11
def test_response_leaves_no_frame(app: Flask, tracking: Tracking) -> None:
    """Nor does the response: its length, its iteration in both ways, its end."""
    answers: list[Any] = []

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return answers[-1]

    middleware, captures, environ = make_middleware(app, wsgi_app)
    for what, ask, method in (
        ("len", len, "__len__"),
        ("iter", iter, "__iter__"),
        ("iter", next, "__iter__"),
        ("next", next, "__next__"),
        ("next", list, "__next__"),
        ("close", lambda result: result.close(), "close"),
    ):
        answers.append(Failing(what))
        result: Any = middleware(dict(environ), note_start([]))
        trace = frames_of(catch(ask, result))
        assert [name for name in trace if name != "<lambda>"] == [method, "_maybe", "fail"]
    assert {capture.outcome for capture in captures} <= {"error", "ok", "unread"}


@BEFORE_3_11
def test_input_leaves_no_frame() -> None:
    """Nor does the input, by whatever method it is read."""
    for name in ("read", "readline", "readlines", "readinto"):
        tee = tee_input(Failing(), BodyCopy(10))
        assert frames_of(catch(getattr(tee, name), bytearray(1))) == ["fail"]
    assert frames_of(catch(iter, tee_input(Failing("iter"), BodyCopy(10)))) == [
        "__iter__",
        "_maybe",
        "fail",
    ]
    with pytest.raises(AttributeError) as caught:
        tee_input(io.BytesIO(), BodyCopy(10)).missing  # noqa: B018
    assert frames_of(caught.value) == []


@BEFORE_3_11
def test_file_leaves_no_frame(app: Flask, tracking: Tracking) -> None:
    """Nor do the server's file wrapper and the end of its file."""

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"abc"))

    middleware, _, environ = make_middleware(app, wsgi_app)
    error = catch(middleware, {**environ, "wsgi.file_wrapper": fail}, note_start([]))
    assert frames_of(error) == ["wsgi_app", "fail"]
    result: Any = middleware(
        {**environ, "wsgi.file_wrapper": lambda file: Failing("close")}, note_start([])
    )
    assert frames_of(catch(result.close)) == ["close", "_maybe", "fail"]


@BEFORE_3_11
def test_view_leaves_no_frame_of_ours(
    app: Flask, tracking: Tracking, only_record: Only, caplog: pytest.LogCaptureFixture
) -> None:
    """What Flask logs of a view that raises, within a child span too, names no file of ours."""

    @app.get("/")
    def view() -> Response:
        with tracking.span.child("part"):
            raise FrozenError("planted")

    app.logger.disabled = False  # other tests share the logger of this name
    assert app.test_client().get("/").status_code == 500

    assert caplog.records[0].exc_info is not None
    assert not [name for name in frames_of(caplog.records[0].exc_info[1]) if "ours" in name]
    exception = only_record().exception
    assert exception is not None and "flask_tracking/" not in exception.traceback
    assert guard.failures == {}
