"""Completions for the last word of a filter, for shells and pages."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator

from ..errors import FilterError
from .grammar import format_condition, parse_value
from .terms import TERMS

__all__ = ["FindValues", "complete", "split_last_word"]

FindValues = Callable[[str], Iterable[str]]
"""Returns values of a key that there are, or names behind the dot for a key like ``custom.``."""

_LAST_WORD = re.compile(r"[^\s()]*\Z")
_PLAIN_NAME = re.compile(r"[^\s()'\":*\\]+")


def complete(text: str, find_values: FindValues = lambda _: ()) -> list[str]:
    """Return the texts that `text` may become by one more key, or one more value, in any case.

    Args:
        text: the beginning of a filter, up to the cursor.
        find_values: is asked for values of keys that do not have a few fixed ones.
    """
    before, word = split_last_word(text)
    proposed = _propose(word, find_values)
    folded = word.casefold()
    return [before + one for one in proposed if one.casefold().startswith(folded) and one != word]


def split_last_word(text: str) -> tuple[str, str]:
    """Return what stands before the last word of a filter, and that word, which may be empty."""
    at = _LAST_WORD.search(text).start()  # type: ignore[union-attr] # it matches always
    return text[:at], text[at:]


def _propose(word: str, find_values: FindValues) -> Iterable[str]:
    key, colon, _ = word.partition(":")
    head, dot, _ = key.partition(".")
    if colon:
        return _propose_values(key, find_values) if key in TERMS else []
    if dot:
        names = find_values(f"{head}.") if f"{head}." in TERMS else ()
        return [f"{head}.{name}:" for name in names if _PLAIN_NAME.fullmatch(name)]
    return [key if key.endswith(".") else f"{key}:" for key in TERMS]


def _propose_values(key: str, find_values: FindValues) -> Iterator[str]:
    choices = TERMS[key].choices
    yield from (f"{key}:{choice}" for choice in choices)
    for value in () if choices else find_values(key):
        with contextlib.suppress(FilterError):
            yield format_condition(parse_value(key, value, is_literal=True))
