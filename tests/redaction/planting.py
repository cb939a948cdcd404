"""Plant a secret in each place of a record where one may stand."""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from bson import ObjectId

from flask_tracking import Record
from flask_tracking.record import ChildTiming, ExceptionInfo, UserAgent
from flask_tracking.redaction.redactor import Redactor

from ..test_record import NOON

BOUNDARY = "XyZzY"
FIELDS = [field.name for field in dataclasses.fields(Record)]
WINDOW = 6
"""So many characters of a secret in a row are a leak."""


ID = ObjectId("f" * 24)
"""Always the same: a random one has a part of some secret in one run of hundreds."""


def make_record(**parts: Any) -> Record:
    """Make a record as the assembler does, not redacted yet."""
    return Record(**{"id": ID, "date_created": NOON, "method": "POST", "path": "/", **parts})


def _with_body(body: str | bytes, kind: str, side: str = "request") -> Record:
    data = body if isinstance(body, bytes) else body.encode()
    return make_record(
        **{
            f"{side}_body": data,
            f"{side}_headers": (("Content-Type", kind),),
            f"{side}_body_note": None,
        }
    )


def _multipart(name: str, text: str) -> str:
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n--{BOUNDARY}--\r\n'
    )


def plant_bodies(name: str, text: str) -> Iterator[tuple[str, bytes, str]]:
    """Plant `text` under `name` in bodies of every grammar: place, body, content type."""
    form_kind = "application/x-www-form-urlencoded"
    inner = json.dumps({"deep": [{name: text}]})
    xml = text.replace("&", "&amp;").replace("<", "&lt;")
    yield "json", json.dumps({"a": 1, name: text, "z": [2]}).encode(), "application/json"
    yield (
        "json indented",
        json.dumps([{name: text}, {"b": {}}], indent=2).encode(),
        "application/problem+json",
    )
    yield "json untyped", json.dumps({"q": {"r": {name: text}}}).encode(), ""
    yield (
        "ndjson",
        (json.dumps({"a": 1}) + "\n" + json.dumps({name: text})).encode(),
        "application/x-ndjson",
    )
    yield "json in json", json.dumps({"payload": inner}).encode(), "application/json"
    yield (
        "base64 in json",
        json.dumps({"p": base64.b64encode(inner.encode()).decode()}).encode(),
        "application/json",
    )
    yield "form", urlencode({"a": "1", name: text, "b": "x y"}).encode(), form_kind
    yield "form ;", f"a=1;{quote(name)}={quote(text)};b=2".encode(), form_kind
    yield "json in form", urlencode({"payload": inner}).encode(), form_kind
    yield "multipart", _multipart(name, text).encode(), f"multipart/form-data; boundary={BOUNDARY}"
    yield "xml", f"<a><{_tag(name)}>{xml}</{_tag(name)}><b>1</b></a>".encode(), "application/xml"
    yield "attribute", f'<a {_tag(name)}="{xml}" b="1"/>'.encode(), "text/xml"
    yield "text", f"At 12:30 {name}: {text}\nAll is well.".encode(), "text/plain"
    yield "assignment", f"set {name} = '{text}' now".encode(), "text/plain"
    yield "query in text", f"GET /a?b=1&{name}={quote(text)}&c=2".encode(), "text/plain"


def _tag(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name)


def plant(name: str, text: str) -> Iterator[tuple[str, Record]]:
    """Plant `text` under `name` in every place of a record."""
    for place, body, kind in plant_bodies(name, text):
        yield place, _with_body(body, kind)
    yield "response", _with_body(json.dumps({name: text}), "application/json", "response")
    one_line = text.replace("\n", " ")
    header = "".join(character if character.isalnum() else "-" for character in name).title()
    yield "header", make_record(request_headers=((header, one_line),))
    yield "response header", make_record(response_headers=((header, one_line),))
    url = f"https://example.org/a?{urlencode({'b': '1', name: text})}"
    yield "referer", make_record(request_headers=(("Referer", url),))
    yield "location", make_record(response_headers=(("Location", url),))
    yield "query", make_record(query_params=urlencode({"b": "1", name: text}))
    yield "target", make_record(target="/a?" + urlencode({"b": "1", name: text}))
    yield (
        "view_args",
        make_record(
            view_args={_tag(name): text}, path=f"/x/{text}/y", target=f"/x/{quote(text, safe='')}/y"
        ),
    )
    yield "custom_data", make_record(custom_data={"a": [{name: text}]})
    message = f"cannot log in with {name}={text}"
    trace = f'Traceback:\n  File "a.py", line 1, in f\n    login()\nValueError: {message}'
    yield "exception", make_record(exception=ExceptionInfo("ValueError", message, trace))
    yield "child", make_record(children=(ChildTiming(f"call {name}={text}", 0.0, 1.0, None),))
    agent = f"curl/8 {name}={one_line}"
    yield (
        "agent",
        make_record(
            user_agent=UserAgent("curl", "8", None, None, agent),
            request_headers=(("User-Agent", agent),),
        ),
    )


def redact_planted(redactor: Redactor, name: str, text: str) -> Iterator[tuple[str, Record]]:
    """Redact what `plant` makes, each record alone; a second pass over all of them changes nothing."""
    places, records = zip(*plant(name, text), strict=True)
    redacted = [one for record in records for one in redactor.redact([record])]
    for place, record, second in zip(places, redacted, redactor.redact(redacted), strict=True):
        assert second == record, (place, text)
        yield place, record


def find_leak(record: Record, secret: str) -> str | None:
    """Return the field in which a part of the secret stands, as it is or escaped."""
    values = record.__dict__
    texts = {field: _as_text(values[field]) for field in FIELDS if values[field]}
    windows = _list_windows(secret)
    everything = "\0".join(texts.values())  # one look at all is enough where nothing leaks
    if not any(map(everything.__contains__, windows)):
        return None
    leaking = (field for field, text in texts.items() if any(window in text for window in windows))
    return next(leaking, None)


@functools.lru_cache(maxsize=64)
def _list_windows(secret: str) -> frozenset[str]:
    ways = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
    return frozenset(
        way[at : at + WINDOW] for way in ways for at in range(max(1, len(way) - WINDOW + 1))
    )


def _as_text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
