"""The span: the only mutable object of a running request, used by the app's code.

`current_span` returns it. Outside a request it returns `NOOP_SPAN`, which accepts every call and does
nothing, so that the app's code needs no ``if``.
"""

from __future__ import annotations

import sys
import weakref
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager, ContextDecorator
from contextvars import ContextVar, Token
from sys import getsizeof
from typing import TYPE_CHECKING, Any, Protocol

from bson import ObjectId
from flask import has_request_context, request
from werkzeug.local import LocalProxy

from ..record import ChildTiming, ExceptionInfo, UserRef
from ..registry import ENVIRON_KEY
from ..runtime.guard import attribute_by, harmless, report_failure, try_foreign
from ..runtime.ids import (
    TraceContext,
    begin_trace,
    child_of,
    make_record_id,
    next_number,
    parse_traceparent,
)
from ..runtime.text import clean_text, cut
from . import clock
from .frames import find_frame
from .logins import resolve
from .snapshot import (
    MAX_BYTES,
    MAX_REPR,
    Snapshot,
    describe_exception,
    foreign_text,
    held_bytes,
    plain_size,
    snapshot,
)
from .trace import OPENTELEMETRY, active_span, continue_opentelemetry
from .users import NOBODY, UserDescription, describe_user

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from flask import Request

    from ..registry import TrackedApp

MAX_CHILDREN = 1000
MAX_KEYS = 1000
TEXT_SIZE = getsizeof("")
"""Bytes of memory that a text takes beyond its characters."""
CHILD_SIZE = 144
"""Bytes of memory for the timing of a child span, without its name."""

running: ContextVar[Span | None] = ContextVar("flask_tracking.span", default=None)
"""The span whose app runs in this context; set and reset by the middleware and the tee."""
set_running = running.set
"""Sets `running`; returns the token for `reset_running`."""
reset_running = running.reset
"""Undoes `set_running`. If it raises a `LookupError`, call `restore_running`."""


def restore_running(token: Token[Span | None]) -> None:
    """Undo `set_running` where `reset_running` could not; never raises.

    Garbage was collected meanwhile that sets context variables, as the end of a suspended generator,
    such as OpenTelemetry's, may do. CPython's reset does not expect that.
    """
    running.set(None if token.old_value is Token.MISSING else token.old_value)


def _find_failures() -> Counter[str] | None:
    span = running.get()
    return None if span is None else span.owner.failures


attribute_by(_find_failures)


class BodyCopies(Protocol):
    """The part of an `Exchange` that marks on a view change."""

    def exclude_bodies(self) -> None:
        """Copy no bodies from here on, and discard what was copied."""


class Span:
    """The object of a running request: values set on it are stored with the record.

    No method raises or changes the request. After the request has ended they do nothing.

    .. versionadded:: 2.0
    """

    # Class attributes are defaults that few requests replace, or that are read only once replaced:
    # attributes of the instance are found faster, but cost time to set. Python stores up to 30 of them
    # without a dict.
    exchange: BodyCopies | None = None
    """The copies of the request; released at the end."""
    request: Request | None = None
    """Flask's request, once it has started; released at the end."""
    _seen_error: BaseException | None = None
    _earlier_span: Any = None
    _description: tuple[BaseException, ExceptionInfo] | None = None
    _request_data: Snapshot | None = None
    _seen_data: Any = None
    _seen_user: tuple[weakref.ref[Any] | None, UserDescription] = (None, NOBODY)
    _custom_size = 0
    _has_nested = False
    """True once custom data is more than small numbers and texts."""
    is_unhandled = False
    """True once an exception reached Flask's last handler: a 500 follows, or no response."""
    exception: ExceptionInfo | None = None
    raised_in: tuple[str, str] | None = None
    """The file and the function in which `exception` was raised."""
    is_discarded = False
    custom: dict[str, tuple[Any, int]] = {}
    """This and the next two are shared and stay empty: `_annotate` replaces them."""
    children: list[_Child] = []
    notes: dict[str, None] = {}

    def __init__(self, owner: TrackedApp, environ: WSGIEnvironment, parent: Span | None) -> None:
        self.owner = owner
        self.number = next_number()
        self.arrived_at = clock.now()
        self.started_ns = clock.now_ns()
        self.environ: WSGIEnvironment | None = environ
        self.path_info: str | None = environ.get("PATH_INFO")
        """As on arrival, later as Flask saw it. `DispatcherMiddleware` changes it in the environ."""
        self.is_recording = True
        """False once the request has ended, and on the span outside a request."""
        self.endpoint: str | None = None
        self.url_rule: str | None = None
        self.blueprint: str | None = None
        self.view_args: dict[str, str] | None = None
        self.has_user = False
        """True once the app has set the user."""
        self.user_id: str | None = None
        self.user_repr: str | None = None
        self.user: UserRef | None = None
        self.handled: BaseException | None = None
        """An exception that is about to be answered, or to escape."""
        self.is_excluded = False
        """True if a mark excludes the view: without `keep` there is no capture."""
        self.keep_reason: str | None = None
        self.is_annotated = False
        """True once there is custom data, a child span, a note, an exception, or a wish to keep or to
        discard the record."""
        self._parent = parent
        self.known_trace: TraceContext | None = None
        """The trace as far as it was determined."""
        self.is_trace_live = parent is not None or OPENTELEMETRY in sys.modules
        """True if the trace depends on the running request, and `trace` must be read before its end.
        Otherwise only the ``traceparent`` header counts, which can be read later."""

    def __repr__(self) -> str:
        return f"<Span {self.id}>"

    def set(self, key: str, value: object) -> None:
        """Store `value` under ``custom_data.key``.

        The value is copied immediately: up to 32 levels, 1,000 values, 64 KiB for all keys together.
        A value that MongoDB cannot hold is stored as its ``repr``; the record's ``notes`` mention cuts.

        Args:
            key: any text; a NUL in it is escaped. Setting the same key again replaces the value.
            value: any object.
        """
        if self.is_recording:
            try:
                size = plain_size(value)
                if size is None:
                    value, size = self._copy_nested(value)
                if type(key) is not str or len(key) > MAX_REPR or not key.isascii() or "\0" in key:
                    key = _given_text(key).replace("\0", "\\x00")
                if not self.is_annotated:
                    self._annotate()
                custom = self.custom
                if key in custom or len(custom) >= MAX_KEYS or self._custom_size + size > MAX_BYTES:
                    self._replace(key, value, size)
                else:
                    self._custom_size += size
                    custom[key] = (value, size)
            except Exception as error:
                report_failure("setting custom data", error)

    def _annotate(self) -> None:
        if not self.is_annotated:
            self.is_annotated = True
            self.custom, self.children, self.notes = {}, [], {}

    def _copy_nested(self, value: object) -> tuple[object, int]:
        self._annotate()
        copied = snapshot(value)
        self._has_nested = True
        self._note(copied.notes)
        return copied.value, copied.size

    def _replace(self, key: str, value: object, size: int) -> None:
        """Set the value of a key that is set already, or where there is no room for another one."""
        custom = self.custom
        old = custom.get(key)
        if old is None and len(custom) >= MAX_KEYS:
            self.notes["custom data has too many keys: the rest was cut"] = None
            return
        others = self._custom_size - (old[1] if old else 0)
        if others + size > MAX_BYTES:
            self.notes["custom data is too large: a value was cut"] = None
            value, size = "<cut>", len("<cut>")
        self._custom_size = others + size
        custom[key] = (value, size)

    @harmless("setting custom data")
    def update(self, values: Mapping[str, object]) -> None:
        """Store each item of `values`, like `set`."""
        for key, value in values.items():
            self.set(key, value)

    @harmless("setting the user")
    def set_user(self, user: object, user_repr: str | None = None) -> None:
        """Set the user, for apps without Flask-Login; takes precedence over every other source.

        Args:
            user: an id (text or a number), or a user object: its ``get_id()``, ``id`` or ``pk`` is
                the id, its ``str`` the text, and a MongoEngine document is referenced.
            user_repr: a text by which people recognise the user.
        """
        if self.is_recording:
            self.has_user = True
            self.take_user(user)
            if user_repr is not None:
                self.user_repr = _given_text(user_repr)

    def child(self, name: str) -> AbstractContextManager[None]:
        """Time a part of the request: ``with tracking.span.child("charge card"): ...``.

        Args:
            name: the name of the part; ``children`` of the record has it with start, duration, error.
        """
        return _ChildContext(self, name)

    @harmless("recording an exception")
    def record_exception(self, error: BaseException) -> None:
        """Store an exception that the app handled itself: type, message and traceback as text."""
        if self.is_recording:
            self.take_exception(error)

    @harmless("keeping a record")
    def keep(self, reason: str = "asked for") -> None:
        """Keep the record, whatever its method, status and sampling.

        Args:
            reason: stored with the record, for its readers.
        """
        if self.is_recording:
            self._annotate()
            self.keep_reason = _given_text(reason)
            self.is_discarded = False

    def discard(self) -> None:
        """Store no record of this request. Of `keep` and `discard`, the last call wins."""
        if self.is_recording:
            self._annotate()
            self.is_discarded = True
            self.keep_reason = None

    @property
    def id(self) -> ObjectId:
        """The ObjectId of the future record of this request."""
        return make_record_id(self.arrived_at, self.number)

    @property
    def trace_id(self) -> str:
        """The trace id, 32 hex digits: from ``traceparent``, from OpenTelemetry, or new."""
        return self.trace.trace_id

    @property
    def span_id(self) -> str:
        """The span id, 16 hex digits."""
        return self.trace.span_id

    # The methods below are for the rest of `capture`.

    @property
    def trace(self) -> TraceContext:
        """The trace context of the request, determined on first access."""
        if self.known_trace is None:
            self.known_trace = self._find_trace() or begin_trace(None)
        return self.known_trace

    @harmless("finding the trace")
    def _find_trace(self) -> TraceContext | None:
        if self._parent is not None:
            return child_of(self._parent.trace_id, self._parent.span_id)
        header = self.environ.get("HTTP_TRACEPARENT") if self.environ is not None else None
        continued = parse_traceparent(header) if header else None
        return continued or continue_opentelemetry(self.environ, self._earlier_span)

    def note_active_span(self) -> None:
        """Remember OpenTelemetry's active span: a SystemExit sends no signal while it is active."""
        self._earlier_span = active_span()

    def settle_trace(self) -> None:
        """Determine the trace now, if it is live."""
        if self.is_trace_live:
            self.known_trace = self.trace

    @harmless("timing a child span")
    def start_child(self, name: str) -> _Child | None:
        """Start a child span; None if there can be none."""
        if not self.is_recording:
            return None
        if len(self.children) >= MAX_CHILDREN:
            self.notes["too many child spans: the rest was cut"] = None
            return None
        self._annotate()
        timing = _Child(_given_text(name))
        self.children.append(timing)
        return timing

    def _note(self, notes: tuple[str, ...]) -> None:
        for note in notes:
            self.notes[note] = None

    def timings(self) -> tuple[ChildTiming, ...]:
        """Return the child spans as plain values."""
        return tuple([child.timing(self.started_ns) for child in self.children])

    def custom_data(self) -> Any:
        """Merge the values of `set` with ``request._tracking_data``; None if there is neither."""
        values = {key: value for key, (value, _) in self.custom.items()}
        if self._request_data is None:
            return values or None
        data = self._request_data.value
        if isinstance(data, dict):
            return {**data, **values}
        return {**values, "_tracking_data": data} if values else data

    def take_user(self, user: object, verified_id: str | None = None) -> bool:
        """Store the user.

        Args:
            user: any value that `describe_user` accepts.
            verified_id: the id in a token that the app has verified; it replaces the user's own id.

        Returns:
            False if nothing is known of the user.
        """
        found = self.note_loaded_user(user)
        if verified_id is not None:
            verified_id = clean_text(cut(verified_id, MAX_REPR))
            text = verified_id if found.text in (None, found.user_id) else found.text
            found = UserDescription(verified_id, text, found.reference)
        self.user_id, self.user_repr, self.user = found
        return found != NOBODY

    def note_loaded_user(self, user: object) -> UserDescription:
        """Describe a user, by an earlier description of the same object if it has expired since."""
        if isinstance(user, LocalProxy):
            user = resolve(user)
        seen, known = self._seen_user
        found = describe_user(user, known if seen is not None and seen() is user else NOBODY)
        # A weak reference: keeping the object alive would stop its session from loading it again.
        self._seen_user = try_foreign(weakref.ref, user, default=None), found
        return found

    def take_exception(self, error: BaseException) -> None:
        """Store an exception, once, however often it is seen on its way out."""
        if error is not self._seen_error:
            described, self._description = self._description, None
            self._seen_error = error
            self._annotate()
            self.raised_in = find_frame(error)
            if described is not None and described[0] is error:
                self.exception = described[1]
            else:
                self.exception = describe_exception(error)

    def has_met(self, error: BaseException) -> bool:
        """Tell whether Flask has reported `error`, or is about to answer it."""
        return error is self._seen_error or error is self.handled

    def take_handled(self, error: BaseException) -> None:
        """Remember an exception that is about to be answered, or to escape."""
        if self.is_recording:
            self.handled = error

    def describe_handled(self) -> None:
        """Describe the remembered exception now, because its text may need contexts that end soon."""
        error = self.handled
        if error is not None and error is not self._seen_error:
            self._description = (error, describe_exception(error))

    def settle_handled(self, status_code: int) -> None:
        """Store the remembered exception if the response is a 5xx, otherwise forget it."""
        error, self.handled = self.handled, None
        if error is not None and status_code >= 500:
            self.take_exception(error)
        self._description = None

    def take_escaped(self, error: BaseException) -> None:
        """Store the exception that escapes, instead of the one that was to be answered."""
        self.take_exception(error)
        self.handled = None

    @harmless("copying request._tracking_data")
    def take_request_data(self) -> None:
        """Copy the present value of ``request._tracking_data``."""
        data = getattr(self.request, "_tracking_data", None)
        known = self._request_data
        # The second copy is made at the end, without contexts, where a repr may differ.
        if data is None or (data is self._seen_data and known and not known.is_plain):
            return
        self._seen_data = data
        self._annotate()
        self._request_data = snapshot(data)
        self._note(self._request_data.notes)

    def user_size(self) -> int:
        """Return the approximate memory of the user, in bytes."""
        size = getsizeof(self.user_id) + getsizeof(self.user_repr)
        return size if self.user is None else size + held_bytes(self.user)

    def custom_data_size(self, custom_data: Any) -> int:
        """Return the approximate memory of the result of `custom_data`, in bytes."""
        keys = "".join(self.custom)
        if not keys.isascii() or self._has_nested or self._request_data is not None:
            return held_bytes(custom_data)
        if not self.custom:
            return 0
        # All are small: a number is counted as a text, and hardly counts beside its key.
        texts = TEXT_SIZE * 2 * len(self.custom) + len(keys) + self._custom_size
        return getsizeof(custom_data) + texts

    def annotations_size(self) -> int:
        """Return the approximate memory of children, exception and reason, in bytes."""
        size = held_bytes(self.keep_reason)
        if self.exception is not None:
            size += held_bytes(self.exception)
        if self.children:
            # If a loop times the same part, all timings share one name.
            names = {id(child.name): child.name for child in self.children}
            size += CHILD_SIZE * len(self.children) + sum(map(getsizeof, names.values()))
        return size

    def end(self) -> None:
        """Release all objects of the app; from now on the span does nothing."""
        self.is_recording = False
        self.environ = self.request = self._parent = self.exchange = None
        if self.is_trace_live:
            self._earlier_span = None
        if self.is_annotated or self.handled is not None:  # otherwise none of them was set
            self.handled = None
            for name in ("_seen_data", "_seen_error", "_description"):
                if getattr(self, name) is not None:
                    setattr(self, name, None)


class _Child:
    """A child span that is running or has ended."""

    __slots__ = ("ended_ns", "error", "name", "started_ns")

    def __init__(self, name: str) -> None:
        self.name = name
        self.started_ns = clock.now_ns()
        self.ended_ns: int | None = None
        self.error: str | None = None

    def timing(self, request_started_ns: int) -> ChildTiming:
        duration_ms = None
        if self.ended_ns is not None:
            duration_ms = (self.ended_ns - self.started_ns) / 1e6
        start_ms = (self.started_ns - request_started_ns) / 1e6
        return ChildTiming(self.name, start_ms, duration_ms, self.error)


class _ChildContext(ContextDecorator, AbstractContextManager[None]):
    """Times its block.

    A class, because `contextlib.contextmanager` assigns the traceback of an exception that passes. An
    exception that forbids assignment, like a frozen dataclass, would be replaced by another one.
    """

    def __init__(self, span: Span, name: str) -> None:
        self._span = span
        self._name = name
        self._running: list[_Child | None] = []

    def __enter__(self) -> None:
        self._running.append(self._span.start_child(self._name))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        timing = self._running.pop()
        if timing is not None:
            timing.error = None if kind is None else kind.__name__
            timing.ended_ns = clock.now_ns()


class NoopSpan(Span):
    """The span outside a request: accepts every call, does nothing, and its ids are zeros."""

    id = ObjectId("0" * 24)
    trace = TraceContext("0" * 32, "0" * 16, None)

    def __init__(self, owner: Any = None) -> None:
        """Create a span without a request."""
        super().__init__(owner, {}, None)
        self.is_recording = False


NOOP_SPAN = NoopSpan()


def _given_text(value: object) -> str:
    """Return an argument that should be text, but may be any object, as text cut at `MAX_REPR`."""
    if type(value) is not str:
        return foreign_text(str, value)
    return value if len(value) <= MAX_REPR and value.isascii() else clean_text(cut(value, MAX_REPR))


def current_span() -> Span:
    """Return the span of the running request; outside a request, a span that does nothing.

    It is found in views, in generators that stream, and in threads that run in a copied context
    (``contextvars.copy_context``) or under ``flask.copy_current_request_context``. In nested apps it is
    the innermost span.

    .. versionadded:: 2.0
    """
    span = running.get()
    if span is None and has_request_context():
        span = request.environ.get(ENVIRON_KEY)
    return NOOP_SPAN if span is None else span
