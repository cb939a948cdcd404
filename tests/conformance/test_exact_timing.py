"""Times to the millisecond: a clock that stands still unless app, server or client moves it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import pytest
from flask import Flask, Response, request, send_file
from werkzeug.test import EnvironBuilder

from flask_tracking import MemoryExporter, Record, Tracking, current_span
from flask_tracking.capture import clock as capture_clock

VIEW_MS = 10
PAUSE_MS = 150
SEND_MS = 7
"""What the server takes to send a chunk."""
LEAVE_MS = 20
"""How long the client stays after the last chunk that it takes."""
PAGE = b"0123456789" * 2000


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.ns = 0

    def now(self) -> float:
        """Seconds since 1970."""
        return 1_700_000_000 + self.ns / 1e9

    def now_ns(self) -> int:
        """Nanoseconds since the test began."""
        return self.ns

    def pass_ms(self, ms: int) -> None:
        """Let time pass."""
        self.ns += ms * 1_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that all of `capture` reads."""
    clock = Clock()
    clock.pass_ms(123_456)
    monkeypatch.setattr(capture_clock, "now", clock.now)
    monkeypatch.setattr(capture_clock, "now_ns", clock.now_ns)
    return clock


class ServerFileWrapper:
    """A server's own file wrapper, for `MiniServer`."""

    def __init__(self, file: Any, block_size: int = 8192) -> None:
        self.file = file
        self.block_size = block_size
        self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.file.read(self.block_size), b"")


@dataclass
class MiniServer:
    """As much of a WSGI server as time passes in."""

    clock: Clock
    sends_files: bool = False
    leaves_after: int | None = None
    """After how many chunks the client is gone."""
    sent: list[bytes] = field(default_factory=list)
    status: str = ""

    def write(self, chunk: bytes) -> None:
        """Send a chunk."""
        if self.leaves_after is not None and len(self.sent) >= self.leaves_after:
            self.clock.pass_ms(LEAVE_MS)
            raise BrokenPipeError
        self.sent.append(chunk)
        self.clock.pass_ms(SEND_MS)

    def start_response(self, status: str, headers: object, exc_info: object = None) -> object:
        """Note the status."""
        self.status = status
        return self.write

    def serve(self, app: Flask, **request: Any) -> None:
        """Serve one request and close the response, whatever happens."""
        environ = EnvironBuilder(**request).get_environ()
        environ.pop("wsgi.file_wrapper", None)
        if self.sends_files:
            environ["wsgi.file_wrapper"] = ServerFileWrapper
        iterable = app.wsgi_app(environ, self.start_response)  # type: ignore[arg-type]
        try:
            for chunk in iterable:
                self.write(chunk)
        finally:
            if hasattr(iterable, "close"):
                iterable.close()


@pytest.fixture
def app(clock: Clock, memory: MemoryExporter) -> Flask:
    """Views that take a known time."""
    app = Flask("timing")
    app.config["TRACKING_WORKER"] = "sync"
    Tracking(app, exporter=memory)

    def chunks(fails_at: int | None = None) -> Iterator[bytes]:
        for number in range(3):
            if number == fails_at:
                clock.pass_ms(PAUSE_MS)
                raise ValueError(number)
            yield b"chunk"
            clock.pass_ms(PAUSE_MS)

    @app.route("/plain", methods=["GET", "POST"])
    def plain() -> bytes:
        request.get_data()
        clock.pass_ms(VIEW_MS)
        return b"plain"

    @app.get("/slow")
    def slow() -> Response:
        clock.pass_ms(PAUSE_MS)
        response = Response("slow")
        response.set_etag("v1")
        response.make_conditional(request)
        return response

    @app.get("/stream")
    def stream() -> Response:
        clock.pass_ms(VIEW_MS)
        return Response(chunks())

    @app.get("/sized-stream")
    def sized_stream() -> Response:
        clock.pass_ms(VIEW_MS)
        return Response(chunks(), headers={"Content-Length": "15"})

    @app.get("/failing-stream/<int:fails_at>")
    def failing_stream(fails_at: int) -> Response:
        clock.pass_ms(VIEW_MS)
        return Response(chunks(fails_at))

    @app.get("/file")
    def file() -> Response:
        clock.pass_ms(VIEW_MS)
        return send_file(io.BytesIO(PAGE), mimetype="text/plain")

    @app.get("/failing")
    def failing() -> str:
        clock.pass_ms(PAUSE_MS)
        raise ValueError

    return app


@pytest.fixture
def only(memory: MemoryExporter) -> Callable[[], tuple[Any, ...]]:
    """Return what is said of time, size and outcome by the one record of the test."""

    def only() -> tuple[Any, ...]:
        (record,) = memory.records
        return times_of(record)

    return only


def times_of(record: Record) -> tuple[Any, ...]:
    """Return the status, the outcome, the size and both times of a record."""
    return (
        record.status_code,
        record.outcome,
        record.response_body_size,
        record.time_to_first_byte,
        record.execution_time,
    )


Only = Callable[[], tuple[Any, ...]]


def test_arrival(app: Flask, clock: Clock, memory: MemoryExporter) -> None:
    """date_created is the arrival, not the end."""
    MiniServer(clock).serve(app, path="/slow")
    assert memory.records[0].date_created == datetime.fromtimestamp(1_700_000_123.456, timezone.utc)


@pytest.mark.parametrize(
    ("path", "size", "first_ms", "total_ms"),
    [
        ("/plain", 5, VIEW_MS, VIEW_MS),
        ("/slow", 4, PAUSE_MS, PAUSE_MS),
        # What the server takes between two chunks is part of the response's time.
        ("/stream", 15, VIEW_MS, VIEW_MS + 3 * (SEND_MS + PAUSE_MS)),
        # With a length the last byte is known to be the last one.
        ("/sized-stream", 15, VIEW_MS, VIEW_MS + 2 * (SEND_MS + PAUSE_MS)),
        # Werkzeug's wrapper: blocks of 8 KiB, the last of which ends it.
        ("/file", 20_000, VIEW_MS, VIEW_MS + 2 * SEND_MS),
    ],
)
def test_response_that_is_whole(
    app: Flask, clock: Clock, only: Only, path: str, size: int, first_ms: int, total_ms: int
) -> None:
    """From the arrival to the first byte and to the last one that was produced."""
    server = MiniServer(clock)
    server.serve(app, path=path)
    assert len(b"".join(server.sent)) == size
    assert only() == (200, "ok", size, first_ms, total_ms)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"method": "HEAD"}, 200),
        ({"headers": {"If-None-Match": '"v1"'}}, 304),
    ],
)
def test_response_without_a_body(
    app: Flask, clock: Clock, only: Only, request_: dict[str, Any], status: int
) -> None:
    """There is no first byte where there is no byte; the view took its time all the same."""
    server = MiniServer(clock)
    server.serve(app, path="/slow", **request_)
    assert (server.sent, server.status[:3]) == ([], str(status))
    assert only() == (status, "ok", 0, None, PAUSE_MS)


def test_file_that_the_server_sends(app: Flask, clock: Clock, only: Only) -> None:
    """The first byte is the server's from the hand-over on; the end is when it closes the file."""
    server = MiniServer(clock, sends_files=True)
    server.serve(app, path="/file")
    assert b"".join(server.sent) == PAGE
    assert only() == (200, "ok", 20_000, VIEW_MS, VIEW_MS + 3 * SEND_MS)


def test_part_of_a_file(app: Flask, clock: Clock, only: Only) -> None:
    """A Range is cut out by Werkzeug, whatever wrapper the server has."""
    server = MiniServer(clock, sends_files=True)
    server.serve(app, path="/file", headers={"Range": "bytes=100-8299"})
    assert b"".join(server.sent) == PAGE[100:8300]
    assert only() == (206, "ok", 8200, VIEW_MS, VIEW_MS + SEND_MS)


def test_client_that_leaves_a_stream(app: Flask, clock: Clock, only: Only) -> None:
    """What was produced counts, sent or not, and the end is when the server noticed."""
    server = MiniServer(clock, leaves_after=1)
    with pytest.raises(BrokenPipeError):
        server.serve(app, path="/stream")
    assert server.sent == [b"chunk"]
    assert only() == (200, "disconnected", 10, VIEW_MS, VIEW_MS + SEND_MS + PAUSE_MS + LEAVE_MS)


@pytest.mark.parametrize("sends_files", [False, True])
def test_client_that_leaves_a_file(app: Flask, clock: Clock, only: Only, sends_files: bool) -> None:
    """A file that is left half is not whole, whoever reads it."""
    server = MiniServer(clock, sends_files=sends_files, leaves_after=1)
    with pytest.raises(BrokenPipeError):
        server.serve(app, path="/file")
    assert server.sent == [PAGE[:8192]]
    assert only() == (200, "disconnected", 16_384, VIEW_MS, VIEW_MS + SEND_MS + LEAVE_MS)


def test_failure_that_flask_answers(app: Flask, clock: Clock, only: Only) -> None:
    """The 500 page is an answer like any other."""
    app.logger.disabled = True
    server = MiniServer(clock)
    server.serve(app, path="/failing")
    size = len(b"".join(server.sent))
    assert size > 100
    assert only() == (500, "ok", size, PAUSE_MS, PAUSE_MS)


def test_failure_that_escapes(app: Flask, clock: Clock, only: Only) -> None:
    """The end is when the exception left the app; there is no first byte."""
    app.testing = True
    with pytest.raises(ValueError):
        MiniServer(clock).serve(app, path="/failing")
    assert only() == (500, "error", 0, None, PAUSE_MS)


def test_failure_in_mid_stream(app: Flask, clock: Clock, only: Only) -> None:
    """The end is when the exception left the stream."""
    server = MiniServer(clock)
    with pytest.raises(ValueError):
        server.serve(app, path="/failing-stream/1")
    assert server.sent == [b"chunk"]
    assert only() == (200, "stream_error", 5, VIEW_MS, VIEW_MS + SEND_MS + 2 * PAUSE_MS)


def test_failure_before_the_first_byte_of_a_stream(app: Flask, clock: Clock, only: Only) -> None:
    """Nothing was sent, so the server answers with a 500."""
    server = MiniServer(clock)
    with pytest.raises(ValueError):
        server.serve(app, path="/failing-stream/0")
    assert server.sent == []
    assert only() == (500, "error", 0, None, VIEW_MS + PAUSE_MS)


def test_slow_upload(app: Flask, clock: Clock, only: Only, memory: MemoryExporter) -> None:
    """Waiting for the rest of a chunked body is part of the time."""

    class SlowInput(io.RawIOBase):
        def __init__(self) -> None:
            self.chunks = [b"abcd", b"efgh"]

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            clock.pass_ms(PAUSE_MS)
            chunk = self.chunks.pop(0) if self.chunks else b""
            buffer[: len(chunk)] = chunk
            return len(chunk)

    environ = {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": SlowInput(),
        "wsgi.input_terminated": True,
    }
    MiniServer(clock).serve(app, path="/plain", method="POST", environ_overrides=environ)
    total_ms = 3 * PAUSE_MS + VIEW_MS  # the third read finds the end
    assert only() == (200, "ok", 5, total_ms, total_ms)
    assert memory.records[0].request_body_size == 8


def test_write_of_start_response(app: Flask, clock: Clock, only: Only) -> None:
    """The first byte is there before the server has sent it."""

    def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [])
        clock.pass_ms(VIEW_MS)
        write(b"first")
        write(b"second")
        return []

    app.wsgi_app.wsgi_app = wsgi_app  # type: ignore[attr-defined]
    MiniServer(clock).serve(app, path="/")
    assert only() == (200, "ok", 11, VIEW_MS, VIEW_MS + 2 * SEND_MS)


def test_child_spans(app: Flask, clock: Clock, memory: MemoryExporter) -> None:
    """A child is told from its start, counted from the arrival, to its end."""

    @app.get("/child")
    def child() -> str:
        clock.pass_ms(VIEW_MS)
        with current_span().child("wait"):
            clock.pass_ms(PAUSE_MS)
        return "ok"

    MiniServer(clock).serve(app, path="/child")
    (timing,) = memory.records[0].children
    assert (timing.start_ms, timing.duration_ms) == (VIEW_MS, PAUSE_MS)
