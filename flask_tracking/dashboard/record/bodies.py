"""Bodies prepared for display: JSON as a tree, forms as pairs, binary data as a hex dump."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from ...record import Remark
from ...redaction.markers import MARKS

MAX_NODES = 2_000
MAX_PAIRS = 500
MAX_HEX = 1_024
"""Bytes."""
MAX_DEPTH = 64


class Piece(NamedTuple):
    """A piece of a text: stored text, or the marker of a removed value."""

    text: str
    removed: str | None = None
    """The reason and the length of the removed value, empty if unknown; None for stored text."""


class Node(NamedTuple):
    """A JSON value with its children."""

    key: str | None
    kind: str
    """``object``, ``array``, ``string``, ``number`` or ``word``."""
    pieces: tuple[Piece, ...] = ()
    children: tuple[Node, ...] = ()
    left_out: int = 0
    """The number of children that are not shown."""


class Body(NamedTuple):
    """A body prepared for display."""

    kind: str
    """``JSON``, ``form``, ``text``, ``binary`` or ``empty``."""
    tree: Node | None = None
    pairs: tuple[tuple[str, tuple[Piece, ...]], ...] = ()
    pieces: tuple[Piece, ...] = ()
    hexdump: tuple[tuple[str, str, str], ...] = ()
    """Offset, bytes, characters."""
    is_cut: bool = False
    """Whether there is more than is shown."""


def read_body(body: bytes, content_type: str, remarks: Sequence[Remark]) -> Body:
    """Prepare a body for display.

    Args:
        body: as it was stored.
        content_type: the header's value, or an empty text.
        remarks: the redaction remarks of this body, in any order.
    """
    if not body:
        return Body("empty")
    why = _reasons(body, remarks)
    media = content_type.partition(";")[0].strip().lower()
    if media == "application/x-www-form-urlencoded":
        return _read_form(body, why)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        # Truncation may have split the last character.
        if error.start < len(body) - 3:
            return Body("binary", hexdump=_dump(body), is_cut=len(body) > MAX_HEX)
        text = body[: error.start].decode()
    if media.endswith("json") or text.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(text, parse_int=_Number, parse_float=_Number)
        except (ValueError, RecursionError):
            return Body("text", pieces=split_marks(text, why))
        budget = _NodeBudget(MAX_NODES)
        tree = _read_node(None, value, why, budget, 0)
        return Body("JSON", tree=tree, is_cut=budget.is_exhausted)
    return Body("text", pieces=split_marks(text, why))


def split_marks(text: str, reasons: Iterator[str]) -> tuple[Piece, ...]:
    """Split a text at the markers of removed values."""
    data = text.encode("utf-8", "surrogatepass")
    pieces: list[Piece] = []
    end = 0
    for found in MARKS.finditer(data):
        if found.start() > end:
            pieces.append(Piece(data[end : found.start()].decode("utf-8", "surrogatepass")))
        pieces.append(Piece(found.group().decode(), next(reasons, "")))
        end = found.end()
    if end < len(data) or not pieces:
        pieces.append(Piece(data[end:].decode("utf-8", "surrogatepass")))
    return tuple(pieces)


def reason_of(remark: Remark) -> str:
    """Return the reason and the length of a removed value as text."""
    return f"{remark.rule}, {remark.length:,} bytes"


def _reasons(body: bytes, remarks: Sequence[Remark]) -> Iterator[str]:
    """Yield the reason for each marker in the body, in order.

    Other tools leave similar markers: if the numbers of markers and remarks differ, no reason is given.
    """
    if sum(1 for _ in MARKS.finditer(body)) != len(remarks):
        return iter(())
    return iter([reason_of(one) for one in sorted(remarks, key=lambda one: one.stored_offset or 0)])


class _Number(str):
    """A number in its original notation, which conversion to float would change."""


class _NodeBudget:
    def __init__(self, nodes: int) -> None:
        self._nodes = nodes
        self.is_exhausted = False

    def take(self) -> bool:
        self._nodes -= 1
        self.is_exhausted = self.is_exhausted or self._nodes < 0
        return self._nodes >= 0


def _read_node(
    key: str | None, value: Any, why: Iterator[str], budget: _NodeBudget, depth: int
) -> Node:
    if isinstance(value, (dict, list)):
        kind = "object" if isinstance(value, dict) else "array"
        if depth >= MAX_DEPTH:
            return Node(key, kind, left_out=len(value))
        items = value.items() if isinstance(value, dict) else ((None, one) for one in value)
        children = []
        for name, one in items:
            if not budget.take():
                break
            children.append(_read_node(name, one, why, budget, depth + 1))
        return Node(key, kind, children=tuple(children), left_out=len(value) - len(children))
    if isinstance(value, _Number):
        return Node(key, "number", (Piece(str(value)),))
    if isinstance(value, str):
        written = json.dumps(value, ensure_ascii=False)
        return Node(key, "string", split_marks(written, why))
    return Node(key, "word", (Piece(json.dumps(value)),))


def _read_form(body: bytes, why: Iterator[str]) -> Body:
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, errors="replace")
    shown = tuple((name, split_marks(value, why)) for name, value in islice(pairs, MAX_PAIRS))
    return Body("form", pairs=shown, is_cut=len(pairs) > MAX_PAIRS)


def _dump(body: bytes) -> tuple[tuple[str, str, str], ...]:
    rows = []
    for at in range(0, min(len(body), MAX_HEX), 16):
        part = body[at : at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in part)
        rows.append((f"{at:06x}", part.hex(" "), text))
    return tuple(rows)
