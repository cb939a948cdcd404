"""Shapes of JSON in which a name and its secret are values beside each other.

::

    {"name": "password", "value": X}                     a field of a form
    {"field": "password", "old": X, "new": X}            a change
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

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from ..budget import Budget
from ..detection.names import Strength
from ..engines.base import Range
from .context import Context

_TOKEN = re.compile(rb'("[^"]*"?)([ \t\r\n]*:)?|([\[{])|([\]}])|[^\s,:\[\]{}"]+')
"""A string, which is a key where a colon follows; an edge of a structure; a number or a word."""
_KEY_BEFORE = re.compile(rb'"([^"]{1,60})"[ \t\r\n]{0,9}:[ \t\r\n]{0,9}\Z')  # "name": ; not "name",
_OPERATOR = re.compile(rb'"[!=<>a-z]{1,5}"')  # ["password", "=", X]
_NAME_KEYS = frozenset(
    b"""
    name key field header id label param parameter property variable path instancepath argumentname
    parameterkey question keyname propertyname propertypath datapath pointer type
    """.split()
)
_NAMED = frozenset(
    b"""
    value values val content default parametervalue answer payload instances old new before after
    oldvalue newvalue old_value new_value previous original
    """.split()
)
_ECHOED = frozenset(b"input received rejectedvalue invalidvalue attemptedvalue data value".split())
"""Keys of what errors repeat, also in double braces; only a string is one."""
_ECHOING = (b"meta", b"parameters")  # objects in which errors repeat it
ABOUT = frozenset(b"labels placeholders types rules validators patterns example errors tags".split())
"""Names of structures that say something about secrets: ``{"rules": {"password": "min:8"}}``."""
_FLAGS = frozenset(b"sensitive masked secured secret is_secret issecret".split())
"""Beside a value: ``"sensitive": true``."""
_PRIVATE_JWK = frozenset(b"d p q dp dq qi k oth".split())
_LOGIN_KEY = re.compile(
    rb"phone|mobile|msisdn|e-?mail|user|login|grant_type|otp|sms|challenge|verification|factor|session_?info",
    re.I,
)
_CARD_KEY = re.compile(rb"(?:card[_-]?)?(?:number|num)|pan")
_CARD_NUMBER = re.compile(rb'"?[0-9 -]{12,}')
_OTHER_CODES = frozenset(
    b"message error errors status detail city country street region zip currency price sku".split()
)
"""Keys beside the ``code`` of an error, a place or a product."""
BESIDE_LOGIN = dict.fromkeys([b"code", b"mfa", b"pin"], Strength.CODE) | {b"pass": Strength.STRONG}
"""Names that say more beside a user, a phone or the like."""
_TELLING_KEYS = frozenset([*BESIDE_LOGIN, *_FLAGS, b"psk", b"kty"])
"""Keys that say more about the values beside them, or beside which they say more themselves."""
WORK_TO_READ = 4
"""Readings that it costs to find all structures."""


@dataclass(slots=True, eq=False)
class Structure:
    """An object or an array."""

    start: int
    end: int
    is_object: bool
    key: Range | None
    """Of the text of its name."""
    parent: Structure | None
    items: list[Item] = field(default_factory=list)
    rows: dict[int, list[list[Item]]] | None = None
    """Arrays of arrays beside the titles of a table, by the number of cells."""


class Item(NamedTuple):
    """A value in a structure."""

    key: Range | None
    """Of the text of its key, in an object."""
    start: int
    end: int
    inner: Structure | None


Members = list[tuple[bytes, Item]]
"""Those of an object, with their keys in lower case."""
Found = Iterator[tuple[Item, Strength]]
"""Values that are secrets, each with the strength of its name."""


class Structures:
    """The objects and arrays of a text."""

    def __init__(self, data: bytes, quotes: bytes, budget: Budget) -> None:
        """Take a text; in `quotes`, with its escapes masked, every quote begins or ends a string."""
        self.data, self._quotes, self._budget = data, quotes, budget

    @cached_property
    def _all(self) -> list[Structure]:
        """All of them from left to right, which most texts need not be read for."""
        self._budget.spend(WORK_TO_READ * len(self.data))
        found: list[Structure] = []
        here, key = None, None
        for token in _TOKEN.finditer(self._quotes):
            start, end = token.span()
            if token[2]:
                key = start + 1, token.end(1) - 1
                continue
            inner = Structure(start, len(self.data), token[3] == b"{", key, here) if token[3] else None
            if here is not None and not token[4]:
                here.items.append(Item(key, start, end, inner))
            elif here is not None:
                here.end, here = start, here.parent
            if inner is not None:
                here = inner
                found.append(inner)
            key = None
        return found

    def find_around(self, at: int) -> Structure | None:
        """Return the innermost structure around `at`, or that begins there."""
        number = bisect_right(self._all, at, key=lambda one: one.start) - 1
        found = self._all[number] if number >= 0 else None
        while found is not None and found.end <= at:
            found = found.parent
        return found

    def find_name(self, structure: Structure | None) -> bytes:
        """Return the name of an object, or of the array that it is in."""
        if structure is not None and structure.key is None and structure.is_object:
            structure = structure.parent
        return self.data[slice(*structure.key)] if structure is not None and structure.key else b""

    def is_about(self, at: int) -> bool:
        """Tell whether what stands there is in an object of labels, rules or types of secrets."""
        around = self.find_around(at)
        around = around if around is None or around.is_object else around.parent
        return self.find_name(around) in ABOUT

    def members(self, structure: Structure | None) -> Members:
        """Return the members of an object, and of those in it in which errors repeat their input."""
        found: Members = []
        for item in structure.items if structure is not None else ():
            if item.key is not None:
                key = self.data[slice(*item.key)].lower()
                found.append((key, item))
                if key in _ECHOING:
                    found += self.members(item.inner)
        return found


def find_named(
    structures: Structures, text: bytes, start: int, context: Context, *, is_key: bool
) -> Found:
    """Find the values that are secrets because of a string beside them.

    `text` is that string, decoded, which begins at `start`; with `is_key` a colon follows.
    """
    data = structures.data
    if is_key:
        if (lowered := text.lower()) in _TELLING_KEYS:
            yield from _find_by_key(structures.members(structures.find_around(start)), data, lowered)
        return
    is_value = b":" in data[max(0, start - 20) : start]  # most are not
    key = _KEY_BEFORE.search(data, max(0, start - 80), start) if is_value else None
    if key is not None and (key[1].lower() in _NAME_KEYS or text == b"Secret"):
        around = structures.find_around(start)
        if around is not None and key[1] == b"pointer":
            around = around.parent
        yield from _find_by_value(structures.members(around), data, key[1].lower(), text, context)
    elif key is None and b"=" not in text and (strength := context.strength(text)):
        yield from _find_in_array(structures, start, text, strength)


def _find_by_key(members: Members, data: bytes, key: bytes) -> Found:
    keys = {one for one, _ in members}
    if key == b"kty":
        yield from ((item, Strength.OWN) for one, item in members if one in _PRIVATE_JWK)
    elif key in _FLAGS:
        if any(one == key and data.startswith(b"true", item.start) for one, item in members):
            yield from ((item, Strength.TOKEN) for one, item in members if one in _NAMED)
    else:
        is_card = any(
            _CARD_KEY.fullmatch(one) and _CARD_NUMBER.match(data, item.start) for one, item in members
        )
        strength = Strength.STRONG if is_card else _weigh_beside(keys, key)
        yield from ((item, strength) for one, item in members if one == key and strength)


def _weigh_beside(keys: set[bytes], key: bytes) -> Strength:
    """Return the strength of a key among these: of a ``code`` beside an e-mail, or beside a card."""
    if key == b"psk":
        return Strength.TOKEN if b"ssid" in keys else Strength.NONE
    if key == b"pin" and b"code" in keys:
        return Strength.CODE  # of a gift card
    is_login = keys.isdisjoint(_OTHER_CODES) and any(map(_LOGIN_KEY.search, keys))
    return BESIDE_LOGIN[key] if is_login else Strength.NONE


def _find_by_value(members: Members, data: bytes, key: bytes, text: bytes, context: Context) -> Found:
    if key == b"kind" and text == b"Secret":
        yield from ((item, Strength.OWN) for one, item in members if one in (b"data", b"stringdata"))
    if key not in _NAME_KEYS:
        return
    strength = context.strength(text.rpartition(b"/")[2])
    if b"/secrets/" in text:
        strength = Strength.STRONG  # the resource of a vault
    elif key == b"question":
        strength = min(strength, Strength.TOKEN)
    elif key == b"type":
        # ``{"type": "token"}`` is one of a language; what fields of a form show is no secret.
        strength = min(strength, Strength.TOKEN) if strength >= Strength.MADE else Strength.NONE
    for one, item in members if strength else ():
        is_text = data[item.start] == 0x22
        is_echo = one == b"text" if key == b"type" else one.strip(b"{} ") in _ECHOED
        if one in _NAMED or is_text and is_echo:
            yield item, strength


def _find_in_array(structures: Structures, start: int, text: bytes, strength: Strength) -> Found:
    array = structures.find_around(start)
    if array is None or array.is_object or structures.find_name(array) in ABOUT:
        return
    number = next(at for at, item in enumerate(array.items) if item.start == start)
    behind = array.items[number + 1 :]
    weak = min(strength, Strength.TOKEN)
    for row in _find_rows(array).get(len(array.items), ()) if len(array.items) > 1 else ():
        yield row[number], weak
    if structures.find_name(array).lower() in (b"loc", b"path"):
        members = structures.members(array.parent)
        yield from ((item, strength) for one, item in members if one in _ECHOED)
    elif behind and _OPERATOR.fullmatch(structures.data, behind[0].start, behind[0].end):
        behind = behind[1:] or behind
    if not behind or structures.data[behind[0].start] != 0x22:
        return
    if text.startswith(b"--"):
        if structures.data[behind[0].start + 1] != 0x2D:  # another flag
            yield behind[0], weak
    else:
        is_pair = number == 0 and len(behind) == 1
        yield behind[0], weak if is_pair else min(strength, Strength.WEAK)


def _find_rows(titles: Structure) -> dict[int, list[list[Item]]]:
    """Return the arrays in the arrays beside that of titles, by their length."""
    outer = titles.parent
    if outer is None or (not outer.is_object and outer.items[0].inner is not titles):
        return {}  # titles come first
    if outer.rows is None:
        outer.rows = {}
        tables = [item.inner for item in outer.items] if outer.is_object else [outer]
        for row in chain.from_iterable(table.items for table in tables if table):
            cells = [row.inner, *(item.inner for item in row.inner.items)] if row.inner else []
            for one in cells:
                if one and not one.is_object and one is not titles:
                    outer.rows.setdefault(len(one.items), []).append(one.items)
    return outer.rows
