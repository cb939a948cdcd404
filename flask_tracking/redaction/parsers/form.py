"""Find the secrets in the fields of a form or a query."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..detection.names import Strength
from ..detection.values import is_secret
from ..engines.base import Range
from ..findings import Finding, Ranges
from .context import Context, Find
from .encoded import decode_percent

_LOGIN_FIELD = re.compile(
    rb"(?:\w*\[)?(?:state|session_state|grant_type|phone|mobile|(?:\w*_)?e-?mail|(?:\w*_)?user_?(?:name|id)?|login)"
    rb"\]?=",
    re.I,
)
"""``email=``, ``user[email]=``: not ``estate=``."""
_ADDRESS_FIELD = re.compile(
    rb"(?:\w*[_\[])?(?:city|country|street|region|zip|currency|price|sku)\]?=", re.I
)
"""Beside it a code is one of a place or a product."""
_LOGIN_PATH = re.compile(
    rb"(?:/|\b)(?:verify|confirm|activate|login|sign-?in|otp|2fa|mfa|callback)(?:/|-|_|\b)", re.I
)
"""``/auth/verify``, where any code is one to log in; not ``/verifiers``."""
_NO_DATE = rb"(?!(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])\Z)"
_CODE_IN_FORM = re.compile(rb"(?:code|mfa|pin|pass)=%b[0-9]{4,8}" % _NO_DATE, re.I)
_CODE_IN_QUERY = re.compile(rb"code=%b[0-9]{6,8}|(?:mfa|pin|pass)=[0-9]{4,8}" % _NO_DATE, re.I)
"""A code that was sent to log in: in a form, and in a query beside ``state`` and the like."""
_HAS_ESCAPED_NAME = re.compile(rb"[^=]*[%;]")  # user%5Bpassword%5D=X; not a=%41


class Form(NamedTuple):
    """The kind of a form: its fields say something about each other's values."""

    is_login: bool
    """Whether there is a user, an address or the like among them."""
    is_body: bool
    """Whether it is a body: a query may as well be a search, or go round in a page's links."""
    is_address: bool
    """Whether there is a city, a price or the like among them."""

    def is_code(self, field: bytes) -> bool:
        """Tell whether ``name=value`` is a short code that was sent to log in."""
        if self.is_address or not (self.is_body or self.is_login):
            return False
        code = _CODE_IN_FORM if self.is_body else _CODE_IN_QUERY
        return code.fullmatch(field) is not None

    def is_secret(self, name: bytes, value: bytes, context: Context) -> bool:
        """Tell whether a value is taken for a secret, both decoded."""
        strength = context.strength(name)
        if self.is_login and name == b"pass":
            strength = max(strength, Strength.STRONG)
        if self.is_login and self.is_body and strength is Strength.STRONG:
            strength = Strength.OWN  # a password that was typed may be any words
        return is_secret(strength, value) or self.is_code(name + b"=" + value)


def make_form(fields: Sequence[bytes], *, is_body: bool, path: bytes = b"") -> Form:
    """Return the kind of a form by its path and its fields, each ``name=value`` and decoded."""
    is_login = any(map(_LOGIN_FIELD.match, fields)) or _LOGIN_PATH.search(path) is not None
    return Form(is_login, is_body, any(map(_ADDRESS_FIELD.match, fields)))


def find_in_fields(
    data: bytes, hits: Sequence[Range], find: Find, context: Context, *, is_form: bool = False
) -> Iterable[Finding]:
    """Find the values of sensitive fields, and the secrets that `find` finds in a decoded one.

    With `is_form` it is the body of a form, where a short code is one to log in.
    """
    parts = data.split(b"&")
    decoded = [_decode(part) for part in parts]
    form = make_form(decoded, is_body=is_form, path=context.around)
    ranges, at = Ranges(hits), 0
    # Each escape is a hit: what it stands for tells more.
    seen = context.may_hold_secrets(decoded) if b"%" in data else itertools.repeat(True, len(parts))
    for part, is_hit in zip(parts, seen, strict=True):
        is_hit = is_hit and ranges.touch(at, at + len(part))
        if is_hit or _HAS_ESCAPED_NAME.match(part) or form.is_code(part):
            yield from _find_in_field(part, at, find, context, form)
        at += len(part) + 1


def _find_in_field(part: bytes, at: int, find: Find, context: Context, form: Form) -> Iterable[Finding]:
    # Some read ";" as "&": a name behind one is a name.
    start = 0
    for piece in part.split(b";"):
        context.budget.spend(len(piece))
        name, equals, value = piece.partition(b"=")
        begin = start + len(name) + 1
        whole = _decode(part[begin:])
        if equals and value and (form.is_code(piece) or form.is_secret(_decode(name), whole, context)):
            yield Finding(at + begin, at + len(part), "name", value=whole)
            part = part[: max(start - 1, 0)]
            break
        start += len(piece) + 1
    name, equals, value = part.partition(b"=")
    for text, begin in ((name, at), (value, at + len(name) + 1)):
        if _decode(text) != text:  # else it is read with the whole
            decoded = decode_percent(text)
            yield from (decoded.lift(one).moved(begin) for one in find(decoded.text, context))


def _decode(field: bytes) -> bytes:
    return decode_percent(field).text if b"%" in field else field.replace(b"+", b" ")


def may_be_form(data: bytes) -> bool:
    """Tell whether a body without a type begins like a form."""
    return b"=" in data[:200] and not re.search(rb"[\s<>]", data[:200])
