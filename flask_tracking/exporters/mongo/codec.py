"""`Record` to a MongoDB document and back."""

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
"""What MongoDB stores at most."""
WITHOUT_BODIES_BYTES = 1024 * 1024
"""What a record takes at most without its bodies: all that strangers and the app fill is bounded."""
UNENCODABLE = (BSONError, OverflowError, UnicodeError, ValueError, TypeError, RecursionError)
"""What encoding a document may raise."""


def for_reading(collection: Collection[Document]) -> Collection[Document]:
    """Return `collection` as documents are read from it.

    A year that Python does not know, in a document of others or in custom data, hides no record.
    """
    client: object = collection.database.client
    is_stand_in = not isinstance(client, MongoClient)  # which knows no such options
    return collection.with_options(CODEC if is_stand_in else ANY_YEAR)


def to_document(record: Record, date_stored: datetime) -> Document:
    """Return the document of `record`. What is None is left out, as MongoEngine does."""
    document = to_dict(record)
    document["_id"] = document.pop("id")
    document["date_stored"] = date_stored
    if record.user is not None:
        # The order matters: MongoDB compares whole subdocuments by it, and MongoEngine asks like this.
        reference = DBRef(record.user.collection, record.user.id)
        document["user"] = {"_cls": record.user.class_name, "_ref": reference}
    return document


def read_document(document: Mapping[str, Any]) -> Record | None:
    """Return what `from_document` does; None where that is no record: others may write there, too."""
    try:
        return from_document(document)
    except (TypeError, ValueError, AttributeError):
        return None


SUMMARY_PROJECTION = {name: True for name in (*RECORD_FIELDS, "exception.type") if name != "id"}
"""What of a document a summary needs."""


def read_summary(document: Mapping[str, Any]) -> RecordSummary | None:
    """Return the summary of what is there of a document; None where that is no record."""
    try:
        return summary_from_dict({**document, "id": document["_id"]})
    except (TypeError, ValueError, AttributeError):
        return None


def from_document(document: Mapping[str, Any]) -> Record:
    """Return the record of `document`, which may be one of the first flask-tracking's.

    Raises:
        TypeError, ValueError, AttributeError: something in it has a type that no record has there.
    """
    return from_dict({**document, "id": document["_id"], "user": _read_user(document.get("user"))})


def _read_user(user: Any) -> Document | None:
    if not isinstance(user, Mapping) or not isinstance(user.get("_ref"), DBRef):
        return None
    reference = user["_ref"]
    return UserRef(str(user.get("_cls")), reference.collection, reference.id)._asdict()


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
