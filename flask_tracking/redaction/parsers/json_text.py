"""Find secrets in JSON where it stands, and only at the hits of its scan: all bytes around them stay.

The number of quotes before a place tells whether it is in a string. So one needs no walk to find the
string that holds a secret, or the value behind a sensitive key; duplicate keys, spaces and numbers stay
as they are, and a body that was cut can be read as well. What is around a hit has to follow the
grammar; where it does not, `MalformedError` says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from ..detection.names import PARTS, Strength
from ..detection.values import Around, is_inherited_secret, is_secret, weigh_key
from ..engines.base import Range
from ..findings import Finding, merge
from ..markers import MARKS
from .context import Context, MalformedError
from .encoded import decode_json_string
from .json_shapes import COLON, Objects, find_named_members

_WORDS = rb"true|false|null|undefined|NaN|-?Infinity"
_BARE_VALUE = re.compile(rb"-?[0-9][0-9.eE+-]*|\xef\xbb\xbf|" + _WORDS)
_BARE = re.compile(rb'[^\s,:\[\]{}"]+')
_NOT_BARE = b' \t\r\n,:[]{}"'
_ESCAPE = re.compile(rb"\\.", re.S)
_TOO_SHORT = re.compile(rb"[\w .-]{0,11}")
"""No token is as short, and without a separator it is no pair of name and value."""
_TOKEN = re.compile(rb'"[^"]*"?|[\[{]|[\]}]|[^\s,:\[\]{}"]+')
_BLANKS = b" \t\r"
_SPACE = re.compile(rb"[ \t\r]*")
_BEFORE, _BEHIND = b"{[,:\n\xbf\x1e", b",:}]\n\x1e"
"""What may stand beside a string; a line feed also between two texts, 0xBF at the end of a BOM."""
_BEHIND_VALUE = b",}]\n\x1e"

_PLURAL = re.compile(r".*[^s]s", re.I | re.S)
"""``secrets``, whose number is how many there are; not ``pass``."""

NEAR = 60
"""Bytes around a string that are given along with it."""

FindText = Callable[[bytes, bytes], Iterable[Finding]]
"""Takes a text, and what stands around it."""
QUOTE = b'"'
"""JSON has no bare words: what replaces a number is a string."""


def find_in_json(
    data: bytes, hits: Sequence[Range], find_text: FindText, context: Context
) -> list[Finding]:
    """Find the secrets in one JSON text, or in several, one after the other.

    `find_text` finds those in a string, its escapes undone. Raises MalformedError where the grammar is
    broken at a hit.
    """
    return _JsonReader(data, hits, find_text, context).find()


class _JsonReader:
    """One reading of one text."""

    def __init__(
        self, data: bytes, hits: Sequence[Range], find_text: FindText, context: Context
    ) -> None:
        self._data = data
        self._hits = hits
        self._find_text = find_text
        self._names = context.detector.names
        self._strength = context.strength
        self._count = context.budget.count
        self._finds_short = context.detector.finds_short
        # Without escapes every quote that is left begins or ends a string; places stay what they are.
        self._quotes = _ESCAPE.sub(b"__", data) if b"\\" in data else data
        self._counted = self._parity = 0
        self._objects = Objects(data, self._quotes, context.budget.spend)
        self._walked_to = 0
        self._done = 0

    def find(self) -> list[Finding]:
        """Return the findings."""
        found: list[Finding] = []
        for start, end in sorted(self._hits):
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
        found = self._scan(start + 1, end)
        text = self._decode(start + 1, end)
        colon = COLON.match(self._data, self._done)
        if colon is not None:
            name = text.decode("utf-8", "replace")
            strength = self._names.strength(name)
            if strength is not Strength.NONE and name.lower() in PARTS:
                around = self._objects.find_name(start).decode("utf-8", "replace")
                strength = self._names.strength_within(around, name)
            if strength > Strength.NONE:
                found += self._read_value(colon.end(), Around(name, strength))
        done = self._done
        for at, strength in find_named_members(
            self._objects, text, start, is_key=colon is not None, weigh=self._strength
        ):
            self._count()
            found += self._read_value(at, Around("", strength))
        self._done = done
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

    def _decode(self, start: int, end: int) -> bytes:
        raw = self._data[start:end]
        return decode_json_string(raw).text if b"\\" in raw else raw

    def _scan(self, start: int, end: int) -> list[Finding]:
        """Look for secrets in a string, escapes undone."""
        raw = self._data[start:end]
        if not self._finds_short and _TOO_SHORT.fullmatch(raw):
            return []
        around = self._around(start, end)
        if b"\\" not in raw:
            return [one.moved(start) for one in self._find_text(raw, around)]
        decoded = decode_json_string(raw)
        return [decoded.lift(one).moved(start) for one in self._find_text(decoded.text, around)]

    def _around(self, start: int, end: int) -> bytes:
        data = self._data
        return data[max(0, start - NEAR) : start] + data[end : end + NEAR]

    def _read_value(self, start: int, name: Around) -> list[Finding]:
        first, strength = self._data[start : start + 1], name.strength
        if first == b'"':
            end = self._end_string(start)
            found = self._judge(start + 1, end, strength, is_secret)
            if not found:
                self._check_behind(_BEHIND_VALUE)
                self._done = start  # it is read for itself, and may be a name
                return found
        elif mark := MARKS.match(self._data, start):
            self._done, found = mark.end(), []
        elif first in (b"{", b"["):
            found = self._walk(start, name)
            self._done = start + 1
            return found
        else:
            found = self._judge_bare(start, name)
        self._check_behind(_BEHIND_VALUE)
        return found

    def _judge(
        self,
        start: int,
        end: int,
        strength: Strength,
        judge: Callable[..., bool],
        *,
        loose: bool = False,
    ) -> list[Finding]:
        value = self._decode(start, end)
        if not judge(strength, value, is_loose=loose):
            return []
        return [Finding(start, end, "name", value=None if value == self._data[start:end] else value)]

    def _judge_bare(self, start: int, name: Around) -> list[Finding]:
        bare = _BARE.match(self._data, start)
        self._done = bare.end() if bare else start
        if bare is None or not is_secret(name.strength, bare[0]):
            return []
        is_count = _PLURAL.fullmatch(name.name) or bare[0] == b"0"
        if is_count and name.strength < Strength.OWN:
            return []
        if not _BARE_VALUE.fullmatch(bare[0]):
            raise MalformedError
        return [Finding(*bare.span(), "name", QUOTE)]

    def _walk(self, start: int, name: Around) -> list[Finding]:
        """Judge the values in a structure under a sensitive name, each by the nearest name."""
        found: list[Finding] = []
        if start < self._walked_to:
            return found
        is_object = self._data[start : start + 1] == b"{"
        near = name._replace(is_far=is_object)
        stack = [(is_object, near)]
        end = len(self._data)
        for token in _TOKEN.finditer(self._quotes, start + 1):
            self._count()
            text, (is_object, around) = token[0], stack[-1]
            if text in (b"{", b"["):
                stack.append((text == b"{", near))
            elif text in (b"}", b"]"):
                stack.pop()
                if not stack:
                    end = token.end()
                    break
                near = stack[-1][1]
            elif is_object and text[:1] == b'"' and COLON.match(self._data, token.end()):
                key = self._decode(token.start() + 1, token.end() - 1).decode("utf-8", "replace")
                near = weigh_key(self._names, key, around)
            else:
                found += self._judge_leaf(token, near, is_item=not is_object)
                near = around
        self._walked_to = end
        return found

    def _judge_leaf(self, token: re.Match[bytes], name: Around, *, is_item: bool) -> list[Finding]:
        start, end = token.span()
        is_string = token[0][:1] == b'"'
        if is_string:
            start, end = start + 1, end - token[0].endswith(b'"', 1)
        judge = is_inherited_secret if name.is_far else is_secret
        found = self._judge(start, end, name.strength, judge, loose=is_item)
        if is_string or not found:
            return found
        return [one._replace(quote=QUOTE) for one in found if _BARE_VALUE.fullmatch(token[0])]

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
            inner = self._find_text(bare[0], self._around(*bare.span()))
            found += [Finding(*bare.span(), one.rule, QUOTE) for one in inner][:1]
        return found
