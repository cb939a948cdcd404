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
from .names import Names
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
_PLAIN, _HIDDEN, _SENSITIVE = range(3)


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
    """Looks at batches of records, with one finder and one set of names."""

    def __init__(self, finder: Finder, names: Names, max_body_bytes: int) -> None:
        """Bodies of more than `max_body_bytes` are read, whatever is in them: they have to be cut."""
        self._finder = finder
        self._max_body_bytes = max_body_bytes
        self._header_kinds: Memo[str, int] = Memo(lambda name: _header_kind(name, finder, names))

    def look(self, records: Sequence[Record]) -> list[Sight]:
        """Return what there is to see in each record."""
        texts: list[bytes] = []
        suspects = []
        for record in records:
            head, is_suspect = self._gather_head(record)
            has_body = bool(record.request_body or record.response_body)
            is_multipart = has_body and b"multipart/" in head.lower()
            read_request = self._must_read(record, is_multipart, "request")
            read_response = self._must_read(record, is_multipart, "response")
            # What was sent is often what comes back: it is looked at once.
            is_seen = read_response or (not read_request and _is_echo(record))
            texts += (
                head,
                b"" if read_request else record.request_body,
                b"" if is_seen else record.response_body,
            )
            suspects.append((is_suspect, read_request, read_response))
        spans = self._finder.scan(b"\n".join(texts))
        if not spans and not any(map(any, suspects)):
            return [CLEAN] * len(records)
        seen = _spread(spans, texts)
        return [
            _judge(record, suspect, *parts)
            for record, suspect, *parts in zip(
                records, suspects, seen[::3], seen[1::3], seen[2::3], strict=True
            )
        ]

    def _must_read(self, record: Record, is_multipart: bool, side: str) -> bool:
        values = vars(record)
        body = values[f"{side}_body"]
        return bool(body) and (
            is_multipart
            or values[f"{side}_body_note"] == UNDECODABLE
            or is_cut(record, side)
            or len(body) > self._max_body_bytes
            or b"\0" in body
        )

    def _gather_head(self, record: Record) -> tuple[bytes, bool]:
        """Return the text of all but the bodies, and whether a header is a secret by its name."""
        values = vars(record)
        texts = [values[name] for name in TEXT_FIELDS if values[name]]
        is_suspect = False
        kinds = self._header_kinds
        for headers in (values["request_headers"], values["response_headers"]):
            for name, value in headers:
                kind = kinds[name]
                if kind == _PLAIN:
                    texts.append(value)
                elif kind == _SENSITIVE:
                    is_suspect = True
        if values["query_params"]:
            texts.append(values["query_params"])
        if values["target"]:
            texts.append(values["target"])
        agent = values["user_agent"]
        if agent is not None:
            texts += [text for text in (agent.string, agent.language) if text and text not in texts]
        if values["view_args"]:
            texts += [f"{key}={value}" for key, value in values["view_args"].items()]
        if values["exception"] is not None:
            texts += values["exception"]
        if values["custom_data"] is not None:
            texts += _flatten(values["custom_data"])
        if values["children"]:
            texts += [f"{child.name}\n{child.error}" for child in values["children"]]
        return "\n".join(texts).encode("utf-8", "surrogatepass"), is_suspect


def is_cut(record: Record, side: str) -> bool:
    """Tell whether a body went on where its copy ends, and was not redacted before."""
    values = vars(record)
    if values["rules_version"] is not None:
        return False
    if values[f"{side}_body_note"] in CUT:
        return True
    # What is shorter than any part of a secret worth the name stays: it may say where a stream broke.
    end = values[f"{side}_body"][-CUT_WINDOW:]
    is_broken_off = side == "response" and values["outcome"] in BROKEN_OFF
    return is_broken_off and len(end) - len(trim_cut(end)) >= HARMLESS_REST


def _header_kind(name: str, finder: Finder, names: Names) -> int:
    if name.title() in SECRET_HEADERS:
        return _HIDDEN  # only schemes and the names of cookies are left of them
    is_sensitive = names.is_sensitive(name) or finder.scan(name.encode("utf-8", "surrogatepass"))
    return _SENSITIVE if is_sensitive else _PLAIN


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


def _is_echo(record: Record) -> bool:
    return record.response_body == record.request_body


def _judge(
    record: Record,
    suspect: tuple[bool, bool, bool],
    head: Sequence[Span],
    request: Sequence[Span] | None,
    response: Sequence[Span] | None,
) -> Sight:
    is_suspect, read_request, read_response = suspect
    if read_request:
        request = None
    if read_response:
        response = None
    elif request and not response and _is_echo(record):
        response = request
    elif not (head or request or response or is_suspect or read_request):
        return CLEAN
    return Sight(is_suspect or bool(head), request, response)


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
