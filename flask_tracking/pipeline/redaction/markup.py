"""Find the values of sensitive elements, attributes and form fields in text that has some of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote_to_bytes

from .engine import Span
from .names import Names
from .values import MARKS, Finding, Spans

Tag = re.Match[bytes]

_OPEN_TAG = re.compile(
    rb"(?:<|&lt;)([0-9A-Za-z_.:\x80-\xff-]{1,200})(?:\s(?:[^<>&]|&(?!lt;))*?)?(?:>|&gt;|\Z)"
)
_NAME_ATTRIBUTE = re.compile(rb"""\b(name|key|property|id)\s*=\s*["']?([^\s"'<>]+)""", re.I)
_VALUE_ATTRIBUTE = re.compile(
    rb"""\b(?:value|content)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))""", re.I
)
_TEXT = re.compile(rb"\s*(?:<!\[CDATA\[((?s:.*?))(?:\]\]>|\Z)|([^<]*))")
_FIELD = re.compile(rb"form-data\s*;((?:[^\r\n\\]|\r?\n[ \t]|\\[^rn])*)", re.I)
_FIELD_NAME = re.compile(
    rb"""(?:\A|[;\s])name\*?\s*=\s*(?:\\*"((?:[^"\\]|\\[^"])*)\\*"|'([^']*)'|([^\s;]+))""", re.I
)
MAX_TAG_BYTES = 2000
_GAP = re.compile(rb"(?:\r?\n|\\r\\n|\\n){2}")
_BOUNDARY = re.compile(rb"(?:\r?\n|\\r\\n|\\n)--")


def find_in_markup(
    data: bytes, names: Names, spans: Spans, count: Callable[[], None]
) -> Iterable[Finding]:
    """Find the values of sensitive names in XML, HTML and multipart forms, whole or in pieces."""
    found: list[Span] = []
    if b"<" in data or b"&lt;" in data:
        tags = [tag for tag in _OPEN_TAG.finditer(data) if spans.touch(*tag.span())]
        found += _find_elements(data, tags, names)
        for tag in tags:
            count()
            found += _find_attributes(data, tag, names)
    if b"form-data" in data.lower():
        found += _find_fields(data, names)
    for start, end in found:
        value = data[start:end].strip()
        if value and not MARKS.fullmatch(value):
            yield Finding(start, end, "name")


def _find_elements(data: bytes, tags: Iterable[Tag], names: Names) -> Iterable[Span]:
    done = 0
    for tag in tags:
        if tag.start() < done or _is_empty(tag):
            continue
        if names.is_sensitive(tag[1].decode("utf-8", "replace")):
            done = _find_closing(data, tag)
            yield tag.end(), done


def _is_empty(tag: Tag) -> bool:
    return tag[0].endswith((b"/>", b"/&gt;"))


def _find_closing(data: bytes, tag: Tag) -> int:
    """Return where an element ends, with all of the same name in it, or the end of the text."""
    bracket = b"<" if tag[0].startswith(b"<") else b"&lt;"
    depth, at = 1, tag.end()
    while (closing := data.find(bracket + b"/" + tag[1], at)) >= 0:
        depth += data.count(bracket + tag[1], at, closing) - 1
        if depth <= 0:
            return closing
        at = closing + 1
    return len(data)


def _find_attributes(data: bytes, tag: Tag, names: Names) -> Iterable[Span]:
    """Find ``<input name="password" value="...">`` and ``<param name="password">...``."""
    end = tag.end()
    if tag[0].count(b'"') % 2 or tag[0].count(b"'") % 2:  # its ">" was in an attribute
        end = max(end, data.find(b">", end + 1, end + MAX_TAG_BYTES) + 1)
    text = data[tag.start() : end]
    kinds = {
        name[1].lower()
        for name in _NAME_ATTRIBUTE.finditer(text)
        if names.is_sensitive(name[2].decode("utf-8", "replace"))
    }
    if not kinds:
        return
    value = _VALUE_ATTRIBUTE.search(text)
    if value is not None:
        start, end = value.span(value.lastindex or 0)
        yield tag.start() + start, tag.start() + end
    elif not _is_empty(tag) and kinds != {b"id"}:
        content = _TEXT.match(data, tag.end())
        assert content is not None  # noqa: S101 - it matches nothing, too
        yield content.span(content.lastindex or 0)


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
