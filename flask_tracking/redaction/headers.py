"""Strip credentials from headers: keep cookie names and the ``Authorization`` scheme, drop the values.

These values are never stored, with redaction on or off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .findings import Finding
from .markers import SCHEME, is_marked

CREDENTIAL_HEADERS = frozenset({"Authorization", "Cookie", "Proxy-Authorization", "Set-Cookie"})
"""In Title-Case, as WSGI's keys become."""
RULE = "header"
_COOKIE_NAME = re.compile(rb"[A-Za-z_][0-9A-Za-z_.-]{0,39}")
_PAIR = rb"[A-Za-z_][0-9A-Za-z_.-]{0,39}=[^;\s\"\]>*]+"
_PAIRS = re.compile(rb"%b(?:; %b)*" % (_PAIR, _PAIR))
"""``Cookie`` as browsers write it, without a marker in it."""
_PAIR_VALUE = re.compile(rb"=([^;\s]+)")
_PIECE = re.compile(rb"[^;\s](?:[^;]*[^;\s])?")
"""A part between two semicolons, without the blanks around it: ``theme=dark``, ``Secure``."""
_ATTRIBUTES = frozenset(
    b"domain expires httponly max-age partitioned path priority samesite secure".split()
)
_ATTRIBUTE_VALUE = re.compile(rb"[0-9A-Za-z ,:./_-]{0,100}")


def find_credentials(name: str, value: bytes) -> list[Finding]:
    """Find the credentials in one of `CREDENTIAL_HEADERS`: the whole value if its form is unclear."""
    if name == "Cookie" and _PAIRS.fullmatch(value):
        return [Finding(*pair.span(1), RULE) for pair in _PAIR_VALUE.finditer(value)]
    if b'"' in value:
        found: Iterable[Finding] = [Finding(0, len(value), RULE)]
    elif name in ("Cookie", "Set-Cookie"):
        found = _find_in_cookies(value, has_attributes=name == "Set-Cookie")
    else:
        scheme = SCHEME.match(value)
        found = [Finding(scheme.end() if scheme else 0, len(value), RULE)]
    return [one for one in found if one.end > one.start and not is_marked(value[one.start : one.end])]


def _find_in_cookies(value: bytes, *, has_attributes: bool) -> Iterable[Finding]:
    for number, piece in enumerate(_PIECE.finditer(value)):
        name, equals, inner = piece[0].partition(b"=")
        if has_attributes and number:
            if name.lower() not in _ATTRIBUTES or not _ATTRIBUTE_VALUE.fullmatch(inner):
                yield Finding(*piece.span(), RULE)
        elif equals and _COOKIE_NAME.fullmatch(name):
            yield Finding(piece.start() + len(name) + 1, piece.end(), RULE)
        else:
            # The rest of a value that had a ";" in it.
            yield Finding(*piece.span(), RULE)
