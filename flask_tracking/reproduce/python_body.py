"""A body as Python writes one: as JSON or as the fields of a form if that is the same, else bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from math import isfinite
from typing import Any, NamedTuple, NoReturn
from urllib.parse import parse_qsl, urlencode

from .literals import Expression, Raw, interpolate, join_parts, literal
from .request import Gap, Parts, RequestParts
from .stable import is_deep

__all__ = ["Body", "join_text", "read_body"]

_SIGNATURE = re.compile(r"(?i)signature|digest|hmac")


class Body(NamedTuple):
    """The argument of a client that sends a body."""

    argument: str
    """``json`` or ``data``."""
    expression: Expression
    has_type: bool
    """True where the client sets the ``Content-Type`` by itself."""


def read_body(request: RequestParts) -> Body | None:
    """Return the body of `request`; None where it has none.

    Where the bytes are signed they stay what they are: JSON may be written in many ways.
    """
    if not request.body:
        return None
    if not any(_SIGNATURE.search(name) for name, _ in request.headers):
        readable = _read_json(request) or _read_form(request)
        if readable is not None:
            return readable
    pieces = [part if isinstance(part, bytes) else Raw(_as_bytes(part)) for part in request.body]
    return Body("data", join_parts(pieces, 'b""'), False)


def join_text(parts: Parts) -> Expression:
    """Return the expression of a target or of a header's value."""
    if any(isinstance(part, Gap) and part.encoding == "url" for part in parts):
        pieces = [
            part.decode("latin-1") if isinstance(part, bytes) else _as_text(part) for part in parts
        ]
        return join_parts(pieces, '""')
    return interpolate(
        part.decode("latin-1") if isinstance(part, bytes) else Raw(part.variable) for part in parts
    )


def _as_text(gap: Gap) -> Raw:
    return Raw(f'quote({gap.variable}, safe="")' if gap.encoding == "url" else gap.variable)


def _as_bytes(gap: Gap) -> str:
    if gap.is_file:
        return f"Path({gap.variable}).read_bytes()"
    return f"{_as_text(gap).code}.encode()"


class _Placeholders:
    """Texts that stand for the gaps of a body while it is parsed."""

    def __init__(self, body: Parts) -> None:
        sign = b"gap"
        while any(sign in part for part in body if isinstance(part, bytes)):
            sign += b"p"
        self._gaps = {
            sign.decode() + f"{at}x": part for at, part in enumerate(body) if isinstance(part, Gap)
        }
        self._pattern = re.compile(f"({sign.decode()}[0-9]+x)")
        names = {gap: name for name, gap in self._gaps.items()}
        self.text = b"".join(
            part if isinstance(part, bytes) else _quote(names[part], part).encode() for part in body
        ).decode("utf-8")

    def fill(self, value: Any) -> Any:
        """Return a parsed value with expressions for the placeholders in it."""
        if isinstance(value, dict):
            return {name: self.fill(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.fill(one) for one in value]
        if not isinstance(value, str):
            return value
        pieces = [piece for piece in self._pattern.split(value) if piece]
        return interpolate(
            Raw(self._gaps[piece].variable) if piece in self._gaps else piece for piece in pieces
        )

    def stand_in(self, text: str) -> bool:
        """Tell whether one of them is in a text."""
        return self._pattern.search(text) is not None


def _quote(name: str, gap: Gap) -> str:
    return f'"{name}"' if gap.encoding == "json value" else name


def _read_json(request: RequestParts) -> Body | None:
    if request.content_type != "application/json":
        return None
    try:
        placeholders = _Placeholders(request.body)
        value = json.loads(
            placeholders.text,
            object_pairs_hook=_read_object,
            parse_constant=_refuse,
            parse_float=_read_float,
        )
    except (ValueError, RecursionError):
        return None
    if value is None or is_deep(value) or placeholders.stand_in(" ".join(_list_keys(value))):
        return None
    return Body("json", literal(placeholders.fill(value)), _is_usual(request, "application/json"))


def _read_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _read_float(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        _refuse(text)
    return value


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"{number} is not JSON, or past what Python can hold")


def _list_keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for one in value.values() for key in _list_keys(one))]
    return [key for one in value for key in _list_keys(one)] if isinstance(value, list) else []


def _read_form(request: RequestParts) -> Body | None:
    if not _is_usual(request, "application/x-www-form-urlencoded"):
        return None
    try:
        placeholders = _Placeholders(request.body)
    except UnicodeError:
        return None
    pairs = parse_qsl(placeholders.text, keep_blank_values=True)
    fields = dict(pairs)
    if not fields or len(fields) < len(pairs) or urlencode(pairs) != placeholders.text:
        return None
    if any(map(placeholders.stand_in, fields)):
        return None
    return Body("data", literal(placeholders.fill(fields)), True)


def _is_usual(request: RequestParts, content_type: str) -> bool:
    return request.get_header("content-type") == content_type
