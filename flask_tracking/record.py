"""The two values of the way: `Capture`, which leaves the request thread, and `Record`, its result.

Both are plain: numbers, text, bytes, ids, times and containers of them. Nothing in them is alive, so
they can wait in a queue, cross a thread and be stored without asking the app anything again.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, NamedTuple

from bson import ObjectId

from .runtime.ids import TraceContext, make_record_id

__all__ = ["Capture", "ChildTiming", "ExceptionInfo", "Record", "Remark", "UserAgent", "UserRef"]

Headers = tuple[tuple[str, str], ...]


class Holds(enum.Enum):
    """What a field of a record holds, as far as redaction has to know: every field says it."""

    OURS = "ours"
    """A number, a time, an id, or a word of a closed set: nothing that a stranger wrote."""
    TEXT = "text"
    PATH = "path"
    """The path, in which arguments of the view may stand."""
    FORM = "form"
    """Pairs like ``name=value&name=value``."""
    TARGET = "target"
    """A path, and a form behind a ``?``."""
    HEADERS = "headers"
    ARGS = "args"
    """The arguments of the view, by name."""
    BODY = "body"
    TREE = "tree"
    """Plain values at any depth."""
    AGENT = "agent"
    ERROR = "error"
    TIMINGS = "timings"


Metadata = Mapping[str, Holds]
OURS, TEXT, PATH, FORM, TARGET, HEADERS, ARGS, BODY, TREE, AGENT, ERROR, TIMINGS = (
    {"holds": kind} for kind in Holds
)
"""The metadata of a field."""


class UserRef(NamedTuple):
    """Names a MongoEngine document that is the user."""

    class_name: str
    """MongoEngine's name of the document's class."""
    collection: str
    id: Any
    """The primary key as MongoDB stores it."""


class ExceptionInfo(NamedTuple):
    """An exception as text."""

    type: str
    """The qualified name, like ``ValueError`` or ``shop.models.OutOfStock``."""
    message: str
    traceback: str


class ChildTiming(NamedTuple):
    """A named stretch of time inside a request."""

    name: str
    start_ms: float
    """Since the request arrived."""
    duration_ms: float | None
    """None when it had not ended when the request did."""
    error: str | None
    """The name of the exception's class that left it, if one did."""


class Remark(NamedTuple):
    """Says where a secret was removed from a record, and why: never what it was."""

    path: str
    """The field, and what is known of the place in it, like ``request_headers.X-Api-Key``."""
    rule: str
    """The id of the format; or what was known otherwise: ``name``, ``header``, ``literal``, ``file``,
    ``base64``, ``unreadable``."""
    offset: int
    """Where it began in the value at `path`, in bytes of UTF-8."""
    length: int
    """How long it was, in bytes of UTF-8."""
    stored_offset: int | None = None
    """Where what replaced it begins in the stored value; None where that was cut off."""
    stored_length: int | None = None
    """How long what replaced it is."""


class UserAgent(NamedTuple):
    """What the ``User-Agent`` and ``Accept-Language`` headers say. Unknown parts are None."""

    browser: str | None
    """A word of the first flask-tracking's, like ``chrome``; else `browser_name`."""
    version: str | None
    """Of `browser_name`."""
    platform: str | None
    """A word of the first flask-tracking's, like ``macos``; else `platform_name`."""
    language: str | None
    string: str
    browser_name: str | None = None
    """The parser's own name, like ``Mobile Safari``."""
    platform_name: str | None = None
    """The parser's own name, like ``Mac OS X``."""


class Capture(NamedTuple):
    """The raw material of one record, as the request thread hands it over."""

    number: int
    """What `ids.next_number` gave the request."""
    arrived_at: float
    """Unix time, in seconds."""
    size: int
    """About the bytes of memory that it takes."""
    app: str
    duration_ns: int
    first_byte_ns: int | None
    """Since the arrival; None when no byte was produced."""
    environ_keys: tuple[str, ...]
    """The environ's keys that are kept: the request line's and ``HTTP_*``."""
    environ_values: tuple[str, ...]
    """Their values, as the app saw them."""
    request_chunks: tuple[bytes, ...]
    request_size: int
    request_note: str | None
    status: str | None
    """The status line's text, None when no answer had begun."""
    response_headers: Headers
    response_chunks: tuple[bytes, ...]
    response_size: int
    response_note: str | None
    outcome: str
    trace: TraceContext | None
    """None where nothing but the ``traceparent`` header decides."""
    endpoint: str | None
    url_rule: str | None
    blueprint: str | None
    view_args: dict[str, str] | None
    user_id: str | None
    user_repr: str | None
    user: UserRef | None
    exception: ExceptionInfo | None
    custom_data: Any
    children: tuple[ChildTiming, ...]
    keep_reason: str | None
    discarded: bool
    notes: tuple[str, ...]
    kind: str = "request"

    @property
    def id(self) -> ObjectId:
        """The id of the record."""
        return make_record_id(self.arrived_at, self.number)

    def __repr__(self) -> str:
        """Name the capture without quoting what strangers wrote."""
        return f"<Capture {self.id} {self.kind}>"


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Record:
    """One HTTP request with its response; the fields are the document's fields.

    All times are aware UTC with millisecond precision, as MongoDB stores them; all durations are in
    milliseconds, all sizes in bytes. Text of unknown origin is kept as it came: print it with care.

    .. versionadded:: 2.0
    """

    id: ObjectId = field(metadata=OURS)
    """Made when the request arrived; ``_id`` in the collection, ``tracking.span.id`` in the app."""
    kind: str = field(default="request", metadata=OURS)
    name: str | None = field(default=None, metadata=TEXT)
    date_created: datetime = field(metadata=OURS)
    """When the request arrived."""
    method: str | None = field(default=None, metadata=TEXT)
    scheme: str | None = field(default=None, metadata=TEXT)
    host: str | None = field(default=None, metadata=TEXT)
    path: str | None = field(default=None, metadata=PATH)
    query_params: str | None = field(default=None, metadata=FORM)
    """The query string, without ``?``."""
    target: str | None = field(default=None, metadata=TARGET)
    """The raw request target, where the server gives it."""
    http_version: str | None = field(default=None, metadata=TEXT)
    """Like ``HTTP/1.1``."""
    ip: str | None = field(default=None, metadata=TEXT)
    user: UserRef | None = field(default=None, metadata=OURS)
    """When the user is a MongoEngine document."""
    user_id: str | None = field(default=None, metadata=TEXT)
    user_repr: str | None = field(default=None, metadata=TEXT)
    user_agent: UserAgent | None = field(default=None, metadata=AGENT)
    request_headers: tuple[tuple[str, str], ...] = field(default=(), metadata=HEADERS)
    """Names in Title-Case, as the server joined them."""
    request_body: bytes = field(default=b"", metadata=BODY)
    """Decoded, then cut at ``TRACKING_MAX_BODY_LENGTH``."""
    request_body_size: int = field(default=0, metadata=OURS)
    """On the wire."""
    request_body_note: str | None = field(default=None, metadata=OURS)
    """Why it is not whole: ``truncated``, ``excluded``, ``binary``, ``undecodable``, ``not read``,
    ``redacted whole``."""
    status_code: int | None = field(default=None, metadata=OURS)
    """500 when an exception escaped before an answer began, 101 when the connection was upgraded; None
    when the client left before the answer began."""
    response_headers: tuple[tuple[str, str], ...] = field(default=(), metadata=HEADERS)
    """In order, repeats preserved."""
    response_body: bytes = field(default=b"", metadata=BODY)
    response_body_size: int = field(default=0, metadata=OURS)
    response_body_note: str | None = field(default=None, metadata=OURS)
    """As for the request, and ``file`` where the server sends a file by itself."""
    execution_time: float | None = field(default=None, metadata=OURS)
    """From the arrival to the last body byte produced."""
    time_to_first_byte: float | None = field(default=None, metadata=OURS)
    outcome: str = field(default="ok", metadata=OURS)
    """``ok``, ``error``, ``stream_error``, ``disconnected`` or ``unread``."""
    endpoint: str | None = field(default=None, metadata=OURS)
    url_rule: str | None = field(default=None, metadata=OURS)
    """The low-cardinality key, like ``/orders/<int:id>``."""
    blueprint: str | None = field(default=None, metadata=OURS)
    view_args: dict[str, str] | None = field(default=None, metadata=ARGS)
    exception: ExceptionInfo | None = field(default=None, metadata=ERROR)
    trace_id: str | None = field(default=None, metadata=OURS)
    """32 hex digits."""
    span_id: str | None = field(default=None, metadata=OURS)
    """16 hex digits."""
    parent_span_id: str | None = field(default=None, metadata=OURS)
    request_id: str | None = field(default=None, metadata=TEXT)
    """``X-Request-ID`` when well-formed, else the record's id."""
    hostname: str | None = field(default=None, metadata=OURS)
    process: str | None = field(default=None, metadata=OURS)
    """host:pid:random, new in every process."""
    app: str | None = field(default=None, metadata=OURS)
    version: str | None = field(default=None, metadata=OURS)
    """``TRACKING_APP_VERSION``."""
    custom_data: Any = field(default=None, metadata=TREE)
    children: tuple[ChildTiming, ...] = field(default=(), metadata=TIMINGS)
    kept: bool = field(default=False, metadata=OURS)
    """Copied to the kept collection, which routine traffic cannot push out."""
    kept_reason: str | None = field(default=None, metadata=TEXT)
    """``error``, ``slow``, or what the code that asked for it said."""
    dropped_before: int = field(default=0, metadata=OURS)
    """How many records this process dropped since its previous one."""
    notes: tuple[str, ...] = field(default=(), metadata=OURS)
    """What was cut, replaced or shed outside the bodies."""
    redacted: tuple[Remark, ...] = field(default=(), metadata=OURS)
    """One remark for each secret that was removed."""
    rules_version: str | None = field(default=None, metadata=OURS)
    """Of the redaction rules that it went through; None when it went through none."""

    def __repr__(self) -> str:
        """Name the record without quoting what strangers wrote."""
        return f"<Record {self.id} {self.kind} {self.status_code}>"

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Record:
        """Return the record of `values`, which must have every field, and which it keeps.

        As ``Record(**values)`` does it, a record takes as long as all the rest of its making.
        """
        record = object.__new__(cls)
        object.__setattr__(record, "__dict__", values)
        return record
