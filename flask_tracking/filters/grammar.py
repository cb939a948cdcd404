"""The text of a filter to its conditions, and back.

::

    filter  = [any]
    any     = all ("or" all)*
    all     = not (["and"] not)*
    not     = "not" not | "(" [any] ")" | term
    term    = key ":" value | value
    key     = letters | letters "." name
    name    = characters without blanks, parentheses, quotes and colons | '"' characters '"'
    value   = characters without blanks and parentheses | '"' characters '"' | "'" characters "'"
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import FilterError
from ..runtime.text import clean_text, suggest, visible
from .conditions import All, AnyOf, Condition, Negation, Term, all_of, any_of
from .terms import TERMS, WORD, TermType, make_term
from .wildcards import collapse, read_parts, write_parts

__all__ = ["format_condition", "format_term", "parse_condition", "parse_value"]

MAX_LENGTH = 10_000
"""Characters of a filter."""
MAX_TERMS = 100
MAX_DEPTH = 20
"""Parentheses and ``not`` within each other."""
KEYS = tuple(f"{key}NAME" if key.endswith(".") else key for key in TERMS)
"""As errors list them."""
_STEMS = {key.rstrip("."): shown for key, shown in zip(TERMS, KEYS, strict=True)}
MAX_SHOWN = 60
"""Characters of a filter that an error shows around the spot."""

_BLANKS = re.compile(r"\s*")
_KEY = re.compile(
    r"""(?P<stem>[A-Za-z][A-Za-z_-]*)(?P<dot>\.(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<name>[^\s:()"']*)))?:""",
    re.DOTALL,
)
_PLAIN_NAME = re.compile(r"""[^\s:()"']+""")
_ESCAPED_IN_NAME = re.compile(r"""\\(["\\])""")
_VALUE = re.compile(
    r"""
    "(?P<double>(?:[^"\\]|\\.)*)"
    | '(?P<single>(?:[^'\\]|\\.)*)'
    | (?P<plain>(?!["'])(?:[^\s()\\]|\\.|\\\Z)*)
    """,
    re.VERBOSE | re.DOTALL,
)
_AFTER_QUOTE = re.compile(r"[\s()]|\Z")
_PLAIN = re.compile(r"""(?!["'])[^\s()]+""")
_OPERATORS = ("and", "or", "not")


class Token(NamedTuple):
    """A parenthesis, an operator, or a term."""

    kind: str
    """``(``, ``)``, ``and``, ``or``, ``not``, ``term``, or ``end``."""
    start: int
    end: int
    key: str | None = None
    value: str = ""
    value_at: int = 0


def parse_condition(text: str) -> Condition:
    """Parse the text of a filter.

    Raises:
        FilterError: the text is invalid; the message shows the spot and the possible values.
    """
    if len(text) > MAX_LENGTH:
        raise FilterError(
            f"A filter of {len(text):,} characters is too long: at most {MAX_LENGTH:,} are allowed."
        )
    return _Parser(text).parse()


def parse_value(key: str, text: str, *, is_literal: bool = False) -> Term:
    """Parse a term whose value is given apart from its key, like that of an option.

    Args:
        key: like ``status`` or ``header.accept``; empty for a word.
        text: the value, without quotes.
        is_literal: True takes ``*`` and the backslash as ordinary characters.

    Raises:
        FilterError: the key or the value is wrong.
    """
    parts = collapse(text) if is_literal else read_parts(text)
    return make_term(*_find_type(key or None), parts)


def format_condition(condition: Condition) -> str:
    """Return the text that `parse_condition` parses into `condition`; it is made of terms."""
    return "" if condition == All(()) else _format(condition)


def format_term(term: Term) -> str:
    """Return the text of a term."""
    value = write_parts(term.parts)
    if not _PLAIN.fullmatch(value) or (not term.key and _is_special(value)):
        value = f'"{value}"'
    return f"{_format_key(term.key)}:{value}" if term.key else value


def _format_key(key: str) -> str:
    stem, dot, name = key.partition(".")
    if not dot or _PLAIN_NAME.fullmatch(name):
        return key
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'{stem}."{escaped}"'


def _read_key(match: re.Match[str]) -> str:
    stem, dot, quoted, name = match.group("stem", "dot", "quoted", "name")
    if quoted is not None:
        name = _ESCAPED_IN_NAME.sub(r"\1", quoted)
    return stem if dot is None else f"{stem}.{name}"


def _is_special(word: str) -> bool:
    return word.lower() in _OPERATORS or _KEY.match(word) is not None


def _format(condition: Condition) -> str:
    if isinstance(condition, Term):
        return format_term(condition)
    if isinstance(condition, AnyOf):
        return " or ".join(map(_format, condition.conditions))
    if isinstance(condition, All):
        return " ".join(map(_format_operand, condition.conditions)) or "()"
    if isinstance(condition, Negation):
        return f"not {_format_operand(condition.condition)}"
    raise TypeError(f"{type(condition).__name__} has no text")


def _format_operand(condition: Condition) -> str:
    text = _format(condition)
    is_whole = isinstance(condition, Term | Negation) or text == "()"
    return text if is_whole else f"({text})"


class _Parser:
    """Reads one text from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._terms = 0
        self._depth = 0
        self._token = self._read(0)

    def parse(self) -> Condition:
        """Parse all of the text."""
        condition = self._parse_any()
        if self._token.kind != "end":
            raise self._fail(
                FilterError("Unexpected ')': no '(' is open. Quote a value with parentheses.")
            )
        return condition

    def _parse_any(self) -> Condition:
        if self._token.kind in (")", "end"):
            return All(())
        conditions = [self._parse_all()]
        while self._take("or"):
            conditions.append(self._parse_all())
        return any_of(conditions)

    def _parse_all(self) -> Condition:
        conditions = [self._parse_not()]
        while self._token.kind not in ("or", ")", "end"):
            self._take("and")
            conditions.append(self._parse_not())
        return all_of(conditions)

    def _parse_not(self) -> Condition:
        token = self._token
        if token.kind == "term":
            return self._parse_term()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._fail(
                FilterError(f"A filter is nested too deep: at most {MAX_DEPTH} levels are allowed.")
            )
        if self._take("not"):
            condition: Condition = Negation(self._parse_not())
        elif self._take("("):
            condition = self._parse_any()
            if not self._take(")"):
                raise self._fail(FilterError("A '(' is not closed: expected ')'."), token)
        else:
            raise self._fail(FilterError("Expected a term like status:5xx, a word, 'not' or '('."))
        self._depth -= 1
        return condition

    def _parse_term(self) -> Condition:
        token = self._token
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise self._fail(
                FilterError(f"A filter has too many terms: at most {MAX_TERMS} are allowed.")
            )
        try:
            term_type, name = _find_type(token.key)
        except FilterError as error:
            raise self._fail(error, token._replace(end=token.value_at - 1)) from None
        try:
            term = make_term(term_type, name, read_parts(token.value))
        except FilterError as error:
            raise self._fail(error, token._replace(start=token.value_at)) from None
        self._token = self._read(token.end)
        return term

    def _take(self, kind: str) -> bool:
        if self._token.kind != kind:
            return False
        self._token = self._read(self._token.end)
        return True

    def _read(self, at: int) -> Token:
        start = _BLANKS.match(self._text, at).end()  # type: ignore[union-attr] # it matches always
        first = self._text[start : start + 1]
        if first in ("", "(", ")"):
            return Token(first or "end", start, start + len(first))
        key = _KEY.match(self._text, start)
        value_at = start if key is None else key.end()
        value = _VALUE.match(self._text, value_at)
        if value is None:
            spot = Token("", value_at, len(self._text))
            raise self._fail(FilterError("A quote is not closed."), spot)
        is_quoted, end = value["plain"] is None, value.end()
        if is_quoted and not _AFTER_QUOTE.match(self._text, end):
            spot = Token("", end, end)
            raise self._fail(FilterError("Expected a blank after a closing quote."), spot)
        word = value[value.lastgroup or ""]
        if key is None and not is_quoted and word.lower() in _OPERATORS:
            return Token(word.lower(), start, end)
        return Token("term", start, end, key and _read_key(key), word, value_at)

    def _fail(self, error: FilterError, spot: Token | None = None) -> FilterError:
        """Return the error with the spot that it is about, by default the current token."""
        spot = spot or self._token
        end = max(spot.end, spot.start + 1)
        return FilterError(
            str(error), start=spot.start, end=end, excerpt=_mark(self._text, spot.start, end)
        )


def _find_type(key: str | None) -> tuple[TermType, str]:
    """Return the row of a key, and the name in the key."""
    if key is None:
        return WORD, ""
    stem, dot, name = key.partition(".")
    term_type = TERMS.get(stem.lower() + dot)
    if term_type is None or (dot and not name):
        # A name of custom data is the likeliest of what is spelled like no key.
        hint = suggest(stem, _STEMS) or (f" For custom data write custom.{key}." if not dot else "")
        raise FilterError(
            f"Unknown key {key!r}.{hint} Possible keys: {', '.join(KEYS)}. "
            "Put a word with a colon in quotes."
        )
    name = clean_text(name)
    term_type.check_name(name)
    return term_type, name


def _mark(text: str, start: int, end: int) -> str:
    """Return the part of a text around a spot, and a line below it that marks the spot."""
    first = max(0, start - MAX_SHOWN)
    before = ("…" if first else "") + visible(text[first:start])
    spot = visible(text[start : min(end, start + MAX_SHOWN)])
    after = visible(text[end : end + MAX_SHOWN])
    return f"  {before}{spot}{after}\n  {' ' * len(before)}{'^' * max(1, len(spot))}"
