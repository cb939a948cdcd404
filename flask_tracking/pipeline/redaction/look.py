"""The first look at records: one scan over all text of a batch tells where there may be a secret.

Most records have none and are done with it. Of the others it tells which parts are worth reading.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from ...memo import Memo
from ...record import Record
from .bodies import trim_cut
from .engine import Span
from .headers import SECRET_HEADERS
from .values import Finder

UNDECODABLE = "undecodable"
CUT = frozenset({"truncated", "not read"})
"""Notes of a body that goes on where its copy ends."""
BROKEN_OFF = frozenset({"disconnected", "stream_error", "unread"})
"""Outcomes of a request whose answer was not sent to its end."""
HARMLESS_REST, CUT_WINDOW = 6, 4096
TEXT_FIELDS = (
    "host", "path", "request_id", "user_id", "user_repr", "http_version", "method", "scheme", "ip",
    "name", "kept_reason",
)  # fmt: skip
_PLAIN, _HIDDEN = "", None


class Sight(NamedTuple):
    """What the first look saw in a record."""

    head: bool
    """Whether there may be something anywhere but in the bodies."""
    request_body: Sequence[Span] | None
    """Where in it there may be something; None where it has to be read to know."""
    response_body: Sequence[Span] | None


CLEAN = Sight(False, (), ())
"""Nothing of it has to be read."""


class Looker:
    """Looks at batches of records, with one finder."""

    def __init__(self, finder: Finder, max_body_bytes: int) -> None:
        """Bodies of more than `max_body_bytes` are read, whatever is in them: they have to be cut."""
        self._finder = finder
        self._max_body_bytes = max_body_bytes
        self._header_kinds: Memo[str, str | None] = Memo(lambda name: _header_kind(name, finder))

    def look(self, records: Sequence[Record]) -> list[Sight]:
        """Return what there is to see in each record."""
        texts: list[bytes] = []
        to_read = []
        for record in records:
            head = self._gather_head(record)
            request, response = record.request_body, record.response_body
            is_multipart = bool(request or response) and b"multipart/" in head.lower()
            read_request = bool(request) and self._must_read(record, "request", request, is_multipart)
            read_response = bool(response) and self._must_read(
                record, "response", response, is_multipart
            )
            # What was sent is often what comes back: it is looked at once.
            is_seen = read_response or (not read_request and response == request)
            texts += (head, b"" if read_request else request, b"" if is_seen else response)
            to_read.append((read_request, read_response))
        spans = self._finder.scan(b"\n".join(texts))
        if not spans and not any(map(any, to_read)):
            return [CLEAN] * len(records)
        seen = _spread(spans, texts)
        return [
            _judge(record, must_read, *parts)
            for record, must_read, *parts in zip(
                records, to_read, seen[::3], seen[1::3], seen[2::3], strict=True
            )
        ]

    def _must_read(self, record: Record, side: str, body: bytes, is_multipart: bool) -> bool:
        return (
            is_multipart
            or len(body) > self._max_body_bytes
            or b"\0" in body
            or vars(record)[f"{side}_body_note"] == UNDECODABLE
            or is_cut(record, side)
        )

    def _gather_head(self, record: Record) -> bytes:
        """Return the text of all but the bodies."""
        values = vars(record)
        kinds = self._header_kinds
        # One string of those that are always there: they are few, and mostly short.
        first = (
            f"{values['host']}\n{values['path']}\n{values['query_params']}\n{values['target']}\n"
            f"{values['request_id']}\n{values['user_id']}\n{values['user_repr']}\n"
            f"{values['http_version']}\n{values['method']}\n{values['scheme']}\n{values['ip']}\n"
            f"{values['name']}\n{values['kept_reason']}"
        )
        texts = [first]
        for headers in (values["request_headers"], values["response_headers"]):
            texts += [
                value if kind == _PLAIN else f"{kind}{value}"
                for name, value in headers
                if (kind := kinds[name]) is not _HIDDEN
            ]
        agent = values["user_agent"]
        if agent is not None:
            texts += filter(None, (agent.string, agent.language))
        if values["view_args"]:
            texts += [f"{key}={value}" for key, value in values["view_args"].items()]
        if values["exception"] is not None:
            texts += values["exception"]
        if values["custom_data"] is not None:
            texts += _flatten(values["custom_data"])
        if values["children"]:
            texts += [f"{child.name}\n{child.error}" for child in values["children"]]
        return "\n".join(texts).encode("utf-8", "surrogatepass")


def is_cut(record: Record, side: str) -> bool:
    """Tell whether a body went on where its copy ends, and was not redacted before."""
    values = vars(record)
    if values["rules_version"] is not None:
        return False
    if values[f"{side}_body_note"] in CUT:
        return True
    if side == "request" or values["outcome"] not in BROKEN_OFF:
        return False
    # What is shorter than any part of a secret worth the name stays: it may say where a stream broke.
    end = values[f"{side}_body"][-CUT_WINDOW:]
    return len(end) - len(trim_cut(end)) >= HARMLESS_REST


def _header_kind(name: str, finder: Finder) -> str | None:
    """Return what is put before a header's value: something to be seen where its name is sensitive."""
    if name.title() in SECRET_HEADERS:
        return _HIDDEN  # only schemes and the names of cookies are left of them
    if finder.names.is_sensitive(name) or finder.scan(name.encode("utf-8", "surrogatepass")):
        return "password: "
    return _PLAIN


def _flatten(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{key}="
            yield from _flatten(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _flatten(item)
    elif isinstance(value, bytes):
        yield value.decode("latin-1")
    elif value is not None:
        yield str(value)


def _judge(
    record: Record,
    must_read: tuple[bool, bool],
    head: Sequence[Span],
    request: Sequence[Span] | None,
    response: Sequence[Span] | None,
) -> Sight:
    read_request, read_response = must_read
    if read_request:
        request = None
    if read_response:
        response = None
    elif request and not response and record.response_body == record.request_body:
        response = request
    elif not (head or request or response or read_request):
        return CLEAN
    return Sight(bool(head), request, response)


def _spread(spans: Iterable[Span], texts: Sequence[bytes]) -> list[Sequence[Span]]:
    """Return for each of the joined texts the part of the spans that is in it."""
    starts = list(accumulate((len(text) + 1 for text in texts[:-1]), initial=0))
    seen: list[list[Span] | tuple[()]] = [()] * len(texts)
    for start, end in spans:
        at = bisect_right(starts, start) - 1
        while at < len(texts) and starts[at] < end:
            within = (max(start - starts[at], 0), min(end - starts[at], len(texts[at])))
            found = seen[at]
            if within[0] > within[1]:
                pass
            elif isinstance(found, list):
                found.append(within)
            else:
                seen[at] = [within]
            at += 1
    return list(seen)
