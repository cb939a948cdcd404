"""Find the values of sensitive elements and attributes in HTML and XML, whole or in pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..detection.names import Strength
from ..detection.values import Around, is_secret, weigh_key
from ..engines.base import Range
from ..findings import Finding, Ranges
from .context import Context

_TAG = re.compile(
    rb"(<|&lt;)([0-9A-Za-z_.:\x80-\xff-]{1,200})(?=[\s/>&]|\Z)"
    rb"((?:=\s*(?:\"[^\"]{0,2000}(?:\"|\Z)|'[^']{0,2000}(?:'|\Z))|[^<>&=]+|=|&(?![lg]t;))*)(>|&gt;)?"
)
_VALUE = rb"""\s*=\s*(?:"([^"]*)|'([^']*)|&quot;((?:[^&]|&(?!quot;))*)|([^\s"'<>]+))"""
_NAME_ATTRIBUTE = re.compile(rb"\b(name|key|property|id)" + _VALUE, re.I)
_VALUE_ATTRIBUTE = re.compile(rb"\b(?:value|content)" + _VALUE, re.I)
_PASSWORD_INPUT = re.compile(rb"""\btype\s*=\s*(?:["']|&quot;)?password\b""", re.I)  # not type="text"
_CONTENT = re.compile(
    rb"\s*<!\[CDATA\[((?s:.*?))(?:\]\]>|\Z)|((?s:.*?))(?=<[A-Za-z/!?]|&lt;/?[A-Za-z]|\Z)"
)
"""A section of CDATA, or the text before the next tag: ``X</b``; not ``a < b``."""
_CHILD = re.compile(rb"\s*<[A-Za-z]")  # <auth> <token>; not <token> X
_LEAF = re.compile(rb"<((?:[\w-]+:)?[\w.-]+)(?:\s[^<>]*)?>([^<>]+)</")
"""An element that has text, within another: ``<value>X</``."""
_NAMED_ELEMENT = re.compile(
    rb"""<((?:[\w-]+:)?(?:key|name|dt|th|td|string|label))(?:\s[^<>]*)?>([^<>]{1,300})</\1>\s{0,99}"""
    rb"""(?:(?:<[dt]d(?:\s[^<>]*)?>\s{0,99})?<input\s(?:[^<>]*?\s)?value="|"""
    rb"""<(?:[\w-]+:)?(?:value|string|data|integer|dd|td|code)(?:\s[^<>]*)?>(?:\s{0,99}<[\w:-]+[^<>]*>)*)"""
    rb"""((?<=")[^"<]*|(?<!")[^<]*)""",
    re.I,
)
"""A name in an element of its own, with its value in the next, ``<name>password</name><value>X``, or in
a field: ``<td>API key</td><td><input value="X"``."""
_CONTAINERS = frozenset(b"a button details fieldset form iframe map object output slot".split())
"""Elements whose ``name`` does not name their content."""


def find_in_markup(
    data: bytes, hits: Ranges, context: Context, *, is_markup: bool
) -> Iterable[Finding]:
    """Find the values of sensitive names in the tags in which the scan saw something.

    Without `is_markup` the text may be any, and ``<token>`` no tag at all.
    """
    for strength, start, end in _find_values(data, hits, context, is_markup):
        if is_secret(strength, data[start:end]):
            yield Finding(start, end, "name")


def _find_values(
    data: bytes, hits: Ranges, context: Context, is_markup: bool
) -> Iterable[tuple[Strength, int, int]]:
    done, unclosed = 0, set()
    for tag in _TAG.finditer(data) if b"<" in data or b"&lt;" in data else ():
        if not hits.touch(*tag.span()):
            continue
        context.budget.count()
        by_attribute = _weigh_attributes(tag, context)
        value = _VALUE_ATTRIBUTE.search(tag[3]) if by_attribute else None
        if value is not None:
            start, end = value.span(value.lastindex or 0)
            yield max(by_attribute.values()), tag.start(3) + start, tag.start(3) + end
        is_named = value is None and tag[2].lower() not in _CONTAINERS
        named = [by_attribute[key] for key in by_attribute.keys() - {b"id", b"type"} if is_named]
        strength = max([context.strength(tag[2]), *named])
        if not strength or tag.start() < done or tag[3].endswith(b"/"):
            continue
        closing = -1 if tag[2] in unclosed else data.find(tag[1] + b"/" + tag[2], tag.end())
        if closing < 0:
            unclosed.add(tag[2])
            if not (is_markup or named):
                continue
        content = _CONTENT.match(data, tag.end())
        assert content is not None  # noqa: S101 - it matches nothing, too
        start, end = content.span(content.lastindex or 0)
        if closing >= 0 and _CHILD.match(data, tag.end()):
            context.budget.spend(closing - start)
            leaves = _find_leaves(data, tag.end(), closing, strength, context)
            yield from ((strength, *leaf) for leaf in leaves)
        else:
            done = end if content[1] else max(closing, end)
            yield strength, start, end if content[1] else done
    for element in _NAMED_ELEMENT.finditer(data):
        if hits.touch(*element.span(2)):
            # Of a checkbox or a button it is a word.
            most = Strength.TOKEN if data.endswith(b'"', 0, element.start(3)) else Strength.OWN
            yield min(context.strength(element[2]), most), *element.span(3)


def _weigh_attributes(tag: re.Match[bytes], context: Context) -> dict[bytes, Strength]:
    """Return the strengths of the names that attributes give to a tag: ``<input name="password">``."""
    found = {
        name[1].lower(): context.strength(name[name.lastindex or 0])
        for name in _NAME_ATTRIBUTE.finditer(tag[3])
    }
    if _PASSWORD_INPUT.search(tag[3]):
        found[b"type"] = Strength.STRONG
    return {name: strength for name, strength in found.items() if strength}


def _find_leaves(
    data: bytes, start: int, end: int, strength: Strength, context: Context
) -> Iterable[Range]:
    """Find the secrets in an element that has others in it, each by the nearest name."""
    for leaf in _LEAF.finditer(data, start, end):
        name = leaf[1].rpartition(b":")[2].decode("latin-1")
        if weigh_key(context.detector.names, name, Around(strength=strength)).is_secret(leaf[2]):
            yield leaf.span(2)
