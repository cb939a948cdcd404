"""Which parts of a recorded response a second one will have, too.

One record cannot tell. So values that seem to be generated for each response are left out: ids, times,
tokens, and what was redacted.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any

from ..record import Record, find_header
from ..runtime.text import clean_text
from .request import MARKER

__all__ = [
    "VOLATILE",
    "find_cut",
    "find_stable_json",
    "find_stable_lines",
    "get_content_type",
    "get_response_header",
    "is_deep",
    "is_volatile_text",
]

MAX_BODY_BYTES = 4096
"""Of a longer body nothing is compared: nobody would read that test."""
MAX_LINES = 20
MAX_DEPTH = 30
"""JSON that is nested deeper is not written as Python, whose parser has a limit."""
_VOLATILE_KEY = re.compile(
    r"(?i)(?:^|_)(?:id|uuid|guid|at|on|date|time|timestamp|token|nonce|etag|cursor|seconds?|ms|elapsed)$"
    r"|(?<=[a-z])(?:Id|At|On|Date|Time)$"
)
_VOLATILE_TEXT = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"  # a UUID
    r"|\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d"  # a date, a time of day
    r"|\b(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b"  # hex digits
    r"|\b(?=[\w-]*[0-9])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{20,}"  # a token
    r"|\b1[5-9]\d{8}(?:\d{3})?\b"  # seconds or milliseconds since 1970
)


_BROKEN_OFF = ("disconnected", "stream_error", "unread")
"""Outcomes of a response that was not sent whole."""


class Volatile:
    """Stands for a value that may differ."""


VOLATILE = Volatile()


def is_volatile_text(text: str) -> bool:
    """Tell whether a text has a part that seems to be generated for each response."""
    return (
        _VOLATILE_TEXT.search(text) is not None or MARKER.search(clean_text(text).encode()) is not None
    )


def find_stable_json(record: Record) -> Any:
    """Return the JSON of a response with `VOLATILE` for what may differ; only that without any."""
    if not _is_comparable(record) or "json" not in get_content_type(record):
        return VOLATILE
    try:
        value = json.loads(record.response_body)
    except (ValueError, RecursionError):
        return VOLATILE
    return VOLATILE if is_deep(value) else _find_stable(value)


def is_deep(value: Any, levels: int = MAX_DEPTH) -> bool:
    """Tell whether a value of JSON has more than so many levels of lists and objects."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(is_deep(one, levels - 1) for one in inner)


def _find_stable(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _find_stable(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_find_stable(one, key) for one in value]
    if _VOLATILE_KEY.search(key) and value is not None and not isinstance(value, bool):
        return VOLATILE
    if isinstance(value, float) and not isfinite(value):
        return VOLATILE  # Python has no literal for it
    return VOLATILE if isinstance(value, str | int | float) and is_volatile_text(str(value)) else value


def find_stable_lines(record: Record) -> list[str] | None:
    """Return the lines of a response of plain text; None where they may differ."""
    if not _is_comparable(record) or not get_content_type(record).startswith("text/plain"):
        return None
    text = record.response_body.decode("utf-8", "replace")
    lines = text.splitlines()
    is_stable = text.isascii() and len(lines) <= MAX_LINES and not is_volatile_text(text)
    return lines if is_stable else None


def _is_comparable(record: Record) -> bool:
    size = len(record.response_body)
    return find_cut(record) is None and 0 < size <= MAX_BODY_BYTES and record.method != "HEAD"


def find_cut(record: Record) -> str | None:
    """Return why the record does not have the whole body of the response; None where it has."""
    return record.response_body_note or (record.outcome if record.outcome in _BROKEN_OFF else None)


def get_content_type(record: Record) -> str:
    """Return the ``Content-Type`` of the response, empty where there is none."""
    return get_response_header(record, "content-type") or ""


def get_response_header(record: Record, wanted: str) -> str | None:
    """Return the first header of the response with a name, given in lower case."""
    return find_header(record.response_headers, wanted)
