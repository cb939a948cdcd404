"""A request as a test for pytest, with the ``client`` of the app's own tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..record import Record
from .literals import Expression, Raw, call, find_names, lay_out, lay_out_assertion, literal, quote_text
from .multipart_body import read_multipart
from .python_body import join_text, read_body
from .request import Gap, Parts, RequestParts, find_gaps, read_cookies, read_request
from .stable import (
    VOLATILE,
    find_stable_json,
    find_stable_lines,
    get_content_type,
    get_response_header,
    is_volatile_text,
)

__all__ = ["pytest_function"]

_CLIENT_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_LEFT_OUT = frozenset({"accept-encoding", "cookie", "traceparent", "tracestate", "x-request-id"})
"""Headers that say how to answer and not what, and cookies, which a client is given in another way."""
_LOCAL_HOST = re.compile(r"(?:localhost|127\.0\.0\.1)(?::[0-9]+)?")
_RECORD_IN_MEMORY = '@pytest.mark.usefixtures("tracking_records")  # in memory, not in a database'
LONGEST_NAME = 60
_IMPORTS = {
    "BytesIO": "from io import BytesIO",
    "Path": "from pathlib import Path",
    "ANY": "from unittest.mock import ANY",
    "quote": "from urllib.parse import quote",
}


def pytest_function(record: Record, *, session_cookie: str | None = None) -> str:
    """Return a module with a test that sends the request of `record` with the fixture ``client``.

    If the request failed, the test expects a response that is not a failure: it fails until that is
    mended. Else it demands the status and what looks stable of the response. What was redacted is a
    constant at its top; the test is skipped until all are set. The plugin of flask-tracking keeps the
    test's own records out of the app's database. It is laid out as ``ruff format`` does.

    Args:
        record: of a request.
        session_cookie: the name of the app's session cookie, where Flask-Login keeps the user in it:
            the test logs the recorded user in, instead of asking for the cookie.

    Raises:
        TrackingError: the record has no request that could be sent.

    .. versionadded:: 2.0
    """
    request = read_request(record)
    cookies = dict(read_cookies(request))
    body: list[str] = []
    if session_cookie in cookies and record.user_id is not None:
        del cookies[str(session_cookie)]
        body += _log_in(request, record.user_id)
    sent = [value for name, value in request.headers if name.lower() not in _LEFT_OUT]
    gaps = find_gaps(request.path, *cookies.values(), *sent, request.body)
    for name, value in cookies.items():
        body += lay_out("", _set_cookie(request, name, value), indent=4)
    body += lay_out("response = ", _send(request), indent=4)
    body += _assert_response(record)
    code = [*_skip_without(gaps), _RECORD_IN_MEMORY, f"def {_name_test(record)}(client):", *body]
    head = [*_describe(record), *_import("\n".join(code))]
    if gaps:
        head += ["", *(f'{gap.variable} = ""' for gap in gaps)]
    return "\n".join([*head, "", "", *code, ""])


def _describe(record: Record) -> Iterator[str]:
    """Say in comments what it is about, without anything that a client wrote."""
    outcome = str(record.status_code or record.outcome)
    if record.exception is not None and record.exception.type.replace(".", "").isidentifier():
        outcome += f", {record.exception.type}"
    yield f"# Record {record.id} of {record.date_created:%Y-%m-%d %H:%M:%S} UTC: {outcome}"


def _import(code: str) -> list[str]:
    """Return the imports that some code needs, as ``ruff`` sorts them."""
    names = find_names(code)
    standard = [line for name, line in _IMPORTS.items() if name in names]
    return ["", *standard, *([""] if standard else []), "import pytest"]


def _skip_without(gaps: tuple[Gap, ...]) -> list[str]:
    if not gaps:
        return []
    names = [Raw(gap.variable) for gap in gaps]
    condition: Expression = Raw(f"not {names[0].code}")
    if len(names) > 1:
        condition = call("not all", [("", literal(names))])
    reason = "redacted values are missing: set the constants first"
    return lay_out("@", call("pytest.mark.skipif", [("", condition), ("reason=", literal(reason))]))


def _name_test(record: Record) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", f"{record.method} {record.path}".lower())
    return f"test_{words[:LONGEST_NAME].strip('_')}"


def _log_in(request: RequestParts, user_id: str) -> Iterator[str]:
    url = _find_base_url(request)
    arguments = [("base_url=", literal(url))] if url else []
    yield from lay_out("with ", call("client.session_transaction", arguments), " as session:", 4)
    yield f'        session["_user_id"] = {quote_text(user_id)}  # as Flask-Login does'
    yield '        session["_fresh"] = True'


def _set_cookie(request: RequestParts, name: str, value: Parts) -> Expression:
    arguments = [("", literal(name)), ("", join_text(value))]
    if _find_base_url(request):
        arguments.append(("domain=", literal(request.host.partition(":")[0])))
    return call("client.set_cookie", arguments)


def _send(request: RequestParts) -> Expression:
    arguments: list[tuple[str, Expression]] = [("", join_text(request.client_path))]
    if url := _find_base_url(request):
        arguments.append(("base_url=", literal(url)))
    body = read_body(request, read_multipart)
    headers = {
        name: join_text(value)
        for name, value in request.headers
        if name.lower() not in _LEFT_OUT
        and not (body and body.has_type and name.lower() == "content-type")
    }
    if headers:
        arguments.append(("headers=", literal(headers)))
    if body is not None:
        arguments.append((f"{body.argument}=", body.expression))
        if body.content_type:
            arguments.append(("content_type=", literal(body.content_type)))
    if request.method in _CLIENT_METHODS:
        return call(f"client.{request.method.lower()}", arguments)
    return call("client.open", [*arguments, ("method=", literal(request.method))])


def _find_base_url(request: RequestParts) -> str | None:
    """Return the URL of the host where the test client's own would be another."""
    if request.scheme == "http" and _LOCAL_HOST.fullmatch(request.host):
        return None
    return f"{request.scheme}://{request.host}"


def _assert_response(record: Record) -> Iterator[str]:
    status = record.status_code
    if status is None or status >= 500 or record.exception is not None or record.outcome == "error":
        yield "    assert response.status_code < 500"
        return
    yield f"    assert response.status_code == {status}"
    location = get_response_header(record, "location")
    if location and not is_volatile_text(location):
        yield from lay_out_assertion("response.location", literal(location), 4)
    yield from _assert_body(record)


def _assert_body(record: Record) -> Iterator[str]:
    content, lines = find_stable_json(record), find_stable_lines(record)
    if content is not VOLATILE:
        yield from lay_out_assertion("response.json", _literal_or_any(content), 4)
    elif lines is not None:
        yield from lay_out_assertion("response.text.splitlines()", literal(lines), 4)
    elif kind := get_content_type(record).partition(";")[0].strip().lower():
        yield from lay_out_assertion("response.mimetype", literal(kind), 4)


def _literal_or_any(value: Any) -> Expression:
    if value is VOLATILE:
        return Raw("ANY")
    if isinstance(value, dict):
        return literal({name: _literal_or_any(one) for name, one in value.items()})
    return literal([_literal_or_any(one) for one in value] if isinstance(value, list) else value)
