"""Redact any text: what looks like a secret, and what stands behind a sensitive name.

This is the tokenizer that needs no well-formed input. It goes from one ``:`` or ``=`` to the next,
looks left for a name and right for a value, and where it cannot tell the end of a value it takes more
rather than less.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from urllib.parse import unquote_to_bytes

from .engine import Span
from .headers import is_hidden
from .markup import find_in_markup
from .names import Names
from .values import MARKER_BYTES, MARKS, Finder, Finding, Spans, merge
from .wrapped import Count, find_base64, find_escaped

MAX_NAME_BYTES = 200
"""How far to the left of a separator its name is looked for."""
_SEPARATOR = re.compile(rb"[:=]|%3[AaDd]|&#(?:0*(?:58|61)|[xX]0*3[AaDd]);")
_NOT_A_NAME = re.compile(rb"""[^0-9A-Za-z_.$%\[\]\-\\\x80-\xff]+""")
_ASIDE = re.compile(rb"(?:[ \t]\([^()]{0,60}\)|[ \t](?:is|was|are))[ \t]*\Z")
"""What may stand between a name and its separator: ``password (old):``, ``the password is:``."""
_GAP = re.compile(rb"[>=]?(?:[ \t]|%20|\+(?=[^&]))*")
_QUOTE = re.compile(rb"""\\*(?:["'`]|&quot;|&#34;|&#39;|%22|%27)""")
_MORE_QUOTES = re.compile(rb"""\\*["'`]\s*(\\*["'`])""")
_QUOTE_BEHIND = re.compile(rb"""\s*(\\*["'`])""")
_PAIR = rb"""[0-9A-Za-z_.\-\[\]]{1,60}\\*["']?[ \t]*[:=](?!=)"""
_VALUE_END = re.compile(
    rb"""[\r\n]|\\[rn]|%0[AaDd]|[,;\s][ \t]*\\*["']?""" + _PAIR + rb"""|&(?:amp;)?[^&=\s"'<>]{1,100}="""
)
"""The end of the line, or the next pair."""
_BELOW = re.compile(rb"[ \t]*[|>]?[+-]?[ \t]*")
"""What stands behind a name whose value is on the next lines, as in YAML."""
_LINE = re.compile(rb"(?:\r\n?|\n|\\r\\n|\\n)([ \t]*)((?:[^\r\n\\]|\\(?![rn]))*)")
_LOOKS_LIKE_PAIR = re.compile(rb"""\\*["']?""" + _PAIR)
_TUPLE = re.compile(rb"""\(\s*b?\\*(["'])([^"'()\n]{1,200}?)\\*\1\s*,\s*b?(?=\\*["'])""")
_KEPT = frozenset([b"", b"true", b"false", b"null", b"None", b"True", b"False", b"undefined"])
_ONLY_MARKS = re.compile(rb"(?:%b)(?:[&;,\s]+(?:%b))*" % ((MARKS.pattern,) * 2), re.I)
_BRACKET = re.compile(rb"[(\[{}\])]")
_STRING_OR_BRACKET = re.compile(rb""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|([(\[{])|[}\])]""", re.S)
_CODE = re.compile(rb'^  File "[^\n]*\n(    [^\n]*)', re.M)


def find_in_text(
    data: bytes, finder: Finder, names: Names, spans: Sequence[Span], count: Count
) -> list[Finding]:
    """Find the secrets in a text of which nothing is known.

    Args:
        data: the text.
        finder: finds what looks like a secret.
        names: tells which names are sensitive.
        spans: what the scan of `data` saw.
        count: called for each place that is looked at.
    """

    def find_inner(text: bytes) -> list[Finding]:
        inner = finder.find(text)
        inner += _find_pairs(text, names, finder.scan(text), count)
        return inner

    found = finder.find(data)
    for _ in found:
        count()
    found += _find_pairs(data, names, spans, count)
    found += find_in_markup(data, names, Spans(spans), count)
    if b"%" in data:
        found += find_escaped(data, finder, find_inner, count)
    found += find_base64(data, finder, find_inner, count)
    return merge(found)


def replace(data: bytes, found: Iterable[Finding], marker: bytes = MARKER_BYTES) -> bytes:
    """Put the marker, or what a finding has instead, where the findings are."""
    parts, at = [], 0
    for one in found:
        parts += [data[at : one.start], marker if one.instead is None else one.instead]
        at = one.end
    return b"".join([*parts, data[at:]])


def _find_pairs(data: bytes, names: Names, spans: Iterable[Span], count: Count) -> Iterable[Finding]:
    done = 0
    code = [match.span(1) for match in _CODE.finditer(data)]
    for at, after in _find_separators(data, spans):
        count()
        if at < done:
            continue
        name = _name_before(data, at)
        if name is None or not names.is_sensitive(name):
            continue
        start, end = _value_after(data, after)
        if code and _is_code(code, data, start):
            continue
        done = end
        if _is_secret(data[start:end]):
            yield Finding(start, end, "name")
    done = 0
    for pair in _TUPLE.finditer(data):
        count()
        if pair.start() >= done and names.is_sensitive(pair[2].decode("utf-8", "replace")):
            start, done = _value_after(data, pair.end())
            if _is_secret(data[start:done]):
                yield Finding(start, done, "name")


def _find_separators(data: bytes, spans: Iterable[Span]) -> Iterable[Span]:
    """Find those that may stand behind a sensitive name: in what the scan saw, and the next one."""
    at = 0
    for start, end in sorted(spans):
        for match in _SEPARATOR.finditer(data, max(start, at)):
            at = match.end()
            yield match.span()
            if match.start() >= end:
                break
        else:
            return


def _is_secret(value: bytes) -> bool:
    value = value.strip()
    return not (value in _KEPT or _ONLY_MARKS.fullmatch(value) or is_hidden(value))


def _is_code(code: list[tuple[int, int]], data: bytes, start: int) -> bool:
    # A line of source in a traceback names variables; what it holds of secrets is in quotes.
    at = bisect_right(code, (start, len(data))) - 1
    return at >= 0 and start < code[at][1] and data[start - 1] not in b"\"'"


def _name_before(data: bytes, at: int) -> str | None:
    window = data[max(0, at - MAX_NAME_BYTES) : at]
    aside = _ASIDE.search(window)
    window = (window[: aside.start()] if aside else window).rstrip(b" \t\r\n\"'`\\]")
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
        return start, _find_quotes(data, quote[0], start)
    if data[start : start + 1] in (b"{", b"[", b"(") and not MARKS.match(data, start):
        end = _find_bracket(data, start)
        quote = _QUOTE_BEHIND.match(data, end)
        if quote is not None:
            end = _find_quotes(data, quote[1], quote.end())
            end += data.startswith(quote[1], end) * len(quote[1])
        return start, end
    following = _VALUE_END.search(data, start)
    end = len(data) if following is None else following.start()
    return start, _find_below(data, start, end) if _BELOW.fullmatch(data, start, end) else end


def _find_below(data: bytes, start: int, end: int) -> int:
    """Return the end of a value that is on the lines below its name, or `end`."""
    line_start = max(data.rfind(b"\n", max(0, start - MAX_NAME_BYTES), start) + 1, 0)
    before = data[line_start:start]
    indent = len(before) - len(before.lstrip(b" \t"))
    is_first, at = True, end
    while line := _LINE.match(data, at):
        at = line.end()
        if not line[2].strip():
            continue
        if len(line[1]) <= indent and (not is_first or _LOOKS_LIKE_PAIR.match(line[2])):
            break
        is_first, end = False, at
    return end


def _find_quotes(data: bytes, quote: bytes, start: int) -> int:
    """Return the end of a string, with those that follow at once: they belong to it."""
    end = _find_quote(data, quote, start)
    while more := _MORE_QUOTES.match(data, end):
        end = _find_quote(data, more[1], more.end())
    return end


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
    # Brackets in strings are none; but an apostrophe begins no string.
    ends = [_close(data, _BRACKET, start), _close(data, _STRING_OR_BRACKET, start)]
    return max(ends)


def _close(data: bytes, pattern: re.Pattern[bytes], start: int) -> int:
    depth = 0
    for match in pattern.finditer(data, start):
        first = match[0][:1]
        if first in b"([{":
            depth += 1
        elif first in b")]}":
            depth -= 1
            if depth == 0:
                return match.end()
    return len(data)
