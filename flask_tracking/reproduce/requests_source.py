"""A request as a script for Python, with Requests."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..record import Record
from .literals import Expression, call, find_names, lay_out, literal
from .python_body import join_text, read_body
from .request import RequestParts, check_target, merge, read_request

__all__ = ["python"]


def python(record: Record) -> str:
    """Return a script for Python that sends the request of `record` with Requests.

    Redacted values are constants at its top; it sends nothing before they are set. Requests writes the
    target with escapes of its own, which name the same resource, and adds ``User-Agent`` and
    ``Accept-Encoding`` where the request had none.

    Args:
        record: of a request.

    Raises:
        TrackingError: it has no request that could be sent, or one whose path Requests would shorten.

    .. versionadded:: 2.0
    """
    request = read_request(record)
    check_target(request, _TARGET, "Requests")
    code = list(_make_code(request))
    names = find_names("\n".join(code))
    lines = ["import os"] if "os" in names else []
    lines += ["from pathlib import Path"] if "Path" in names else []
    lines += ["from urllib.parse import quote"] if "quote" in names else []
    lines += [""] * bool(lines) + ["import requests", ""]
    return "\n".join([*lines, *code, ""])


def _make_code(request: RequestParts) -> Iterator[str]:
    for gap in request.gaps:
        value = call("os.environ.get", [("", literal(gap.variable)), ("", literal(""))])
        yield from lay_out(f"{gap.variable} = ", value)
        yield f"if not {gap.variable}:"
        yield f'    raise SystemExit("{gap.variable} {gap.demand}")'
    if request.gaps:
        yield ""
    arguments: list[tuple[str, Expression]] = [("", literal(request.method)), ("", _make_url(request))]
    body = read_body(request)
    headers = {
        name: join_text(value)
        for name, value in request.headers
        if not (body and body.has_type and name.lower() == "content-type")
    }
    if headers:
        arguments.append(("headers=", literal(headers)))
    if body is not None:
        arguments.append((f"{body.argument}=", body.expression))
    yield from lay_out("response = ", call("requests.request", [*arguments, *_OPTIONS]))
    yield "print(response.status_code, response.reason)"
    yield "print(response.text)"


_TARGET = re.compile(rb"(?!//|[^?]*/(?:\.|%2[eE]){1,2}(?:[/?]|\Z)).*", re.DOTALL)
"""Targets whose path has no ``/./`` and ``/../``, and no ``//`` at its beginning, which Requests would
resolve, in some versions at least."""
_ODD = re.compile(rb"[^\x00-\x7f]|#")
_OPTIONS: list[tuple[str, Expression]] = [
    ("allow_redirects=", literal(False)),
    ("timeout=", literal(60)),
]


def _quote(target: bytes) -> bytes:
    """Percent-encode what Requests would take for Latin-1, and send as UTF-8, or for a fragment."""
    return _ODD.sub(lambda found: b"%%%02X" % ord(found[0]), target)


def _make_url(request: RequestParts) -> Expression:
    base = f"{request.scheme}://{request.host}".encode()
    target = tuple(_quote(part) if isinstance(part, bytes) else part for part in request.target)
    is_path = isinstance(target[0], bytes) and target[0].startswith(b"/")
    return join_text(merge(base if is_path else base + b"/", *target))
