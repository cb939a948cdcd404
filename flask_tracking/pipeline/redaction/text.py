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

from .ends import find_bracket, find_quotes
from .engine import Span
from .headers import is_hidden
from .markup import find_in_markup
from .names import Names
from .statements import find_in_statements
from .values import MARKER_BYTES, MARKS, Finder, Finding, Spans, merge
from .wrapped import Count, find_base64, find_escaped

MAX_NAME_BYTES = 200
"""How far to the left of a separator its name is looked for."""
_SEPARATOR = re.compile(
    rb"[:=]|\xef\xbc\x9a|%3[AaDd]|\\(?:u00|x)3[AaDd]|&#(?:0*(?:58|61)|[xX]0*3[AaDd]);"
)
_NOT_A_NAME = re.compile(rb"""[^0-9A-Za-z_.$%\[\]\-\\\x80-\xff]+""")
_ASIDE = re.compile(rb"(?:[ \t]\([^()]{0,60}\)|[ \t](?:is|was|are))[ \t]*\Z")
"""What may stand between a name and its separator: ``password (old):``, ``the password is:``."""
_GAP = re.compile(rb"[>=]{0,3}(?:[ \t]|%20|\+(?=[^&]))*")
_NAME_ENDS = b" \t\r\n\"'`\\]!?+~"
"""What may stand between a name and ``=``: its own quote, or what makes another operator of it."""
_NAME_QUOTE = re.compile(rb"(?:%(?:2[27]|5[Dd])|&quot;|&#(?:34|39|x2[27]);|</[0-9a-z]+>)+\Z")
"""The same where it is escaped, or the end of a tag."""
_QUOTE = re.compile(rb"""\\*(?:["'`]|&quot;|&#(?:34|39|x2[27]);|%2[27])""")
_QUOTE_BEHIND = re.compile(rb"""\s*(\\*["'`])""")
_PAIR = rb"""[0-9A-Za-z_.\-\[\]]{1,60}\\*["']?[ \t]*[:=](?!=)"""
_VALUE_END = re.compile(
    rb"""[\r\n]|(?:[,;\s]|\\[rn]|%0[AaDd])[ \t]*\\*["']?"""
    + _PAIR
    + rb"""|&(?:amp;)?[^&=\s"'<>]{1,100}="""
)
"""The end of the line, or the next pair."""
_ESCAPED_END = re.compile(rb"%0[AaDd]|" + _VALUE_END.pattern)
"""The same where what stands before it is percent-encoded: then the end of the line is, too."""
_BEHIND = re.compile(rb"""[ \t]*(?:[\r\n)\]}>\\"'`<]|\Z)""")
"""What may stand behind a structure; anything else goes on with a value that began like one."""
_BELOW = re.compile(rb"[ \t]*[|>]?[+-]?[ \t]*")
"""What stands behind a name whose value is on the next lines, as in YAML."""
_LINE = re.compile(rb"(?:\r\n?|\n|\\r\\n|\\n)([ \t]*)((?:[^\r\n\\]|\\(?![rn]))*)")
_LOOKS_LIKE_PAIR = re.compile(rb"""\\*["']?""" + _PAIR)
_TUPLE = re.compile(rb"""\(\s*b?\\*(["'])([^"'()\n]{1,200}?)\\*\1\s*,\s*b?(?=\\*["'])""")
_NAMED = re.compile(
    rb"""(?:name|key|field)\\*["']?[ \t]*[:=][ \t]*\\*["']?([\w .$\[\]\-]{1,100}?)\\*["']?"""
    rb"""\s*[,;\n]\s*\\*["']?value\\*["']?[ \t]*[:=]""",
    re.I,
)
"""A name and its value in fields of their own: ``name: DB_PASSWORD`` and ``value: ...``."""
_KEPT = frozenset([b"", b"true", b"false", b"null", b"None", b"True", b"False", b"undefined"])
_ONLY_MARKS = re.compile(rb"(?:%b)(?:[&;,\s]+(?:%b))*" % ((MARKS.pattern,) * 2), re.I)
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
    found += _find_named(data, names, count)
    found += find_in_statements(data, names, count)
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
        start, end = _value_after(data, after, is_escaped=data[at] == 0x25)
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


def _find_named(data: bytes, names: Names, count: Count) -> Iterable[Finding]:
    for pair in _NAMED.finditer(data):
        count()
        if names.is_sensitive(pair[1].decode("utf-8", "replace")):
            start, end = _value_after(data, pair.end())
            if _is_secret(data[start:end]):
                yield Finding(start, end, "name")


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
    window = (window[: aside.start()] if aside else window).rstrip(_NAME_ENDS)
    window = _NAME_QUOTE.sub(b"", window).rstrip(_NAME_ENDS)
    name = _NOT_A_NAME.split(window)[-1]
    if b"%" in name:
        name = unquote_to_bytes(name)
    return name.decode("utf-8", "replace") if name else None


def _value_after(data: bytes, after: int, *, is_escaped: bool = False) -> tuple[int, int]:
    start = _GAP.match(data, after).end()  # type: ignore[union-attr] # it matches nothing, too
    quote = _QUOTE.match(data, start)
    if quote is not None:
        start = quote.end()
        return start, find_quotes(data, quote[0], start)
    mark = MARKS.match(data, start)
    if mark is not None and _BEHIND.match(data, mark.end()):
        return start, mark.end()
    if data[start : start + 1] in (b"{", b"[", b"(") and mark is None:
        end = find_bracket(data, start)
        quote = _QUOTE_BEHIND.match(data, end)
        if quote is not None:
            end = find_quotes(data, quote[1], quote.end())
            end += data.startswith(quote[1], end) * len(quote[1])
        if _BEHIND.match(data, end):
            return start, end
    following = (_ESCAPED_END if is_escaped else _VALUE_END).search(data, start)
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
