"""Open a span at the WSGI boundary and end it there.

Only this boundary knows when a response really ended: ``request_finished`` fires before a body is
streamed and not at all when an exception escapes, ``request_tearing_down`` fires twice for some.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..guard import call_foreign, harmless
from ..record import Capture
from .bodies import BodyCopy, InputTee, OutputTee, SizedOutputTee, is_stored_type
from .span import ENVIRON_KEY, Span, running

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from ..registry import TrackedApp

Submit = Callable[[Capture], None]

_REQUEST_KEYS = frozenset(
    {
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "PATH_INFO",
        "QUERY_STRING",
        "RAW_URI",
        "REMOTE_ADDR",
        "REQUEST_METHOD",
        "REQUEST_URI",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "wsgi.url_scheme",
    }
)


_BASE_SIZE = 1500
"""Bytes of memory that a capture takes without its headers, bodies and custom data."""
_HEADER_SIZE = 180
"""Bytes of memory that a header takes beyond its value: two strings, a name and a tuple."""


class TrackingMiddleware:
    """The WSGI application around the app's own: records each exchange, changes none."""

    def __init__(self, wsgi_app: WSGIApplication, tracked: TrackedApp, submit: Submit) -> None:
        """Wrap `wsgi_app`.

        Args:
            wsgi_app: the app's own.
            tracked: what tracks it.
            submit: takes the capture of each exchange that has ended; must not block.
        """
        self.wsgi_app = wsgi_app
        self._tracked = tracked
        self._submit = submit

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Werkzeug's debugger leaves out frames with this name; other tracebacks show one frame.
        __traceback_hide__ = True
        exchange = self._open(environ, start_response)
        if exchange is None:
            return self.wsgi_app(environ, start_response)
        outer = environ.get(ENVIRON_KEY)
        token = running.set(exchange.span)
        exchange.enter(environ)
        try:
            iterable = self.wsgi_app(environ, exchange.start_response)
        except BaseException as error:
            exchange.fail(error)
            raise
        finally:
            running.reset(token)
            exchange.leave(environ, outer)
        teed = exchange.tee(iterable)
        return iterable if teed is None else teed

    @harmless("opening a span")
    def _open(self, environ: WSGIEnvironment, start_response: StartResponse) -> Exchange | None:
        settings = self._tracked.settings
        path = environ.get("PATH_INFO", "")
        if not path.isascii():
            path = path.encode("latin-1").decode("utf-8", "replace")
        for pattern in settings.exclude:
            if pattern.match(path):
                return None
        span = Span(self._tracked, environ, running.get())
        exchange = Exchange(span, start_response, self._submit)
        room = settings.max_body_bytes
        if any(pattern.match(path) for pattern in settings.exclude_body):
            exchange.exclude_bodies()
        elif room:
            exchange.copy_bodies(environ, room, settings.body_content_types)
        return exchange


class Exchange:
    """One request and its response: what is copied of them, and their end."""

    def __init__(self, span: Span, start_response: StartResponse, submit: Submit) -> None:
        self.span = span
        self._server_start_response = start_response
        self._submit = submit
        self._has_ended = False
        self._request = BodyCopy(0)
        self._response = BodyCopy(0)
        self._room = 0
        self._input: InputTee | None = None
        self._stored_types: tuple[str, ...] = ()
        self._status: str | None = None
        self._headers: tuple[tuple[str, str], ...] = ()
        self._expected_size: int | None = None
        self._first_byte_ns: int | None = None
        self._server_write: Callable[[bytes], object] | None = None
        self._server_wrap_file: Callable[..., Any] | None = None
        self._file: Any = None

    # The request

    def exclude_bodies(self) -> None:
        """Copy no bodies, and say so."""
        self._request.note = self._response.note = "excluded"

    def copy_bodies(self, environ: WSGIEnvironment, room: int, stored_types: tuple[str, ...]) -> None:
        """Copy up to `room` bytes of each body, as far as its type is to be stored."""
        self._room = self._response.room = room
        self._stored_types = stored_types
        length = environ.get("CONTENT_LENGTH")
        has_body = (length and length != "0") or "HTTP_TRANSFER_ENCODING" in environ
        # An upgrade takes the socket out of the environ: its input is left alone.
        if not has_body or "HTTP_UPGRADE" in environ or "wsgi.input" not in environ:
            return
        if is_stored_type(environ.get("CONTENT_TYPE", ""), stored_types):
            self._request.room = room
        else:
            self._request.note = "binary"
        self._input = InputTee(environ["wsgi.input"], self._request)

    @harmless("entering the app")
    def enter(self, environ: WSGIEnvironment) -> None:
        """Put what is ours into the environ."""
        environ[ENVIRON_KEY] = self.span
        if self._input is not None:
            environ["wsgi.input"] = self._input
        wrap_file = environ.get("wsgi.file_wrapper")
        if wrap_file is not None:
            self._server_wrap_file = wrap_file
            environ["wsgi.file_wrapper"] = self._wrap_file

    @harmless("leaving the app")
    def leave(self, environ: WSGIEnvironment, outer: Any) -> None:
        """Take out of the environ what a server or an outer app looks at after the call."""
        if self._server_wrap_file is not None:
            environ["wsgi.file_wrapper"] = self._server_wrap_file
            self._server_wrap_file = None
        if outer is not None:
            environ[ENVIRON_KEY] = outer

    def _wrap_file(self, file: Any, *args: Any) -> Any:
        assert self._server_wrap_file is not None  # noqa: S101 - it is set while the app runs
        self._file = self._server_wrap_file(file, *args)
        return self._file

    # The response

    def start_response(self, status: str, headers: Any, *exc_info: Any) -> Any:
        """Stand in for the server's ``start_response``."""
        __traceback_hide__ = True
        write = self._server_start_response(status, headers, *exc_info)
        self._note_start(status, headers)
        self._server_write = write
        return self._write

    @harmless("reading the response's headers")
    def _note_start(self, status: str, headers: Any) -> None:
        self._status = status
        self._headers = tuple(headers)
        self._expected_size = None
        content_type = ""
        for name, value in self._headers:
            if len(name) == 14 and name.lower() == "content-length" and value.isdecimal():
                self._expected_size = int(value)
            elif len(name) == 12 and name.lower() == "content-type":
                content_type = value
        if self._room and not self._response.chunks:
            is_stored = is_stored_type(content_type, self._stored_types)
            self._response.room = self._room if is_stored else 0
            self._response.note = None if is_stored else "binary"

    def _write(self, data: bytes) -> object:
        __traceback_hide__ = True
        assert self._server_write is not None  # noqa: S101 - only start_response hands this out
        result = self._server_write(data)
        self.note_chunk(data)
        return result

    @harmless("wrapping the response")
    def tee(self, iterable: Iterable[bytes]) -> Iterable[bytes]:
        """Return the iterable to hand to the server."""
        is_file = self._file is not None and iterable is self._file
        if is_file and self._hook_close(self._file):
            return iterable
        has_length = hasattr(iterable, "__len__")
        return SizedOutputTee(iterable, self) if has_length else OutputTee(iterable, self)

    def _hook_close(self, file: Any) -> bool:
        """Let a file that the server sends by itself end the span when it is closed."""
        close = getattr(file, "close", None)

        def close_and_end() -> None:
            try:
                if close is not None:
                    close()
            finally:
                self._end_file()

        # A wrapper without attributes of its own is teed, and loses the server's own way.
        return call_foreign("hooking a file response", _set_close, file, close_and_end, default=False)

    @harmless("ending a file response")
    def _end_file(self) -> None:
        if self._response.note != "excluded":
            self._response.note = "file"
        self._response.size = self._expected_size or 0
        self._first_byte_ns = self._first_byte_ns or time.perf_counter_ns()
        self.end("ok")

    @harmless("copying a response body")
    def note_chunk(self, chunk: bytes) -> None:
        """Count and copy what has just been produced; the last expected byte is the end."""
        if self._has_ended:
            return
        response = self._response
        response.add(chunk)
        if self._first_byte_ns is None and response.size:
            self._first_byte_ns = time.perf_counter_ns()
        if self._expected_size is not None and response.size >= self._expected_size:
            self.end("ok")

    # The end

    @harmless("recording an escaped exception")
    def fail(self, error: BaseException) -> None:
        """Record an exception that is escaping, and end."""
        if self._has_ended:
            return
        self.span.take_exception(error)
        if self._response.size:
            self.end("stream_error")
            return
        # The server has sent no byte of the answer that had begun: what the client gets is a 500.
        self._status = None
        self.end("error")

    @harmless("ending a span")
    def end(self, outcome: str) -> None:
        """End the span and submit the capture; ending twice is harmless."""
        if self._has_ended:
            return
        ended_ns = time.perf_counter_ns()
        self._has_ended = True
        span = self.span
        try:
            span.take_request_data()
            if outcome == "disconnected" and self._expects_no_body():
                outcome = "ok"
            capture = self._make_capture(ended_ns, outcome)
        finally:
            span.end()
        self._submit(capture)

    def _expects_no_body(self) -> bool:
        environ = self.span.environ or {}
        return (
            environ.get("REQUEST_METHOD") == "HEAD"
            or (self._status or "")[:3] in ("204", "304")
            or self._expected_size == 0
        )

    def _request_size(self, environ: WSGIEnvironment) -> int:
        declared = str(environ.get("CONTENT_LENGTH") or "")
        declared_size = int(declared) if declared.isdecimal() else 0
        if self._input is not None and (self._input.reached_end or not declared_size):
            return self._request.size
        return max(declared_size, self._request.size)

    def _request_note(self, size: int) -> str | None:
        if self._request.note is not None or self._input is None or self._input.reached_end:
            return self._request.note
        # A chunked body has no size that could tell: what was not read to its end was not read.
        is_whole = 0 < size <= self._request.size and "HTTP_TRANSFER_ENCODING" not in (
            self.span.environ or {}
        )
        return None if is_whole else "not read"

    def _make_capture(self, ended_ns: int, outcome: str) -> Capture:
        span = self.span
        environ = span.environ or {}
        first_byte_ns = self._first_byte_ns
        trace = span.trace
        request_size = self._request_size(environ)
        kept_environ = tuple(
            [
                item
                for item in environ.items()
                if (item[0].startswith("HTTP_") or item[0] in _REQUEST_KEYS)
                and isinstance(item[1], str)
            ]
        )
        return Capture(
            id=span.id,
            size=self._memory_size(kept_environ),
            kind="request",
            app=span.owner.name,
            arrived_at=span.arrived_at,
            duration_ns=ended_ns - span.started_ns,
            first_byte_ns=None if first_byte_ns is None else first_byte_ns - span.started_ns,
            environ=kept_environ,
            request_chunks=tuple(self._request.chunks),
            request_size=request_size,
            request_note=self._request_note(request_size),
            status=self._status,
            response_headers=self._headers,
            response_chunks=tuple(self._response.chunks),
            response_size=self._response.size,
            response_note=self._response.note,
            outcome=outcome,
            trace_id=trace.trace_id,
            span_id=trace.span_id,
            parent_span_id=trace.parent_span_id,
            endpoint=span.endpoint,
            url_rule=span.url_rule,
            blueprint=span.blueprint,
            view_args=span.view_args,
            user_id=span.user_id,
            user_repr=span.user_repr,
            user=span.user,
            exception=span.exception,
            custom_data=span.custom_data(),
            children=span.timings(),
            keep_reason=span.keep_reason,
            discarded=span.is_discarded,
            notes=tuple(span.notes),
        )

    def _memory_size(self, environ: tuple[tuple[str, str], ...]) -> int:
        size = _BASE_SIZE + self._request.kept + self._response.kept + self.span.extra_size()
        for headers in (environ, self._headers):
            size += sum([len(item[1]) for item in headers]) + _HEADER_SIZE * len(headers)
        return size


def _set_close(file: Any, close: Callable[[], None]) -> bool:
    file.close = close
    return True
