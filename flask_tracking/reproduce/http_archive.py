"""Records as an HTTP archive, HAR 1.2, which the developer tools of browsers import."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qsl, quote_from_bytes

from ..codec import MAX_MS
from ..record import Headers, Record
from ..redaction.markers import MARKER
from .request import Parts, RequestParts, read_request
from .stable import get_content_type, get_response_header

__all__ = ["har"]

Json = dict[str, Any]
UNKNOWN = -1
"""A size that nobody has measured, in HAR."""
LARGEST_SIZE = 2**53 - 1
"""The largest whole number that every reader of JSON takes exactly. No body has so many bytes."""
_URL_SAFE = "!$&'()*+,-./:;=?@[]_~%{}|^`\"<>\\"
_COOKIE_SWITCHES = {"httponly": "httpOnly", "secure": "secure"}
_COOKIE_TEXTS = ("path", "domain")


def har(*records: Record) -> Json:
    """Return an HTTP archive, HAR 1.2, with an entry for each of `records`, for `json.dumps`.

    Bodies are as they were stored: decoded, redacted, perhaps cut. Redacted values are shown by their
    markers, and ``_redacted`` of an entry lists them. A body that is not UTF-8 is base64: that of a
    response by HAR's ``encoding``, that of a request, where HAR has no such field, by ``_encoding``.

    Args:
        records: of requests, in the order of the entries.

    Raises:
        TrackingError: one of them has no request.

    .. versionadded:: 2.0
    """
    creator = {"name": "flask-tracking", "version": version("flask-tracking")}
    entries = [_make_entry(record, read_request(record)) for record in records]
    return {"log": {"version": "1.2", "creator": creator, "entries": entries}}


def _make_entry(record: Record, request: RequestParts) -> Json:
    entry: Json = {
        "startedDateTime": f"{record.date_created:%Y-%m-%dT%H:%M:%S}.{record.date_created:%f}"[:-3]
        + "Z",
        "time": _as_ms(record.execution_time) or 0,
        "request": _make_request(record, request),
        "response": _make_response(record),
        "cache": {},
        "timings": _make_timings(record),
        "comment": f"Measured at the server. Record {record.id}.",
        "_record_id": str(record.id),
    }
    if record.redacted:
        entry["_redacted"] = [{"path": remark.path, "rule": remark.rule} for remark in record.redacted]
    return entry


def _make_timings(record: Record) -> Json:
    took, first = _as_ms(record.execution_time) or 0, _as_ms(record.time_to_first_byte)
    wait = took if first is None else first
    return {"send": 0, "wait": wait, "receive": max(0, took - wait)}


def _as_ms(duration: float | None) -> float | None:
    return duration if duration is not None and 0 <= duration <= MAX_MS else None


def _as_size(size: int) -> int:
    return size if 0 <= size <= LARGEST_SIZE else UNKNOWN


def _make_request(record: Record, request: RequestParts) -> Json:
    target = _show(request.target)
    url = quote_from_bytes(target, _URL_SAFE)
    made: Json = {
        "method": request.method,
        "url": url if not url.startswith("/") else f"{request.scheme}://{request.host}{url}",
        "httpVersion": record.http_version or "HTTP/1.1",
        "cookies": list(_read_cookies(record.request_headers)),
        "headers": _make_pairs(record.request_headers),
        "queryString": _make_pairs(parse_qsl(record.query_params or "", keep_blank_values=True)),
        "headersSize": UNKNOWN,
        "bodySize": _as_size(record.request_body_size),
    }
    if record.request_body or record.request_body_size:
        kind = request.get_header("content-type")
        made["postData"] = {"mimeType": kind, **_make_text(record.request_body, "_encoding")}
        made["postData"] |= _make_comment(record.request_body_note)
    if url.encode() != target:
        made["_target"] = target.decode("latin-1")
    return made


def _show(parts: Parts) -> bytes:
    return b"".join(part if isinstance(part, bytes) else MARKER.encode() for part in parts)


def _make_response(record: Record) -> Json:
    status = record.status_code or 0
    return {
        "status": status,
        "statusText": _find_phrase(status),
        "httpVersion": record.http_version or "HTTP/1.1",
        "cookies": list(_read_set_cookies(record.response_headers)),
        "headers": _make_pairs(record.response_headers),
        "content": _make_content(record),
        "redirectURL": get_response_header(record, "location") or "",
        "headersSize": UNKNOWN,
        "bodySize": _as_size(record.response_body_size),
    }


def _find_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # nothing was answered, or a code of the app's own
        return ""


def _make_content(record: Record) -> Json:
    size, note = _as_size(record.response_body_size), record.response_body_note
    content: Json = {"size": size, "mimeType": get_content_type(record)}
    if note is None:
        content["size"] = len(record.response_body)
        content |= {} if size == UNKNOWN else {"compression": content["size"] - size}
    if record.response_body:
        content |= _make_text(record.response_body, "encoding")
    return content | _make_comment(note)


def _make_text(body: bytes, encoding: str) -> Json:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(body).decode(), encoding: "base64"}


def _make_comment(note: str | None) -> Json:
    return {"comment": f"The stored body is not whole: {note}."} if note else {}


def _make_pairs(pairs: Iterable[tuple[str, str]]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in pairs]


def _read_cookies(headers: Headers) -> Iterator[Json]:
    for name, value in headers:
        if name.lower() == "cookie":
            for piece in filter(None, map(str.strip, value.split(";"))):
                cookie, _, text = piece.partition("=")
                yield {"name": cookie, "value": text}


def _read_set_cookies(headers: Headers) -> Iterator[Json]:
    for name, value in headers:
        if name.lower() == "set-cookie":
            pair, *attributes = value.split(";")
            cookie, _, text = pair.strip().partition("=")
            yield {"name": cookie, "value": text, **_read_attributes(attributes)}


def _read_attributes(attributes: Iterable[str]) -> Json:
    found: Json = {}
    for attribute in attributes:
        name, _, value = attribute.strip().partition("=")
        if name.lower() in _COOKIE_TEXTS:
            found[name.lower()] = value
        elif name.lower() in _COOKIE_SWITCHES:
            found[_COOKIE_SWITCHES[name.lower()]] = True
    return found
