"""A body as Python writes one: as JSON or as the fields of a form if that is the same, else bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any, NamedTuple, NoReturn
from urllib.parse import parse_qsl, urlencode

from .literals import Expression, Raw, interpolate, join_parts, literal
from .request import Gap, Part, Parts, RequestParts
from .stable import is_deep

__all__ = ["Body", "Placeholders", "join_text", "read_body"]

_SIGNATURE = re.compile(r"(?i)signature|digest|hmac")


class Body(NamedTuple):
    """The argument of a client that sends a body."""

    argument: str
    """``json`` or ``data``."""
    expression: Expression
    has_type: bool
    """True where the client sets the ``Content-Type`` by itself."""
    content_type: str | None = None
    """What the client has to be told to set it to."""


def read_body(
    request: RequestParts, read_more: Callable[[RequestParts], Body | None] | None = None
) -> Body | None:
    """Return the body of `request`; None where it has none.

    Where the bytes are signed they stay what they are: JSON may be written in many ways.

    Args:
        request: the request.
        read_more: reads a kind of body that only this client can write; None for any other.
    """
    if not request.body:
        return None
    if not any(_SIGNATURE.search(name) for name, _ in request.headers):
        readable = _read_json(request) or _read_form(request)
        if readable is None and read_more is not None:
            readable = read_more(request)
        if readable is not None:
            return readable
    return Body("data", _join_bytes(request.body), False)


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


def _join_bytes(parts: Iterable[Part]) -> Expression:
    pieces = [part if isinstance(part, bytes) else Raw(_as_bytes(part)) for part in parts]
    return join_parts(pieces, 'b""')


def _as_text(gap: Gap) -> Raw:
    return Raw(f'quote({gap.variable}, safe="")' if gap.encoding == "url" else gap.variable)


def _as_bytes(gap: Gap) -> str:
    if gap.is_file:
        return f"Path({gap.variable}).read_bytes()"
    return f"{_as_text(gap).code}.encode()"


class Placeholders:
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
        self.data = b"".join(
            part if isinstance(part, bytes) else _quote(names[part], part).encode() for part in body
        )

    @property
    def text(self) -> str:
        """The body with them.

        Raises:
            UnicodeError: it is not UTF-8.
        """
        return self.data.decode()

    def fill_bytes(self, data: bytes) -> Expression:
        """Return the expression of a part of the body."""
        # Latin-1 has a character for each byte.
        pieces = filter(None, self._pattern.split(data.decode("latin-1")))
        return _join_bytes(self._gaps.get(piece, piece.encode("latin-1")) for piece in pieces)

    def fill(self, value: Any) -> Any:
        """Return a parsed value with expressions for the placeholders in it.

        Raises:
            ValueError: one stands for the content of a file, which may be no text.
        """
        if isinstance(value, dict):
            return {name: self.fill(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.fill(one) for one in value]
        if not isinstance(value, str):
            return value
        return interpolate(map(self._fill_piece, filter(None, self._pattern.split(value))))

    def _fill_piece(self, piece: str) -> str | Raw:
        gap = self._gaps.get(piece)
        if gap is not None and gap.is_file:
            raise ValueError("a text cannot have the content of a file")
        return piece if gap is None else Raw(gap.variable)

    def stand_in(self, text: str) -> bool:
        """Tell whether one of them is in a text."""
        return self._pattern.search(text) is not None


def _quote(name: str, gap: Gap) -> str:
    return f'"{name}"' if gap.encoding == "json value" else name


def _read_json(request: RequestParts) -> Body | None:
    if request.content_type != "application/json":
        return None
    try:
        placeholders = Placeholders(request.body)
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
    placeholders = Placeholders(request.body)
    try:
        text = placeholders.text
    except UnicodeError:
        return None
    pairs = parse_qsl(text, keep_blank_values=True)
    fields = dict(pairs)
    if not fields or len(fields) < len(pairs) or urlencode(pairs) != text:
        return None
    if any(map(placeholders.stand_in, fields)):
        return None
    return Body("data", literal(placeholders.fill(fields)), True)


def _is_usual(request: RequestParts, content_type: str) -> bool:
    return request.get_header("content-type") == content_type
