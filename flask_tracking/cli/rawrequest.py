"""Parse a request as text, like that of ``curl -v`` or a browser, into a WSGI environ."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from ..errors import TrackingError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_REQUEST_LINE = re.compile(r"([A-Za-z][A-Za-z_-]*) (\S+) (HTTP/[0-9](?:\.[0-9])?)")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


class RawRequest(NamedTuple):
    """The parts of a request."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def environ(self) -> WSGIEnvironment:
        """Return the environ that a server would create."""
        url = urlsplit(self.target if "://" in self.target.partition("?")[0] else "")
        path, _, query = self.target.removeprefix(f"{url.scheme}://{url.netloc}").partition("?")
        values: WSGIEnvironment = {
            "REQUEST_METHOD": self.method,
            "RAW_URI": self.target,
            "PATH_INFO": unquote_to_bytes(path or "/").decode("latin-1"),
            "QUERY_STRING": query,
            "SCRIPT_NAME": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": self.version,
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": url.scheme or "http",
            "wsgi.input": io.BytesIO(self.body),
            "HTTP_HOST": url.netloc.rpartition("@")[2] or "localhost",
        }
        headers: dict[str, str] = {}
        for name, value in self.headers:
            key = name.upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            joint = "; " if key == "HTTP_COOKIE" else ","
            headers[key] = f"{headers[key]}{joint}{value}" if key in headers else value
        if self.body:
            headers["CONTENT_LENGTH"] = str(len(self.body))
        return values | headers


def parse_request(data: bytes) -> RawRequest:
    """Parse a request line, headers, an empty line and a body.

    Raises:
        TrackingError: a line is invalid. The message names the line and what is expected, and quotes
            nothing.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    end = _END_OF_HEADERS.search(data)
    head = data[: end.start()] if end else data
    lines = [line.removesuffix("\r") for line in head.decode("latin-1").rstrip("\r\n").split("\n")]
    method, target, version = _read_request_line(lines[0])
    headers = tuple(_read_header(line, number) for number, line in enumerate(lines[1:], 2))
    body = data[end.end() :] if end else b""
    return RawRequest(method, target, version, headers, _check_body(headers, body))


def _read_request_line(line: str) -> tuple[str, str, str]:
    match = _REQUEST_LINE.fullmatch(line.rstrip(" "))
    if match is None:
        raise TrackingError("Invalid line 1: expected a request line like 'POST /orders?a=1 HTTP/1.1'.")
    method, target, version = match.groups()
    if not (target.startswith("/") or target == "*" or re.match(r"https?://[^/]", target)):
        raise TrackingError("Invalid target in line 1: expected a path like '/orders?a=1', or a URL.")
    return method.upper(), target, version


def _read_header(line: str, number: int) -> tuple[str, str]:
    match = _HEADER.fullmatch(line)
    if match is None:
        raise TrackingError(
            f"Invalid line {number}: expected a header 'Name: value' on one line, or an empty line "
            "before the body."
        )
    name, value = match.groups()
    if name.lower() == "transfer-encoding":
        raise TrackingError(
            f"Line {number} is a Transfer-Encoding header. Remove it, and write the decoded body."
        )
    return name, value


def _check_body(headers: tuple[tuple[str, str], ...], body: bytes) -> bytes:
    for number, (name, value) in enumerate(headers, 2):
        if name.lower() != "content-length":
            continue
        # Editors end a file with a newline that is not part of the body.
        for one in (body, body.removesuffix(b"\n"), body.removesuffix(b"\r\n")):
            if value == str(len(one)):
                return one
        raise TrackingError(
            f"Invalid Content-Length in line {number}: the body has {len(body)} bytes. Remove the "
            "header: the length is calculated."
        )
    return body
