"""Find secrets in shell commands and in SQL, as errors quote them: flags, columns, parameters.

``mysql --password x`` has no separator, and SQLAlchemy prints the parameters of a statement behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..detection.names import Strength
from ..detection.values import is_secret
from ..engines.base import Range
from ..findings import Finding
from ..markers import MARKS
from .context import Context
from .delimiters import find_bracket, find_quotes, strip

_FLAG = re.compile(rb"""(?<![\w-])--([A-Za-z][\w.-]{1,60})(?:\\*["'],\s*[bu]?|[ \t+]+)(?=[^\s+-])""")
_QUOTE = re.compile(rb"""\\*["']""")
_WORD = re.compile(rb"""[^\s"'`&]*""")
_INSERT = re.compile(
    rb"\binsert\s{1,9}into\s[^(;]{1,200}\(([^()]{1,4000})\)\s{0,9}values\s{0,9}(?=\()", re.I
)
_NEXT_ROW = re.compile(rb"\s*,\s*(?=\()")  # (1, X), (2, Y)
_IN_ROW = re.compile(
    rb"""\\{0,9}'(?:[^'\\]|\\.|'')*(?:'|\Z)|\\{0,9}"(?:[^"\\]|\\.)*(?:"|\Z)|[(),]""", re.S
)
"""A string, also one that never ends, a bracket or a comma."""
_LITERAL = re.compile(rb"""["'0-9]""")
_PARAMETERS = re.compile(rb"\[parameters: (?=[\[({])")  # SQLAlchemy
_COLUMNS = re.compile(rb"\binto\s[^(;]{1,200}\(([^()]{1,4000})\)", re.I)
_BOUND = re.compile(
    rb"""([\w"`\].]{1,100})\s{0,9}(?:=|<>|!=|\bin\b|\blike\b)\s{0,9}\(?(?:\?|%s|%\(|:\w|\$[0-9])""",
    re.I,
)
MAX_SQL = 8192
"""Bytes of a statement in front of its parameters."""


def find_in_shell_and_sql(data: bytes, context: Context) -> Iterable[Finding]:
    """Find the values of sensitive flags and columns."""
    for start, end in [*_find_flags(data, context), *_find_sql(data, context)]:
        if end > start and not MARKS.fullmatch(data, start, end):
            yield Finding(start, end, "name")


def _find_flags(data: bytes, context: Context) -> Iterable[Range]:
    for flag in _FLAG.finditer(data) if b"--" in data else ():
        context.budget.count()
        strength = context.strength(flag[1])
        if strength is Strength.NONE:
            continue
        quote = _QUOTE.match(data, flag.end())
        if quote is not None:
            yield quote.end(), find_quotes(data, quote[0], quote.end())
        else:
            word = _WORD.match(data, flag.end())
            if word is not None and is_secret(min(strength, Strength.TOKEN), word[0]):
                yield word.span()


def _find_sql(data: bytes, context: Context) -> Iterable[Range]:
    done = 0
    for insert in _INSERT.finditer(data):
        context.budget.count()
        columns = insert[1].split(b",")
        if insert.start() >= done and _is_any_sensitive(columns, context):
            rows = list(_find_rows(data, insert.end()))
            done = rows[-1][1]
            if _LITERAL.search(data, insert.end(), done):
                for row in rows:
                    yield from _find_in_row(data, row, columns, context)
    done = 0
    for bound in _PARAMETERS.finditer(data):
        context.budget.count()
        if bound.start() < done:
            continue
        sql = data[max(done, bound.start() - MAX_SQL) : bound.start()]
        sql = sql[max(sql.rfind(b"[SQL: "), 0) :]
        done = bound.end()
        columns = [name for row in _COLUMNS.findall(sql) for name in row.split(b",")]
        if _is_any_sensitive([*columns, *_BOUND.findall(sql)], context):
            done = find_bracket(data, bound.end())
            yield bound.end(), done


def _find_rows(data: bytes, start: int) -> Iterable[Range]:
    end = find_bracket(data, start)
    yield start, end
    while row := _NEXT_ROW.match(data, end):
        start, end = row.end(), find_bracket(data, row.end())
        yield start, end


def _find_in_row(
    data: bytes, row: Range, columns: Sequence[bytes], context: Context
) -> Iterable[Range]:
    """Find the values of sensitive columns; all of a row that has other values than columns."""
    context.budget.spend(row[1] - row[0])
    values = _split_row(data, *row)
    if len(values) != len(columns):
        yield row
        return
    for column, (start, end) in zip(columns, values, strict=True):
        strength = context.strength(column.strip())
        if is_secret(min(strength, Strength.STRONG), data[start:end]):
            yield start, end


def _split_row(data: bytes, start: int, end: int) -> list[Range]:
    """Return the values of ``(1, 'X')``, strings without their quotes."""
    if not data.endswith(b")", start, end):
        return []
    values, begin, depth = [], start + 1, 0
    for token in _IN_ROW.finditer(data, start + 1, end):
        text = token[0]
        if text == b"(":
            depth += 1
        elif depth == 0 and text in b",)":
            values.append(_strip_quotes(data, begin, token.start()))
            begin = token.end()
        elif text == b")":
            depth -= 1
    return values


def _strip_quotes(data: bytes, start: int, end: int) -> Range:
    start, end = strip(data, start, end)
    quote = _QUOTE.match(data, start, end)
    if quote is not None and data.endswith(quote[0], quote.end(), end):
        return quote.end(), end - len(quote[0])
    return start, end


def _is_any_sensitive(columns: Iterable[bytes], context: Context) -> bool:
    return any(context.strength(column.strip()) > Strength.NONE for column in columns)
