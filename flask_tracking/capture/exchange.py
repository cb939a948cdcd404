"""One request and its response: the copies of their data, and their end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from ..record import Capture, Headers
from ..registry import ENVIRON_KEY
from ..runtime import lifecycle
from ..runtime.cache import BoundedCache, HashedCache, make_pick
from ..runtime.guard import call_foreign, counting, drop_own_frame, harmless, report_failure
from ..runtime.text import read_number
from . import clock
from .bodies import CHUNK_SIZE, FEW, BodyCopy
from .files import Delivery, SentFile
from .input_tee import tee_input
from .output_tee import output_tee_classes
from .snapshot import held_bytes
from .span import Span

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

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
_SWITCHED = "101 Switching Protocols"
_TAKEN_OVER = (StopIteration, ConnectionError)
"""WebSocket handlers end a connection with the first under gunicorn, with the second under Werkzeug."""
_WITHOUT_BODY = ("101", "204", "304")
EXCLUDED = -1
"""Instead of a number of bytes: the settings exclude the bodies."""
_ABSENT = -1
_BASE_SIZE = 800
"""Bytes of memory for the fields of a capture, including the times and the status."""
_TEXT_SIZE = 57
"""Bytes of memory for a string in addition to its characters, including its place in a tuple."""
_HEADER_SIZE = 113
"""The same for a value of the response's headers, including the tuple around it and its name."""
_TRACE_SIZE = 300
"""The same for the three ids of a trace."""
_ARGS_SIZE = getsizeof({"": ""})
"""The same for the view's arguments without their values; the keys belong to the rule."""
_EMPTY_TEXT = getsizeof("")

Pick = Callable[["WSGIEnvironment"], tuple[Any, ...]]


def _make_pick(keys: tuple[str, ...]) -> tuple[tuple[str, ...], Pick, int, int]:
    """Return the stored keys of an environ, and the function that reads their values.

    Also the memory of the stored part without the characters of its values, and that of its keys.
    """
    kept = tuple(key for key in keys if key.startswith("HTTP_") or key in _REQUEST_KEYS)
    return kept, make_pick(kept), _BASE_SIZE + _TEXT_SIZE * len(kept), held_bytes(kept)


# The clients of an app send few sets of headers. All captures with the same set share its tuple. Where
# two sets had one hash, values would still be stored under their own names.
_picks = HashedCache(_make_pick)


def _find_places(names: tuple[str, ...]) -> tuple[int, int, int]:
    """Return the positions of the body's type and length, and the headers' memory without values."""
    places = {name.lower(): at for at, name in enumerate(names)}
    size = sum(map(getsizeof, names)) + _HEADER_SIZE * len(names)
    return places.get("content-type", _ABSENT), places.get("content-length", _ABSENT), size


# The views of an app also send few sets of headers.
_places = BoundedCache(_find_places)
_make_empty = Capture.__new__
"""Makes a capture without its attributes, which are set one by one."""


class Exchange:
    """The copies of one request and its response, made as they pass through."""

    __slots__ = (
        "__weakref__",
        "_expected_size",
        "_file",
        "_file_source",
        "_first_byte_ns",
        "_generation",
        "_header_size",
        "_header_values",
        "_headers",
        "_request",
        "_room",
        "_server_start_response",
        "_server_write",
        "_status",
        "_stored_types",
        "has_ended",
        "response",
        "server_wrap_file",
        "span",
        "submit",
    )

    def __init__(self, span: Span, start_response: StartResponse, submit: Submit) -> None:
        self.span = span
        self.has_ended = False
        self._generation = lifecycle.generation
        self.response = BodyCopy(0)
        """The copy of the response's body."""
        self._server_start_response = start_response
        self.submit = submit
        self._request: BodyCopy | None = None
        self._room = 0
        self._stored_types: BoundedCache[str, bool] | None = None
        self._status: str | None = None
        self._headers: Headers = ()
        self._header_values: tuple[str, ...] = ()
        self._header_size = 0
        self._expected_size: int | None = None
        self._first_byte_ns: int | None = None
        self._server_write: Callable[[bytes], object] | None = None
        self.server_wrap_file: Callable[..., Any] | None = None
        """The server's file wrapper, while this object replaces it in the environ."""
        self._file: Any = None
        """The result of the server's file wrapper for `_file_source`."""
        self._file_source: Any = None

    # The request

    def exclude_bodies(self) -> None:
        """Copy no more bodies, discard the copies, and set the note."""
        self._room = 0
        self._request = self._request or BodyCopy(0)
        self._request.exclude()
        self.response.exclude()

    def enter(self, environ: WSGIEnvironment, room: int, stored_types: BoundedCache[str, bool]) -> None:
        """Put the span and the tees into the environ; if that raises, nothing is in it.

        Args:
            environ: the environ of the request.
            room: the number of bytes to copy of each body; 0 for none, `EXCLUDED` to note that too.
            stored_types: tells whether a body of a type is copied.
        """
        if room == EXCLUDED:
            self.exclude_bodies()
        elif room:
            self._room = self.response.room = room
            self._stored_types = stored_types
            length = environ.get("CONTENT_LENGTH")
            has_body = (length and length != "0") or "HTTP_TRANSFER_ENCODING" in environ
            # An Upgrade header alone means nothing. Who takes over the socket bypasses the tee.
            if has_body and "wsgi.input" in environ:
                is_stored = stored_types[environ.get("CONTENT_TYPE", "")]
                copy = self._request = BodyCopy(room) if is_stored else BodyCopy(0, "binary")
                environ["wsgi.input"] = tee_input(environ["wsgi.input"], copy)
        environ[ENVIRON_KEY] = self.span
        self.span.exchange = self
        wrap_file = environ.get("wsgi.file_wrapper")
        if wrap_file is not None:
            self.server_wrap_file = wrap_file
            environ["wsgi.file_wrapper"] = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Replace the server's file wrapper, and remember the file that it made."""
        assert self.server_wrap_file is not None  # noqa: S101 - only then this is handed out
        try:
            self._file = self.server_wrap_file(*args, **kwargs)
        except BaseException:
            drop_own_frame()
            raise
        # The name of the argument differs between servers, so a keyword argument may have any.
        self._file_source = args[0] if args else next(iter(kwargs.values()), None)
        return self._file

    # The response

    def start_response(self, status: str, headers: Any, *exc_info: Any) -> Any:
        """Replace the server's ``start_response``."""
        __traceback_hide__ = True
        try:
            if exc_info:
                write: Any = self._server_start_response(status, headers, *exc_info)
            else:
                write = self._server_start_response(status, headers)
        except BaseException:
            drop_own_frame()
            raise
        try:
            self._note_start(status, (*headers,))
        except Exception as error:
            report_failure("reading the response's headers", error)
        self._server_write = write
        return self._write if callable(write) else write  # asgiref returns no write function

    def _note_start(self, status: str, headers: Headers) -> None:
        span = self.span
        if span.is_trace_live:
            span.settle_trace()
        self._status = status
        self._headers = headers
        names, values = zip(*headers) if headers else ((), ())  # noqa: B905 - saves half of the time
        type_at, length_at, self._header_size = _places[names]
        self._header_values = values
        self._expected_size = None if length_at == _ABSENT else read_number(values[length_at])
        response = self.response
        if self._room and not response.chunks:
            content_type = "" if type_at == _ABSENT else values[type_at]
            is_stored = self._stored_types is None or self._stored_types[content_type]
            response.room = self._room if is_stored else 0
            response.note = None if is_stored else "binary"
        # In the contexts of the app, which texts of its objects may need, and which end soon.
        if span.handled is not None or hasattr(span.request, "_tracking_data"):
            self._take_data()

    def _write(self, data: bytes) -> object:
        __traceback_hide__ = True
        assert self._server_write is not None  # noqa: S101 - only start_response hands this out
        produced_ns = clock.now_ns()
        try:
            result = self._server_write(data)
        except BaseException:
            drop_own_frame()
            raise
        if not self.has_ended:
            if self._first_byte_ns is None and data:
                self._first_byte_ns = produced_ns
            self.note_chunk(data)
        return result

    def tee(self, iterable: Iterable[bytes]) -> Iterable[bytes]:
        """Return the iterable to hand to the server."""
        try:
            is_file = self._file is not None and iterable is self._file
            if is_file:
                self._leave_to_server(iterable)
                return iterable
            tee_class = output_tee_classes[type(iterable)]
            if tee_class is None:
                self._end_handed_on(iterable)
                return iterable
            return tee_class(iterable, self)
        except Exception as error:
            self._report("wrapping the response", error)
            return iterable

    def _leave_to_server(self, file: Any) -> None:
        """Let a file that the server sends itself end the span when it is closed."""
        close = getattr(file, "close", None)
        sent = SentFile(self._file_source)

        def close_and_end() -> None:
            delivery = sent.describe(self._expected_size)
            try:
                if close is not None:
                    close()
            except BaseException:
                drop_own_frame()
                raise
            finally:
                self._end_file(delivery)

        is_hooked = call_foreign(
            "hooking a file response", _set_close, file, close_and_end, default=False
        )
        self._first_byte_ns = clock.now_ns()  # from now on the server sends, unobserved
        if not is_hooked:
            # The server must receive this very object: for a tee it would not use its own sendfile.
            self._end_file(sent.describe(self._expected_size))

    @harmless("ending a file response")
    def _end_file(self, delivery: Delivery) -> None:
        response = self.response
        if response.note != "excluded":
            response.note = "file"
        response.size = delivery.size
        if not response.size:
            self._first_byte_ns = None
        if delivery.error is not None:
            self.fail(delivery.error)
        self.end("ok" if delivery.is_whole else "disconnected")

    def note_chunk(self, chunk: bytes) -> bool:
        """Count and copy a chunk that was just produced; the last expected byte ends the exchange.

        Returns:
            True if only the size of later chunks matters.
        """
        try:
            response = self.response
            response.add(chunk)
            size = response.size
            produced_ns: int | None = None
            if self._first_byte_ns is None and size:
                produced_ns = self._first_byte_ns = clock.now_ns()
            expected_size = self._expected_size
            if expected_size is None:
                return not response.room and self._first_byte_ns is not None
            if size >= expected_size:
                self.end("ok", produced_ns)
        except Exception as error:
            self._report("copying a response body", error)
        return False

    # The end

    @harmless("recording an escaped exception")
    def fail(self, error: BaseException) -> None:
        """Record an exception that is escaping, and end."""
        if self.has_ended:
            return
        outcome = "stream_error" if self.response.size else "error"
        try:
            if self._is_taken_over(error):
                outcome = "ok"
            else:
                with counting(self.span.owner.failures):
                    self.span.take_escaped(error)
        finally:  # an exception that cannot be read costs its text, not the record
            if outcome == "error":
                # The server has sent no byte of the response that had started: the client gets a 500.
                self._status = None
            self.end(outcome)

    def _is_taken_over(self, error: BaseException) -> bool:
        """Tell whether a handler raised `error` because it has already answered on the socket."""
        if self._status is not None or not isinstance(error, _TAKEN_OVER):
            return False
        # An exception that Flask reported comes from the view, whatever the client asked for.
        return self._asks_for_upgrade() and not self.span.has_met(error)

    def _asks_for_upgrade(self) -> bool:
        environ = self.span.environ
        return environ is not None and "HTTP_UPGRADE" in environ

    def _end_handed_on(self, answer: object) -> None:
        """End an exchange whose app returned an object that is not iterable.

        For gunicorn's ``ALREADY_HANDLED`` the app has answered on the socket. None comes from a
        function that forgot to return a response, and servers reject it.
        """
        if answer is None and not self._asks_for_upgrade():
            self._status = None
            self.end("error")
            return
        self._status = self._status or _SWITCHED
        self.end("ok")

    def _settle_status(self, outcome: str) -> str:
        """Correct status and outcome if the app did not answer through ``start_response``.

        Returns:
            The outcome.
        """
        if outcome in ("error", "stream_error"):
            return outcome
        if self.response.size:
            # A server rejects a body without a status: the app failed.
            return "error" if self._status is None else outcome
        if not self._asks_for_upgrade():
            return outcome
        # Under Werkzeug, flask-sock returns an empty 200 after the WebSocket was closed.
        rule = getattr(self.span.request, "url_rule", None)
        if self._status is None or (rule is not None and rule.websocket and self._status[:1] == "2"):
            self._status = _SWITCHED
            return "ok"
        return outcome

    def end(self, outcome: str, ended_ns: int | None = None) -> None:
        """End the span and submit the capture; ending twice is harmless.

        Args:
            outcome: as in the record.
            ended_ns: the present time of the clock, if it is known.
        """
        if self.has_ended:
            return
        if ended_ns is None:
            ended_ns = clock.now_ns()
        self.has_ended = True
        span = self.span
        try:
            try:
                if self._generation != lifecycle.generation:
                    return  # in a child forked while the app ran: the parent records the request
                if span.is_excluded and span.keep_reason is None:
                    return
                if self._status is None or (span.environ and "HTTP_UPGRADE" in span.environ):
                    outcome = self._settle_status(outcome)
                if span.handled is not None or hasattr(span.request, "_tracking_data"):
                    self._take_data()
                if outcome == "disconnected" and self._expects_no_body():
                    outcome = "ok"
                capture = self._make_capture(ended_ns, outcome)
            finally:
                span.end()
            self.submit(capture)
        except Exception as error:
            self._report("ending a span", error)

    def _take_data(self) -> None:
        """Take custom data, and decide whether a handled exception is a failure; no signal tells."""
        span = self.span
        with counting(span.owner.failures):
            if span.handled is not None:
                span.settle_handled(read_number((self._status or "")[:3]) or 500)
            span.take_request_data()

    def _report(self, what: str, error: Exception) -> None:
        """Report a failure where the app is not running, which would tell whose it is."""
        with counting(self.span.owner.failures):
            report_failure(what, error)

    def _expects_no_body(self) -> bool:
        environ = self.span.environ or {}
        return (
            environ.get("REQUEST_METHOD") == "HEAD"
            or (self._status or "")[:3] in _WITHOUT_BODY
            or self._expected_size == 0
        )

    def _describe_request_body(self, environ: WSGIEnvironment) -> tuple[int, str | None]:
        """Return the size of the request's body on the wire, and why the copy is not complete."""
        copy = self._request
        if copy is not None and copy.reached_end:
            return copy.size, copy.note
        declared = environ.get("CONTENT_LENGTH")
        # A chunked body declares no size, so only reading to its end proves that it was read.
        is_proven = copy is not None and copy.size > 0 and "HTTP_TRANSFER_ENCODING" not in environ
        if copy is not None and is_proven and str(copy.size) == declared:  # without parsing a number
            return copy.size, copy.note
        declared_size = (read_number(str(declared)) or 0) if declared else 0
        if copy is None:
            return declared_size, None
        if is_proven and copy.size >= declared_size:
            return copy.size, copy.note
        return max(declared_size, copy.size), copy.note or "not read"

    def _make_capture(self, ended_ns: int, outcome: str) -> Capture:
        span, request, response = self.span, self._request, self.response
        capture = _make_empty(Capture)
        size = self._take_environ(capture)
        capture.number = span.number
        capture.arrived_at = span.arrived_at
        capture.app = span.owner.name
        capture.kind = "request"
        capture.duration_ns = ended_ns - span.started_ns
        first_byte_ns = self._first_byte_ns
        capture.first_byte_ns = None if first_byte_ns is None else first_byte_ns - span.started_ns
        if request is None:
            capture.request_chunks = ()
        else:
            chunks: Any = request.chunks  # the first ones are bytes
            capture.request_chunks = (*chunks,) if len(chunks) <= FEW else request.take_chunks()
            size += request.kept + CHUNK_SIZE * len(chunks)
        capture.status = self._status
        capture.response_headers = self._headers
        chunks = response.chunks
        capture.response_chunks = (*chunks,) if len(chunks) <= FEW else response.take_chunks()
        size += response.kept + CHUNK_SIZE * len(chunks)
        capture.response_size = response.size
        capture.response_note = response.note
        capture.outcome = outcome
        if span.is_trace_live:
            span.settle_trace()
        capture.trace = span.known_trace
        if span.known_trace is not None:
            size += _TRACE_SIZE
        capture.endpoint = span.endpoint
        capture.url_rule = span.url_rule
        capture.blueprint = span.blueprint
        capture.view_args = view_args = span.view_args
        if view_args:
            size += _ARGS_SIZE + _TEXT_SIZE * len(view_args) + len("".join(view_args.values()))
        capture.user_id = span.user_id
        capture.user_repr = span.user_repr
        capture.user = span.user
        if span.user_repr is not None:
            size += span.user_size()
        capture.keep_reason = span.keep_reason
        if span.is_annotated:
            size += self._take_annotations(capture)
        else:
            capture.custom_data = capture.exception = capture.raised_in = None
            capture.children = capture.notes = ()
            capture.discarded = False
        capture.size = size
        return capture

    def _take_environ(self, capture: Capture) -> int:
        """Set the fields that come from the environ; return the memory of these and of the headers."""
        environ = self.span.environ or {}
        path_info = self.span.path_info
        if path_info is not None and environ.get("PATH_INFO") != path_info:
            environ = {**environ, "PATH_INFO": path_info}
        if self._request is not None or environ.get("CONTENT_LENGTH"):
            capture.request_size, capture.request_note = self._describe_request_body(environ)
        else:
            capture.request_size, capture.request_note = 0, None
        names = (*environ,)  # in half the time of a call of `tuple`
        picking = _picks.get(hash(names))
        keys_size = 0
        if picking is None:
            picking = _picks.add(names)
            keys_size = picking[3]  # counted for the first capture, with which later ones share them
        capture.environ_keys, pick, values_size, _ = picking
        values = pick(environ)
        texts = values + self._header_values
        try:
            text = "".join(texts)  # the size of one long text is known, and that of many is not
        except TypeError:  # the environ of a test may contain numbers instead of text
            values, texts = tuple(map(str, values)), tuple(map(str, texts))
            text = "".join(texts)
        capture.environ_values = values
        size = len(text) if text.isascii() else sum(map(getsizeof, texts)) - _EMPTY_TEXT * len(texts)
        return size + keys_size + values_size + self._header_size

    def _take_annotations(self, capture: Capture) -> int:
        """Set the fields that the app's code has added to the span; return their memory."""
        span = self.span
        capture.custom_data = custom_data = span.custom_data()
        capture.children = span.timings()
        capture.exception = span.exception
        capture.raised_in = span.raised_in
        capture.discarded = span.is_discarded
        capture.notes = tuple(span.notes)
        return span.custom_data_size(custom_data) + span.annotations_size()


def _set_close(file: Any, close: Callable[[], None]) -> bool:
    try:
        file.close = close
    except (AttributeError, TypeError):  # a class in C, or one with __slots__
        return False
    return True
