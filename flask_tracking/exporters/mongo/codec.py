"""`Record` to a MongoDB document and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import bson
from bson import DBRef
from bson.codec_options import CodecOptions
from bson.errors import BSONError

from ...record import ChildTiming, ExceptionInfo, Headers, Record, Remark, UserAgent, UserRef
from ...runtime.text import clean_text

Document = dict[str, Any]

CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True)
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
"""What MongoDB stores at most."""
WITHOUT_BODIES_BYTES = 1024 * 1024
"""What a record takes at most without its bodies: all that strangers and the app fill is bounded."""
UNENCODABLE = (BSONError, OverflowError, UnicodeError, ValueError, TypeError, RecursionError)
"""What encoding a document may raise."""


def to_document(record: Record, date_stored: datetime) -> Document:
    """Return the document of `record`. What is None is left out, as MongoEngine does."""
    document = vars(record).copy()  # and not name by name, which takes twice as long
    for name in _OPTIONAL_FIELDS:
        if document[name] is None:
            del document[name]
    document["_id"] = document.pop("id")
    document["date_stored"] = date_stored
    if record.user is not None:
        # The order matters: MongoDB compares whole subdocuments by it, and MongoEngine asks like this.
        reference = DBRef(record.user.collection, record.user.id)
        document["user"] = {"_cls": record.user.class_name, "_ref": reference}
    if record.user_agent is not None:
        document["user_agent"] = _without_none(record.user_agent)
    if record.exception is not None:
        document["exception"] = _without_none(record.exception)
    for name in ("children", "notes", "redacted", "kept"):
        if not document[name]:
            del document[name]
    if record.children:
        document["children"] = [_without_none(child) for child in record.children]
    if record.redacted:
        document["redacted"] = [_without_none(remark) for remark in record.redacted]
    return document


_OPTIONAL_FIELDS = tuple(field.name for field in dataclasses.fields(Record) if field.default is None)


def _without_none(value: UserAgent | ExceptionInfo | ChildTiming | Remark) -> Document:
    return {name: item for name, item in zip(value._fields, value, strict=True) if item is not None}


def read_document(document: Mapping[str, Any]) -> Record | None:
    """Return what `from_document` does; None where that is no record: others may write there, too."""
    try:
        return from_document(document)
    except (TypeError, ValueError, AttributeError):
        return None


def from_document(document: Mapping[str, Any]) -> Record:
    """Return the record of `document`, which may be one of the first flask-tracking's.

    Raises:
        TypeError, ValueError, AttributeError: something in it has a type that no record has there.
    """
    known: dict[str, Any] = {
        name: document[name] for name in _PLAIN_FIELDS if document.get(name) is not None
    }
    for name, kind in _KINDS.items():
        if name in known and not isinstance(known[name], kind):
            raise TypeError(f"{name} is of type {type(known[name]).__name__}")
    for name in ("request_body", "response_body"):
        known[name] = _read_body(known.get(name, b""))
    for name in ("request_headers", "response_headers"):
        known[name] = _read_headers(known.get(name))
    if "execution_time" in known:
        known["execution_time"] = float(known["execution_time"])
    agent, error = document.get("user_agent"), document.get("exception")
    return Record(
        **known,
        id=document["_id"],
        user=_read_user(document.get("user")),
        user_agent=agent and UserAgent(*(agent.get(name) for name in UserAgent._fields)),
        exception=error and ExceptionInfo(*(error.get(name, "") for name in ExceptionInfo._fields)),
        children=tuple(
            ChildTiming(*(child.get(name) for name in ChildTiming._fields))
            for child in document.get("children") or ()
        ),
        notes=tuple(document.get("notes") or ()),
        redacted=tuple(
            Remark(*(remark.get(name) for name in Remark._fields))
            for remark in document.get("redacted") or ()
        ),
    )


_PLAIN_FIELDS = frozenset(Record.__dataclass_fields__) - {
    "id",
    "user",
    "user_agent",
    "exception",
    "children",
    "notes",
    "redacted",
}


_KINDS: dict[str, type | tuple[type, ...]] = {
    **{field.name: str for field in dataclasses.fields(Record) if field.type in ("str", "str | None")},
    **{field.name: int for field in dataclasses.fields(Record) if field.type in ("int", "int | None")},
    "date_created": datetime,
    "execution_time": (int, float),
    "time_to_first_byte": (int, float),
    "view_args": Mapping,
}
"""The types of fields that are taken as they are."""


def _read_body(body: Any) -> bytes:
    return bytes(body) if isinstance(body, (bytes, bytearray)) else str(body).encode()


def _read_headers(headers: Any) -> Headers:
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    return tuple((str(name), str(value)) for name, value in pairs)


def _read_user(user: Any) -> UserRef | None:
    if not isinstance(user, Mapping) or not isinstance(user.get("_ref"), DBRef):
        return None
    return UserRef(str(user.get("_cls")), user["_ref"].collection, user["_ref"].id)


def is_longer(document: Document, max_bytes: int) -> bool:
    """Tell whether `document` takes more than `max_bytes`.

    Below what MongoDB stores at most, and without encoding what is obviously short. What cannot be
    encoded is not long.
    """
    if max_bytes >= MAX_DOCUMENT_BYTES:
        return False
    bodies = len(document.get("request_body", b"")) + len(document.get("response_body", b""))
    if bodies + WITHOUT_BODIES_BYTES <= max_bytes:
        return False
    try:
        return len(bson.encode(document, codec_options=CODEC)) > max_bytes
    except UNENCODABLE:
        return False


def make_storable(document: Document, max_bytes: int = MAX_DOCUMENT_BYTES) -> Document | None:
    """Return `document` as BSON can hold it, with notes of what was replaced or shed.

    Only called for a document that was refused, or a batch that could not be encoded as it was.

    Returns:
        None when nothing helps.
    """
    notes: dict[str, None] = dict.fromkeys(document.get("notes", ()))
    if not _fits(document, max_bytes):
        document = {key: _make_field_plain(key, value, notes) for key, value in document.items()}
    for shed in ("response_body", "request_body", "custom_data"):
        if _fits(document | {"notes": list(notes)}, max_bytes):
            break
        if shed in document:
            document = document | {shed: None if shed == "custom_data" else b""}
            notes[f"{shed} was shed: the document was past what MongoDB stores"] = None
    if notes:
        document = document | {"notes": list(notes)}
    return document if _fits(document, max_bytes) else None


def _fits(document: Document, max_bytes: int) -> bool:
    try:
        return len(bson.encode(document, codec_options=CODEC)) <= max_bytes
    except UNENCODABLE:
        return False


def _make_field_plain(key: str, value: Any, notes: dict[str, None]) -> Any:
    try:
        return _make_plain(value, notes)
    except RecursionError:
        notes[f"{key} was shed: it had no end"] = None
        return None


def _make_plain(value: Any, notes: dict[str, None]) -> Any:
    if isinstance(value, dict):
        return {
            _make_plain(str(key), notes).replace("\0", "\\x00"): _make_plain(item, notes)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_make_plain(item, notes) for item in value]
    try:
        bson.encode({"": value}, codec_options=CODEC)
    except RecursionError:  # there is no room left to look at it: the fault is above
        raise
    except UNENCODABLE:
        notes["values that BSON cannot hold were escaped"] = None
        return clean_text(value if isinstance(value, str) else repr(value))
    return value


def utc_now() -> datetime:
    """Return the present, aware."""
    return datetime.now(timezone.utc)
