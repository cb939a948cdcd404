"""Find the secrets in the fields of a form or a query."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..detection.names import Strength
from ..detection.values import is_secret
from ..findings import Finding
from .context import Context
from .encoded import FindInner, decode_percent

_LOGIN_FIELD = re.compile(
    rb"(?:state|grant_type|phone|mobile|e-?mail|user(?:name)?|login|session_state)=", re.I
)
_CODE_IN_FORM = re.compile(rb"(?:code|pin|pass)=[0-9]{4,8}")
_CODE_IN_QUERY = re.compile(rb"(?:code|pin|pass)=[0-9]{6,8}")
"""A code that was sent to log in: in a form, and beside ``state`` and the like."""
_HAS_ESCAPED_NAME = re.compile(rb"[^=]*[%;]")  # user%5Bpassword%5D=X; not a=%41


def find_in_fields(
    data: bytes, find: FindInner, context: Context, *, is_form: bool = False
) -> Iterable[Finding]:
    """Find the values of sensitive fields, and what only shows when a field is decoded.

    Args:
        data: ``name=value&name=value``, percent-encoded or not.
        find: finds secrets in a decoded text.
        context: of the parser.
        is_form: whether it is the body of a form, where a short code is one to log in.
    """
    parts = data.split(b"&")
    is_login = any(_LOGIN_FIELD.match(part) for part in parts)
    code = _CODE_IN_FORM if is_form else _CODE_IN_QUERY if is_login else None
    seen = context.may_hold_secrets([_decode(part) for part in parts])
    at = 0
    for part, is_hit in zip(parts, seen, strict=True):
        if is_hit or _HAS_ESCAPED_NAME.match(part):
            yield from _find_in_field(part, at, find, context, code, is_login=is_login)
        elif code is not None and code.fullmatch(part):
            yield Finding(at + part.index(b"=") + 1, at + len(part), "name")
        at += len(part) + 1


def _find_in_field(
    part: bytes,
    at: int,
    find: FindInner,
    context: Context,
    code: re.Pattern[bytes] | None,
    *,
    is_login: bool,
) -> Iterable[Finding]:
    # Some read ";" as "&": a name behind one is a name.
    start = 0
    for piece in part.split(b";"):
        context.budget.spend(len(piece))
        name, equals, value = piece.partition(b"=")
        begin = start + len(name) + 1
        whole = _decode(part[begin:])
        is_code = code is not None and code.fullmatch(piece) is not None
        is_pass = is_login and name == b"pass" and is_secret(Strength.TOKEN, whole)
        if equals and value and (is_code or is_pass or context.is_secret(_decode(name), whole)):
            yield Finding(at + begin, at + len(part), "name", value=whole)
            part = part[: max(start - 1, 0)]
            break
        start += len(piece) + 1
    name, equals, value = part.partition(b"=")
    yield from _find_encoded(name, at, find)
    yield from _find_encoded(value, at + len(name) + 1, find)


def _find_encoded(value: bytes, at: int, find: FindInner) -> Iterable[Finding]:
    if _decode(value) == value:
        return []  # it is read with the whole
    decoded = decode_percent(value)
    return [decoded.lift(one).moved(at) for one in find(decoded.text)]


def _decode(field: bytes) -> bytes:
    return decode_percent(field).text if b"%" in field else field.replace(b"+", b" ")


def looks_like_form(data: bytes) -> bool:
    """Tell whether a body without a type begins like a form."""
    return b"=" in data[:200] and not re.search(rb"[\s<>]", data[:200])
