"""Visible marks for invisible characters and for those that change the direction of text."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

MAX_CHARACTERS = 10_000
"""The maximum length of one text on a page."""
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Invisible characters, direction overrides, and control characters except tab and newline.

An example is U+202E, after which ``gpj.exe`` reads as ``exe.jpg``; a near miss is U+00E9, the letter é.
"""
_PICTURES = {**{code: chr(0x2400 + code) for code in range(32)}, 127: "\u2421"}


class Part(NamedTuple):
    """A piece of a text: unchanged text, or the mark of one hidden character."""

    text: str
    name: str = ""
    """The name of the character if `text` is a mark; empty for unchanged text."""


def split_hidden(text: str) -> list[Part]:
    """Return the pieces of `text`, with a visible mark for each hidden character."""
    parts: list[Part] = []
    end = 0
    for found in _HIDDEN.finditer(text):
        if found.start() > end:
            parts.append(Part(text[end : found.start()]))
        parts.append(_mark(found.group()))
        end = found.end()
    if end < len(text) or not parts:
        parts.append(Part(text[end:]))
    return parts


def split_shortened(text: str, most: int) -> list[Part]:
    """Truncate `text` and return its pieces; the last one says how much was left out."""
    beginning, left_out = shorten(text, most)
    more = [Part(f"… {left_out:,} more")] if left_out else []
    return split_hidden(beginning) + more


def _mark(character: str) -> Part:
    code = ord(character)
    name = unicodedata.name(character, "control character").lower()
    return Part(_PICTURES.get(code, f"U+{code:04X}"), f"U+{code:04X} {name}")


def shorten(text: str, most: int = MAX_CHARACTERS) -> tuple[str, int]:
    """Return the beginning of `text`, and how many characters were left out."""
    return text[:most], max(0, len(text) - most)
