"""Text that strangers wrote, made fit to be stored and to be printed."""

from __future__ import annotations

import re

_LAST_URL = re.compile(r"[A-Za-z][0-9A-Za-z+.-]{0,30}:(?:\\?/){2}[^\s\"<>]*\Z")
_LAST_TAG = re.compile(r"<[A-Za-z/!?][^<>]*\Z")
"""Its name may stand behind its value."""
_LAST_GROUPS = re.compile(r"(?:\b[0-9A-Z]{1,6}[ -]){1,16}\Z", re.A)
LONGEST_WORD = 4096
"""Of what is longer so much is left out: the rest is enough to tell what it was."""
MAX_DIGITS = 18
"""Every number of so many digits has room in 64 bits."""
_RUN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f!#-%*+\--:=?-Z\\^-z|~\x7f]*")
"""ASCII without blanks, quotes, brackets, and what stands between values.

Written as what is not meant it takes thirty times as long to compile.
"""


def visible(text: str) -> str:
    """Return `text` on one line, with everything that is not printable shown as an escape.

    Control and escape characters, line ends, and the characters that reorder or hide others would
    reach the terminal or the log as commands.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def clean_text(text: str) -> str:
    """Make `text` storable: lone surrogates are escaped, everything else is as it was."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def read_number(text: str) -> int | None:
    """Return the whole number that `text` is; None where it is none, or more than a store holds."""
    return int(text) if len(text) <= MAX_DIGITS and text.isdecimal() else None


def cut(text: str, limit: int) -> str:
    """Cut `text` at `limit` characters, and a word or a number no part of which may be stored alone.

    What is left of a token or of a card that was cut in two no longer shows what it was.
    """
    return text if len(text) <= limit else trim(text[:limit])


def trim(text: str) -> str:
    """Leave out the last word, number, URL or tag of a text that went on."""
    begin = max(0, len(text) - LONGEST_WORD)
    last = _LAST_URL.search(text, begin) or _LAST_TAG.search(text, begin)
    if last is not None:
        return text[: last.start()]
    at = len(text) - len(_RUN.match(text[begin:][::-1])[0])  # type: ignore[index] # it matches always
    groups = _LAST_GROUPS.search(text, max(0, at - 100), at)
    return text[: groups.start() if groups else at]
