"""A request as a command of cURL for a POSIX shell."""

from __future__ import annotations

from ..record import Record
from .curl_options import Option, has_body, read_options, size
from .request import Parts, is_plain, read_request
from .shell import PLAIN_LINES, make_script, make_word

__all__ = ["curl"]

LONGEST_ARGUMENT = 2000
"""Bytes of a body that is an argument; a longer one is piped."""


def curl(record: Record) -> str:
    """Return a command that sends the request of `record` with cURL: every byte of it, in any shell.

    Redacted values are variables at its top; it sends nothing before they are set. Headers that
    describe the connection are left to cURL, ``Host`` and ``Content-Length`` follow from URL and body,
    and the body is sent without its ``Content-Encoding``, as it was stored.

    Args:
        record: of a request.

    Raises:
        TrackingError: it has no request that could be sent.

    .. versionadded:: 2.0
    """
    request = read_request(record)
    *options, url = map(_render, read_options(request))
    is_piped = bool(request.body) and not _is_argument(request.body)
    if is_piped:
        options.append("--data-binary @-")
    elif has_body(request):
        options.append(
            f"--data-raw {make_word(request.body)}"
        )  # reads no file, whatever it begins with
    return make_script(request, "curl", [*options, url.removeprefix("--url ")], is_piped)


def _render(option: Option) -> str:
    if option.value is None:
        return f"--{option.name}"
    return f"--{option.name} {make_word(option.value)}"


def _is_argument(body: Parts) -> bool:
    return size(body) <= LONGEST_ARGUMENT and is_plain(body, PLAIN_LINES)
