"""The data of a request: `Capture`, which leaves the request thread, its `Summary`, and the `Record`.

All are plain values: numbers, text, bytes, ids, times and containers of them. They hold no object of
the app, so they can wait in a queue, cross threads and be stored without asking the app again.
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

__all__ = [
    "Capture",
    "ChildTiming",
    "ExceptionInfo",
    "Record",
    "Remark",
    "Summary",
    "UserAgent",
    "UserRef",
    "find_header",
]

Headers = tuple[tuple[str, str], ...]


def find_header(headers: Headers, name: str) -> str | None:
    """Return the first value of a header, whose name is given in lower case."""
    size = len(name)
    for header, value in headers:
        if len(header) == size and header.lower() == name:
            return value
    return None


class Holds(enum.Enum):
    """The content of a field, as far as redaction needs to know it. Every field declares one."""

    OURS = "ours"
    """A number, a time, an id, or a word of a closed set: nothing that a client wrote."""
    TEXT = "text"
    PATH = "path"
    """The path, which may contain arguments of the view."""
    FORM = "form"
    """Pairs like ``name=value&name=value``."""
    TARGET = "target"
    """A path, and a form after a ``?``."""
    HEADERS = "headers"
    ARGS = "args"
    """The arguments of the view, by name."""
    BODY = "body"
    TREE = "tree"
    """Plain values, nested to any depth."""
    USER_AGENT = "user agent"
    ERROR = "error"
    TIMINGS = "timings"


Metadata = Mapping[str, Holds]
OURS, TEXT, PATH, FORM, TARGET, HEADERS, ARGS, BODY, TREE, USER_AGENT, ERROR, TIMINGS = (
    {"holds": kind} for kind in Holds
)
"""The metadata of a field."""


class UserRef(NamedTuple):
    """A reference to a MongoEngine document that is the user."""

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
    """A named timing inside a request."""

    name: str
    start_ms: float
    """Since the request arrived."""
    duration_ms: float | None
    """None if the request ended first."""
    error: str | None
    """The class name of the exception that ended it, if any."""


class Remark(NamedTuple):
    """The place of a removed secret, and the reason; never the secret itself."""

    path: str
    """The field, and the place in it if known, like ``request_headers.X-Api-Key``."""
    rule: str
    """The id of the format, or another reason: ``name``, ``header``, ``literal``, ``file``,
    ``base64``, ``unreadable``."""
    offset: int
    """Start of the secret in the value at `path`, in bytes of UTF-8."""
    length: int
    """Length of the secret, in bytes of UTF-8."""
    stored_offset: int | None = None
    """Start of the replacement in the stored value; None if it was cut off."""
    stored_length: int | None = None
    """Length of the replacement."""


class UserAgent(NamedTuple):
    """The headers ``User-Agent`` and ``Accept-Language``, parsed. Unknown parts are None."""

    browser: str | None
    """A word of the first flask-tracking, like ``chrome``; else `browser_name`."""
    version: str | None
    """Of `browser_name`."""
    platform: str | None
    """A word of the first flask-tracking, like ``macos``; else `platform_name`."""
    language: str | None
    string: str
    browser_name: str | None = None
    """The parser's own name, like ``Mobile Safari``."""
    platform_name: str | None = None
    """The parser's own name, like ``Mac OS X``."""


@dataclasses.dataclass(slots=True, repr=False)
class Capture:
    """The raw data of one record, as the request thread hands it over; nothing changes it later.

    Not frozen: attributes that are set one by one take half the time of a call with 33 arguments.
    """

    number: int
    """The request's number from `ids.next_number`."""
    arrived_at: float
    """Unix time, in seconds."""
    size: int
    """Approximate memory, in bytes."""
    app: str
    duration_ns: int
    first_byte_ns: int | None
    """Since the arrival; None if no byte was produced."""
    environ_keys: tuple[str, ...]
    """The stored keys of the environ: the request line and ``HTTP_*``."""
    environ_values: tuple[str, ...]
    """Their values, as the app saw them."""
    request_chunks: tuple[bytes, ...]
    request_size: int
    request_note: str | None
    status: str | None
    """The text of the status line; None if the response had not started."""
    response_headers: Headers
    response_chunks: tuple[bytes, ...]
    response_size: int
    response_note: str | None
    outcome: str
    trace: TraceContext | None
    """None if only the ``traceparent`` header decides."""
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
    raised_in: tuple[str, str] | None = None
    """The file and the function that raised `exception`: the innermost of the app."""

    @property
    def id(self) -> ObjectId:
        """The id of the record."""
        return make_record_id(self.arrived_at, self.number)

    @property
    def ended_at(self) -> float:
        """When the response ended: Unix time, in seconds."""
        return self.arrived_at + self.duration_ns / 1e9

    def __repr__(self) -> str:
        """Name the capture without quoting data of clients."""
        return f"<Capture {self.id} {self.kind}>"


class Summary(NamedTuple):
    """The properties by which a capture is judged and counted, before a record is made of it.

    A stored record in a list is a `record_summary.RecordSummary`.
    """

    method: str | None
    """In upper case."""
    url_rule: str | None
    status_code: int | None
    """As `Record.status_code`."""
    duration_ms: float
    outcome: str
    trace: TraceContext | None
    """The record's; None where one begins here, whose ids nobody has asked for."""
    drawn_trace: int
    """The number from `ids.draw_trace` if a trace begins here; else 0."""
    traceparent: str | None
    """The header, valid or not."""
    request_size: int
    """Bytes of the body on the wire."""
    response_size: int
    """Bytes of the body on the wire."""
    keep_reason: str | None
    """The reason given by code that asked to keep the record."""
    is_discarded: bool
    """True where code asked to store none."""

    @property
    def execution_time(self) -> float:
        """The duration, as the record calls it."""
        return self.duration_ms


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Record:
    """One HTTP request with its response; the fields are the document's fields.

    All times are aware UTC with millisecond precision, as MongoDB stores them; all durations are in
    milliseconds, all sizes in bytes. Text from clients may hold control characters: print it with care.

    .. versionadded:: 2.0
    """

    id: ObjectId = field(metadata=OURS)
    """Created when the request arrived; ``_id`` in the collection, ``tracking.span.id`` in the app."""
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
    """The raw request target, if the server provides it."""
    http_version: str | None = field(default=None, metadata=TEXT)
    """Like ``HTTP/1.1``."""
    ip: str | None = field(default=None, metadata=TEXT)
    user: UserRef | None = field(default=None, metadata=OURS)
    """Set if the user is a MongoEngine document."""
    user_id: str | None = field(default=None, metadata=TEXT)
    user_repr: str | None = field(default=None, metadata=TEXT)
    user_agent: UserAgent | None = field(default=None, metadata=USER_AGENT)
    request_headers: tuple[tuple[str, str], ...] = field(default=(), metadata=HEADERS)
    """Names in Title-Case; the server joins repeated headers."""
    request_body: bytes = field(default=b"", metadata=BODY)
    """Decoded, then cut at ``TRACKING_MAX_BODY_LENGTH``."""
    request_body_size: int = field(default=0, metadata=OURS)
    """Size on the wire."""
    request_body_note: str | None = field(default=None, metadata=OURS)
    """Why the stored body is not complete: ``truncated``, ``excluded``, ``binary``, ``undecodable``,
    ``not read``, ``redacted whole``."""
    status_code: int | None = field(default=None, metadata=OURS)
    """500 if an exception escaped before the response started, 101 after an upgrade; None if the client
    left before the response started."""
    response_headers: tuple[tuple[str, str], ...] = field(default=(), metadata=HEADERS)
    """In order, repeats preserved."""
    response_body: bytes = field(default=b"", metadata=BODY)
    response_body_size: int = field(default=0, metadata=OURS)
    response_body_note: str | None = field(default=None, metadata=OURS)
    """As for the request, and ``file`` if the server sent a file itself."""
    execution_time: float | None = field(default=None, metadata=OURS)
    """From arrival to the last byte of the body, in milliseconds."""
    time_to_first_byte: float | None = field(default=None, metadata=OURS)
    outcome: str = field(default="ok", metadata=OURS)
    """``ok``, ``error``, ``stream_error``, ``disconnected`` or ``unread``."""
    endpoint: str | None = field(default=None, metadata=OURS)
    url_rule: str | None = field(default=None, metadata=OURS)
    """The route, like ``/orders/<int:id>``; use it to group requests."""
    blueprint: str | None = field(default=None, metadata=OURS)
    view_args: dict[str, str] | None = field(default=None, metadata=ARGS)
    exception: ExceptionInfo | None = field(default=None, metadata=ERROR)
    trace_id: str | None = field(default=None, metadata=OURS)
    """32 hex digits."""
    span_id: str | None = field(default=None, metadata=OURS)
    """16 hex digits."""
    parent_span_id: str | None = field(default=None, metadata=OURS)
    request_id: str | None = field(default=None, metadata=TEXT)
    """A well-formed ``X-Request-ID``, otherwise the record's id."""
    replay_of: ObjectId | None = field(default=None, metadata=OURS)
    """The record whose request was sent again, as the header ``X-Tracking-Replay-Of`` said."""
    hostname: str | None = field(default=None, metadata=OURS)
    process: str | None = field(default=None, metadata=OURS)
    """host:pid:random, new in every process."""
    app: str | None = field(default=None, metadata=OURS)
    version: str | None = field(default=None, metadata=OURS)
    """``TRACKING_APP_VERSION``."""
    custom_data: Any = field(default=None, metadata=TREE)
    children: tuple[ChildTiming, ...] = field(default=(), metadata=TIMINGS)
    kept: bool = field(default=False, metadata=OURS)
    """Copied to the kept collection, which routine traffic cannot overwrite."""
    kept_reason: str | None = field(default=None, metadata=TEXT)
    """``error``, ``slow``, or the reason given by code or by hand."""
    dropped_before: int = field(default=0, metadata=OURS)
    """Records that this process dropped since its previous one."""
    notes: tuple[str, ...] = field(default=(), metadata=OURS)
    """Notes on data other than bodies that was truncated, replaced or left out."""
    redacted: tuple[Remark, ...] = field(default=(), metadata=OURS)
    """One remark for each removed secret."""
    redaction_version: str | None = field(default=None, metadata=OURS)
    """Version of the names and formats of redaction; None if the record was not redacted."""

    def __repr__(self) -> str:
        """Name the record without quoting data of clients."""
        return f"<Record {self.id} {self.kind} {self.status_code}>"

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Record:
        """Return the record of `values`, which must contain every field. The dict becomes the record's.

        ``Record(**values)`` would take as long as all other work on a record together.
        """
        record = object.__new__(cls)
        object.__setattr__(record, "__dict__", values)
        return record
