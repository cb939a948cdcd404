"""Write a tree of plain values as JSON, and map findings back to its leaves.

Custom data and the arguments of a view are read as the JSON that they are, so that the rules of a JSON
body hold for them, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from bson import Decimal128

from .findings import Finding
from .parsers.encoded import decode_json_string

_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"|[^\s,:\[\]{}"]+', re.S)


def _write_other(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, Decimal128) else None  # a date or an id is no text


_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, default=_write_other)


def write_tree(tree: Any) -> str:
    """Return a tree as JSON: bytes as text, dates and ids as null."""
    return _ENCODER.encode(tree)


def read_leaves(data: bytes, found: Sequence[Finding]) -> Iterator[list[Finding]]:
    """Return the findings in each key and each leaf, in the order of `write_tree`."""
    at = 0
    for token in _TOKEN.finditer(data):
        while at < len(found) and found[at].end <= token.start():
            at += 1
        last = at
        while last < len(found) and found[last].start < token.end():
            last += 1
        yield [_place(one, token) for one in found[at:last]]


def _place(one: Finding, token: re.Match[bytes]) -> Finding:
    """Return a finding in the text of a leaf, its escapes undone."""
    if token[1] is None:
        return Finding(0, len(token[0]), one.rule)
    start, end = token.span(1)
    raw, begin = token[1], max(one.start, start) - start
    text = raw[begin : min(one.end, end) - start]
    offset = len(_undo(raw[:begin]))
    return one._replace(start=offset, end=offset + len(_undo(text)), quote=_undo(one.quote))


def _undo(raw: bytes) -> bytes:
    return decode_json_string(raw).text if b"\\" in raw else raw
