"""The span: the one mutable object of a running request, and what user code touches.

`current_span` finds it. Outside a request it finds `NOOP_SPAN`, which takes everything and keeps
nothing, so that code which annotates needs no ``if``.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Mapping
from contextlib import AbstractContextManager, ContextDecorator
from contextvars import ContextVar
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from bson import ObjectId
from flask import has_request_context, request
from werkzeug.local import LocalProxy

from ..record import ChildTiming, ExceptionInfo, UserRef
from ..runtime.guard import harmless, try_foreign
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
from .logins import resolve
from .snapshot import (
    MAX_BYTES,
    MAX_REPR,
    Snapshot,
    describe_exception,
    foreign_text,
    held_bytes,
    snapshot,
)
from .trace import OPENTELEMETRY, active_span, continue_opentelemetry
from .users import NOBODY, UserDescription, describe_user

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from flask import Request

    from ..registry import TrackedApp
    from .exchange import Exchange

ENVIRON_KEY = "flask_tracking.span"
MAX_CHILDREN = 1000
MAX_KEYS = 1000
CHILD_SIZE = 144
"""Bytes of memory that the timing of a child span takes, without its name."""

running: ContextVar[Span | None] = ContextVar("flask_tracking.span", default=None)
"""The span whose app is running in this context: the middleware and the tee set and reset it."""


class Span:
    """What is known of a running request: set values on it, and they are stored with the record.

    No method raises, none changes the request. After the request has ended they do nothing.

    .. versionadded:: 2.0
    """

    # Values of what is seldom set; what every request is asked for is found faster on the span itself.
    exchange: Exchange | None = None
    """What is copied of the request; let go of at the end."""
    request: Request | None = None
    """Flask's, once it has begun; let go of at the end."""
    _seen_error: BaseException | None = None
    _earlier_span: Any = None
    _description: tuple[BaseException, ExceptionInfo] | None = None
    _request_data: Snapshot | None = None
    _seen_data: Any = None
    _seen_user: tuple[weakref.ref[Any] | None, UserDescription] = (None, NOBODY)
    _custom_size = 0

    def __init__(self, owner: TrackedApp, environ: WSGIEnvironment, parent: Span | None) -> None:
        self.owner = owner
        self.number = next_number()
        self.arrived_at = clock.now()
        self.started_ns = clock.now_ns()
        self.environ: WSGIEnvironment | None = environ
        self.path_info: str | None = environ.get("PATH_INFO")
        """On arrival, then as Flask saw it. `DispatcherMiddleware` changes it in the environ."""
        self.is_recording = True
        """False once the request has ended, and on the span outside a request."""
        self.endpoint: str | None = None
        self.url_rule: str | None = None
        self.blueprint: str | None = None
        self.view_args: dict[str, str] | None = None
        self.has_user = False
        """True once the app has said who asks."""
        self.user_id: str | None = None
        self.user_repr: str | None = None
        self.user: UserRef | None = None
        self.handled: BaseException | None = None
        """An exception that is about to be answered, or to escape."""
        self.is_unhandled = False
        """True once an exception came to Flask's last handler: what follows is a 500, or no answer."""
        self.exception: ExceptionInfo | None = None
        self.is_excluded = False
        """True where a mark on the view says so: without `keep` nothing is handed over."""
        self.is_discarded = False
        self.keep_reason: str | None = None
        self.is_annotated = False
        """True once there is custom data, a child span, an exception or a reason to keep the record."""
        self.custom: dict[str, tuple[Any, int]] = {}
        self.children: list[_Child] = []
        self.notes: dict[str, None] = {}
        self._parent = parent
        self._trace: TraceContext | None = None

    def __repr__(self) -> str:
        return f"<Span {self.id}>"

    @harmless("setting custom data")
    def set(self, key: str, value: object) -> None:
        """Store `value` under ``custom_data.key``.

        The value is copied now: up to 32 levels, 1,000 values, 64 KiB for all keys together. What
        MongoDB cannot hold is stored as its ``repr``; the record's ``notes`` say what was cut.

        Args:
            key: any text; a NUL in it is escaped. The same key again replaces the value.
            value: anything.
        """
        if not self.is_recording:
            return
        key = _given_text(key).replace("\0", "\\x00")
        if key not in self.custom and len(self.custom) >= MAX_KEYS:
            self.notes["custom data has too many keys: the rest was cut"] = None
            return
        copied = snapshot(value)
        old = self.custom.get(key)
        size = self._custom_size + copied.size - (old[1] if old else 0)
        if size > MAX_BYTES:
            self.notes["custom data is too large: a value was cut"] = None
            copied = snapshot("<cut>")
            size = self._custom_size + copied.size - (old[1] if old else 0)
        self._custom_size = size
        self.is_annotated = True
        self.custom[key] = (copied.value, copied.size)
        self._note(copied.notes)

    @harmless("setting custom data")
    def update(self, values: Mapping[str, object]) -> None:
        """Store each item of `values` as `set` does."""
        for key, value in values.items():
            self.set(key, value)

    @harmless("setting the user")
    def set_user(self, user: object, user_repr: str | None = None) -> None:
        """Say who asks, for apps without Flask-Login; wins over what would be found otherwise.

        Args:
            user: an id (text or a number), or a user object: its ``get_id()``, ``id`` or ``pk`` is
                the id, its ``str`` the text, and a MongoEngine document is referenced.
            user_repr: the text that people recognise the user by.
        """
        if self.is_recording:
            self.has_user = True
            self.take_user(user)
            if user_repr is not None:
                self.user_repr = _given_text(user_repr)

    def child(self, name: str) -> AbstractContextManager[None]:
        """Time a part of the request: ``with tracking.span.child("charge card"): ...``.

        Args:
            name: what is done; the record's ``children`` have it with start, duration and error.
        """
        return _ChildContext(self, name)

    @harmless("recording an exception")
    def record_exception(self, error: BaseException) -> None:
        """Store an exception that the app handled by itself: type, message and traceback as text."""
        if self.is_recording:
            self.take_exception(error)

    @harmless("keeping a record")
    def keep(self, reason: str = "asked for") -> None:
        """Keep the record whatever the rules say.

        Args:
            reason: why, for the people who will read it.
        """
        if self.is_recording:
            self.is_annotated = True
            self.keep_reason = _given_text(reason)
            self.is_discarded = False

    def discard(self) -> None:
        """Store no record of this request. The later of `keep` and `discard` holds."""
        if self.is_recording:
            self.is_discarded = True
            self.keep_reason = None

    @property
    def id(self) -> ObjectId:
        """The ObjectId of the record that this request becomes."""
        return make_record_id(self.arrived_at, self.number)

    @property
    def trace_id(self) -> str:
        """The trace's id, 32 hex digits: from ``traceparent``, from OpenTelemetry, or made."""
        return self.trace.trace_id

    @property
    def span_id(self) -> str:
        """The span's id, 16 hex digits."""
        return self.trace.span_id

    # What follows is for the rest of `capture`.

    @property
    def trace(self) -> TraceContext:
        """Where the request stands in its trace; decided when it is first asked for."""
        if self._trace is None:
            self._trace = self._find_trace() or begin_trace(None)
        return self._trace

    @harmless("finding the trace")
    def _find_trace(self) -> TraceContext | None:
        if self._parent is not None:
            return child_of(self._parent.trace_id, self._parent.span_id)
        header = self.environ.get("HTTP_TRACEPARENT") if self.environ is not None else None
        continued = parse_traceparent(header) if header else None
        return continued or continue_opentelemetry(self.environ, self._earlier_span)

    def note_active_span(self) -> None:
        """Remember OpenTelemetry's active span: a SystemExit is told by no signal while it is."""
        if OPENTELEMETRY in sys.modules:
            self._earlier_span = active_span()

    def settled_trace(self) -> TraceContext | None:
        """Decide the trace as far as it has to be now, while its parent is running.

        Returns:
            None where only the ``traceparent`` header counts, which can be read later.
        """
        if self._trace is None and (self._parent is not None or OPENTELEMETRY in sys.modules):
            return self.trace
        return self._trace

    @harmless("timing a child span")
    def start_child(self, name: str) -> _Child | None:
        """Begin a child span; None where there can be none."""
        if not self.is_recording:
            return None
        if len(self.children) >= MAX_CHILDREN:
            self.notes["too many child spans: the rest was cut"] = None
            return None
        timing = _Child(_given_text(name))
        self.is_annotated = True
        self.children.append(timing)
        return timing

    def _note(self, notes: tuple[str, ...]) -> None:
        for note in notes:
            self.notes[note] = None

    def timings(self) -> tuple[ChildTiming, ...]:
        """Return the child spans as plain values."""
        return tuple([child.timing(self.started_ns) for child in self.children])

    def custom_data(self) -> Any:
        """Merge what `set` stored with ``request._tracking_data``; None when there is neither."""
        values = {key: value for key, (value, _) in self.custom.items()}
        if self._request_data is None:
            return values or None
        data = self._request_data.value
        if isinstance(data, dict):
            return {**data, **values}
        return {**values, "_tracking_data": data} if values else data

    def take_user(self, user: object, verified_id: str | None = None) -> bool:
        """Note who asks.

        Args:
            user: what `describe_user` takes.
            verified_id: the id in a token that the app has verified, which wins over the user's own.

        Returns:
            True unless nothing is known of the user.
        """
        found = self.look_at_user(user)
        if verified_id is not None:
            verified_id = clean_text(cut(verified_id, MAX_REPR))
            text = verified_id if found.text in (None, found.user_id) else found.text
            found = UserDescription(verified_id, text, found.reference)
        self.user_id, self.user_repr, self.user = found
        return found != NOBODY

    def look_at_user(self, user: object) -> UserDescription:
        """Describe a user, by what was seen of the same object before where it is expired now."""
        if isinstance(user, LocalProxy):
            user = resolve(user)
        seen, known = self._seen_user
        found = describe_user(user, known if seen is not None and seen() is user else NOBODY)
        # Weakly: an object that is kept alive would be found in its session instead of being loaded.
        self._seen_user = try_foreign(weakref.ref, user, default=None), found
        return found

    def take_exception(self, error: BaseException) -> None:
        """Note an exception, once however often it is met on its way out."""
        if error is not self._seen_error:
            described, self._description = self._description, None
            self._seen_error = error
            self.is_annotated = True
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
        """Describe the remembered exception now: later its text may want contexts that are gone."""
        error = self.handled
        if error is not None and error is not self._seen_error:
            self._description = (error, describe_exception(error))

    def settle_handled(self, status_code: int) -> None:
        """Keep the remembered exception if the answer is a 5xx, else forget it."""
        error, self.handled = self.handled, None
        if error is not None and status_code >= 500:
            self.take_exception(error)
        self._description = None

    def take_escaped(self, error: BaseException) -> None:
        """Note the exception that escapes, in place of the one that was to be answered."""
        self.take_exception(error)
        self.handled = None

    @harmless("copying request._tracking_data")
    def take_request_data(self) -> None:
        """Copy ``request._tracking_data``, as it is now."""
        data = getattr(self.request, "_tracking_data", None)
        known = self._request_data
        # The second time, at the end, contexts are gone: a repr would not be what it was.
        if data is None or (data is self._seen_data and known and not known.is_plain):
            return
        self._seen_data = data
        self.is_annotated = True
        self._request_data = snapshot(data)
        self._note(self._request_data.notes)

    def identity_size(self) -> int:
        """Return about the bytes of memory that the arguments of the view and the user take."""
        size = 0
        if self.view_args:
            size += getsizeof(self.view_args)
            for value in self.view_args.values():  # its keys are the rule's
                size += getsizeof(value)
        if self.user_repr is not None:
            size += getsizeof(self.user_id) + getsizeof(self.user_repr)
            if self.user is not None:
                size += held_bytes(self.user)
        return size

    def annotations_size(self) -> int:
        """Return about the bytes of memory that children, an exception and a reason take."""
        size = held_bytes(self.keep_reason)
        if self.exception is not None:
            size += held_bytes(self.exception)
        if self.children:
            # One name stands for many, if a loop times the same part.
            names = {id(child.name): child.name for child in self.children}
            size += CHILD_SIZE * len(self.children) + sum(map(getsizeof, names.values()))
        return size

    def end(self) -> None:
        """Let go of everything that is alive; from here on the span takes nothing."""
        self.is_recording = False
        self.environ = self.request = self._seen_data = self._parent = self.exchange = None
        self.handled = self._seen_error = self._description = self._earlier_span = None


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

    A class, because `contextlib.contextmanager` assigns the traceback of an exception that passes, and
    an exception that allows no assignment, like a frozen dataclass, is replaced by another one then.
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
    """The span outside a request: takes everything, keeps nothing, and its ids are zeros."""

    id = ObjectId("0" * 24)
    trace = TraceContext("0" * 32, "0" * 16, None)

    def __init__(self, owner: Any = None) -> None:
        """Nothing belongs to it."""
        super().__init__(owner, {}, None)
        self.is_recording = False


NOOP_SPAN = NoopSpan()


def _given_text(value: object) -> str:
    """Return what should be a text, but may be any object, cut at `MAX_REPR`."""
    return clean_text(cut(value, MAX_REPR)) if type(value) is str else foreign_text(str, value)


def current_span() -> Span:
    """Return the span of the running request; outside a request one that keeps nothing.

    It is found in views, in generators that stream, in threads that run in a copied context
    (``contextvars.copy_context``) or under ``flask.copy_current_request_context``, and in nested apps,
    where it is the innermost.

    .. versionadded:: 2.0
    """
    span = running.get()
    if span is None and has_request_context():
        span = request.environ.get(ENVIRON_KEY)
    return NOOP_SPAN if span is None else span
