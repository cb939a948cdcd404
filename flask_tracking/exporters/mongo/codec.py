"""Conversion between `Record` and MongoDB documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import bson
from bson import DBRef
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.collection import Collection

from ...codec import from_dict, summary_from_dict, to_dict
from ...record import Record, UserRef
from ...record_summary import RECORD_FIELDS, RecordSummary
from ...runtime.text import clean_text

Document = dict[str, Any]

CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True)
ANY_YEAR = CODEC.with_options(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
"""MongoDB's limit for a document."""
WITHOUT_BODIES_BYTES = 1024 * 1024
"""The maximum size of a record without its bodies: all other fields are bounded."""
UNENCODABLE = (BSONError, OverflowError, UnicodeError, ValueError, TypeError, RecursionError)
"""The exceptions of encoding a document."""


def for_reading(collection: Collection[Document]) -> Collection[Document]:
    """Return `collection` with the options for reading.

    They allow years beyond Python's range, which other programs or custom data may contain.
    """
    client: object = collection.database.client
    is_stand_in = not isinstance(client, MongoClient)  # it does not support these options
    return collection.with_options(CODEC if is_stand_in else ANY_YEAR)


def to_document(record: Record, date_stored: datetime) -> Document:
    """Return the document of `record`. Fields with None are left out, as MongoEngine does."""
    document = to_dict(record)
    document["_id"] = document.pop("id")
    document["date_stored"] = date_stored
    if record.user is not None:
        # The order matters: MongoDB compares whole subdocuments, and MongoEngine queries this order.
        reference = DBRef(record.user.collection, record.user.id)
        document["user"] = {"_cls": record.user.class_name, "_ref": reference}
    return document


def read_document(document: Mapping[str, Any]) -> Record | None:
    """Return the record of `document`; None if another program wrote it."""
    try:
        return from_document(document)
    except (TypeError, ValueError, AttributeError):
        return None


SUMMARY_PROJECTION = {name: True for name in (*RECORD_FIELDS, "exception.type") if name != "id"}
"""The fields of a document that a summary needs."""


def read_summary(document: Mapping[str, Any]) -> RecordSummary | None:
    """Return the summary of a document, which may be a projection; None if it is not a record."""
    try:
        return summary_from_dict({**document, "id": document["_id"]})
    except (TypeError, ValueError, AttributeError):
        return None


def from_document(document: Mapping[str, Any]) -> Record:
    """Return the record of `document`, which may be one of flask-tracking 1.

    Raises:
        TypeError, ValueError, AttributeError: a field has a wrong type.
    """
    return from_dict({**document, "id": document["_id"], "user": _read_user(document.get("user"))})


def _read_user(user: Any) -> Document | None:
    if not isinstance(user, Mapping) or not isinstance(user.get("_ref"), DBRef):
        return None
    reference = user["_ref"]
    return UserRef(str(user.get("_cls")), reference.collection, reference.id)._asdict()


def is_longer(document: Document, max_bytes: int) -> bool:
    """Return True if `document` takes more than `max_bytes`, if that is below MongoDB's own limit.

    Documents that are obviously shorter are not encoded. One that cannot be encoded counts as short.
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
    """Return `document` in a form that BSON can hold, with notes about replaced and removed values.

    Only called for a document that was refused, or a batch that could not be encoded.

    Returns:
        None if the document cannot be stored in any form.
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
    except RecursionError:  # the stack is full: the cause is further up
        raise
    except UNENCODABLE:
        notes["values that BSON cannot hold were escaped"] = None
        return clean_text(value if isinstance(value, str) else repr(value))
    return value


def utc_now() -> datetime:
    """Return the current time, aware."""
    return datetime.now(timezone.utc)
