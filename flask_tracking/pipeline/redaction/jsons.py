"""Redact JSON where it stands, and only at the spans of its scan: all bytes around them stay.

The number of quotes before a place tells whether it is in a string. So one needs no walk to find the
string that holds a secret, or the value behind a sensitive key; duplicate keys, spaces and numbers stay
as they are, and a body that was cut can be read as well. What is around a span has to follow the
grammar; where it does not, `MalformedError` says that nothing can be told.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from .actions import QUOTED_MARKER
from .engine import Span
from .headers import is_hidden
from .names import Names
from .values import MARKS, Finding, merge

_WORDS = rb"true|false|null|undefined|NaN|-?Infinity"
_HARMLESS = re.compile(_WORDS)
_BARE_VALUE = re.compile(rb"-?[0-9][0-9.eE+-]*|\xef\xbb\xbf|" + _WORDS)
_BARE = re.compile(rb'[^\s,:\[\]{}"]+')
_NOT_BARE = b' \t\r\n,:[]{}"'
_ESCAPE = re.compile(rb"\\.", re.S)
_ONE_ESCAPE = re.compile(
    rb"\\(?:(u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})|(.))", re.S
)
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_TOO_SHORT = re.compile(rb"[\w .-]{0,11}")
"""No token is as short, and without a separator it is no pair of name and value."""
_COLON = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_BRACKET = re.compile(rb'"[^"]*"?|([\[{])|[\]}]')
_NAME_KEY = re.compile(
    rb'"(?:name|key|field|header|id|label|param|parameter|property|variable)"\s{0,9}:\s{0,9}\Z', re.I
)
_VALUE_KEY = re.compile(rb'"(?:value|values|val|content|default)"', re.I)
_BLANKS = b" \t\r"
_SPACE = re.compile(rb"[ \t\r]*")
_BEFORE, _BEHIND = b"{[,:\n\xbf\x1e", b",:}]\n\x1e"
"""What may stand beside a string; a line feed also between two texts, 0xBF at the end of a BOM."""
_BEHIND_VALUE = b",}]\n\x1e"

FindText = Callable[[bytes], Iterable[Finding]]
Fill = Callable[[bytes, Iterable[Finding]], bytes]


class MalformedError(Exception):
    """It is no JSON, where it matters. Its text quotes nothing."""


class JsonReader:
    """Finds what is to be removed from one JSON text, or from several, one after the other."""

    def __init__(
        self,
        data: bytes,
        spans: Sequence[Span],
        names: Names,
        find_text: FindText,
        fill: Fill,
        count: Callable[[], None],
        *,
        finds_short: bool = False,
    ) -> None:
        """Take a text.

        Args:
            data: the text, in UTF-8.
            spans: where its scan saw something.
            names: tells which keys are sensitive.
            find_text: finds secrets in a string, its escapes undone.
            fill: puts something in their place.
            count: called for each place that is looked at.
            finds_short: whether it may find what is shorter than any token.
        """
        self._data = data
        self._spans = spans
        self._names = names
        self._find_text = find_text
        self._fill = fill
        self._count = count
        self._finds_short = finds_short
        # Without escapes every quote that is left begins or ends a string; places stay what they are.
        self._quotes = _ESCAPE.sub(b"__", data) if b"\\" in data else data
        self._counted = self._parity = 0
        self._objects: Objects | None = None
        self._read_objects: set[int] = set()
        self._done = 0

    def find(self) -> list[Finding]:
        """Return what is to be removed.

        Raises:
            MalformedError: the grammar is broken at a span.
        """
        found: list[Finding] = []
        for start, end in sorted(self._spans):
            at = max(start, self._done)
            end += 1  # what the scan saw may take what stands before the next thing along with it
            while at < min(end, len(self._data)):
                self._count()
                if self._is_in_string(at):
                    at = self._quotes.rfind(b'"', 0, at)
                found += self._read_string(at) if self._data[at] == 0x22 else self._read_bare(at, end)
                at = self._done
        return merge(found)

    def _is_in_string(self, at: int) -> bool:
        self._parity ^= self._quotes.count(b'"', self._counted, at) & 1
        self._counted = at
        return bool(self._parity)

    def _read_string(self, start: int) -> list[Finding]:
        end = self._end_string(start)
        found = self._look(start + 1, end)
        colon = _COLON.match(self._data, self._done)
        is_name = colon is None and _NAME_KEY.search(self._data, max(0, start - 40), start)
        if (colon or is_name) and self._names.is_sensitive(_read_key(self._data[start + 1 : end])):
            found += self._remove_value(colon.end()) if colon else self._remove_named(start)
        return found

    def _remove_named(self, at: int) -> list[Finding]:
        """Remove the value of ``{"name": ..., "value": ...}``, where the name is at `at`."""
        if self._objects is None:
            self._objects = Objects(self._quotes)
        start, end = self._objects.find_around(at)
        if start in self._read_objects:
            return []
        self._read_objects.add(start)
        done, depth, found = self._done, 0, []
        for token in _BRACKET.finditer(self._quotes, start + 1, end):
            self._count()
            if token[1]:
                depth += 1
            elif token[0][0] != 0x22:
                depth -= 1
            elif depth == 0 and _VALUE_KEY.fullmatch(token[0]):
                colon = _COLON.match(self._data, token.end())
                found += [] if colon is None else self._remove_value(colon.end())
        self._done = max(done, self._done)
        return found

    def _end_string(self, start: int) -> int:
        """Go on behind the string that begins at `start`; return where its text ends."""
        end = self._quotes.find(b'"', start + 1)
        self._done = end + 1 or len(self._data)
        while start > 0 and self._data[start - 1] in _BLANKS:
            start -= 1
        if start > 0 and self._data[start - 1] not in _BEFORE:
            raise MalformedError
        self._check_behind(_BEHIND)
        return end if end >= 0 else len(self._data)

    def _check_behind(self, allowed: bytes) -> None:
        behind = _SPACE.match(self._data, self._done).end()  # type: ignore[union-attr]
        if behind < len(self._data) and self._data[behind] not in allowed:
            raise MalformedError

    def _look(self, start: int, end: int) -> list[Finding]:
        """Look for secrets in a string, escapes undone."""
        raw = self._data[start:end]
        if not self._finds_short and _TOO_SHORT.fullmatch(raw):
            return []
        text = _unescape(raw)
        found = list(self._find_text(text))
        if text == raw:
            return [one._replace(start=start + one.start, end=start + one.end) for one in found]
        if not found:
            return []
        filled = self._fill(text, found).decode("utf-8", "surrogatepass")
        instead = json.dumps(filled, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")
        return [Finding(start, end, found[0].rule, instead)]

    def _remove_value(self, start: int) -> list[Finding]:
        first = self._data[start : start + 1]
        if first == b'"':
            end = self._end_string(start)
            is_kept = start + 1 == end or is_hidden(self._data[start + 1 : end])
            found = [] if is_kept else [Finding(start + 1, end, "name")]
        elif mark := MARKS.match(self._data, start):
            self._done, found = mark.end(), []
        elif first in (b"{", b"["):
            self._done = self._find_end(start)
            is_empty = not self._data[start + 1 : self._done - 1].strip()
            found = [] if is_empty else [Finding(start, self._done, "name", QUOTED_MARKER)]
        else:
            found = self._remove_bare(start)
        self._check_behind(_BEHIND_VALUE)
        return found

    def _remove_bare(self, start: int) -> list[Finding]:
        bare = _BARE.match(self._data, start)
        self._done = bare.end() if bare else start
        if bare is None or _HARMLESS.fullmatch(bare[0]):
            return []
        if not _BARE_VALUE.fullmatch(bare[0]):
            raise MalformedError
        return [Finding(*bare.span(), "name", QUOTED_MARKER)]

    def _find_end(self, start: int) -> int:
        depth = 0
        for token in _BRACKET.finditer(self._quotes, start):
            if token[1]:
                depth += 1
            elif token[0][0] != 0x22:
                depth -= 1
                if not depth:
                    return token.end()
        return len(self._data)

    def _read_bare(self, at: int, end: int) -> list[Finding]:
        """Read what is between two strings: numbers, and brackets."""
        data, quote = self._data, self._quotes.find(b'"', at, end)
        self._done = stop = end if quote < 0 else quote
        while at > 0 and data[at] not in _NOT_BARE and data[at - 1] not in _NOT_BARE:
            at -= 1
        found = []
        while (bare := _BARE.search(data, at)) is not None and bare.start() < stop:
            self._count()
            at = bare.end()
            self._done = max(stop, at)
            if not _BARE_VALUE.fullmatch(bare[0]):
                raise MalformedError
            if list(self._find_text(bare[0])):
                found.append(Finding(bare.start(), at, "number", QUOTED_MARKER))
        return found


class Objects:
    """Where the objects and arrays of a text begin and end."""

    def __init__(self, quotes: bytes) -> None:
        self._spans: list[Span] = []
        self._parents: list[int] = []
        opened: list[int] = []
        for token in _BRACKET.finditer(quotes):
            if token[1]:
                self._parents.append(opened[-1] if opened else -1)
                opened.append(len(self._spans))
                self._spans.append((token.start(), len(quotes)))
            elif token[0][0] != 0x22 and opened:
                at = opened.pop()
                self._spans[at] = self._spans[at][0], token.start()

    def find_around(self, at: int) -> Span:
        """Return the innermost that is around `at`; an empty one where none is."""
        number = bisect_right(self._spans, (at,)) - 1
        while number >= 0 and self._spans[number][1] <= at:
            number = self._parents[number]
        return self._spans[number] if number >= 0 else (at, at)


def _read_key(raw: bytes) -> str:
    return _unescape(raw).decode("utf-8", "replace")


def _unescape(raw: bytes) -> bytes:
    if b"\\" not in raw:
        return raw
    try:
        text = json.loads(b'"' + raw + b'"', strict=False)
    except ValueError:  # a cut or a wrong escape, or bytes that are no UTF-8
        return _ONE_ESCAPE.sub(_undo, raw)
    return str(text).encode("utf-8", "surrogatepass")


def _undo(escape: re.Match[bytes]) -> bytes:
    if escape[1]:
        return str(json.loads(b'"' + escape[0] + b'"')).encode("utf-8", "surrogatepass")
    return _LETTERS.get(escape[2], escape[2])
