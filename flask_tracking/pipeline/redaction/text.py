"""Redact any text: what looks like a secret, and what stands behind a sensitive name.

This is the tokenizer that needs no well-formed input. It goes from one ``:``, ``=`` or ``>`` to the
next, looks left for a name and right for a value, and where it cannot tell the end of a value it takes
more rather than less.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from .names import Names
from .values import MARKER_BYTES, MARKS, Finder, Finding, Spans, merge

MAX_NAME_BYTES = 200
"""How far to the left of a separator its name is looked for."""
_SEPARATOR = re.compile(rb"[:=>]|%3[AaDd]")
_NOT_A_NAME = re.compile(rb"""[^0-9A-Za-z_.$%\[\]\-\\\x80-\xff]+""")
_GAP = re.compile(rb"[>=]?(?:[ \t]|%20|\+(?=[^&]))*")
_QUOTE = re.compile(rb"""\\*(?:["'`]|&quot;|&#34;|&#39;|%22|%27)""")
_VALUE_END = re.compile(
    rb"""[\r\n&]|\\[rn]|%0[AaDd]|[,;\s][ \t]*\\*["']?[0-9A-Za-z_.\-\[\]]{1,60}\\*["']?[ \t]*[:=](?!=)"""
)
"""The end of the line, or the next pair."""
_TAG = re.compile(rb"<([0-9A-Za-z_.:\x80-\xff-]{1,200})(?:\s[^<>]*)?$")
_KEPT = frozenset([b"", b"true", b"false", b"null", b"None", b"True", b"False", b"undefined"])
_INPUT = re.compile(rb"""<(?:input|meta)\b[^<>]{0,2000}>""", re.I)
_INPUT_NAME = re.compile(rb"""\bname\s*=\s*["']?([^\s"'<>]+)""", re.I)
_INPUT_VALUE = re.compile(rb"""\b(?:value|content)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))""", re.I)
_BRACKET = re.compile(rb"[(\[{}\])]")
_CODE = re.compile(rb'^  File "[^\n]*\n(    [^\n]*)', re.M)
_ESCAPED = re.compile(rb"%[0-9A-Fa-f]{2}")


def find_in_text(data: bytes, finder: Finder, names: Names) -> list[Finding]:
    """Find the secrets in a text of which nothing is known."""
    found = finder.find(data)
    found += _find_pairs(data, names)
    if b"<" in data:
        found += _find_inputs(data, names)
    if b"%" in data:
        found += _find_escaped(data, finder, names)
    return merge(found)


def replace(data: bytes, found: Iterable[Finding], marker: bytes = MARKER_BYTES) -> bytes:
    """Put the marker, or what a finding has instead, where the findings are."""
    parts, at = [], 0
    for one in found:
        parts += [data[at : one.start], marker if one.instead is None else one.instead]
        at = one.end
    return b"".join([*parts, data[at:]])


def _find_pairs(data: bytes, names: Names) -> Iterable[Finding]:
    done = 0
    code = [match.span(1) for match in _CODE.finditer(data)]
    for match in _SEPARATOR.finditer(data):
        at, after = match.span()
        if at < done:
            continue
        is_tag = data[at] == 0x3E
        name = _name_before(data, at, is_tag)
        if name is None or not names.is_sensitive(name):
            continue
        start, end = _value_after_tag(data, at) if is_tag else _value_after(data, after)
        if not is_tag and code and _is_code(code, data, start):
            continue
        done = end
        value = data[start:end].strip()
        if value not in _KEPT and not MARKS.fullmatch(value) and not _is_scheme_only(value):
            yield Finding(start, end, "name")


def _is_code(code: list[tuple[int, int]], data: bytes, start: int) -> bool:
    # A line of source in a traceback names variables; what it holds of secrets is in quotes.
    at = bisect_right(code, (start, len(data))) - 1
    return at >= 0 and start < code[at][1] and data[start - 1] not in b"\"'"


def _name_before(data: bytes, at: int, is_tag: bool) -> str | None:
    window = data[max(0, at - MAX_NAME_BYTES) : at]
    if is_tag:
        if window.endswith((b"/", b"-", b"=")):
            return None  # an empty element, or an arrow
        tag = _TAG.search(window[max(0, window.rfind(b"<")) :]) if b"<" in window else None
        return tag[1].decode("utf-8", "replace") if tag else None
    window = window.rstrip(b" \t\r\n\"'`\\]")
    for quote in (b"%22", b"%27", b"%5D", b"%5d", b"&quot;", b"&#34;", b"&#39;"):
        window = window.removesuffix(quote)
    name = _NOT_A_NAME.split(window)[-1]
    if b"%" in name:
        name = unquote_to_bytes(name)
    return name.decode("utf-8", "replace") if name else None


def _value_after(data: bytes, after: int) -> tuple[int, int]:
    start = _GAP.match(data, after).end()  # type: ignore[union-attr] # it matches nothing, too
    quote = _QUOTE.match(data, start)
    if quote is not None:
        start = quote.end()
        end = _find_quote(data, quote[0], start)
        return start, end
    if data[start : start + 1] in (b"{", b"[", b"(") and not MARKS.match(data, start):
        return start, _find_bracket(data, start)
    following = _VALUE_END.search(data, start)
    return start, len(data) if following is None else following.start()


def _find_quote(data: bytes, quote: bytes, start: int) -> int:
    """Return where the string ends that `quote` began, or the end of the text."""
    mark = quote.lstrip(b"\\")
    level = len(quote) - len(mark)
    at = data.find(mark, start)
    while at >= 0:
        slashes = at
        while slashes > start and data[slashes - 1] == 0x5C:
            slashes -= 1
        count = at - slashes
        # Each string around doubles the backslashes; less of them than at the beginning end more.
        ends = count < level or count % (2 * (level + 1)) == level
        is_doubled = data.startswith(mark, at + len(mark)) and at > start  # as in SQL
        if ends and not is_doubled:
            return at - min(count, level)
        at = data.find(mark, at + len(mark) * (1 + (ends and is_doubled)))
    return len(data)


def _find_bracket(data: bytes, start: int) -> int:
    """Return the end of the structure that opens at `start`, whatever it is."""
    depth = 0
    for match in _BRACKET.finditer(data, start):
        depth += 1 if match[0] in b"([{" else -1
        if depth == 0:
            return match.end()
    return len(data)


def _value_after_tag(data: bytes, at: int) -> tuple[int, int]:
    tag = _TAG.search(data[max(0, at - MAX_NAME_BYTES) : at])
    closing = data.find(b"</" + tag[1], at) if tag else -1
    return at + 1, len(data) if closing < 0 else closing


def _is_scheme_only(value: bytes) -> bool:
    # What the rule for headers has left: the scheme, and a marker.
    scheme, space, rest = value.partition(b" ")
    return bool(space) and scheme.isalnum() and MARKS.fullmatch(rest.strip()) is not None


def _find_inputs(data: bytes, names: Names) -> Iterable[Finding]:
    for tag in _INPUT.finditer(data):
        name, value = _INPUT_NAME.search(tag[0]), _INPUT_VALUE.search(tag[0])
        if name is None or value is None or not names.is_sensitive(name[1].decode("utf-8", "replace")):
            continue
        group = value.lastindex or 0
        start, end = (tag.start() + at for at in value.span(group))
        if end > start and not MARKS.fullmatch(data[start:end]):
            yield Finding(start, end, "name")


_RUN = re.compile(rb"""[^\s"'<>&;,]+""")


def _find_escaped(data: bytes, finder: Finder, names: Names) -> Iterable[Finding]:
    """Look into percent-escapes, one level: what is found in a run takes the run as a whole."""
    runs = [_decode_run(run) for run in _RUN.finditer(data) if _ESCAPED.search(run[0])]
    spans = Spans(finder.scan(b"\n".join([run.decoded for run in runs])))
    at = 0
    for start, end, decoded in runs:
        if spans.touch(at, at + len(decoded)):
            inner = finder.find(decoded) + list(_find_pairs(decoded, names))
            if inner:
                yield Finding(start, end, inner[0].rule)
        at += len(decoded) + 1


class _Run(NamedTuple):
    start: int
    end: int
    decoded: bytes


def _decode_run(run: re.Match[bytes]) -> _Run:
    start = run.start()
    name, equals, value = run[0].partition(b"=")
    if equals and _ESCAPED.search(value) and not _ESCAPED.search(name):
        start += len(name) + 1
        return _Run(start, run.end(), unquote_to_bytes(value.replace(b"+", b" ")))
    return _Run(start, run.end(), unquote_to_bytes(run[0].replace(b"+", b" ")))
