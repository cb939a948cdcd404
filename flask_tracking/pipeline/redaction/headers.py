"""Hide what headers carry for a living: cookies keep their names, ``Authorization`` keeps its scheme.

This is done while a record is made, with redaction on or off: these values are never in a record.
"""

from __future__ import annotations

import re

from ...record import Remark
from .actions import Actions
from .values import MARKER, MARKS

SECRET_HEADERS = frozenset({"Authorization", "Cookie", "Proxy-Authorization", "Set-Cookie"})
"""In Title-Case, as WSGI's keys become."""
RULE = "header"
PLAIN_ACTIONS = Actions({}, None)
SCHEMES = frozenset(
    [
        "apikey",
        "aws4-hmac-sha256",
        "basic",
        "bearer",
        "digest",
        "dpop",
        "gnap",
        "hawk",
        "hoba",
        "jwt",
        "mutual",
        "negotiate",
        "ntlm",
        "oauth",
        "privatetoken",
        "scram-sha-1",
        "scram-sha-256",
        "token",
        "vapid",
    ]
)
_COOKIE_NAME = re.compile(r"[A-Za-z_][0-9A-Za-z_.-]{0,39}")
_ATTRIBUTES = frozenset(
    {
        "domain",
        "expires",
        "httponly",
        "max-age",
        "partitioned",
        "path",
        "priority",
        "samesite",
        "secure",
    }
)
_ATTRIBUTE_VALUE = re.compile(r"[0-9A-Za-z ,:./_-]{0,100}")


def hide_header(name: str, value: str, actions: Actions = PLAIN_ACTIONS) -> str:
    """Return what is stored of the value of one of `SECRET_HEADERS`: nothing where it is unclear.

    Args:
        name: in Title-Case.
        value: as it came.
        actions: what stands where a secret was.
    """
    if '"' in value or not value:
        return MARKER
    if name == "Cookie":
        return "; ".join(_hide_pair(pair, actions) for pair in value.split(";"))
    if name == "Set-Cookie":
        pair, *attributes = value.split(";")
        return "; ".join([_hide_pair(pair, actions), *map(_hide_attribute, attributes)])
    scheme, space, secret = value.partition(" ")
    if space and scheme.lower() in SCHEMES:
        return f"{scheme} {actions.mark(RULE, secret.encode('utf-8', 'surrogatepass'))}"
    return actions.mark(RULE, value.encode("utf-8", "surrogatepass"))


def is_hidden(value: bytes) -> bool:
    """Tell whether a value is a marker already, or a scheme of ``Authorization`` and a marker."""
    if value[-1:] not in b"]>*":
        return False
    scheme, space, rest = value.partition(b" ")
    is_scheme = bool(space) and scheme.decode("latin-1").lower() in SCHEMES
    return MARKS.fullmatch(rest.strip() if is_scheme else value) is not None


def remark_header(headers: str, name: str, value: str) -> Remark:
    """Say that a header's value was hidden."""
    return Remark(f"{headers}.{name}", RULE, 0, len(value))


def _hide_pair(pair: str, actions: Actions) -> str:
    name, equals, value = pair.strip().partition("=")
    if equals and is_cookie_name(name):
        return f"{name}={actions.mark(RULE, value.encode('utf-8', 'surrogatepass'))}"
    return MARKER


def is_cookie_name(name: str) -> bool:
    """Tell whether the name of a cookie is one: a short word, and not itself a token."""
    # A value with a ";" in it leaves a rest that looks like a pair: digits within letters are no name.
    return _COOKIE_NAME.fullmatch(name) is not None


def _hide_attribute(attribute: str) -> str:
    name, _, value = attribute.strip().partition("=")
    if name.lower() in _ATTRIBUTES and _ATTRIBUTE_VALUE.fullmatch(value):
        return attribute.strip()
    return MARKER
