"""Find the values of sensitive elements, attributes and form fields in text that has some of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from .engine import Span
from .names import Names
from .values import MARKS, Finding, Spans

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
_TEXT = re.compile(rb"\s*(?:<!\[CDATA\[((?s:.*?))(?:\]\]>|\Z)|([^<]*))")
_FIELD = re.compile(rb"form-data\s*;((?:[^\r\n\\]|\r?\n[ \t]|\\[^rn])*)", re.I)
_FIELD_NAME = re.compile(
    rb"""(?:\A|[;\s])name\*?\s*=\s*(?:\\*"((?:[^"\\]|\\[^"])*)\\*"|'([^']*)'|([^;\r\n]+))""", re.I
)
MAX_TAG_BYTES = 2000
_NAMED_ELEMENT = re.compile(
    rb"""<((?:[\w-]+:)?(?:key|name|dt|th|td))(?:\s[^<>]*)?>([^<>]{1,300})</\1>\s{0,99}(?=<(?:[\w-]+:)?"""
    rb"""(?:value|string|data|integer|dd|td|code)[\s>])""",
    re.I,
)
"""A name in an element of its own, with its value in the next: ``<name>password</name><value>...``."""
_CONTAINERS = frozenset(b"a button details fieldset form iframe map object output slot".split())
"""Elements whose name is not that of what is in them."""
_GAP = re.compile(rb"(?:\r?\n|\\r\\n|\\n){2}")
_BOUNDARY = re.compile(rb"(?:\r?\n|\\r\\n|\\n)--")


class Tag(NamedTuple):
    """One opening tag."""

    start: int
    end: int
    name: bytes
    text: bytes


def find_in_markup(
    data: bytes, names: Names, spans: Spans, count: Callable[[], None]
) -> Iterable[Finding]:
    """Find the values of sensitive names in XML, HTML and multipart forms, whole or in pieces."""
    found: list[Span] = []
    if b"<" in data or b"&lt;" in data:
        tags = list(_find_tags(data, spans, count))
        found += _find_elements(data, tags, names)
        found += _find_attributes(data, tags, names, count)
        found += _find_named_elements(data, names, spans)
    if b"form-data" in data.lower():
        found += _find_fields(data, names)
    for start, end in found:
        value = data[start:end].strip()
        if value and not MARKS.fullmatch(value):
            yield Finding(start, end, "name")


def _find_tags(data: bytes, spans: Spans, count: Callable[[], None]) -> Iterable[Tag]:
    """Find the tags in which the scan saw something."""
    for tag in _TAG.finditer(data):
        end, text = tag.end(), tag[2]
        if tag[3] is None or text.count(b'"') % 2 or text.count(b"'") % 2:
            # What looks like its end may be within an attribute.
            count()
            end = _find_tag_end(data, tag.end(1), min(len(data), tag.start() + MAX_TAG_BYTES), end)
        if spans.touch(tag.start(), end):
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


def _find_elements(data: bytes, tags: Iterable[Tag], names: Names) -> Iterable[Span]:
    done = 0
    for tag in tags:
        if tag.start < done or _is_empty(tag):
            continue
        if names.is_sensitive(tag.name.decode("utf-8", "replace")):
            done = _find_closing(data, tag)
            yield tag.end, done


def _is_empty(tag: Tag) -> bool:
    return tag.text.endswith((b"/>", b"/&gt;"))


def _find_closing(data: bytes, tag: Tag) -> int:
    """Return where an element ends, with all of the same name in it, or the end of the text."""
    bracket = b"<" if tag.text.startswith(b"<") else b"&lt;"
    depth, at = 1, tag.end
    while (closing := data.find(bracket + b"/" + tag.name, at)) >= 0:
        depth += data.count(bracket + tag.name, at, closing) - 1
        if depth <= 0:
            return closing
        at = closing + 1
    return len(data)


def _find_attributes(
    data: bytes, tags: Iterable[Tag], names: Names, count: Callable[[], None]
) -> Iterable[Span]:
    """Find ``<input name="password" value="...">`` and ``<param name="password">...``."""
    done, unclosed = 0, set(_CONTAINERS)  # those have a name of their own
    for tag in tags:
        count()
        kinds = {
            name[1].lower()
            for name in _NAME_ATTRIBUTE.finditer(tag.text)
            if names.is_sensitive(name[name.lastindex or 0].decode("utf-8", "replace"))
        }
        if not kinds or tag.start < done:
            continue
        value = _VALUE_ATTRIBUTE.search(tag.text)
        if value is not None:
            start, end = value.span(value.lastindex or 0)
            yield tag.start + start, tag.start + end
        elif not _is_empty(tag) and kinds != {b"id"}:
            closing = len(data) if tag.name.lower() in unclosed else _find_closing(data, tag)
            if closing < len(data):
                done = closing
                yield tag.end, done
            else:
                unclosed.add(tag.name.lower())
                content = _TEXT.match(data, tag.end)
                assert content is not None  # noqa: S101 - it matches nothing, too
                yield content.span(content.lastindex or 0)


def _find_named_elements(data: bytes, names: Names, spans: Spans) -> Iterable[Span]:
    done = 0
    for element in _NAMED_ELEMENT.finditer(data):
        if element.start() < done or not spans.touch(*element.span(2)):
            continue
        following = _TAG.match(data, element.end())
        if following is not None and names.is_sensitive(element[2].decode("utf-8", "replace")):
            tag = Tag(following.start(), following.end(), following[1], following[0])
            done = tag.end if _is_empty(tag) else _find_closing(data, tag)
            yield tag.end, done


def _find_fields(data: bytes, names: Names) -> Iterable[Span]:
    """Find the fields of a multipart form that nothing announced."""
    done = 0
    for field in _FIELD.finditer(data):
        if field.start() < done or not is_sensitive_field(field[1], names):
            continue
        gap = _GAP.search(data, field.end())
        if gap is None:
            return
        boundary = _BOUNDARY.search(data, gap.end())
        done = len(data) if boundary is None else boundary.start()
        yield gap.end(), done


def is_sensitive_field(headers: bytes, names: Names) -> bool:
    """Tell whether the headers of a part give it a sensitive name, or one that cannot be read."""
    for match in _FIELD_NAME.finditer(headers):
        raw = match[1] or match[2] or match[3] or b""
        name = unquote_to_bytes(raw.rpartition(b"''")[2] if match[3] else raw).decode(
            "utf-8", "replace"
        )
        if "\ufffd" in name or names.is_sensitive(name):
            return True
    return False
