"""Encoding of documents as BSON, and stubs for those that cannot be encoded."""

from __future__ import annotations

from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError

from .runtime.text import clean_text

__all__ = ["ANY_YEAR", "CODEC", "MAX_DOCUMENT_BYTES", "UNENCODABLE", "make_storable"]

Document = dict[str, Any]

CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True)
ANY_YEAR = CODEC.with_options(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
"""MongoDB's limit for a document."""
UNENCODABLE = (BSONError, OverflowError, UnicodeError, ValueError, TypeError, RecursionError)
"""The exceptions of encoding a document."""


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
