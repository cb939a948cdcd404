"""Conversion between `Record` and MongoDB documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import bson
from bson import DBRef
from pymongo import MongoClient
from pymongo.collection import Collection

from ...codec import from_dict, summary_from_dict, to_dict
from ...record import Record, UserRef
from ...record_summary import RECORD_FIELDS, RecordSummary
from ...storable import ANY_YEAR, CODEC, MAX_DOCUMENT_BYTES, UNENCODABLE

Document = dict[str, Any]

WITHOUT_BODIES_BYTES = 1024 * 1024
"""The maximum size of a record without its bodies: all other fields are bounded."""


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

FACTS_PROJECTION = {"request_body": False, "response_body": False, "exception.traceback": False}
"""What `Store.find` leaves out of facts."""


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


def utc_now() -> datetime:
    """Return the current time, aware."""
    return datetime.now(timezone.utc)
