"""The request of a record in pieces for sending it again: bytes, and gaps for missing values.

A value that was redacted, and a body that was not stored whole, is a `Gap`, which somebody fills in.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple
from urllib.parse import quote_from_bytes, urlsplit

from ..errors import TrackingError
from ..record import Record, Remark, find_header

__all__ = [
    "NOT_SENT",
    "Gap",
    "Part",
    "Parts",
    "RequestParts",
    "find_gaps",
    "merge",
    "read_cookies",
    "read_request",
]

Encoding = Literal["url", "json text", "json value", "plain"]


class Gap(NamedTuple):
    """A value that the record does not have."""

    name: str
    """In lower case, like ``cookie_session``; unique in its request."""
    place: str
    """The part of the request, like ``header``."""
    encoding: Encoding
    """The encoding of the value in its place: ``url`` percent-encoded, ``json text`` inside the quotes
    of a JSON string, ``json value`` as JSON."""
    is_file: bool = False
    """True where the value is the content of a file."""

    @property
    def variable(self) -> str:
        """The name of its variable in a script; with a prefix, so that it is not ``PATH``."""
        return f"{'FILE' if self.is_file else 'REDACTED'}_{self.name.upper()}"

    @property
    def demand(self) -> str:
        """The message of a script if the value is not set."""
        return f"is not in the record: set {'a file with it' if self.is_file else 'it'} first"


Part = bytes | Gap
Parts = tuple[Part, ...]

NOT_SENT = frozenset(
    """
    connection content-encoding content-length expect host http2-settings keep-alive
    proxy-authorization proxy-connection te trailer transfer-encoding upgrade x-tracking-replay-of
    """.split()
)
"""Headers that describe the connection, or that the client generates for each request.

The stored body is decoded: ``Content-Encoding`` is not true of it. A ``Host`` is part of the URL.
"""
MARKER = re.compile(rb"\[redacted(?: #[0-9a-f]{8}| \.\.\.[0-9A-Za-z]{0,4})?\]")
"""Our own, also where a record of old has no remark about it."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_AUTHORITY = re.compile(r"(?:[0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_URL_BEGIN = re.compile(rb"(?<=\A/)/|\A[^/?]*:")
"""What a URL has before its path: the second slash of ``//host/x``, ``http:``."""
_NAMES = (
    re.compile(rb"""name="([^"\r\n]+)"[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n\Z"""),
    re.compile(rb"""([\w.\[\]-]{1,80})=\Z"""),
    re.compile(rb""""([^"\\]{1,80})"\s*:\s*(?:\[[^{}:]*)?"?\Z"""),
)
"""Text before a value that names it: in a multipart body, in a form or a cookie, in JSON."""
NAME_REACH = 300
"""Number of bytes before a value to search for its name."""
LONGEST_NAME = 40


class RequestParts(NamedTuple):
    """A request that can be sent again. Text is Latin-1, as in WSGI, made bytes."""

    method: str
    scheme: str
    host: str
    """The host of the URL, with its port; ``localhost`` if the recorded one is invalid."""
    target: Parts
    """The request target as it was received, where the server told all of it, else `path`."""
    path: Parts
    """The path within the app and the query, quoted again."""
    headers: tuple[tuple[str, Parts], ...]
    """Without `NOT_SENT`."""
    body: Parts

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The gaps to fill in before sending it, in order."""
        return find_gaps(self.target, *(value for _, value in self.headers), self.body)

    @property
    def content_type(self) -> str:
        """The media type of the body in lower case, without parameters."""
        return self.get_header("content-type").partition(";")[0].strip().lower()

    @property
    def client_path(self) -> Parts:
        """`path` for a test client, which takes a URL: quoted where it would begin like one."""
        first, *others = self.path
        if isinstance(first, bytes):
            first = _URL_BEGIN.sub(lambda found: quote_from_bytes(found[0], safe="").encode(), first)
        return (first, *others)

    def get_header(self, wanted: str) -> str:
        """Return the value of a header, empty where there is none or it is redacted.

        Args:
            wanted: its name in lower case.
        """
        for name, value in self.headers:
            if name.lower() == wanted:
                return "".join(part.decode("latin-1") for part in value if isinstance(part, bytes))
        return ""


def merge(*parts: Part) -> Parts:
    """Return parts with neighbouring bytes made one."""
    merged: list[Part] = []
    for part in parts:
        if merged and isinstance(part, bytes) and isinstance(merged[-1], bytes):
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged)


def is_plain(parts: Parts, pattern: re.Pattern[bytes]) -> bool:
    """Tell whether the bytes match, and no gap is a file."""
    data = b"".join(part for part in parts if isinstance(part, bytes))
    return pattern.fullmatch(data) is not None and not any(
        part.is_file for part in parts if isinstance(part, Gap)
    )


def check_target(request: RequestParts, pattern: re.Pattern[bytes], program: str) -> None:
    """Raise `TrackingError` for a target that `program` would not send as it was."""
    if not is_plain(request.target, pattern):
        raise TrackingError(f"{program} would change the target of this request. Use `curl` instead.")


def read_cookies(request: RequestParts) -> Iterator[tuple[str, Parts]]:
    """Yield the name and the value of each cookie that was sent."""
    parts = next((value for name, value in request.headers if name.lower() == "cookie"), ())
    pairs: list[list[Part]] = [[]]
    for part in parts:
        if isinstance(part, Gap):
            pairs[-1].append(part)
        else:
            first, *others = part.split(b";")
            pairs[-1].append(first)
            pairs += [[other] for other in others]
    for pair in pairs:
        head = pair[0] if pair and isinstance(pair[0], bytes) else b""
        name, equals, start = head.strip().partition(b"=")
        if equals:
            yield name.decode("latin-1"), tuple(part for part in (start, *pair[1:]) if part)


def find_gaps(*values: Parts) -> tuple[Gap, ...]:
    """Return the gaps in some values, each once."""
    return tuple(dict.fromkeys(part for value in values for part in value if isinstance(part, Gap)))


def read_request(record: Record) -> RequestParts:
    """Return the request of `record`.

    Raises:
        TrackingError: there is none: it is a task, or its redaction has failed.
    """
    if not record.method or not _TOKEN.fullmatch(record.method):
        raise TrackingError(f"Record {record.id} has no request that could be sent: it has no method.")
    return _Reader(record).read()


class _Reader:
    """Splits the fields of one record at what was removed from them, and names each gap once."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._names: set[str] = set()

    def read(self) -> RequestParts:
        record = self._record
        host = _find_host(record)
        headers = tuple(self._read_headers(is_host_wanted=host is None))
        # The same values stand in both: each has its own gaps, under the same names.
        names = self._names.copy()
        path = self._read_path()
        self._names = names
        target = self._read_target() or path
        return RequestParts(
            method=record.method or "",
            scheme="https" if record.scheme == "https" else "http",
            host=host or "localhost",
            target=target,
            path=path,
            headers=headers,
            body=self._read_body(),
        )

    def _read_headers(self, *, is_host_wanted: bool) -> Iterator[tuple[str, Parts]]:
        for name, value in self._record.request_headers:
            is_sent = name.lower() not in NOT_SENT or (is_host_wanted and name.lower() == "host")
            if is_sent and _TOKEN.fullmatch(name):
                text = re.sub(r"[\r\n\0]", " ", value).strip(" \t")
                yield name, self._split(text, f"request_headers.{name}", "header", _as_latin_1)

    def _read_target(self) -> Parts:
        target = self._record.target or ""
        if self._record.query_params and "?" not in target:
            return ()  # Werkzeug's test client tells only the path when the query is an argument
        return self._split(target, "target", "target", _as_target)

    def _read_path(self) -> Parts:
        path = self._split(self._record.path or "/", "path", "path", _quote_path)
        query = self._split(self._record.query_params or "", "query_params", "query", _quote_query)
        return merge(*path, b"?", *query) if query else path

    def _read_body(self) -> Parts:
        record = self._record
        note = record.request_body_note
        if note and (record.request_body_size or note == "not read"):
            return (self._make_gap("body", "body", "plain", is_file=True),)
        return self._split(record.request_body, "request_body", "body", lambda data: data)

    def _split(
        self, value: str | bytes, path: str, place: str, as_sent: Callable[[bytes], bytes]
    ) -> Parts:
        """Split a value at what was removed from it."""
        data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        parts: list[Part] = []
        at = 0
        for start, end, rule in self._find_removed(data, path):
            parts.append(as_sent(data[at:start]))
            name = _find_name(data[max(0, start - NAME_REACH) : start])
            name = name or path.removeprefix("request_headers.").rpartition("_")[2]
            name = f"cookie_{name}" if path.endswith(".Cookie") else name
            encoding = _find_encoding(self._record, place, data[start:end])
            parts.append(self._make_gap(name, place, encoding, is_file=rule == "file"))
            at = end
        parts.append(as_sent(data[at:]))
        return tuple(part for part in parts if part)

    def _find_removed(self, data: bytes, path: str) -> Iterator[tuple[int, int, str]]:
        """Yield the ranges of what was removed from a value, from left to right, without overlap."""
        ranges = [_read_range(one) for one in self._record.redacted if one.path == path]
        ranges += [(*match.span(), "") for match in MARKER.finditer(data)]
        reached = 0
        for start, end, rule in sorted(ranges, key=lambda one: (one[0], -one[1])):
            if reached <= start < end <= len(data):
                yield start, end, rule
                reached = end

    def _make_gap(self, name: str, place: str, encoding: Encoding, *, is_file: bool) -> Gap:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower())[:LONGEST_NAME].strip("_") or place
        unique = plain
        number = 2
        while unique in self._names:
            unique = f"{plain}_{number}"
            number += 1
        self._names.add(unique)
        return Gap(unique, place, encoding, is_file)


def _read_range(remark: Remark) -> tuple[int, int, str]:
    if remark.stored_offset is None or remark.stored_length is None:
        return 0, 0, ""  # cut off, or a remark of old: its marker is found as such
    return remark.stored_offset, remark.stored_offset + remark.stored_length, remark.rule


def _find_name(before: bytes) -> str | None:
    found: Iterable[re.Match[bytes] | None] = (pattern.search(before) for pattern in _NAMES)
    return next((one[1].decode("latin-1") for one in found if one), None)


def _find_encoding(record: Record, place: str, removed: bytes) -> Encoding:
    if place in ("target", "path", "query"):
        return "url"
    if place != "body":
        return "plain"
    kind = find_header(record.request_headers, "content-type") or ""
    if "json" in kind.lower():
        return "json value" if removed.startswith(b'"') else "json text"
    return "url" if "x-www-form-urlencoded" in kind.lower() else "plain"


def _find_host(record: Record) -> str | None:
    headers = [value for name, value in record.request_headers if name.lower() == "host"]
    return next((one for one in (*headers, record.host or "") if _is_authority(one)), None)


def _is_authority(text: str) -> bool:
    """Tell whether a URL can have this host: an address in brackets is one, and a port below 65,536."""
    if not _AUTHORITY.fullmatch(text):
        return False
    try:
        url = urlsplit(f"//{text}")
        if text.startswith("["):
            ipaddress.IPv6Address(url.hostname or "")
        return url.port is None or url.port > 0
    except ValueError:
        return False


def _as_latin_1(data: bytes) -> bytes:
    """Return the bytes of text that WSGI has made of bytes."""
    try:
        return data.decode("utf-8", "surrogatepass").encode("latin-1")
    except UnicodeError:  # no server has made this
        return data


def _as_target(data: bytes) -> bytes:
    # A control or a blank would end the target, and begin another header.
    return re.sub(rb"[\x00-\x20\x7f]", lambda match: b"%%%02X" % match[0][0], _as_latin_1(data))


def _quote_path(data: bytes) -> bytes:
    return quote_from_bytes(data, safe="/:@!$&'()*+,;=~").encode()


def _quote_query(data: bytes) -> bytes:
    return quote_from_bytes(data, safe="/:@!$&'()*+,;=~?%[]{}|^`\"<>\\").encode()
