"""Find the end of a string or a structure in a text of unknown grammar."""

from __future__ import annotations

import re

from ..engines.base import Range

_MORE_QUOTES = re.compile(rb"""\\*["'`]\s*(\\*["'`])""")
_BRACKET = re.compile(rb"[(\[{}\])]")
_STRING_OR_BRACKET = re.compile(rb"""\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|([(\[{])|[}\])]""", re.S)


def strip(data: bytes, start: int, end: int) -> Range:
    """Return a range without the blanks at its ends."""
    text = data[start:end]
    return start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())


def find_quotes(data: bytes, quote: bytes, start: int) -> int:
    """Return the end of a string, with the strings that follow at once: they belong to it."""
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
        # Each enclosing string doubles the backslashes; fewer than at the beginning end an outer one.
        ends = count < level or count % (2 * (level + 1)) == level
        is_doubled = data.startswith(mark, at + len(mark)) and at > start  # as in SQL
        if ends and not is_doubled:
            return at - min(count, level)
        at = data.find(mark, at + len(mark) * (1 + (ends and is_doubled)))
    return len(data)


def find_bracket(data: bytes, start: int) -> int:
    """Return the end of the structure that opens at `start`, whatever it is."""
    # Brackets in strings do not count; but an apostrophe may look like the start of one.
    ends = [_close(data, _BRACKET, start), _close(data, _STRING_OR_BRACKET, start)]
    return max(ends)


def _close(data: bytes, pattern: re.Pattern[bytes], start: int) -> int:
    depth = 0
    # An escape stands for itself: a quote in one would begin a string, up to the end, again and again.
    for match in pattern.finditer(data, start):
        first = match[0][:1]
        if first in b"([{":
            depth += 1
        elif first in b")]}":
            depth -= 1
            if depth == 0:
                return match.end()
    return len(data)
