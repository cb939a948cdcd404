"""The prefilter: one scan over all text of a batch tells where there may be a secret.

No parser would find a secret outside its hits. Most records have no hit and are done; of the others
only the parts around hits are read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from itertools import accumulate, chain
from typing import Any, NamedTuple

from ..record import Holds, Record, UserAgent
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
_pick_texts = make_pick(_TEXTS)
_HEADERS = fields_holding(Holds.HEADERS)
(_USER_AGENT,), (_ARGS,) = fields_holding(Holds.USER_AGENT), fields_holding(Holds.ARGS)
_pick_state = make_pick(("request_body_note", "response_body_note", "outcome"))
_WHOLE = (None, None, "ok")
"""The state of most records: neither body has a note."""
_NEITHER = (False, False)
Part = tuple[str, str] | UserAgent | None
"""A header, or the user agent."""
_PLAIN, _HIDDEN = "", None
MAX_CLEAN, MAX_CLEAN_SIZE = 1000, 300
"""Headers and user agents that are remembered, and the characters of the longest."""
SEPARATOR = " \n"
"""Between texts. Line breaks alone stand within wrapped base64: a text would be a line of the last one,
and rows of short texts would be looked at as one long run."""
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
        self._clean: set[Part] = set()
        """Headers and user agents in which nothing was seen: most come with every request."""

    def scan(self, records: Sequence[Record]) -> list[Hits]:
        """Return the hits in each record."""
        many = [record.__dict__ for record in records]
        # Headers, and often bodies, come with many records: each text is scanned once.
        parts = {part for values in many for part in self._find_new(values)}
        new = {part: _encode(self._write_part(part)) for part in parts}
        multipart = {part for part, text in new.items() if b"multipart/" in text.lower()}
        to_read = [self._must_read(values, multipart) for values in many]
        rows = list(map(_pick_unread, many, to_read))
        texts = list(dict.fromkeys([*chain.from_iterable(rows), *new.values()]))
        found = zip(texts, self._scan(texts), strict=True)
        seen = {text: hits for text, hits in found if text and hits}
        dirty = {part for part, text in new.items() if text in seen}
        self._learn(new.keys() - dirty - multipart)
        if not seen and not any(map(any, to_read)):
            return [CLEAN] * len(records)
        return [
            _judge(
                must_read,
                head in seen or bool(dirty) and not dirty.isdisjoint(_get_parts(values)),
                seen.get(request, ()),
                seen.get(response, ()),
            )
            for values, must_read, (head, request, response) in zip(many, to_read, rows, strict=True)
        ]

    def _scan(self, texts: Sequence[bytes]) -> list[Sequence[Range]]:
        """Return the hits in each text; small ones are scanned together."""
        if len(texts) > 1 and sum(map(len, texts)) > BYTES_AT_ONCE:
            half = len(texts) // 2
            return [*self._scan(texts[:half]), *self._scan(texts[half:])]
        hits, has_runs = self._detector.scan_apart(SEPARATOR.encode().join(texts))
        if not hits:
            return [()] * len(texts)
        seen = _spread(hits, texts)
        return [ANOTHER if one else one for one in seen] if has_runs else seen

    def _find_new(self, values: Mapping[str, Any]) -> Iterable[Part]:
        """Return the headers and the user agent as far as they are not known to be clean."""
        clean = self._clean
        for field in _HEADERS:
            if not clean.issuperset(values[field]):
                return [part for part in _get_parts(values) if part not in clean]
        return () if values[_USER_AGENT] in clean else (values[_USER_AGENT],)

    def _must_read(self, values: Mapping[str, Any], multipart: Set[Part]) -> tuple[bool, bool]:
        """Tell of the body of the request and of the response whether it has to be read to know."""
        request, response = values["request_body"], values["response_body"]
        is_short = len(request) + len(response) <= self._max_body_bytes
        has_nul = 0 in request or 0 in response
        if is_short and not has_nul and not multipart and _pick_state(values) == _WHOLE:
            return _NEITHER
        if multipart and not multipart.isdisjoint(_get_parts(values)):
            return bool(request), bool(response)
        return self._is_odd(values, "request"), self._is_odd(values, "response")

    def _is_odd(self, values: Mapping[str, Any], side: str) -> bool:
        body, note = values[f"{side}_body"], values[f"{side}_body_note"]
        is_odd = len(body) > self._max_body_bytes or 0 in body or note == UNDECODABLE
        return bool(body) and (is_odd or is_cut(values, side))

    def _write_part(self, part: Part) -> str:
        """Return the text of a header or a user agent: nothing of credentials."""
        if part is None:
            return ""
        if isinstance(part, UserAgent):
            return f"{part.string}{SEPARATOR}{part.language}"
        name, value = part
        kind = self._header_kinds[name]
        return "" if kind is _HIDDEN else f"{kind}{value}"

    def _learn(self, parts: Iterable[Part]) -> None:
        """Remember parts that are clean; a client that varies its headers costs CPU, never memory."""
        if len(self._clean) > MAX_CLEAN:
            self._clean.clear()
        self._clean.update(
            part
            for part in parts
            if part is None or sum(map(len, filter(None, part))) <= MAX_CLEAN_SIZE
        )


def _get_parts(values: Mapping[str, Any]) -> Iterable[Part]:
    """Return the headers and the user agent of a record."""
    return chain(*(values[field] for field in _HEADERS), (values[_USER_AGENT],))


def _pick_unread(values: Mapping[str, Any], must_read: tuple[bool, bool]) -> tuple[bytes, bytes, bytes]:
    """Return the texts of a record that are scanned: all but the headers, and the bodies."""
    request, response = values["request_body"], values["response_body"]
    if response == request:
        response = request  # its hash is known then
    return _write_head(values), b"" if must_read[0] else request, b"" if must_read[1] else response


def _write_head(values: Mapping[str, Any]) -> bytes:
    """Return the text of all but the bodies, the headers and the user agent."""
    text = SEPARATOR.join(filter(None, _pick_texts(values)))
    args, others = values[_ARGS], _pick_others(values)
    if args:
        for name, value in args.items():
            text += f'\n"{name}": "{value}"'
    if any(others):
        for value, (_, write) in zip(others, _OTHERS, strict=True):
            text += SEPARATOR + write(value) if value else ""
    return _encode(text)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _write_timings(timings: Iterable[Any]) -> str:
    return SEPARATOR.join(f"{one.name}{SEPARATOR}{one.error}" for one in timings)


_WRITE: dict[Holds, Callable[[Any], str]] = {
    Holds.ERROR: SEPARATOR.join,
    Holds.TREE: write_tree,
    Holds.TIMINGS: _write_timings,
}
_OTHERS = [(name, write) for holds, write in _WRITE.items() for name in fields_holding(holds)]
"""The other fields, each with the function that makes a text of it."""
_pick_others = make_pick(tuple([name for name, _ in _OTHERS]))


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
    must_read: tuple[bool, bool],
    has_head: bool,
    request: Sequence[Range],
    response: Sequence[Range],
) -> Hits:
    read_request, read_response = must_read
    if not (has_head or request or response or read_request or read_response):
        return CLEAN
    return Hits(
        has_head,
        None if read_request or request is ANOTHER else request,
        None if read_response or response is ANOTHER else response,
    )


def _spread(hits: Iterable[Range], texts: Sequence[bytes]) -> list[Sequence[Range]]:
    """Return for each of the joined texts the part of the hits that is in it."""
    starts = list(accumulate([len(text) + len(SEPARATOR) for text in texts], initial=0))
    seen: list[list[Range]] = [[] for _ in texts]
    for start, end in hits:
        at = bisect_right(starts, start) - 1
        while end > starts[at + 1]:  # it goes on in the next text
            if start - starts[at] < len(texts[at]):  # else it begins between the two
                seen[at].append((start - starts[at], len(texts[at])))
            at += 1
            start = starts[at]
        size = len(texts[at])
        seen[at].append((min(start - starts[at], size), min(end - starts[at], size)))
    return [one or () for one in seen]
