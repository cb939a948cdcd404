"""Find the values of sensitive elements, attributes and form fields."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ..detection.names import Strength
from ..detection.values import VALUE_KEYS, is_inherited_secret, is_secret
from ..engines.base import Range
from ..findings import Finding, Ranges
from .context import Context

_TAG = re.compile(
    rb"(?:<|&lt;)([0-9A-Za-z_.:\x80-\xff-]{1,200})(?=[\s/>&]|\Z)((?:[^<>&]|&(?![lg]t;))*)(>|&gt;)?"
)
_IN_TAG = re.compile(rb"""=\s*(["']|&quot;|&#(?:34|39|x2[27]);)|<|>|&[lg]t;""")
_NAME_ATTRIBUTE = re.compile(
    rb"""\b(name|key|property|id)\s*=\s*(?:"([^"]*)"|'([^']*)'|&quot;((?:[^&]|&(?!quot;))*)|([^\s"'<>]+))""",
    re.I,
)
_VALUE_ATTRIBUTE = re.compile(
    rb"""\b(?:value|content)\s*=\s*(?:"([^"]*)"|'([^']*)'|&quot;((?:[^&]|&(?!quot;))*)|([^\s"'<>]+))""",
    re.I,
)
_CDATA = re.compile(rb"\s*<!\[CDATA\[(?s:.*?)(?:\]\]>|\Z)")
_TEXT = re.compile(rb"\s*(?:<!\[CDATA\[((?s:.*?))(?:\]\]>|\Z)|([^<]*))")
_FIELD = re.compile(rb"form-data\s*;((?:[^\r\n\\]|\r?\n[ \t]|\\[^rn])*)", re.I)
_FIELD_NAME = re.compile(
    rb"""(?:\A|[;\s])name\*?\s*=\s*(?:\\*"((?:[^"\\]|\\[^"])*)\\*"|'([^']*)'|([^;\r\n]+))""", re.I
)
_PASSWORD_INPUT = re.compile(rb"""\btype\s*=\s*(?:["']|&quot;)?password\b""", re.I)  # not type="text"
_NEXT_TAG = re.compile(rb"<[A-Za-z/!?]|&lt;/?[A-Za-z]")  # <b, </b; not a < b
UNREADABLE = b"password"
"""Stands for a field name that is not UTF-8, and so may be any."""
MAX_TAG_BYTES = 2000
_NAMED_ELEMENT = re.compile(
    rb"""<((?:[\w-]+:)?(?:key|name|dt|th|td|string))(?:\s[^<>]*)?>([^<>]{1,300})</\1>\s{0,99}(?=<(?:[\w-]+:)?"""
    rb"""(?:value|string|data|integer|dd|td|code)[\s>])""",
    re.I,
)
"""A name in an element of its own, with its value in the next: ``<name>password</name><value>...``."""
_CHILD = re.compile(rb"\s*<[A-Za-z]")  # <auth> <token>; not <token> X
_LEAF = re.compile(rb"<((?:[\w-]+:)?[\w.-]+)(?:\s[^<>]*)?>([^<>]+)</")
"""An element that has text, within another: ``<value>X</``."""
_CONTAINERS = frozenset(b"a button details fieldset form iframe map object output slot".split())
"""Elements whose ``name`` does not name their content."""
_GAP = re.compile(rb"(?:\r?\n|\\r\\n|\\n){2}")
_BOUNDARY = re.compile(rb"(?:\r?\n|\\r\\n|\\n)--")


class Tag(NamedTuple):
    """One opening tag."""

    start: int
    end: int
    name: bytes
    text: bytes


def find_in_markup(
    data: bytes, hits: Ranges, context: Context, *, is_markup: bool
) -> Iterable[Finding]:
    """Find the values of sensitive names in XML, HTML and multipart forms, whole or in pieces.

    Without `is_markup` the text may be any, and ``<token>`` no tag at all.
    """
    found: list[tuple[bytes, Range]] = []
    if b"<" in data or b"&lt;" in data:
        tags = list(_find_tags(data, hits, context))
        found += _find_elements(data, tags, context, is_markup=is_markup)
        found += _find_attributes(data, tags, context)
        found += _find_named_elements(data, hits, context)
    if b"form-data" in data.lower():
        found += _find_fields(data, context)
    for name, (start, end) in found:
        if context.is_secret(name, data[start:end]):
            yield Finding(start, end, "name")


def _find_tags(data: bytes, hits: Ranges, context: Context) -> Iterable[Tag]:
    """Find the tags in which the scan saw something."""
    for tag in _TAG.finditer(data):
        end, text = tag.end(), tag[2]
        if tag[3] is None or text.count(b'"') % 2 or text.count(b"'") % 2:
            # The ">" may be within an attribute.
            context.budget.count()
            end = _find_tag_end(data, tag.end(1), min(len(data), tag.start() + MAX_TAG_BYTES), end)
        if hits.touch(tag.start(), end):
            yield Tag(tag.start(), end, tag[1], data[tag.start() : end])


def _find_tag_end(data: bytes, at: int, limit: int, least: int) -> int:
    while token := _IN_TAG.search(data, at, limit):
        at = token.end()
        if token[1] is None:
            return at if token[0] in (b">", b"&gt;") else token.start()
        closing = data.find(token[1], at, limit)
        if closing >= 0:
            at = closing + len(token[1])
    return max(least, limit)


def _find_elements(
    data: bytes, tags: Iterable[Tag], context: Context, *, is_markup: bool
) -> Iterable[tuple[bytes, Range]]:
    done = 0
    for tag in tags:
        if tag.start < done or _is_empty(tag) or context.strength(tag.name) is Strength.NONE:
            continue
        closing = _find_closing(data, tag)
        is_closed = closing is not None
        if closing is None:
            # Cut off, or never closed: it ends at the next tag.
            if not is_markup:
                continue
            section = _CDATA.match(data, tag.end)
            following = _NEXT_TAG.search(data, section.end() if section else tag.end)
            closing = following.start() if following else len(data)
        if _CHILD.match(data, tag.end) and data.endswith(b">", tag.end, closing) and is_closed:
            yield from _find_leaves(data, tag, closing, context)
        else:
            done = closing
            yield tag.name, (tag.end, closing)


def _find_leaves(data: bytes, tag: Tag, end: int, context: Context) -> Iterable[tuple[bytes, Range]]:
    """Find the values in an element that has others in it; those with a name of their own are not."""
    strength = context.strength(tag.name)
    for leaf in _LEAF.finditer(data, tag.end, end):
        name = leaf[1].rpartition(b":")[2].decode("latin-1").lower()
        judge = is_secret if name in VALUE_KEYS else is_inherited_secret
        if context.strength(leaf[1]) is Strength.NONE and judge(strength, leaf[2]):
            yield tag.name, leaf.span(2)


def _is_empty(tag: Tag) -> bool:
    return tag.text.endswith((b"/>", b"/&gt;"))


def _find_closing(data: bytes, tag: Tag) -> int | None:
    """Return where an element ends, with all of the same name in it; None where it is not closed."""
    bracket = b"<" if tag.text.startswith(b"<") else b"&lt;"
    depth, at = 1, tag.end
    while (closing := data.find(bracket + b"/" + tag.name, at)) >= 0:
        depth += data.count(bracket + tag.name, at, closing) - 1
        if depth <= 0:
            return closing
        at = closing + 1
    return None


def _find_attributes(
    data: bytes, tags: Iterable[Tag], context: Context
) -> Iterable[tuple[bytes, Range]]:
    """Find ``<input name="password" value="...">`` and ``<param name="password">...``."""
    done, unclosed = 0, set(_CONTAINERS)  # those have a name of their own
    for tag in tags:
        context.budget.count()
        names = {
            name[1].lower(): name[name.lastindex or 0]
            for name in _NAME_ATTRIBUTE.finditer(tag.text)
            if context.strength(name[name.lastindex or 0]) > Strength.NONE
        }
        if _PASSWORD_INPUT.search(tag.text):
            names[b"type"] = b"password"
        if not names or tag.start < done:
            continue
        name = max(names.values(), key=context.strength)
        value = _VALUE_ATTRIBUTE.search(tag.text)
        if value is not None:
            start, end = value.span(value.lastindex or 0)
            yield name, (tag.start + start, tag.start + end)
        elif not _is_empty(tag) and names.keys() - {b"id", b"type"}:
            closing = None if tag.name.lower() in unclosed else _find_closing(data, tag)
            if closing is not None:
                done = closing
                yield name, (tag.end, done)
            else:
                unclosed.add(tag.name.lower())
                content = _TEXT.match(data, tag.end)
                assert content is not None  # noqa: S101 - it matches nothing, too
                yield name, content.span(content.lastindex or 0)


def _find_named_elements(data: bytes, hits: Ranges, context: Context) -> Iterable[tuple[bytes, Range]]:
    done = 0
    for element in _NAMED_ELEMENT.finditer(data):
        if element.start() < done or not hits.touch(*element.span(2)):
            continue
        following = _TAG.match(data, element.end())
        if following is not None and context.strength(element[2]) > Strength.NONE:
            tag = Tag(following.start(), following.end(), following[1], following[0])
            closing = tag.end if _is_empty(tag) else _find_closing(data, tag)
            done = len(data) if closing is None else closing
            yield element[2], (tag.end, done)


def _find_fields(data: bytes, context: Context) -> Iterable[tuple[bytes, Range]]:
    """Find the fields of a multipart form in a body of another type."""
    done = 0
    for field in _FIELD.finditer(data):
        if field.start() < done:
            continue
        name = _find_field_name(field[1], context)
        if name is None:
            continue
        gap = _GAP.search(data, field.end())
        if gap is None:
            return
        boundary = _BOUNDARY.search(data, gap.end())
        done = len(data) if boundary is None else boundary.start()
        yield name, (gap.end(), done)


def _find_field_name(headers: bytes, context: Context) -> bytes | None:
    names = find_field_names(headers)
    return next((name for name in names if context.strength(name) > Strength.NONE), None)


def find_field_names(headers: bytes) -> Iterable[bytes]:
    """Find the names in the headers of a part, `UNREADABLE` for what is not UTF-8."""
    for match in _FIELD_NAME.finditer(headers):
        raw = match[1] or match[2] or match[3] or b""
        name = unquote_to_bytes(raw.rpartition(b"''")[2] if match[3] else raw)
        try:
            name.decode()
        except UnicodeDecodeError:
            name = UNREADABLE
        yield name
