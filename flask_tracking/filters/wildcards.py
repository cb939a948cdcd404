"""Texts with wildcards: the literal parts between the wildcards, and how they are compared.

``/orders/*`` is ``("/orders/", "")``; a text without a wildcard is one part.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from math import isfinite

from ..runtime.text import clean_text

__all__ = [
    "Parts",
    "contains",
    "fold_case",
    "make_matcher",
    "make_regex",
    "object_regex",
    "read_parts",
    "read_value",
    "write_parts",
]

Parts = tuple[str, ...]

_SPECIAL = re.compile("\\\\([\\\\*…\"'():\\s])|[*…]")
"""An escaped character, or a wildcard: `list` shows the second one in shortened values."""
_ESCAPED = re.compile('[\\\\*…"]')
_FOLD = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_OBJECT = r"^<[A-Za-z_][0-9A-Za-z_.]*:? ['\"]?"
"""The beginning of an object's text: ``<User ada>``, ``<User: ada>``, ``<User 'ada'>``."""
_END = r"(?![\s\S])"
"""The end of a text. A dollar would match before a last line end, too."""
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_FLOAT = re.compile(r"-?[0-9]{1,309}(\.[0-9]{1,18})?(e[+-]?[0-9]{1,3})?")
"""As Python and JSON write one."""
_NAMED = {
    "true": True,
    "false": False,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}
"""The values that have names, by those that `show` prints."""
"""Every whole number of so many digits has room in 64 bits."""
_LETTER = re.compile("[A-Za-z]")


def read_parts(text: str) -> Parts:
    """Return the parts of a text with wildcards, without the backslashes of escaped characters.

    A backslash before any other character is an ordinary one. Lone surrogates are escaped: no store
    takes them.
    """
    parts, part, at = [], "", 0
    for match in _SPECIAL.finditer(text):
        part += text[at : match.start()]
        at = match.end()
        if match[1] is None:
            parts.append(part)
            part = ""
        else:
            part += match[1]
    return collapse(*parts, part + text[at:])


def write_parts(parts: Parts) -> str:
    """Return the text that `read_parts` reads as `parts`."""
    return "*".join(_ESCAPED.sub(r"\\\g<0>", part) for part in parts)


def collapse(*parts: str) -> Parts:
    """Make one wildcard of several in a row."""
    if len(parts) == 1:
        return (clean_text(parts[0]),)
    first, *between, last = map(clean_text, parts)
    return (first, *filter(None, between), last)


def contains(parts: Parts) -> Parts:
    """Return the parts of any text that contains a text with these."""
    return collapse("", *parts, "")


def fold_case(text: str) -> str:
    """Return `text` with the letters of ASCII in lower case, as every store folds them alike."""
    return text.lower() if text.isascii() else text.translate(_FOLD)


def make_matcher(parts: Parts, *, folds_case: bool = False) -> Callable[[str], bool]:
    """Return a function that tells whether a whole text matches.

    It takes time in proportion to the text. A regular expression with many ``.*`` could take hours on
    a text that a client chose.
    """
    if folds_case:
        matches = make_matcher(tuple(map(fold_case, parts)))
        return lambda text: matches(fold_case(text))
    first, *others = parts
    if not others:
        return lambda text: text == first
    *between, last = others
    if not between:
        least = len(first) + len(last)
        return lambda text: len(text) >= least and text.startswith(first) and text.endswith(last)
    if not first and not last and len(between) == 1:
        part = between[0]
        return lambda text: part in text
    return lambda text: _matches(text, first, between, last)


def _matches(text: str, first: str, between: list[str], last: str) -> bool:
    start, end = len(first), len(text) - len(last)
    if start > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in between:
        found = text.find(part, start, end)
        if found < 0:
            return False
        start = found + len(part)
    return True


def make_regex(parts: Parts, *, folds_case: bool = False) -> str:
    """Return an anchored regular expression, in the subset that every store supports.

    The dot must match a newline there. As in `make_matcher`, each part is the first of its kind, and no
    other is tried: several ``.*`` can occupy a server for minutes on a text that a client chose.
    """
    first, *others = map(_escape_folded if folds_case else _escape, parts)
    if len(others) < 2 or (len(others) == 2 and parts[0] == parts[2] == ""):
        return f"^{'.*'.join((first, *others))}{_END}"
    *between, last = others
    found = (_find_first(f"p{at}", part) for at, part in enumerate(between))
    return f"^{first}{''.join(found)}.*{last}{_END}"


def _find_first(name: str, part: str) -> str:
    """Return an expression that goes on behind the first `part`: an atomic group for all dialects."""
    return f"(?=(?P<{name}>.*?{part}))(?P={name})"


def _escape_folded(text: str) -> str:
    return "".join(
        f"[{one.lower()}{one.upper()}]" if _LETTER.fullmatch(one) else _escape(one) for one in text
    )


def _escape(text: str) -> str:
    return re.escape(text).replace("\0", r"\x00")  # stores take no NUL in an expression


def object_regex(name: str) -> str:
    """Return a regular expression for the text of an object that names `name`, like ``<User ada>``."""
    return f"{_OBJECT}{_escape(name)}['\"]?>{_END}"


def read_value(parts: Parts) -> tuple[float | bool, ...]:
    """Return what a text stands for beside itself: a number, true or false."""
    if len(parts) > 1:
        return ()
    text = parts[0]
    if text in _NAMED:
        return (_NAMED[text],)
    if _INTEGER.fullmatch(text):
        # Larger ones are stored as text.
        return (int(text),) if -(2**63) <= int(text) < 2**63 else ()
    if _FLOAT.fullmatch(text) and isfinite(number := float(text)):
        return (number,)
    return ()
