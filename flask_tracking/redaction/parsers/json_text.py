"""Find secrets in JSON where it stands, and only at the hits of its scan: all bytes around them stay.

The number of quotes before a place tells whether it is in a string. So one needs no walk to find the
string that holds a secret, or the value behind a sensitive key; duplicate keys, spaces and numbers stay
as they are, and a body that was cut can be read as well. The text around a hit must follow the
grammar; where it does not, `MalformedError` is raised.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..detection.names import PARTS, Strength
from ..detection.validators import NEAR
from ..detection.values import Around, is_inherited_secret, is_secret, weigh_key
from ..engines.base import Range
from ..findings import Finding, merge
from ..markers import MARKS
from .context import Context, Find, MalformedError
from .encoded import decode_json_string
from .json_shapes import ABOUT, Structure, Structures, find_named

_BARE_VALUE = re.compile(rb"-?[0-9][0-9.eE+-]*|\xef\xbb\xbf|true|false|null|undefined|NaN|-?Infinity")
_BARE = re.compile(rb'[^\s,:\[\]{}"]+')
_NOT_BARE = b' \t\r\n,:[]{}"'
_ESCAPE = re.compile(rb"\\.", re.S)
_TOO_SHORT = re.compile(rb"[\w .-]{0,11}")
"""Too short for a token, and without a separator for a pair of name and value."""
_COLON = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")  # behind a key; not "a", "b"
_PAIR = re.compile(rb'[{, \n]"([\w.-]{1,11})"[ \t\r\n]*:[ \t\r\n]*"([\w.-]+)"(?=[,}\r\n])')
"""A key too short for a token, and a value without escapes: ``"password": "X",``."""
_CERTAIN = re.compile(rb"[A-Za-z_.-]*[0-9][\w.-]*(?:\Z|(?<=[\w-]{16})\s)")  # x7Kq2; not min:8
_BLANKS = b" \t\r"
_SPACE = re.compile(rb"[ \t\r]*")
_BEFORE, _BEHIND = b"{[,:\n\xbf\x1e", b",:}]\n\x1e"
"""Allowed before and behind a string; a line feed also between two texts, 0xBF at the end of a BOM."""
_PLURAL = re.compile(r".*[^s]s", re.I | re.S)
"""``secrets``, whose number is how many there are; not ``pass``."""
MIN_CODE = 6
"""Digits of a code in a list: fewer may be a number of something."""
MIN_PASSWORD = 3
"""Digits of a password that is a number: fewer are how often the word was found."""
QUOTE = b'"'
"""JSON has no bare words: a number is replaced by a string."""


def find_in_json(data: bytes, hits: Sequence[Range], find: Find, context: Context) -> list[Finding]:
    """Find the secrets in one JSON text, or in several, one after the other.

    `find` finds those in a string, its escapes undone. Raises MalformedError where the grammar is
    broken at a hit.
    """
    return _JsonReader(data, find, context).find(hits)


class _JsonReader:
    """One reading of one text."""

    def __init__(self, data: bytes, find: Find, context: Context) -> None:
        self._data = data
        self._find_inner = find
        self._context = context
        self._names = context.detector.names
        # With escapes masked every quote begins or ends a string, and all places stay the same.
        self._quotes = _ESCAPE.sub(b"__", data) if b"\\" in data else data
        self._counted = self._parity = 0
        self._walked_to = 0
        self._done = 0
        self._structures = Structures(data, self._quotes, context.budget)

    def find(self, hits: Sequence[Range]) -> list[Finding]:
        """Return the findings at these hits."""
        found: list[Finding] = []
        for start, end in sorted(hits):
            at = max(start, self._done)
            end += 1  # a hit may end with the byte before the next token
            while at < min(end, len(self._data)):
                self._context.budget.count()
                if self._is_in_string(at):
                    at = self._quotes.rfind(b'"', 0, at)
                if self._data[at] != 0x22:
                    found += self._read_bare(at, end)
                elif pair := self._read_pair(at):
                    found.append(pair)
                else:
                    found += self._read_string(at)
                at = self._done
        return merge(found)

    def _is_in_string(self, at: int) -> bool:
        self._parity ^= self._quotes.count(b'"', self._counted, at) & 1
        self._counted = at
        return bool(self._parity)

    def _read_pair(self, start: int) -> Finding | None:
        """Read a key and its value where both are as plain as most are; None to read them in full."""
        pair = None if self._context.detector.finds_short else _PAIR.match(self._data, start - 1)
        if pair is None:
            return None
        strength = self._context.strength(pair[1])
        is_found = strength >= Strength.TOKEN and is_secret(strength, pair[2])
        if not is_found or self._is_about(start, strength, pair[2]):
            return None
        self._done = pair.end(2) + 1
        return Finding(*pair.span(2), "name")

    def _read_string(self, start: int) -> list[Finding]:
        end = self._end_string(start)
        self._check(start, self._done)
        found = self._find_in_string(start + 1, end)
        text, done = self._decode(start + 1, end), self._done
        colon = _COLON.match(self._data, done)
        if colon is not None:
            around = self._weigh_key(start, text.decode("utf-8", "replace"))
            if around.strength:
                found += self._read_value(colon.end(), around)
                done = self._done
        named = find_named(self._structures, text, start, self._context, is_key=colon is not None)
        for item, strength in named:
            self._context.budget.spend(16)
            found += self._read_value(item.start, Around("", strength))
        self._done = done
        return found

    def _weigh_key(self, start: int, name: str) -> Around:
        strength = self._names.strength(name)
        if " " in name:  # it is a text and its translation, or a title
            return Around(name, min(strength, Strength.MADE))
        if strength and name.lower() in PARTS:
            around = self._structures.find_name(self._structures.find_around(start))
            strength = self._names.strength_within(around.decode("utf-8", "replace"), name)
        return Around(name, strength)

    def _end_string(self, start: int) -> int:
        """Go on behind the string that begins at `start`; return where its text ends."""
        end = self._quotes.find(b'"', start + 1)
        self._done = end + 1 or len(self._data)
        return end if end >= 0 else len(self._data)

    def _check(self, start: int, end: int, behind: bytes = _BEHIND) -> None:
        """Check that the bytes before and behind a value are allowed there."""
        while start > 0 and self._data[start - 1] in _BLANKS:
            start -= 1
        end = _SPACE.match(self._data, end).end()  # type: ignore[union-attr] # it matches nothing, too
        is_begun = start == 0 or self._data[start - 1] in _BEFORE
        if not is_begun or end < len(self._data) and self._data[end] not in behind:
            raise MalformedError

    def _decode(self, start: int, end: int) -> bytes:
        raw = self._data[start:end]
        return decode_json_string(raw).text if b"\\" in raw else raw

    def _find_in_string(self, start: int, end: int) -> list[Finding]:
        """Look for secrets in a string, escapes undone."""
        raw = self._data[start:end]
        if not self._context.detector.finds_short and _TOO_SHORT.fullmatch(raw):
            return []
        around = self._around(start, end)
        if b"\\" not in raw:
            return [one.moved(start) for one in self._find_inner(raw, around)]
        decoded = decode_json_string(raw)
        return [decoded.lift(one).moved(start) for one in self._find_inner(decoded.text, around)]

    def _around(self, start: int, end: int) -> Context:
        """Return the context of a string or a number, with the bytes around it."""
        around = self._data[max(0, start - NEAR) : start] + self._data[end : end + NEAR]
        return self._context.within(around)

    def _read_value(self, start: int, name: Around) -> list[Finding]:
        """Judge the value that begins at `start`, or all in it, and go on behind it or in it."""
        if self._data[start : start + 1] in (b"{", b"["):
            self._done = start + 1
            structure = self._structures.find_around(start)
            return self._walk(structure, name) if structure else []
        found = self._judge(start, name)
        if self._data[start : start + 1] == QUOTE and not found:
            self._done = start  # it is read for itself, and may be a name
        else:
            self._check(start, self._done, b",}]\n\x1e")
        return found

    def _judge(self, start: int, name: Around, *, is_item: bool = False) -> list[Finding]:
        """Judge a string, a number or a word."""
        if self._data[start : start + 1] == QUOTE:
            begin, end = start + 1, self._end_string(start)
            value = self._decode(begin, end)
            is_same = value == self._data[begin:end]
            found = Finding(begin, end, "name", value=None if is_same else value)
            is_found = name.is_secret(value, is_loose=is_item)
            return [found] if is_found and not self._is_about(start, name.strength, value) else []
        if mark := MARKS.match(self._data, start):
            self._done = mark.end()
            return []
        bare = _BARE.match(self._data, start)
        self._done = bare.end() if bare else start
        if bare is None or not name.is_secret(bare[0], is_loose=is_item):
            return []
        is_code = is_item and len(bare[0]) >= MIN_CODE
        is_small = len(bare[0]) < MIN_PASSWORD and name.strength is Strength.STRONG
        is_count = (
            is_small or bare[0] == b"0" or not is_code and _PLURAL.fullmatch(name.name) is not None
        )
        if name.strength < Strength.OWN and is_count:
            return []  # how many there are
        if not _BARE_VALUE.fullmatch(bare[0]):
            raise MalformedError
        return [Finding(*bare.span(), "name", QUOTE)]

    def _is_about(self, at: int, strength: Strength, value: bytes) -> bool:
        """Tell a word about a secret, as in ``{"labels": {"password": "Kennwort"}}``, from one."""
        if _CERTAIN.match(value) or not Strength.TOKEN <= strength < Strength.OWN:
            return False
        is_likely = not is_inherited_secret(strength, value) and any(one in self._data for one in ABOUT)
        return is_likely and self._structures.is_about(at)

    def _walk(self, top: Structure, name: Around) -> list[Finding]:
        """Judge the values in a structure under a sensitive name, each by the nearest name."""
        found: list[Finding] = []
        if top.start < self._walked_to:
            return found
        self._walked_to, done = top.end, self._done
        waiting = [(top, name)]
        while waiting:
            structure, around = waiting.pop()
            for item in structure.items:
                self._context.budget.count()
                near = around
                if item.key is not None:
                    key = self._decode(*item.key).decode("utf-8", "replace")
                    near = weigh_key(self._names, key, around)
                if item.inner is not None:
                    waiting.append((item.inner, near))
                else:
                    found += self._judge(item.start, near, is_item=item.key is None)
        self._done = done
        return found

    def _read_bare(self, at: int, end: int) -> list[Finding]:
        """Read the numbers and brackets between two strings."""
        data, quote = self._data, self._quotes.find(b'"', at, end)
        self._done = stop = end if quote < 0 else quote
        while at > 0 and data[at] not in _NOT_BARE and data[at - 1] not in _NOT_BARE:
            at -= 1
        found = []
        while (bare := _BARE.search(data, at)) is not None and bare.start() < stop:
            self._context.budget.count()
            at = bare.end()
            self._done = max(stop, at)
            if not _BARE_VALUE.fullmatch(bare[0]):
                raise MalformedError
            inner = self._find_inner(bare[0], self._around(*bare.span()))
            found += [Finding(*bare.span(), one.rule, QUOTE) for one in inner][:1]
        return found
