"""Split multipart bodies, also cut ones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from .context import MalformedError

_BOUNDARY = re.compile(r"""boundary\s*=\s*(?:"([^"]+)"|([^\s;,]+))""", re.I)
_GAP = re.compile(rb"\r?\n\r?\n")
_FIELD_NAME = re.compile(
    rb"""(?:\A|[;\s])name\*?\s*=\s*(?:\\*"((?:[^"\\]|\\[^"])*)\\*"|'([^']*)'|([^;\r\n]+))""", re.I
)
UNREADABLE = b"password"
"""Stands for a field name that is not UTF-8, and so may be any."""
_FILE_NAME = re.compile(rb"filename\*?\s*=", re.I)  # filename*=; not name=


class Part(NamedTuple):
    """One part: where its headers begin, where its content does, and where that ends."""

    start: int
    begin: int
    end: int
    is_file: bool


def split_multipart(data: bytes, content_type: str) -> Iterable[Part]:
    """Return the parts of a body; text before the first is a part without headers.

    Raises:
        MalformedError: there is no boundary, or another than the header names.
    """
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise MalformedError
    name = (boundary[1] or boundary[2]).encode("latin-1", "replace")
    # Other lines that begin like it are content.
    line = re.compile(rb"(?:\A|\r?\n)--" + re.escape(name) + rb"(?:--|[ \t]*(?=\r?\n|\Z))")
    delimiters = [match.span() for match in line.finditer(data)]
    if not delimiters:
        raise MalformedError
    yield Part(0, 0, delimiters[0][0], False)
    for (_, start), (end, _) in zip(delimiters, [*delimiters[1:], (len(data), 0)], strict=True):
        gap = _GAP.search(data, start, end)
        begin = start if gap is None else gap.end()
        yield Part(start, begin, end, _FILE_NAME.search(data, start, begin) is not None)


def find_field_names(headers: bytes) -> Iterable[bytes]:
    """Find the names in the headers of a part, `UNREADABLE` for names that are not UTF-8."""
    for match in _FIELD_NAME.finditer(headers):
        raw = match[1] or match[2] or match[3] or b""
        name = unquote_to_bytes(raw.rpartition(b"''")[2] if match[3] else raw)
        try:
            name.decode()
        except UnicodeDecodeError:
            name = UNREADABLE
        yield name
