"""`Record` to a MongoDB document and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import bson
from bson import DBRef
from bson.codec_options import CodecOptions
from bson.errors import BSONError

from ...record import ChildTiming, ExceptionInfo, Headers, Record, UserAgent, UserRef

Document = dict[str, Any]

CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True)
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
"""What MongoDB stores at most."""
UNENCODABLE = (BSONError, OverflowError, UnicodeError, ValueError, TypeError)
"""What encoding a document may raise."""


def to_document(record: Record, date_stored: datetime) -> Document:
    """Return the document of `record`. What is None is left out, as MongoEngine does."""
    document = {
        "_id": record.id,
        "kind": record.kind,
        "name": record.name,
        "date_created": record.date_created,
        "date_stored": date_stored,
        "method": record.method,
        "scheme": record.scheme,
        "host": record.host,
        "path": record.path,
        "query_params": record.query_params,
        "target": record.target,
        "http_version": record.http_version,
        "ip": record.ip,
        "user": _write_user(record.user),
        "user_id": record.user_id,
        "user_repr": record.user_repr,
        "user_agent": _without_none(record.user_agent),
        "request_headers": record.request_headers,
        "request_body": record.request_body,
        "request_body_size": record.request_body_size,
        "request_body_note": record.request_body_note,
        "status_code": record.status_code,
        "response_headers": record.response_headers,
        "response_body": record.response_body,
        "response_body_size": record.response_body_size,
        "response_body_note": record.response_body_note,
        "execution_time": record.execution_time,
        "time_to_first_byte": record.time_to_first_byte,
        "outcome": record.outcome,
        "endpoint": record.endpoint,
        "url_rule": record.url_rule,
        "blueprint": record.blueprint,
        "view_args": record.view_args,
        "exception": _without_none(record.exception),
        "trace_id": record.trace_id,
        "span_id": record.span_id,
        "parent_span_id": record.parent_span_id,
        "request_id": record.request_id,
        "hostname": record.hostname,
        "process": record.process,
        "app": record.app,
        "version": record.version,
        "custom_data": record.custom_data,
        "children": [_without_none(child) for child in record.children] or None,
        "dropped_before": record.dropped_before,
        "notes": record.notes or None,
    }
    return {key: value for key, value in document.items() if value is not None}


def _without_none(value: UserAgent | ExceptionInfo | ChildTiming | None) -> Document | None:
    if value is None:
        return None
    return {name: item for name, item in zip(value._fields, value, strict=True) if item is not None}


def _write_user(user: UserRef | None) -> Document | None:
    # The order matters: MongoDB compares whole subdocuments by it, and MongoEngine asks like this.
    return user and {"_cls": user.class_name, "_ref": DBRef(user.collection, user.id)}


def from_document(document: Mapping[str, Any]) -> Record:
    """Return the record of `document`, which may be one of the first flask-tracking's."""
    known: dict[str, Any] = {
        name: document[name] for name in _PLAIN_FIELDS if document.get(name) is not None
    }
    for name in ("request_body", "response_body"):
        known[name] = bytes(known.get(name, b""))
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
    )


_PLAIN_FIELDS = frozenset(Record.__dataclass_fields__) - {
    "id",
    "user",
    "user_agent",
    "exception",
    "children",
    "notes",
}


def _read_headers(headers: Any) -> Headers:
    return tuple((str(name), str(value)) for name, value in headers or ())


def _read_user(user: Any) -> UserRef | None:
    if not isinstance(user, Mapping) or not isinstance(user.get("_ref"), DBRef):
        return None
    return UserRef(str(user.get("_cls")), user["_ref"].collection, user["_ref"].id)


def make_storable(document: Document) -> Document | None:
    """Return `document` as BSON can hold it, with notes of what was replaced or shed.

    Only called for a batch that could not be encoded as it was.

    Returns:
        None when nothing helps.
    """
    notes: dict[str, None] = dict.fromkeys(document.get("notes", ()))
    if not _fits(document):
        document = {key: _make_plain(value, notes) for key, value in document.items()}
    for shed in ("response_body", "request_body", "custom_data"):
        if _fits(document | {"notes": list(notes)}):
            break
        if shed in document:
            document = document | {shed: None if shed == "custom_data" else b""}
            notes[f"{shed} was shed: the document was past what MongoDB stores"] = None
    if notes:
        document = document | {"notes": list(notes)}
    return document if _fits(document) else None


def _fits(document: Document) -> bool:
    try:
        return len(bson.encode(document, codec_options=CODEC)) <= MAX_DOCUMENT_BYTES
    except UNENCODABLE:
        return False


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
    except UNENCODABLE:
        notes["values that BSON cannot hold were escaped"] = None
        text = value if isinstance(value, str) else repr(value)
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


def utc_now() -> datetime:
    """Return the present, aware."""
    return datetime.now(timezone.utc)
