"""A request as a command of HTTPie for a POSIX shell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import TrackingError
from ..record import Record
from .request import Part, Parts, RequestParts, check_target, merge, read_request
from .shell import make_script, make_word

__all__ = ["httpie"]

_PLAIN = re.compile(rb"[\x20-\x7e]*")
_ESCAPE = rb"%(?!2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)[0-9A-F]{2}"
_CHARACTER = rb"(?:[0-9A-Za-z/&=._~:@!$'()*+,;-]|" + _ESCAPE + rb")"
_TARGET = re.compile(rb"(?!//|.*/\.)/" + _CHARACTER + rb"*(?:\?(?:\?|" + _CHARACTER + rb")+)?")
"""Targets that HTTPie sends unchanged. It decodes escapes of letters, digits and ``-._~``, writes the
others in capitals, escapes a ``%`` that begins none, leaves out a ``?`` without a query, and shortens
``/../`` and, with some versions of Requests, a ``//`` at the beginning."""
_METHOD = re.compile(r"[A-Z]+")
"""Methods that HTTPie sends unchanged. It would take others for a URL, or write them in capitals."""


def httpie(record: Record) -> str:
    """Return a command that sends the request of `record` with HTTPie.

    Redacted values are variables at its top; it sends nothing before they are set.

    Args:
        record: of a request.

    Raises:
        TrackingError: it has no request that could be sent, or one that HTTPie cannot write.

    .. versionadded:: 2.0
    """
    request = read_request(record)
    check_target(request, _TARGET, "HTTPie")
    if not _METHOD.fullmatch(request.method):
        raise TrackingError(f"HTTPie cannot send the method {request.method}. Use `curl` instead.")
    url = merge(f"{request.scheme}://{request.host}".encode(), *request.target)
    # Behind the dashes nothing is an option, whatever a client has named its headers.
    arguments = [f"--path-as-is -- {request.method} {make_word(url)}"]
    arguments += map(make_word, _httpie_headers(request))
    if not request.body:
        arguments.insert(0, "--ignore-stdin")
    return make_script(request, "http", arguments, bool(request.body))


def _httpie_headers(request: RequestParts) -> Iterator[Parts]:
    for name, value in request.headers:
        yield (
            merge(f"{name}:".encode(), *_escape_item(name, value)) if value else (f"{name};".encode(),)
        )
    sent = {name.lower() for name, _ in request.headers}
    own = ("User-Agent", "Accept", "Accept-Encoding", *(["Content-Type"] if request.body else []))
    yield from ((f"{name}:".encode(),) for name in own if name.lower() not in sent)


def _escape_item(name: str, value: Parts) -> Iterator[Part]:
    """Escape what HTTPie would read as an item of another kind: ``:=`` is JSON, ``:@`` a file."""
    for part in value:
        if isinstance(part, bytes):
            if not _PLAIN.fullmatch(part) or re.search(rb"\\[:=@;\\]", part):
                raise TrackingError(f"HTTPie cannot send the header {name}. Use `curl` instead.")
            part = re.sub(rb"\A[=@:]", rb"\\\g<0>", part) if part is value[0] else part
        yield part
