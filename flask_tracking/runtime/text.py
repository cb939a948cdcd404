"""Make foreign text safe to store and to print."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_LAST_URL = re.compile(r"[A-Za-z][0-9A-Za-z+.-]{0,30}:(?:\\?/){2}[^\s\"<>]*\Z")
_LAST_TAG = re.compile(r"<[A-Za-z/!?][^<>]*\Z")
"""The name of an attribute may follow its value."""
_LAST_GROUPS = re.compile(r"(?:\b[0-9A-Z]{1,6}[ -]){1,16}\Z", re.A)
LONGEST_WORD = 4096
"""The maximum number of characters to remove from the end of a text."""
MAX_DIGITS = 18
"""Any number with this many digits fits into 64 bits."""
_RUN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f!#-%*+\--:=?-Z\\^-z|~\x7f]*")
"""ASCII without blanks, quotes, brackets and separators of values.

A negated class would take thirty times as long to compile.
"""


def visible(text: str) -> str:
    """Return `text` on one line, with unprintable characters as escapes.

    Otherwise control characters, line ends, and characters that reorder or hide others would act on
    the terminal or the log.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def count_of(count: int, noun: str) -> str:
    """Return a number of things, like ``1 record`` or ``1,200 records``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def clean_text(text: str) -> str:
    """Make `text` storable: escape lone surrogates, and leave everything else unchanged."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def suggest(word: str, known: Mapping[str, str] | Iterable[str]) -> str:
    """Return a blank and a question for what is spelled like a word; empty if nothing is.

    Args:
        word: the wrong word.
        known: the right ones; a mapping has for each what is shown of it.
    """
    from difflib import get_close_matches  # only who makes a mistake needs it

    shown = known if isinstance(known, Mapping) else {one: one for one in known}
    by_folded = {one.casefold(): text for one, text in shown.items()}
    nearest = get_close_matches(word.casefold(), by_folded, n=1)
    return f" Did you mean {by_folded[nearest[0]]}?" if nearest else ""


def read_number(text: str) -> int | None:
    """Parse a whole number; None if `text` is not one, or too large for a store."""
    return int(text) if len(text) <= MAX_DIGITS and text.isdecimal() else None


def cut(text: str, limit: int) -> str:
    """Cut `text` at `limit` characters, without leaving a part of a word or a number.

    Redaction would not recognise a part of a token or of a card number.
    """
    return text if len(text) <= limit else trim(text[:limit])


def trim(text: str) -> str:
    """Remove the last word, number, URL or tag of a text, because it may be incomplete."""
    begin = max(0, len(text) - LONGEST_WORD)
    last = _LAST_URL.search(text, begin) or _LAST_TAG.search(text, begin)
    if last is not None:
        return text[: last.start()]
    at = len(text) - len(_RUN.match(text[begin:][::-1])[0])  # type: ignore[index] # it always matches
    groups = _LAST_GROUPS.search(text, max(0, at - 100), at)
    return text[: groups.start() if groups else at]
