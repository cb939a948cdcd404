"""The options with which cURL sends a request as it was, for every shell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .request import Parts, RequestParts, is_plain, merge

__all__ = ["Option", "read_options", "size"]

PLAIN_TARGET = re.compile(rb"(?!.*/(?:\.|%2[eE]))/[0-9A-Za-z/?&=._~:@!$'()*+,;%-]*")
"""Targets that cURL sends unchanged. It would shorten ``/../``, and expand brackets."""
EXPECT_FROM = 1024 * 1024
"""With bodies from this size on, cURL asks the server before it sends them."""


class Option(NamedTuple):
    """An option of cURL by its long name, and its value: None for a switch."""

    name: str
    value: Parts | None = None


def read_options(request: RequestParts) -> Iterator[Option]:
    """Yield what `request` needs, without its body; the last option is the URL."""
    yield from _read_method(request)
    if request.get_header("accept-encoding"):
        yield Option("compressed")
    yield from _read_headers(request)
    base = f"{request.scheme}://{request.host}".encode()
    if len(request.target) == 1 and is_plain(request.target, PLAIN_TARGET):
        yield Option("url", merge(base, *request.target))
    else:
        yield Option("request-target", request.target)
        yield Option("globoff")
        yield Option("url", (base + b"/",))


def has_body(request: RequestParts) -> bool:
    """Tell whether a body is sent, if only an empty one with its length."""
    return bool(request.body) or request.method in ("POST", "PUT", "PATCH")


def _read_method(request: RequestParts) -> Iterator[Option]:
    if request.method == "HEAD" and not request.body:
        yield Option("head")
    elif request.method != "GET" or request.body:
        yield Option("request", (request.method.encode(),))
    if request.method == "HEAD" and request.body:
        # It would wait for the body that the headers of the response announce.
        yield Option("ignore-content-length")
        yield Option("header", (b"Connection: close",))


def _read_headers(request: RequestParts) -> Iterator[Option]:
    for name, value in request.headers:
        # A name with a colon and only blanks behind it takes a header away; a semicolon sends it empty.
        header = (f"{name};".encode(),) if _is_blank(value) else merge(f"{name}: ".encode(), *value)
        yield Option("header", header)
    sent = {name.lower() for name, _ in request.headers}
    own = ["User-Agent", "Accept", *(["Content-Type"] if has_body(request) else [])]
    own = [name for name in own if name.lower() not in sent]
    if size(request.body) >= EXPECT_FROM:
        own.append("Expect")
    yield from (Option("header", (f"{name}:".encode(),)) for name in own)


def _is_blank(parts: Parts) -> bool:
    """Tell whether cURL would see no value: vertical tabs and form feeds are blanks to it."""
    return all(isinstance(part, bytes) and not part.strip() for part in parts)


def size(parts: Parts) -> int:
    """Return the number of bytes, where a file counts as a large one."""
    return sum(len(part) if isinstance(part, bytes) else EXPECT_FROM * part.is_file for part in parts)
