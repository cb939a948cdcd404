"""Redact JSON where it stands: one value after the other, and all bytes around them as they were.

Nothing is parsed into objects and written anew, so duplicate keys, spaces, numbers and a body that was
cut stay what they were. What breaks the grammar raises `MalformedError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator

from .names import Names
from .text import replace
from .values import MARKER_BYTES, MARKS, Finder, Finding, Spans, merge

MAX_DEPTH = 200
QUOTED_MARKER = b'"' + MARKER_BYTES + b'"'
_TOKEN = re.compile(
    rb"""[ \t\r\n]*(?:("[^"\\]*(?:\\.[^"\\]*)*(?:\\?\Z|"))|([{}\[\],:])|([^\s{}\[\],:"]+)|\Z)""", re.S
)
_PLAIN = frozenset([b"true", b"false", b"null"])
_OPENING = {b"{": b"}", b"[": b"]"}
FindText = Callable[[bytes], Iterable[Finding]]


class MalformedError(Exception):
    """It is no JSON. Its text quotes nothing."""


class JsonWalk:
    """One walk over one JSON text, or over several, one after the other."""

    def __init__(
        self, data: bytes, finder: Finder, names: Names, spans: Spans | None, find_text: FindText
    ) -> None:
        """Walk over `data`; strings are looked at where they touch `spans`, or all of them."""
        self._data = data
        self._finder = finder
        self._names = names
        self._spans = spans
        self._find_text = find_text
        self._tokens = self._read_tokens()
        self._open: list[bytes] = []
        self._found: list[Finding] = []

    def find(self) -> list[Finding]:
        """Return what is to be removed.

        Raises:
            MalformedError: the grammar is broken, or too many levels are open.
        """
        state, is_secret = "value", False
        for kind, start, end in self._tokens:
            if state == "key":
                state = self._take_key(kind, start, end)
                is_secret = kind == "string" and self._is_secret_key(start, end)
            elif state == "colon":
                state = self._expect(kind, b":", "value")
            elif state in ("value", "first") and kind not in "]},:":
                state = self._take_value(kind, start, end, is_secret)
                is_secret = False
            else:
                state = self._take_end(kind, state)
        return merge(self._found)

    def _read_tokens(self) -> Iterator[tuple[str, int, int]]:
        data, at = self._data, 3 if self._data.startswith(b"\xef\xbb\xbf") else 0
        while at < len(data):
            match = _TOKEN.match(data, at)
            if match is None:
                raise MalformedError
            group, at = match.lastindex, match.end()
            if group is not None:
                kind = "string" if group == 1 else "bare" if group == 3 else chr(data[at - 1])
                yield kind, match.start(group), at

    def _expect(self, kind: str, wanted: bytes, then: str) -> str:
        if kind.encode() != wanted:
            raise MalformedError
        return then

    def _after_value(self) -> str:
        return "next" if self._open else "value"

    def _take_key(self, kind: str, start: int, end: int) -> str:
        if kind == "}" and self._open:
            self._open.pop()
            return self._after_value()
        if kind != "string":
            raise MalformedError
        self._look(start, end)
        return "colon"

    def _take_end(self, kind: str, state: str) -> str:
        """Take what ends a value or a container."""
        if not self._open:
            raise MalformedError
        closing = self._open[-1]
        if kind == "," and state == "next":
            return "key" if closing == b"}" else "value"
        if kind.encode() != closing or state not in ("next", "first"):
            raise MalformedError
        self._open.pop()
        return self._after_value()

    def _take_value(self, kind: str, start: int, end: int, is_secret: bool) -> str:
        if kind in "{[":
            if is_secret:
                return self._take_secret_container(kind, start)
            self._open.append(_OPENING[kind.encode()])
            if len(self._open) > MAX_DEPTH:
                raise MalformedError
            return "key" if kind == "{" else "first"
        if is_secret:
            self._take_secret(kind, start, end)
        elif kind == "string":
            self._look(start, end)
        elif self._touches(start, end) and self._finder.find(self._data[start:end]):
            self._found.append(Finding(start, end, "number", QUOTED_MARKER))
        return self._after_value()

    def _take_secret(self, kind: str, start: int, end: int) -> None:
        data = self._data
        if kind == "bare":
            if data[start:end] not in _PLAIN:
                self._found.append(Finding(start, end, "name", QUOTED_MARKER))
            return
        is_whole = end - start >= 2 and data[end - 1] == 0x22
        inner = data[start + 1 : end - is_whole]
        if inner and not _is_hidden(inner):
            self._found.append(Finding(start + 1, end - is_whole, "name"))

    def _take_secret_container(self, kind: str, start: int) -> str:
        depth, end, is_empty = 1, start + 1, True
        for inner, _, inner_end in self._tokens:
            end = inner_end
            depth += (inner in "{[") - (inner in "}]")
            if not depth:
                break
            is_empty = False
        if not is_empty:
            self._found.append(Finding(start, end, "name", QUOTED_MARKER))
        return self._after_value()

    def _is_secret_key(self, start: int, end: int) -> bool:
        return self._names.is_sensitive(
            _unescape(self._data[start + 1 : end - 1]).decode("utf-8", "replace")
        )

    def _touches(self, start: int, end: int) -> bool:
        return self._spans is None or self._spans.touch(start, end)

    def _look(self, start: int, end: int) -> None:
        """Look for secrets in a string, and undo its escapes for that."""
        if not self._touches(start, end):
            return
        is_whole = end - start >= 2 and self._data[end - 1] == 0x22
        start, end = start + 1, end - is_whole
        raw = self._data[start:end]
        text = _unescape(raw)
        if not self._finder.scan(text):
            return
        found = list(self._find_text(text))
        if text == raw:
            self._found += [one._replace(start=start + one.start, end=start + one.end) for one in found]
        elif found:
            escaped = json.dumps(
                replace(text, found).decode("utf-8", "surrogatepass"), ensure_ascii=False
            )
            instead = escaped[1:-1].encode("utf-8", "surrogatepass")
            self._found.append(Finding(start, end, found[0].rule, instead))


def _is_hidden(inner: bytes) -> bool:
    scheme, space, rest = inner.partition(b" ")
    hidden = MARKS.fullmatch(inner) or (space and scheme.isalnum() and MARKS.fullmatch(rest))
    return bool(hidden)


_ASCII_ESCAPE = re.compile(rb"\\u00([2-7][0-9A-Fa-f])|\\/")


def _unescape(raw: bytes) -> bytes:
    if b"\\" not in raw:
        return raw
    try:
        text = json.loads(b'"' + raw + b'"', strict=False)
    except ValueError:  # a cut or a wrong escape, or bytes that are no UTF-8
        return _ASCII_ESCAPE.sub(lambda match: bytes.fromhex((match[1] or b"2f").decode()), raw)
    return str(text).encode("utf-8", "surrogatepass")
