"""Shapes of JSON in which a name and its secret are values beside each other.

::

    {"name": "password", "value": X}                     a field of a form
    {"op": "replace", "path": "/password", "value": X}   JSON Patch and SCIM
    {"loc": ["body", "password"], "input": X}            pydantic's errors
    {"kind": "Secret", "data": {"config.yaml": X}}       Kubernetes
    {"kty": "EC", "d": X}                                a private key as JWK
    {"phone": "...", "code": X}                          a login by code
    ["password", X], ["mysql", "--password", X]
    {"columns": ["user", "password"], "rows": [["ada", X], ["bob", X]]}
    [["user", "password"], ["ada", X], ["bob", X]]
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..detection.names import Strength
from ..engines.base import Range

_BRACKET = re.compile(rb'"[^"]*"?|([\[{])|[\]}]')
_ITEM = re.compile(rb'"[^"]*"?|([\[{])|([\]}])|[^\s,\[\]{}"]+')
"""What an array has between its commas, or an edge of a structure in it."""
COLON = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")  # behind a key; not "a", "b"
_KEY_BEFORE = re.compile(rb'"([^"]{1,60})"[ \t\r\n]{0,9}:[ \t\r\n]{0,9}\Z')  # "name": ; not "name",
_LIST_BEFORE = re.compile(rb'"([^"]{1,60})"[ \t\r\n]{0,9}:[ \t\r\n]{0,9}\[[^\[\]{}]{0,300}\Z')
_PAIR_BEFORE = re.compile(rb"[\[,][ \t\r\n]{0,9}\Z")
_PAIR_BEHIND = re.compile(
    rb'(?:[ \t\r\n]{0,9},[ \t\r\n]{0,9}"[!=<>a-z]{1,5}")?[ \t\r\n]{0,9},[ \t\r\n]{0,9}'
    rb'(?="[^"]*"[ \t\r\n]{0,9}(\])?)'
)
"""``["password", "=", X]``; in ``["Host", "a.b", "X-Auth-Token", X, …`` the value has to be opaque."""
_NAME_KEYS = frozenset(
    b"""
    name key field header id label param parameter property variable path instancepath argumentname
    parameterkey question keyname
    """.split()
)
_NAMED = frozenset(b"value values val content default parametervalue answer payload".split())
_ECHOED = frozenset(b"input received rejectedvalue data value".split())
"""Keys of what errors repeat; only a string is one."""
_PRIVATE_JWK = frozenset(b"d p q dp dq qi k oth".split())
_LOGIN_KEY = re.compile(
    rb"phone|mobile|msisdn|e-?mail|user|login|grant_type|otp|sms|challenge|verification", re.I
)
_OTHER_CODES = frozenset(
    b"message error errors status detail city country street region zip currency price sku".split()
)
"""Keys beside the ``code`` of an error, a place or a product."""

BESIDE_LOGIN = {b"code": Strength.CODE, b"pin": Strength.CODE, b"pass": Strength.TOKEN}
"""Names that say more beside a user, a phone or the like."""
WORK_FOR_MEMBERS = 4
"""Readings that it costs to find the members of an object."""
WORK_FOR_ROW = 16
"""Bytes that a row of a table counts for, each time that a title is looked for."""
Weigh = Callable[[bytes], Strength]


class Member(NamedTuple):
    """One member of an object."""

    key: bytes
    start: int
    """Of its value."""


class Objects:
    """The objects and arrays of a text; they are looked for when somebody asks."""

    def __init__(self, data: bytes, quotes: bytes, spend: Callable[[int], None]) -> None:
        """Take a text, and the same with its escapes masked: every quote begins or ends a string."""
        self._spend = spend
        self.data = data
        self._quotes = quotes
        self._ranges: list[Range] = []
        self._parents: list[int] = []
        self._items: dict[int, list[int]] = {}
        self._members: dict[int, list[Member]] = {}
        self._rows: dict[int, dict[int, list[list[int]]]] = {}
        self._is_read = False

    def _read(self) -> None:
        self._is_read = True
        opened: list[int] = []
        for token in _BRACKET.finditer(self._quotes):
            if token[1]:
                self._parents.append(opened[-1] if opened else -1)
                opened.append(len(self._ranges))
                self._ranges.append((token.start(), len(self._quotes)))
            elif token[0][0] != 0x22 and opened:
                at = opened.pop()
                self._ranges[at] = self._ranges[at][0], token.start()

    def find_around(self, at: int) -> Range:
        """Return the innermost object or array around `at`; an empty one where none is."""
        if not self._is_read:
            self._read()
        number = bisect_right(self._ranges, (at,)) - 1
        while number >= 0 and self._ranges[number][1] <= at:
            number = self._parents[number]
        return self._ranges[number] if number >= 0 else (at, at)

    def find_name(self, at: int) -> bytes:
        """Return the name of the object around `at`, or of the array that it is in."""
        start, _ = self.find_around(at)
        key = self._find_key_before(start)
        if key is None and self.data[start : start + 1] == b"{":
            start, _ = self.find_around(start)
            key = self._find_key_before(start) if self.data[start : start + 1] == b"[" else None
        return b"" if key is None else key[1]

    def _find_key_before(self, at: int) -> re.Match[bytes] | None:
        return _KEY_BEFORE.search(self.data, max(0, at - 80), at)

    def find_items(self, start: int) -> list[int]:
        """Return where the items of the array begin that begins at `start`; none where it is none."""
        if start not in self._items:
            self._items[start] = list(self._read_items(start))
        return self._items[start]

    def _read_items(self, start: int) -> Iterator[int]:
        begin, end = self.find_around(start + 1)
        if begin != start or self.data[start : start + 1] != b"[":
            return
        self._spend(WORK_FOR_MEMBERS * (end - start))
        depth = 0
        for token in _ITEM.finditer(self._quotes, start + 1, end):
            depth -= token[2] is not None
            if depth == 0 and token[2] is None:
                yield token.start()
            depth += token[1] is not None

    def find_column(self, at: int) -> Iterator[int]:
        """Find the values below the title that begins at `at`: in the rows beside its array."""
        start, _ = self.find_around(at)
        titles = self.find_items(start)
        column = bisect_left(titles, at)
        if len(titles) > 1 and titles[column : column + 1] == [at]:
            for row in self._find_rows(start).get(len(titles), ()):
                self._spend(WORK_FOR_ROW)
                yield row[column]

    def _find_rows(self, start: int) -> dict[int, list[list[int]]]:
        """Return the rows beside the array of titles that begins at `start`, by the number of cells."""
        outer, _ = self.find_around(start)
        if self.data[outer : outer + 1] == b"[" and self.data[outer + 1 : start].strip():
            return {}  # titles come first
        if outer not in self._rows:
            found = self._rows[outer] = {}
            for row in self._list_rows(outer, start):
                found.setdefault(len(row), []).append(row)
        return self._rows[outer]

    def _list_rows(self, outer: int, start: int) -> Iterator[list[int]]:
        if self.data[outer : outer + 1] == b"[":
            tables = [self.find_items(outer)[1:]]
        else:
            tables = [self.find_items(one.start) for one in self.find_members(start)]
        for row in itertools.chain.from_iterable(tables):
            yield from self._find_cells(row)

    def _find_cells(self, row: int) -> Iterator[list[int]]:
        """Find the items of a row, and of the arrays in one that is an object: ``{"row": [...]}``."""
        yield self.find_items(row)
        if self.data[row : row + 1] == b"{":
            yield from (self.find_items(one.start) for one in self.find_members(row + 1))

    def find_members(self, at: int) -> list[Member]:
        """Return the members of the object around `at`."""
        start, end = self.find_around(at)
        if start not in self._members:
            self._members[start] = list(self._read_members(start, end))
        return self._members[start]

    def _read_members(self, start: int, end: int) -> Iterator[Member]:
        self._spend(WORK_FOR_MEMBERS * (end - start))
        depth = 0
        for token in _BRACKET.finditer(self._quotes, start + 1, end):
            if token[1]:
                depth += 1
            elif token[0][0] != 0x22:
                depth -= 1
            elif depth == 0 and (colon := COLON.match(self._quotes, token.end())):
                yield Member(token[0][1:-1].lower(), colon.end())


def find_named_members(
    objects: Objects, text: bytes, start: int, *, is_key: bool, weigh: Weigh
) -> Iterator[tuple[int, Strength]]:
    """Find where the values begin that are secrets because of a string beside them.

    `text` is that string, decoded; with `is_key` a colon follows. Strengths are those of the names.
    """
    if is_key:
        yield from _find_by_key(objects, text.lower(), start)
        return
    before = objects.data[max(0, start - 400) : start]
    key = _KEY_BEFORE.search(before, max(0, len(before) - 80))
    if key is not None:
        yield from _find_by_value(objects, key[1].lower(), text, start, weigh)
        return
    strength = weigh(text)
    if strength is Strength.NONE:
        return
    yield from ((at, min(strength, Strength.TOKEN)) for at in objects.find_column(start))
    listed = _LIST_BEFORE.search(before)
    if listed is not None and listed[1].lower() in (b"loc", b"path"):
        at = start - len(before) + listed.start(1)
        yield from ((one.start, strength) for one in objects.find_members(at) if one.key in _ECHOED)
    elif _PAIR_BEFORE.search(before):
        pair = _PAIR_BEHIND.match(objects.data, start + 2 + len(text))
        if pair is not None:
            is_pair = pair[1] and before.rstrip().endswith(b"[")
            if not text.startswith(b"--"):
                yield pair.end(), min(strength, Strength.TOKEN if is_pair else Strength.WEAK)
            elif not objects.data.startswith(b'"-', pair.end()):  # another flag
                yield pair.end(), min(strength, Strength.TOKEN)


def _find_by_key(objects: Objects, key: bytes, start: int) -> Iterator[tuple[int, Strength]]:
    if key == b"kty":
        for one in objects.find_members(start):
            if one.key in _PRIVATE_JWK:
                yield one.start, Strength.OWN
    elif key in BESIDE_LOGIN:
        members = objects.find_members(start)
        keys = {one.key for one in members}
        if keys.isdisjoint(_OTHER_CODES) and any(map(_LOGIN_KEY.search, keys)):
            yield from ((one.start, BESIDE_LOGIN[key]) for one in members if one.key == key)


def _find_by_value(
    objects: Objects, key: bytes, text: bytes, start: int, weigh: Weigh
) -> Iterator[tuple[int, Strength]]:
    if key == b"kind" and text == b"Secret":
        for one in objects.find_members(start):
            if one.key in (b"data", b"stringdata"):
                yield one.start, Strength.OWN
        return
    if key not in _NAME_KEYS:
        return
    strength = weigh(text.rpartition(b"/")[2])
    if b"/secrets/" in text:
        strength = Strength.STRONG  # the resource of a vault
    elif key == b"question":
        strength = min(strength, Strength.TOKEN)
    if strength > Strength.NONE:
        for one in objects.find_members(start):
            is_echo = one.key in _ECHOED and objects.data[one.start : one.start + 1] == b'"'
            if one.key in _NAMED or is_echo:
                yield one.start, strength
