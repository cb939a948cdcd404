"""Look for a text in all that is stored of a record, also where it is encoded."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from ..codec import to_dict
from ..record import Record

__all__ = ["find_text"]

_FREE_FIELDS = ("custom_data", "view_args")
"""Fields in which the app also chooses the names."""
LEAST_ENCODED = 4
"""Bytes; the base64 of fewer is found by chance."""


def find_text(record: Record, text: str) -> list[str]:
    """Return the paths of the values that contain `text`, like ``request_headers.X-Api-Key``."""
    forms = list(_encode(text))
    values = _walk("", to_dict(record))
    return list(dict.fromkeys(path for path, value in values if any(one in value for one in forms)))


def _encode(text: str) -> Iterator[bytes]:
    data = text.encode("utf-8", "surrogateescape")
    yield data
    yield quote(data, safe="").encode()
    yield quote_plus(data).encode()
    yield json.dumps(text)[1:-1].encode()
    if len(data) >= LEAST_ENCODED:
        for offset in range(3):
            yield _encode_within(data, offset)


def _encode_within(data: bytes, offset: int) -> bytes:
    """Return the base64 of `data` behind `offset` other bytes, without what its neighbours change."""
    encoded = b64encode(bytes(offset) + data).rstrip(b"=")
    first = (0, 2, 3)[offset]
    end = (offset + len(data)) * 8 // 6
    return encoded[first:end]


def _walk(path: str, value: Any) -> Iterator[tuple[str, bytes]]:
    """Yield every text and number with its path."""
    if isinstance(value, dict):
        for name, part in value.items():
            if path.startswith(_FREE_FIELDS):
                yield path, str(name).encode("utf-8", "surrogatepass")
            yield from _walk(f"{path}.{name}".lstrip("."), part)
    elif path in ("request_headers", "response_headers"):
        for name, part in value:
            yield from _walk(f"{path}.{name}", part)
    elif isinstance(value, (list, tuple)):
        for at, part in enumerate(value):
            yield from _walk(f"{path}.{at}", part)
    elif isinstance(value, bytes):
        yield path, value
    elif value is not None:
        yield path, str(value).encode("utf-8", "surrogatepass")
