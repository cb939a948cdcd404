"""The prefilter: one scan over all text of a batch tells where there may be a secret.

No parser would find a secret outside its hits. Most records have no hit and are done; of the others
only the parts around hits are read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from ..record import Holds, Record
from ..record_fields import fields_holding
from ..runtime.cache import BoundedCache, make_pick
from .detection.detector import Detector
from .engines.base import Range
from .headers import CREDENTIAL_HEADERS
from .parsers.body import trim_cut
from .tree import write_tree

UNDECODABLE = "undecodable"
CUT = frozenset({"truncated", "not read"})
"""Notes of a body that goes on where its copy ends."""
BROKEN_OFF = frozenset({"disconnected", "stream_error", "unread"})
"""Outcomes of a request whose answer was not sent to its end."""
HARMLESS_REST, CUT_WINDOW = 6, 4096
_TEXTS = fields_holding(Holds.TEXT, Holds.PATH, Holds.FORM, Holds.TARGET)
_HEADERS, _USER_AGENTS = fields_holding(Holds.HEADERS), fields_holding(Holds.USER_AGENT)
_PICK_BODY = {
    side: make_pick((f"{side}_body", f"{side}_body_note", "outcome"))
    for side in ("request", "response")
}
_pick_texts = make_pick(_TEXTS)
_PLAIN, _HIDDEN = "", None
MAX_CLEAN, MAX_CLEAN_SIZE = 1000, 300
"""Values of headers that are remembered, and the characters of the longest."""
BYTES_AT_ONCE = 1 << 16
"""Python's ``re`` holds the interpreter for as long as it reads, up to the end."""


class Hits(NamedTuple):
    """Where in a record there may be a secret."""

    head: bool
    """Whether there may be one anywhere but in the bodies."""
    request_body: Sequence[Range] | None
    """Where in it there may be one; None where it has to be read to know."""
    response_body: Sequence[Range] | None


ANOTHER: Sequence[Range] = ((0, 0),)
"""The hits of a text that may have long runs of base64: without them it is another text."""
CLEAN = Hits(False, (), ())
"""Nothing of the record has to be read."""
READ_ALL = Hits(True, None, None)


class Prefilter:
    """Scans batches of records, with one detector."""

    def __init__(self, detector: Detector, max_body_bytes: int) -> None:
        """Bodies of more than `max_body_bytes` are read, whatever is in them: they have to be cut."""
        self._detector = detector
        self._max_body_bytes = max_body_bytes
        self._header_kinds: BoundedCache[str, str | None] = BoundedCache(
            lambda name: _header_kind(name, detector)
        )
        self._clean: set[str] = set()
        """Values of headers in which nothing was seen: most come with every request."""

    def scan(self, records: Sequence[Record]) -> list[Hits]:
        """Return the hits in each record."""
        texts: list[bytes] = []
        to_read, news = [], []
        for record in records:
            values = vars(record)
            new = self._gather_new(values)
            head = _gather_head(values, new)
            request, response = values["request_body"], values["response_body"]
            # A content type of multipart is never clean.
            is_multipart = any("multipart/" in text.lower() for text in new) if new else False
            read_request = bool(request) and (is_multipart or self._must_read(values, "request"))
            read_response = bool(response) and (is_multipart or self._must_read(values, "response"))
            # A response often repeats the request: it is scanned once.
            is_seen = read_response or (not read_request and response == request)
            texts += (head, b"" if read_request else request, b"" if is_seen else response)
            to_read.append((read_request, read_response))
            news.append(new)
        seen = self._scan(texts)
        if not any(seen) and not any(map(any, to_read)):
            for new in filter(None, news):
                self._learn(new)
            return [CLEAN] * len(records)
        for new, head_hits in zip(news, seen[::3], strict=True):
            if new and not head_hits:
                self._learn(new)
        return [
            _judge(record, must_read, *parts)
            for record, must_read, *parts in zip(
                records, to_read, seen[::3], seen[1::3], seen[2::3], strict=True
            )
        ]

    def _scan(self, texts: Sequence[bytes]) -> list[Sequence[Range]]:
        """Return the hits in each text; small ones are scanned together."""
        if len(texts) > 1 and sum(map(len, texts)) > BYTES_AT_ONCE:
            half = len(texts) // 2
            return [*self._scan(texts[:half]), *self._scan(texts[half:])]
        hits, has_runs = self._detector.scan_apart(b"\n".join(texts))
        if not hits:
            return [()] * len(texts)
        seen = _spread(hits, texts)
        return [ANOTHER if one else one for one in seen] if has_runs else seen

    def _must_read(self, values: Mapping[str, Any], side: str) -> bool:
        body, note, outcome = _PICK_BODY[side](values)
        if len(body) > self._max_body_bytes or b"\0" in body:
            return True
        if note is None and outcome not in BROKEN_OFF:
            return False
        return note == UNDECODABLE or is_cut(values, side)

    def _gather_new(self, values: Mapping[str, Any]) -> list[str]:
        """Return the headers and user agents that are not known to be clean."""
        clean, kinds = self._clean, self._header_kinds
        new = []
        for field in _HEADERS:
            for name, value in values[field]:
                kind = kinds[name]
                if kind:
                    new.append(f"{kind}{value}")
                elif value not in clean and kind is not _HIDDEN:
                    new.append(value)
        for field in _USER_AGENTS:
            agent = values[field]
            if agent is not None:
                new += [text for text in (agent.string, agent.language) if text and text not in clean]
        return new

    def _learn(self, texts: Iterable[str]) -> None:
        """Remember values that are clean; a client that varies its headers costs CPU, never memory."""
        if len(self._clean) > MAX_CLEAN:
            self._clean.clear()
        # A content type of multipart has to be seen each time.
        self._clean.update(
            text for text in texts if len(text) <= MAX_CLEAN_SIZE and "multipart/" not in text.lower()
        )


def _gather_head(values: Mapping[str, Any], new: Iterable[str]) -> bytes:
    """Return the text of all but the bodies, with the `new` values of headers."""
    texts = [*filter(None, _pick_texts(values)), *new]
    for name, gather in _OTHERS:
        value = values[name]
        if value:
            texts += gather(value)
    return "\n".join(texts).encode("utf-8", "surrogatepass")


def _gather_args(args: Mapping[str, str]) -> Iterable[str]:
    return [f'"{name}": "{value}"' for name, value in args.items()]


def _gather_tree(tree: Any) -> Iterable[str]:
    return [write_tree(tree)]


def _gather_timings(timings: Iterable[Any]) -> Iterable[str]:
    return [f"{one.name}\n{one.error}" for one in timings]


_GATHER: dict[Holds, Callable[[Any], Iterable[str]]] = {
    Holds.ARGS: _gather_args,
    Holds.ERROR: tuple,
    Holds.TREE: _gather_tree,
    Holds.TIMINGS: _gather_timings,
}
_OTHERS = [(name, gather) for holds, gather in _GATHER.items() for name in fields_holding(holds)]
"""The other fields, each with the function that makes texts of it."""


def is_cut(values: Mapping[str, Any], side: str) -> bool:
    """Tell whether a body of a record went on where its copy ends, and was not redacted before."""
    if values["redaction_version"] is not None:
        return False
    if values[f"{side}_body_note"] in CUT:
        return True
    if side == "request" or values["outcome"] not in BROKEN_OFF:
        return False
    # A rest too short to tell a part of a secret stays: it may say where a stream broke.
    end = values[f"{side}_body"][-CUT_WINDOW:]
    return len(end) - len(trim_cut(end)) >= HARMLESS_REST


def _header_kind(name: str, detector: Detector) -> str | None:
    """Return a prefix for a header's value: a sensitive word where its name is sensitive."""
    if name.title() in CREDENTIAL_HEADERS:
        return _HIDDEN  # only schemes and the names of cookies are left of them
    if detector.names.strength(name) or detector.scan(name.encode("utf-8", "surrogatepass")):
        return "password: "
    return _PLAIN


def _judge(
    record: Record,
    must_read: tuple[bool, bool],
    head: Sequence[Range],
    request: Sequence[Range],
    response: Sequence[Range],
) -> Hits:
    read_request, read_response = must_read
    if request and not response and record.response_body == record.request_body:
        response = request
    if not (head or request or response or read_request or read_response):
        return CLEAN
    return Hits(
        bool(head),
        None if read_request or request is ANOTHER else request,
        None if read_response or response is ANOTHER else response,
    )


def _spread(hits: Iterable[Range], texts: Sequence[bytes]) -> list[Sequence[Range]]:
    """Return for each of the joined texts the part of the hits that is in it."""
    starts = list(accumulate([len(text) + 1 for text in texts], initial=0))
    seen: list[list[Range]] = [[] for _ in texts]
    for start, end in hits:
        at = bisect_right(starts, start) - 1
        while end > starts[at + 1]:  # it goes on in the next text
            seen[at].append((start - starts[at], len(texts[at])))
            at += 1
            start = starts[at]
        seen[at].append((start - starts[at], min(end - starts[at], len(texts[at]))))
    return [one or () for one in seen]
