"""Find secrets in shell commands and in SQL, as errors quote them: what follows a flag, or is bound.

``mysql --password x`` has no separator, and SQLAlchemy prints the parameters of a statement behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from .ends import find_bracket, find_quotes
from .names import Names
from .values import MARKS, Finding

_FLAG = re.compile(rb"""(?<![\w-])--([A-Za-z][\w.-]{1,60})(?:\\*["'],\s*[bu]?|[ \t]+)(?=[^\s-])""")
_QUOTE = re.compile(rb"""\\*["']""")
_WORD = re.compile(rb"""[^\s"'`]*""")
_NO_VALUES = frozenset(
    b"and argument cannot flag for if in is must not option or parameter requires to was with".split()
)
_INSERT = re.compile(
    rb"\binsert\s{1,9}into\s[^(;]{1,200}\(([^()]{1,4000})\)\s{0,9}values\s{0,9}(?=\()", re.I
)
_NEXT_ROW = re.compile(rb"\s*,\s*(?=\()")
_LITERAL = re.compile(rb"""["'0-9]""")
_PARAMETERS = re.compile(rb"\[parameters: (?=[\[(])")
_COLUMNS = re.compile(rb"\binto\s[^(;]{1,200}\(([^()]{1,4000})\)", re.I)
_BOUND = re.compile(
    rb"""([\w"`\].]{1,100})\s{0,9}(?:=|<>|!=|\bin\b|\blike\b)\s{0,9}\(?(?:\?|%s|:\w|\$[0-9])""", re.I
)
MAX_SQL = 8192
"""Bytes of a statement in front of its parameters."""

Count = Callable[[], None]


def find_in_statements(data: bytes, names: Names, count: Count) -> Iterable[Finding]:
    """Find the values of sensitive flags and columns."""
    for start, end in [*_find_flags(data, names, count), *_find_sql(data, names, count)]:
        if end > start and not MARKS.fullmatch(data, start, end):
            yield Finding(start, end, "name")


def _find_flags(data: bytes, names: Names, count: Count) -> Iterable[tuple[int, int]]:
    for flag in _FLAG.finditer(data) if b"--" in data else ():
        count()
        if not names.is_sensitive(flag[1].decode("utf-8", "replace")):
            continue
        quote = _QUOTE.match(data, flag.end())
        if quote is not None:
            yield quote.end(), find_quotes(data, quote[0], quote.end())
        else:
            word = _WORD.match(data, flag.end())
            if word is not None and word[0] not in _NO_VALUES:
                yield word.span()


def _find_sql(data: bytes, names: Names, count: Count) -> Iterable[tuple[int, int]]:
    done = 0
    for insert in _INSERT.finditer(data):
        count()
        if insert.start() >= done and _is_any_sensitive(insert[1].split(b","), names):
            done = find_bracket(data, insert.end())
            while row := _NEXT_ROW.match(data, done):
                done = find_bracket(data, row.end())
            if _LITERAL.search(data, insert.end(), done):
                yield insert.end(), done
    done = 0
    for bound in _PARAMETERS.finditer(data):
        count()
        if bound.start() < done:
            continue
        sql = data[max(done, bound.start() - MAX_SQL) : bound.start()]
        sql = sql[max(sql.rfind(b"[SQL: "), 0) :]
        done = bound.end()
        columns = [name for row in _COLUMNS.findall(sql) for name in row.split(b",")]
        if _is_any_sensitive([*columns, *_BOUND.findall(sql)], names):
            done = find_bracket(data, bound.end())
            yield bound.end(), done


def _is_any_sensitive(columns: Iterable[bytes], names: Names) -> bool:
    return any(names.is_sensitive(column.decode("utf-8", "replace").strip()) for column in columns)
