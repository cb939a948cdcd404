"""What HAR 1.2 demands of an archive, as a table: field by field what it is, and which may be missing.

Written after the specification (http://www.softwareishard.com/blog/har-12-spec/). A field of one's own
begins with an underscore.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Kind = Callable[[Any], bool] | Mapping[str, Any] | list[Any]
"""A test of a value, the fields of an object, or a list with what all items are."""

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _time(value: Any) -> bool:
    return _text(value) and TIME.fullmatch(value) is not None


def _count(value: Any) -> bool:
    return isinstance(value, int) and value >= -1


def _integer(value: Any) -> bool:
    return isinstance(value, int)


def _milliseconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _known_time(value: Any) -> bool:
    return value == -1 or _milliseconds(value)


def _version(value: Any) -> bool:
    return bool(value == "1.2")


def _url(value: Any) -> bool:
    return _text(value) and re.match(r"https?://[^/]|\*\Z", value) is not None


PAIR = {"name": _text, "value": _text, "comment?": _text}
COOKIE = PAIR | {
    "path?": _text,
    "domain?": _text,
    "expires?": _time,
    "httpOnly?": _flag,
    "secure?": _flag,
}
TOOL = {"name": _text, "version": _text, "comment?": _text}
POST_DATA = {"mimeType": _text, "params?": [PAIR], "text?": _text, "comment?": _text}
REQUEST = {
    "method": _text,
    "url": _url,
    "httpVersion": _text,
    "cookies": [COOKIE],
    "headers": [PAIR],
    "queryString": [PAIR],
    "postData?": POST_DATA,
    "headersSize": _count,
    "bodySize": _count,
    "comment?": _text,
}
CONTENT = {
    "size": _count,
    "compression?": _integer,
    "mimeType": _text,
    "text?": _text,
    "encoding?": _text,
    "comment?": _text,
}
RESPONSE = {
    "status": _count,
    "statusText": _text,
    "httpVersion": _text,
    "cookies": [COOKIE],
    "headers": [PAIR],
    "content": CONTENT,
    "redirectURL": _text,
    "headersSize": _count,
    "bodySize": _count,
    "comment?": _text,
}
TIMINGS = {
    "blocked?": _known_time,
    "dns?": _known_time,
    "connect?": _known_time,
    "send": _milliseconds,
    "wait": _milliseconds,
    "receive": _milliseconds,
    "ssl?": _known_time,
    "comment?": _text,
}
ENTRY = {
    "startedDateTime": _time,
    "time": _milliseconds,
    "request": REQUEST,
    "response": RESPONSE,
    "cache": {},
    "timings": TIMINGS,
    "serverIPAddress?": _text,
    "connection?": _text,
    "comment?": _text,
}
ARCHIVE = {"log": {"version": _version, "creator": TOOL, "entries": [ENTRY], "comment?": _text}}


def find_faults(value: Any, kind: Kind = ARCHIVE, path: str = "$") -> list[str]:
    """Return what is wrong with an archive, as paths in it; nothing where it is valid."""
    if isinstance(kind, Mapping):
        return _find_in_object(value, kind, path)
    if isinstance(kind, list):
        if not isinstance(value, list):
            return [f"{path} is no list"]
        return [
            fault
            for at, one in enumerate(value)
            for fault in find_faults(one, kind[0], f"{path}[{at}]")
        ]
    return [] if kind(value) else [f"{path} is {value!r}"]


def _find_in_object(value: Any, fields: Mapping[str, Any], path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path} is no object"]
    known = {name.rstrip("?"): kind for name, kind in fields.items()}
    faults = [f"{path}.{name} is missing" for name in fields if name[-1:] != "?" and name not in value]
    for name, inner in value.items():
        if name in known:
            faults += find_faults(inner, known[name], f"{path}.{name}")
        elif not name.startswith("_"):
            faults.append(f"{path}.{name} is unknown")
    return faults
