"""The WSGI boundary: what the client gets first, then what was recorded."""

from __future__ import annotations

import dataclasses
import io
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import shift_path_info

import pytest
from flask import Flask, Response, abort, redirect, request, send_file, stream_with_context
from flask.testing import FlaskClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_tracking import MemoryExporter, Record, Tracking, current_span
from flask_tracking.capture.middleware import TrackingMiddleware
from flask_tracking.record import Capture
from flask_tracking.registry import ENVIRON_KEY
from flask_tracking.runtime import guard

Only = Callable[[], Record]


def test_records_request_and_response(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A plain exchange is recorded with its request line, headers, bodies, route and times."""

    @app.post("/orders/<int:number>")
    def create(number: int) -> dict[str, Any]:
        return {"number": number, "sent": request.json}

    response = app.test_client().post("/orders/7?a=1&b=%C3%BC", json={"c": 2})

    assert response.json == {"number": 7, "sent": {"c": 2}}
    record = only_record()
    assert (record.method, record.scheme, record.host) == ("POST", "http", "localhost")
    assert (record.path, record.query_params) == ("/orders/7", "a=1&b=%C3%BC")
    assert (record.http_version, record.ip) == ("HTTP/1.1", "127.0.0.1")
    assert (record.endpoint, record.url_rule) == ("create", "/orders/<int:number>")
    assert record.view_args == {"number": "7"}
    assert (record.status_code, record.outcome) == (200, "ok")
    assert (record.request_body, record.request_body_size) == (b'{"c": 2}', 8)
    assert record.response_body == response.data
    assert record.response_body_size == len(response.data)
    assert ("Content-Type", "application/json") in record.response_headers
    assert ("Content-Length", "8") in record.request_headers
    assert record.execution_time is not None and record.time_to_first_byte is not None
    assert 0 < record.time_to_first_byte <= record.execution_time
    assert record.request_body_note is None and record.response_body_note is None


def test_blueprint_is_recorded(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A view of a blueprint is recorded with the blueprint's name."""
    from flask import Blueprint

    admin = Blueprint("admin", __name__, url_prefix="/admin")

    @admin.get("/")
    def index() -> str:
        return "hello"

    app.register_blueprint(admin)

    assert app.test_client().get("/admin/").text == "hello"
    assert (only_record().blueprint, only_record().endpoint) == ("admin", "admin.index")


def test_unmatched_path_has_no_route(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A 404 is recorded, with its path and without a route."""
    assert app.test_client().get("/nowhere").status_code == 404
    record = only_record()
    assert (record.status_code, record.path) == (404, "/nowhere")
    assert record.url_rule is None and record.endpoint is None and record.view_args is None


def test_excluded_path_leaves_no_trace(app: Flask, memory: MemoryExporter) -> None:
    """A path in TRACKING_EXCLUDE gets no span, no tee and no record; re.match decides."""
    app.config["TRACKING_EXCLUDE"] = ["^/static/", "/health$"]
    Tracking(app, exporter=memory)
    seen = []

    @app.post("/<path:path>")
    def view(path: str) -> str:
        seen.append((ENVIRON_KEY in request.environ, type(request.environ["wsgi.input"]).__name__))
        return "ok"

    client = app.test_client()
    for path in ("/static/a.css", "/health", "/api/health", "/healthy"):
        assert client.post(path, data="x").text == "ok"

    assert seen[:2] == [(False, "BytesIO"), (False, "BytesIO")]
    assert [record.path for record in memory.records] == ["/api/health", "/healthy"]


def test_excluded_path_is_matched_as_unicode(app: Flask, memory: MemoryExporter) -> None:
    """A pattern matches the path as a person reads it, not its bytes."""
    app.config["TRACKING_EXCLUDE"] = ["^/grüße$"]
    Tracking(app, exporter=memory)
    assert app.test_client().get("/grüße").status_code == 404
    assert memory.records == []


def test_excluded_bodies_are_not_copied(app: Flask, memory: MemoryExporter, only_record: Only) -> None:
    """A path in TRACKING_EXCLUDE_BODY is recorded with sizes and notes, without bodies."""
    app.config["TRACKING_EXCLUDE_BODY"] = ["^/auth/login/$"]
    Tracking(app, exporter=memory)

    @app.post("/auth/login/")
    def login() -> str:
        return "token " + request.form["password"]

    response = app.test_client().post("/auth/login/", data={"password": "hunter2"})

    assert response.text == "token hunter2"
    record = only_record()
    assert (record.request_body, record.request_body_note) == (b"", "excluded")
    assert (record.response_body, record.response_body_note) == (b"", "excluded")
    assert (record.request_body_size, record.response_body_size) == (16, 13)


def test_bodies_are_cut_at_the_limit(app: Flask, memory: MemoryExporter, only_record: Only) -> None:
    """TRACKING_MAX_BODY_LENGTH cuts what is stored, not what passes."""
    app.config["TRACKING_MAX_BODY_LENGTH"] = 10
    Tracking(app, exporter=memory)

    @app.post("/")
    def echo() -> bytes:
        return request.get_data()

    body = b"0123; 789abcdef."
    assert app.test_client().post("/", data=body, content_type="text/plain").data == body
    record = only_record()
    assert (record.request_body, record.request_body_note) == (b"0123; 789a", "truncated")
    assert (record.response_body, record.response_body_note) == (b"0123; 789a", "truncated")
    assert (record.request_body_size, record.response_body_size) == (16, 16)


def test_no_bodies_at_all(app: Flask, memory: MemoryExporter, only_record: Only) -> None:
    """TRACKING_MAX_BODY_LENGTH = 0 stores no bodies and wraps no input."""
    app.config["TRACKING_MAX_BODY_LENGTH"] = 0
    Tracking(app, exporter=memory)

    @app.post("/")
    def echo() -> str:
        return type(request.environ["wsgi.input"]).__name__

    assert app.test_client().post("/", data="hello").text == "BytesIO"
    record = only_record()
    assert (record.request_body, record.request_body_note) == (b"", "truncated")
    assert (record.request_body_size, record.response_body_size) == (5, 7)


def test_binary_bodies_keep_their_size(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A body of a type that is not stored has size and note only."""

    @app.post("/")
    def echo() -> Response:
        return Response(request.get_data(), mimetype="image/png")

    assert app.test_client().post("/", data=b"\x89PNG", content_type="image/png").data == b"\x89PNG"
    record = only_record()
    assert (record.request_body, record.request_body_note, record.request_body_size) == (
        b"",
        "binary",
        4,
    )
    assert (record.response_body, record.response_body_note) == (b"", "binary")
    assert record.response_body_size == 4


def test_body_that_no_view_reads(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A body that the app does not read is not read by us either, and noted."""

    @app.post("/")
    def ignore() -> str:
        return str(request.environ["wsgi.input"].tell())

    assert app.test_client().post("/", data="hello", content_type="text/plain").text == "0"
    record = only_record()
    assert (record.request_body, record.request_body_note) == (b"", "not read")
    assert record.request_body_size == 5


def test_body_read_in_part(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """Of a body read in part that part is stored, but for a word that may go on, and noted."""

    @app.post("/")
    def some() -> bytes:
        data: bytes = request.stream.read(10)
        return data

    body = b"hello, world!"
    assert app.test_client().post("/", data=body, content_type="text/plain").data == b"hello, wor"
    record = only_record()
    assert (record.request_body, record.request_body_note) == (b"hello, ", "not read")


def test_content_length_that_lies(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """Where less arrives than Content-Length says, the size is what arrived."""
    seen = []

    @app.post("/")
    def read() -> str:
        seen.append(request.environ["wsgi.input"].read())
        return "ok"

    environ = {"CONTENT_LENGTH": "500", "CONTENT_TYPE": "text/plain", "wsgi.input": io.BytesIO(b"few")}
    assert app.test_client().post("/", environ_overrides=environ).text == "ok"
    assert seen == [b"few"]
    record = only_record()
    assert (record.request_body, record.request_body_size) == (b"few", 3)
    assert record.request_body_note is None


@pytest.mark.parametrize("digits", [19, 100, 5000])
def test_content_length_without_end(
    app: Flask, tracking: Tracking, only_record: Only, digits: int
) -> None:
    """A Content-Length that is no size of anything is recorded as none."""
    app.post("/")(lambda: "ok")
    environ = {"CONTENT_LENGTH": "9" * digits, "CONTENT_TYPE": "text/plain"}
    assert app.test_client().post("/", environ_overrides=environ).text == "ok"
    record = only_record()
    assert (record.request_body_size, record.status_code) == (0, 200)


def test_response_length_without_end(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """The same of the response: it ends with its last byte."""
    length = "9" * 5000
    app.get("/")(lambda: Response(iter([b"o", b"k"]), headers={"Content-Length": length}))
    response = app.test_client().get("/")
    assert (response.data, response.headers["Content-Length"]) == (b"ok", length)
    assert (only_record().response_body, only_record().outcome) == (b"ok", "ok")


def test_chunked_request_body(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A body without a length is recorded when the server says that it ends."""

    @app.post("/")
    def read() -> bytes:
        return request.get_data()

    environ = {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "CONTENT_LENGTH": "",
        "CONTENT_TYPE": "text/plain",
        "wsgi.input": io.BytesIO(b"in chunks"),
        "wsgi.input_terminated": True,
    }
    assert app.test_client().post("/", environ_overrides=environ).data == b"in chunks"
    record = only_record()
    assert (record.request_body, record.request_body_size) == (b"in chunks", 9)
    assert record.request_body_note is None


CHUNKED = {
    "HTTP_TRANSFER_ENCODING": "chunked",
    "CONTENT_LENGTH": "",
    "CONTENT_TYPE": "text/plain",
    "wsgi.input_terminated": True,
}
LINES = b"first line\nsecond line\nthe third one\n"


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("limit", [None, 1000])
@pytest.mark.parametrize(
    ("read", "recorded"),
    [
        (lambda stream: stream.readline(), b"first line\n"),
        (lambda stream: stream.readline(8), b"first "),
        (lambda stream: [stream.readline(), stream.readline()], b"first line\nsecond line\n"),
        (lambda stream: next(iter(stream)), b"first line\n"),
        (lambda stream: [*stream], LINES),
        (lambda stream: stream.readlines(), LINES),
        (lambda stream: [*iter(stream.readline, b"")], LINES),
        (lambda stream: [*iter(lambda: stream.read(5), b"")], LINES),
        (lambda stream: stream.read(), LINES),
    ],
)
def test_body_read_in_every_way(
    app: Flask,
    tracking: Tracking,
    only_record: Only,
    read: Callable[[Any], Any],
    recorded: bytes,
    limit: int | None,
    is_chunked: bool,
) -> None:
    """What was read is stored, and noted unless it was all, however it was read through Flask."""
    app.config["MAX_CONTENT_LENGTH"] = limit
    seen: list[Any] = []

    @app.post("/")
    def view() -> str:
        seen.append(read(request.stream))
        return "ok"

    environ = {**(CHUNKED if is_chunked else {}), "wsgi.input": io.BytesIO(LINES)}
    if not is_chunked:
        environ |= {"CONTENT_LENGTH": str(len(LINES)), "CONTENT_TYPE": "text/plain"}
    assert app.test_client().post("/", environ_overrides=environ).text == "ok"
    assert seen == [read(io.BytesIO(LINES))]
    record = only_record()
    assert record.request_body == recorded
    assert record.request_body_note == (None if recorded == LINES else "not read")
    if recorded == LINES or not is_chunked:
        assert record.request_body_size == len(LINES)


def test_body_that_is_verified_first(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A body that is read, rewound and read again, as for a signature, is stored once."""
    seen: list[bytes] = []

    @app.before_request
    def verify() -> None:
        stream = request.environ["wsgi.input"]
        seen.append(stream.read())
        stream.seek(0)

    @app.post("/")
    def view() -> Any:
        return request.json

    response = app.test_client().post("/", json={"a": 1})
    assert (response.json, seen) == ({"a": 1}, [b'{"a": 1}'])
    record = only_record()
    assert (record.request_body, record.request_body_size) == (b'{"a": 1}', 8)
    assert record.request_body_note is None


def test_stream_is_recorded_when_it_ends(
    app: Flask, tracking: Tracking, memory: MemoryExporter, only_record: Only
) -> None:
    """A stream passes chunk by chunk, and its record has its whole body and the span's late values."""

    @app.get("/")
    def stream() -> Response:
        def generate() -> Iterator[str]:
            yield "a"
            tracking.span.set("late", True)
            yield "b"

        return Response(generate(), mimetype="text/plain")

    with app.test_client().get("/", buffered=False) as response:
        chunks = response.iter_encoded()
        assert next(chunks) == b"a"
        assert memory.records == []
        assert list(chunks) == [b"b"]

    record = only_record()
    assert (record.response_body, record.outcome) == (b"ab", "ok")
    assert record.custom_data == {"late": True}


def test_client_that_leaves_a_stream(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A stream that is closed before its end is recorded as disconnected, and its close() runs."""
    closed = []

    @app.get("/")
    def stream() -> Response:
        def generate() -> Iterator[bytes]:
            try:
                while True:
                    yield b"x"
            finally:
                closed.append(True)

        return Response(generate(), mimetype="text/plain")

    response = app.test_client().get("/", buffered=False)
    assert next(response.iter_encoded()) == b"x"
    response.close()

    assert closed == [True]
    assert (only_record().outcome, only_record().response_body) == ("disconnected", b"x")


def test_stream_that_nobody_reads(
    app: Flask, tracking: Tracking, only_record: Only, collect: Callable[[], None]
) -> None:
    """A stream that a test neither reads nor closes is recorded when it is collected."""

    @app.get("/")
    def stream() -> Response:
        return Response(iter([b"a", b"b"]), mimetype="text/plain")

    response = app.test_client().get("/", buffered=False)
    assert response.status_code == 200
    del response
    collect()
    assert only_record().outcome == "unread"


def test_stream_that_fails_midway(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """An exception in a stream reaches the server as it was, and is recorded as stream_error."""

    @app.get("/")
    def stream() -> Response:
        def generate() -> Iterator[bytes]:
            yield b"a"
            raise ValueError("midway")

        return Response(generate(), mimetype="text/plain")

    with pytest.raises(ValueError, match="midway"):
        app.test_client().get("/").get_data()
    record = only_record()
    assert (record.status_code, record.outcome, record.response_body) == (200, "stream_error", b"a")
    assert record.exception is not None
    assert (record.exception.type, record.exception.message) == ("ValueError", "midway")


def test_stream_that_fails_before_its_first_byte(
    app: Flask, tracking: Tracking, only_record: Only
) -> None:
    """No byte was sent, so the server answers with a 500: that is what is recorded."""

    @app.get("/")
    def stream() -> Response:
        def generate() -> Iterator[bytes]:
            raise ValueError("at once")
            yield b""

        return Response(generate(), mimetype="text/plain")

    with pytest.raises(ValueError, match="at once"):
        app.test_client().get("/")
    assert (only_record().status_code, only_record().outcome) == (500, "error")


@pytest.mark.parametrize("kind", [KeyError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_escapes_is_recorded_and_raised_again(
    app: Flask, tracking: Tracking, only_record: Only, kind: type[BaseException]
) -> None:
    """Whatever leaves the app leaves it unchanged, BaseException too, and is recorded."""
    app.testing = True
    error = kind("why")

    @app.get("/")
    def view() -> str:
        raise error

    with pytest.raises(kind) as caught:
        app.test_client().get("/")
    assert caught.value is error
    record = only_record()
    assert (record.status_code, record.outcome) == (500, "error")
    assert record.exception is not None
    assert record.exception.type == kind.__name__
    assert "in view" in record.exception.traceback


def test_head_and_empty_responses_end_well(
    app: Flask, tracking: Tracking, memory: MemoryExporter
) -> None:
    """Responses without a body are ok, not disconnected."""

    @app.get("/")
    def index() -> str:
        return "hello"

    @app.get("/nothing")
    def nothing() -> tuple[str, int]:
        return "", 204

    client = app.test_client()
    assert client.head("/").headers["Content-Length"] == "5"
    assert client.get("/nothing").status_code == 204
    head, empty = memory.records
    assert (head.method, head.status_code, head.outcome, head.response_body) == ("HEAD", 200, "ok", b"")
    assert (empty.status_code, empty.outcome, empty.time_to_first_byte) == (204, "ok", None)


def test_record_ends_with_the_last_expected_byte(
    app: Flask, tracking: Tracking, only_record: Only
) -> None:
    """A test client that reads one chunk and closes nothing still leaves a record."""

    @app.get("/")
    def index() -> str:
        return "hello"

    response = app.test_client().get("/", buffered=False)
    assert only_record().outcome == "ok"
    assert response.text == "hello"


def run(middleware: TrackingMiddleware, environ: dict[str, Any]) -> tuple[bytes, str, Any]:
    """Call a WSGI app as a server does, and return body, status line and headers."""
    written: list[bytes] = []
    started: list[Any] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        started[:] = [status, headers]
        return written.append

    result = middleware(environ, start_response)
    body = b"".join(written) + b"".join(result)
    if hasattr(result, "close"):
        result.close()
    return body, started[0], started[1]


def note_start(started: list[Any]) -> Any:
    """Make a start_response that notes its arguments."""

    def start_response(*args: Any) -> Any:
        started.append(args)
        return started.append

    return start_response


def make_middleware(
    app: Flask, wsgi_app: Any
) -> tuple[TrackingMiddleware, list[Capture], dict[str, Any]]:
    """Put the middleware of a tracked `app` around a WSGI app that is not Flask's."""
    captures: list[Capture] = []
    tracked = app.extensions["tracking"]
    environ = app.test_request_context("/").request.environ
    return TrackingMiddleware(wsgi_app, tracked, captures.append), captures, environ


def test_write_callable(app: Flask, tracking: Tracking) -> None:
    """What an app writes by the callable that start_response returns is recorded too."""

    def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"written ")
        return [b"returned"]

    middleware, captures, environ = make_middleware(app, wsgi_app)
    assert run(middleware, environ)[0] == b"written returned"
    assert captures[0].response_chunks == (b"written ", b"returned")
    assert captures[0].response_size == 16


def test_server_without_a_write_callable(app: Flask, tracking: Tracking) -> None:
    """A start_response that returns nothing, as asgiref's, returns nothing to the app either."""
    returned: list[object] = []

    def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
        returned.append(start_response("200 OK", []))
        return []

    middleware, captures, environ = make_middleware(app, wsgi_app)
    assert list(middleware(environ, lambda *_: None)) == []  # type: ignore[arg-type]
    assert returned == [None]
    assert captures[0].status == "200 OK"


def test_second_start_response_counts(app: Flask, tracking: Tracking) -> None:
    """An app may start again with exc_info; the last status and headers are recorded."""

    def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "100")])
        try:
            raise ValueError
        except ValueError:
            start_response("500 Sorry", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"sorry"]

    middleware, captures, environ = make_middleware(app, wsgi_app)
    assert run(middleware, environ)[:2] == (b"sorry", "500 Sorry")
    assert captures[0].status == "500 Sorry"
    assert captures[0].response_headers == (("Content-Type", "text/plain"),)


def test_length_of_the_iterable_is_kept(app: Flask, tracking: Tracking) -> None:
    """Servers that make a Content-Length of a list of one chunk still can."""
    results: list[Any] = []

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return results[0]

    middleware, _, environ = make_middleware(app, wsgi_app)
    results[:] = [[b"one"]]
    assert len(middleware(environ, note_start([]))) == 1  # type: ignore[arg-type]
    results[:] = [iter([b"one"])]
    assert not hasattr(middleware(environ, note_start([])), "__len__")


def test_empty_list(app: Flask, tracking: Tracking) -> None:
    """A response that is an empty list ends like any other."""

    def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("204 No Content", [])
        return []

    middleware, captures, environ = make_middleware(app, wsgi_app)
    assert run(middleware, environ)[0] == b""
    assert [capture.outcome for capture in captures] == ["ok"]


def test_environ_with_odd_values(app: Flask, tracking: Tracking) -> None:
    """A harness that puts numbers where text belongs is recorded as far as it goes."""

    def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    middleware, captures, environ = make_middleware(app, wsgi_app)
    environ |= {"CONTENT_LENGTH": 3, "SERVER_PORT": 80, "wsgi.input": io.BytesIO(b"abc")}
    assert run(middleware, environ)[0] == b"abc"
    assert (captures[0].request_chunks, captures[0].request_size) == ((b"abc",), 3)


class FileWrapper:
    """A server's own way to send a file, as gunicorn has it."""

    def __init__(self, file: Any, size: int = 8192) -> None:
        self.file = file
        self.close = file.close


def test_file_is_left_to_the_server(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """The server gets its own file wrapper back, and the record ends when that is closed."""

    @app.get("/")
    def download() -> Response:
        return send_file(io.BytesIO(b"0123456789"), mimetype="text/plain")

    environ = app.test_request_context("/").request.environ
    environ["wsgi.file_wrapper"] = FileWrapper
    started: list[Any] = []
    result = app.wsgi_app(environ, note_start(started))

    assert type(result) is FileWrapper
    assert environ["wsgi.file_wrapper"] is FileWrapper
    assert result.file.read() == b"0123456789"
    result.close()
    assert result.file.closed
    record = only_record()
    assert (record.status_code, record.response_body_note, record.response_body_size) == (
        200,
        "file",
        10,
    )


class Sealed:
    """A wrapper that takes no attribute, as those of servers in C."""

    __slots__ = ("file",)

    def __init__(self, file: Any, size: int = 8192) -> None:
        self.file = file

    def close(self) -> None:
        self.file.close()


class SealedFile:
    """The same of a file: a server's wrapper may be a function that returns what it is given."""

    __slots__ = ("read",)

    def __init__(self) -> None:
        self.read = io.BytesIO(b"0123456789").read


@pytest.mark.parametrize("length", [None, "7"])
def test_file_wrapper_without_attributes(
    app: Flask, tracking: Tracking, caplog: pytest.LogCaptureFixture, length: str | None
) -> None:
    """A wrapper that takes no hook is handed on as it is, for the server to know it, and silently."""
    file = io.BytesIO(b"0123456789")
    headers = [("Content-Type", "text/plain")] + ([("Content-Length", length)] if length else [])

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", headers)
        return environ["wsgi.file_wrapper"](file)

    middleware, captures, environ = make_middleware(app, wsgi_app)
    environ["wsgi.file_wrapper"] = Sealed
    result: Any = middleware(environ, note_start([]))
    assert type(result) is environ["wsgi.file_wrapper"] is Sealed
    assert result.file is file and file.tell() == 0 and not file.closed
    (capture,) = captures
    assert (capture.response_note, capture.response_size) == ("file", int(length or 0))
    assert (capture.status, capture.outcome, capture.response_chunks) == ("200 OK", "ok", ())
    assert (caplog.records, guard.failures) == ([], {})
    result.close()
    assert captures == [capture]


def test_rest_of_a_file_without_a_length(app: Flask, tracking: Tracking, tmp_path: Path) -> None:
    """Without Content-Length the size of a file that is handed on is what is left of it."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        file = path.open("rb")
        file.seek(4)
        return environ["wsgi.file_wrapper"](file)

    middleware, captures, environ = make_middleware(app, wsgi_app)
    environ["wsgi.file_wrapper"] = Sealed
    result: Any = middleware(environ, note_start([]))
    assert result.file.read() == b"456789"
    result.close()
    assert (captures[0].response_note, captures[0].response_size) == ("file", 6)


def test_file_that_is_its_own_wrapper(app: Flask, tracking: Tracking) -> None:
    """A server that knows the file by its identity, as uWSGI does, gets that very object."""
    wrapped: list[Any] = []

    def wrap(file: Any, size: int = 8192) -> Any:
        wrapped.append(file)
        return file

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "10")])
        return environ["wsgi.file_wrapper"](SealedFile(), 100)

    middleware, captures, environ = make_middleware(app, wsgi_app)
    environ["wsgi.file_wrapper"] = wrap
    result: Any = middleware(environ, note_start([]))
    assert result is wrapped[0]
    assert result.read() == b"0123456789"
    assert [(one.response_note, one.response_size) for one in captures] == [("file", 10)]
    assert guard.failures == {}


def test_file_wrapper_that_is_called_by_names(app: Flask, tracking: Tracking) -> None:
    """An app that names the arguments of its server's wrapper goes on doing so."""
    kept: list[Any] = []

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "10")])
        kept.append(environ["wsgi.file_wrapper"])
        return kept[0](file=io.BytesIO(b"0123456789"), size=100)

    middleware, captures, environ = make_middleware(app, wsgi_app)
    environ["wsgi.file_wrapper"] = FileWrapper
    result: Any = middleware(environ, note_start([]))
    assert type(result) is FileWrapper
    assert result.file.read() == b"0123456789"
    result.close()
    assert [(one.response_note, one.response_size) for one in captures] == [("file", 10)]
    assert type(kept[0](io.BytesIO())) is FileWrapper  # also after the call


@pytest.mark.parametrize("instead", [None, object()])
def test_file_wrapper_that_the_app_replaces(app: Flask, tracking: Tracking, instead: Any) -> None:
    """What an app puts in the place of the server's wrapper stays there, or nothing."""

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        del environ["wsgi.file_wrapper"]
        if instead is not None:
            environ["wsgi.file_wrapper"] = instead
        return [b"ok"]

    middleware, _, environ = make_middleware(app, wsgi_app)
    environ["wsgi.file_wrapper"] = FileWrapper
    assert run(middleware, environ)[0] == b"ok"
    assert environ.get("wsgi.file_wrapper") is instead


def test_proxy_fix_is_honoured_wherever_it_stands(app: Flask, memory: MemoryExporter) -> None:
    """The record has what the app saw, with ProxyFix inside of us and outside."""
    headers = {
        "X-Forwarded-For": "9.8.7.6",
        "X-Forwarded-Host": "example.org",
        "X-Forwarded-Proto": "https",
    }
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_host=1, x_proto=1)  # type: ignore[method-assign]
    Tracking(app, exporter=memory)
    outside = Flask("outside")
    outside.config["TRACKING_WORKER"] = "sync"
    Tracking(outside, exporter=memory)
    outside.wsgi_app = ProxyFix(outside.wsgi_app, x_for=1, x_host=1, x_proto=1)  # type: ignore[method-assign]

    for one in (app, outside):
        assert one.test_client().get("/", headers=headers).status_code == 404
    for record in memory.records:
        assert (record.ip, record.host, record.scheme) == ("9.8.7.6", "example.org", "https")


def paths_of(memory: MemoryExporter, client: FlaskClient, *paths: str) -> list[str | None]:
    """Return the recorded paths of some requests that are answered with what the app saw."""
    for path in paths:
        assert client.get(path).status_code == 200
    return [record.path for record in memory.records]


def say_path(environ: Any, start_response: Any) -> list[bytes]:
    """Answer with the path, below the mount point."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode("latin-1")]


def test_path_of_what_is_mounted_inside(app: Flask, memory: MemoryExporter) -> None:
    """What the app mounts beside Flask is recorded with the path that the client asked for."""
    app.get("/<path:path>")(lambda path: path)
    mounts: dict[str, Any] = {"/metrics": say_path, "/api/v1": say_path, "/grüße": say_path}
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, mounts)  # type: ignore[method-assign]
    Tracking(app, exporter=memory)
    client = app.test_client()

    assert client.get("/api/v1/users?a=1").text == "/users"
    wanted = ["/metrics", "/metrics/", "/api/v1", "/orders/7"]

    assert paths_of(memory, client, *wanted) == ["/api/v1/users", *wanted]
    assert memory.records[0].query_params == "a=1"
    assert [record.url_rule for record in memory.records] == [None] * 4 + ["/<path:path>"]


def test_path_of_a_flask_app_that_is_mounted_inside(app: Flask, memory: MemoryExporter) -> None:
    """A tracked app inside a tracked app is recorded twice, each below its own mount point."""
    inner = Flask("inner")
    inner.config["TRACKING_WORKER"] = "sync"
    inner.get("/users")(lambda: "users")
    Tracking(inner, exporter=memory)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/api": inner})  # type: ignore[method-assign]
    Tracking(app, exporter=memory)

    assert app.test_client().get("/api/users").text == "users"
    assert [(one.app, one.path) for one in memory.records] == [
        ("inner", "/users"),
        ("shop", "/api/users"),
    ]


def test_path_below_a_prefix_that_middleware_strips(app: Flask, memory: MemoryExporter) -> None:
    """Middleware that moves the mount point does so for the record too: Flask's path is recorded."""
    flask_app = app.wsgi_app

    def strip(environ: Any, start_response: Any) -> Any:
        environ["SCRIPT_NAME"] = "/shop"
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/shop")
        return flask_app(environ, start_response)

    app.wsgi_app = strip  # type: ignore[method-assign]
    Tracking(app, exporter=memory)
    app.get("/<path:path>")(lambda path: request.full_path)

    assert app.test_client().get("/shop/orders/7").text == "/orders/7?"
    assert memory.records[0].path == "/orders/7"


def test_path_that_a_view_takes_apart(app: Flask, memory: MemoryExporter) -> None:
    """A view that hands its environ on, part by part, was asked for the whole path."""
    Tracking(app, exporter=memory)

    @app.get("/<path:path>")
    def view(path: str) -> str:
        return f"{shift_path_info(request.environ)} {request.environ['PATH_INFO']}"

    assert app.test_client().get("/tenants/7").text == "tenants /7"
    assert memory.records[0].path == "/tenants/7"


def test_method_and_client_are_those_that_the_app_saw(app: Flask, memory: MemoryExporter) -> None:
    """Middleware inside decides what the method, the address, the host and the scheme are."""
    flask_app = app.wsgi_app

    def override(environ: Any, start_response: Any) -> Any:
        environ["REQUEST_METHOD"] = environ["HTTP_X_HTTP_METHOD_OVERRIDE"]
        return flask_app(environ, start_response)

    app.wsgi_app = ProxyFix(override, x_for=1, x_host=1, x_proto=1, x_prefix=1)  # type: ignore[method-assign]
    Tracking(app, exporter=memory)
    app.put("/a")(lambda: f"{request.method} {request.url} {request.remote_addr}")
    headers = {
        "X-HTTP-Method-Override": "PUT",
        "X-Forwarded-For": "9.8.7.6",
        "X-Forwarded-Host": "example.org",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/below",
    }

    seen = app.test_client().post("/a", headers=headers).text

    assert seen == "PUT https://example.org/below/a 9.8.7.6"
    (record,) = memory.records
    assert (record.method, record.path, record.host) == ("PUT", "/a", "example.org")
    assert (record.scheme, record.ip) == ("https", "9.8.7.6")


def test_nothing_alive_is_referenced_after_the_end(
    app: Flask, tracking: Tracking, collect: Callable[[], None]
) -> None:
    """While captures wait, request, response, exception, frame, user and custom data are gone."""
    captures: list[Capture] = []
    app.wsgi_app.submit = captures.append  # type: ignore[attr-defined]
    alive: dict[str, weakref.ref[Any]] = {}

    class Alive:
        pass

    def note(**things: Any) -> None:
        alive.update({name: weakref.ref(thing) for name, thing in things.items()})

    @app.get("/<path>")
    def view(path: str) -> Any:
        user, data, local, key = Alive(), Alive(), Alive(), Alive()
        request._tracking_data = {"alive": data}  # type: ignore[attr-defined]
        tracking.span.set("alive", key)
        tracking.span.set_user(user)
        note(request=request._get_current_object(), user=user, data=data, local=local, key=key)  # type: ignore[attr-defined]
        if path == "handled":
            abort(503)
        error = ValueError("no")
        note(exception=error)
        raise error

    @app.after_request
    def keep(response: Response) -> Response:
        note(response=response)
        return response

    app.logger.disabled = True
    for path, status in (("handled", 503), ("escaped", 500)):
        assert app.test_client().get(f"/{path}").status_code == status
        collect()
        assert {name for name, reference in alive.items() if reference() is not None} == set()
        alive.clear()
    assert [capture.exception is not None for capture in captures] == [True, True]


def test_captures_are_plain(app: Flask, tracking: Tracking) -> None:
    """What crosses the queue is text, bytes, numbers, ids, times and containers of them."""
    captures: list[Capture] = []
    app.wsgi_app.submit = captures.append  # type: ignore[attr-defined]

    @app.post("/<name>")
    def view(name: str) -> str:
        tracking.span.set("object", object())
        tracking.span.set_user(object())
        with tracking.span.child("part"):
            pass
        raise ValueError(name)

    app.logger.disabled = True
    assert app.test_client().post("/x", json=[1]).status_code == 500

    def kinds(value: Any) -> Iterator[str]:
        if isinstance(value, (tuple, list)):
            for item in value:
                yield from kinds(item)
        elif isinstance(value, dict):
            for item in value.items():
                yield from kinds(item)
        else:
            yield type(value).__name__

    (capture,) = captures
    parts = [getattr(capture, field.name) for field in dataclasses.fields(capture)]
    assert set(kinds(parts)) <= {"str", "bytes", "int", "float", "bool", "NoneType", "ObjectId"}


def test_failure_of_ours_harms_nothing(
    app: Flask, tracking: Tracking, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When opening the span, tee and end fail, the client still gets the app's bytes."""

    @app.post("/")
    def echo() -> bytes:
        return request.get_data()

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("ours")

    client = app.test_client()
    for name in ("tee_input", "Exchange._make_capture"):
        with monkeypatch.context() as patch:
            patch.setattr(f"flask_tracking.capture.exchange.{name}", fail)
            assert client.post("/", data="hello", content_type="text/plain").text == "hello"
    with monkeypatch.context() as patch:
        patch.setattr("flask_tracking.capture.exchange.output_tee_classes", {})
        assert client.post("/", data="hello", content_type="text/plain").text == "hello"
    assert memory.records == []
    assert guard.failures == {"opening a span": 1, "ending a span": 1, "wrapping the response": 1}


def test_environ_that_lacks_what_it_must_have(app: Flask, tracking: Tracking) -> None:
    """A server that leaves keys out of the environ is recorded as far as it goes."""

    def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"ok"]

    middleware, captures, _ = make_middleware(app, wsgi_app)
    started: list[Any] = []
    result = middleware({}, note_start(started))
    assert list(result) == [b"ok"]
    assert started == [("200 OK", [])]
    assert captures[0].environ_keys == captures[0].environ_values == ()


def test_path_that_is_not_latin_1(app: Flask, tracking: Tracking) -> None:
    """A server that hands over a path that WSGI forbids: the app answers as ever, a record is made."""

    def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"fine"]

    middleware, captures, environ = make_middleware(app, wsgi_app)
    assert run(middleware, {**environ, "PATH_INFO": "/\u20ac"})[0] == b"fine"
    assert "/\u20ac" in captures[0].environ_values


def test_chunks_that_are_not_bytes(app: Flask, tracking: Tracking) -> None:
    """A chunk that is no bytes object is the server's to refuse: it passes as it is."""

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return [bytearray(b"ab"), None]

    middleware, captures, environ = make_middleware(app, wsgi_app)
    assert list(middleware(environ, note_start([]))) == [bytearray(b"ab"), None]
    assert captures[0].response_chunks == (b"ab",)
    assert type(captures[0].response_chunks[0]) is bytes


def test_upgrade_with_a_body(app: Flask, tracking: Tracking) -> None:
    """The body of a request that asks for an upgrade is copied as far as the app reads it."""

    def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("101 Switching Protocols", [])
        return [environ["wsgi.input"].read(2)]

    middleware, captures, environ = make_middleware(app, wsgi_app)
    environ |= {"HTTP_UPGRADE": "websocket", "CONTENT_LENGTH": "3", "wsgi.input": io.BytesIO(b"abc")}
    assert run(middleware, environ)[0] == b"ab"
    assert captures[0].status == "101 Switching Protocols"
    assert (captures[0].request_chunks, captures[0].request_note) == ((b"ab",), "not read")


def test_upgrade_that_takes_the_socket_over(app: Flask, tracking: Tracking) -> None:
    """An upgrade that ends with StopIteration, as flask-sock's on gunicorn, is a 101 and no error."""

    def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
        raise StopIteration

    middleware, captures, environ = make_middleware(app, wsgi_app)
    with pytest.raises(StopIteration):
        middleware({**environ, "HTTP_UPGRADE": "websocket"}, None)  # type: ignore[arg-type]
    with pytest.raises(StopIteration):
        middleware(dict(environ), None)  # type: ignore[arg-type]
    upgraded, failed = captures
    assert (upgraded.status, upgraded.outcome) == ("101 Switching Protocols", "ok")
    assert upgraded.exception is None
    assert (failed.status, failed.outcome) == (None, "error")


def test_redirect_is_recorded(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A redirect is recorded with its Location."""

    @app.get("/old")
    def old() -> Any:
        return redirect("/new")

    assert app.test_client().get("/old").location == "/new"
    assert ("Location", "/new") in only_record().response_headers


def test_span_is_current_in_streams(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A bare generator and one with the request's context find their own span."""
    ids: list[object] = []

    @app.get("/bare")
    def bare() -> Response:
        def generate() -> Iterator[bytes]:
            ids.append(current_span().id)
            yield b"a"

        ids.append(current_span().id)
        return Response(generate(), mimetype="text/plain")

    @app.get("/with")
    def with_context() -> Response:
        def generate() -> Iterator[bytes]:
            ids.append(current_span().id)
            yield request.path.encode()

        return Response(stream_with_context(generate()), mimetype="text/plain")

    assert app.test_client().get("/bare").data == b"a"
    assert ids == [only_record().id] * 2
    assert app.test_client().get("/with").data == b"/with"
    assert ids[2] not in ids[:2]
