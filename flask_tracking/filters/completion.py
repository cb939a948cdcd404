"""What the last word of a filter may become, for shells and pages."""

from __future__ import annotations

import re

from .terms import TERMS

__all__ = ["complete"]

_LAST_WORD = re.compile(r"[^\s()]*\Z")


def complete(text: str) -> list[str]:
    """Return the texts that `text` may become by one more key, or one more value.

    Args:
        text: the beginning of a filter, up to the cursor.
    """
    at = _LAST_WORD.search(text).start()  # type: ignore[union-attr] # it matches always
    before, word = text[:at], text[at:]
    return [before + one for one in _propose(word) if one.startswith(word) and one != word]


def _propose(word: str) -> list[str]:
    key, colon, _ = word.partition(":")
    if not colon:
        return [key if key.endswith(".") else f"{key}:" for key in TERMS]
    return [f"{key}:{choice}" for choice in TERMS[key].choices] if key in TERMS else []
