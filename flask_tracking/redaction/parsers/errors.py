"""Find secrets that errors of databases and validators quote beside the column or field."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..detection.names import Strength
from ..engines.base import Range
from ..findings import Finding
from .context import Context

_POSTGRES_KEY = re.compile(rb"Key \(((?:[^()]|\([^()]{0,80}\)){1,200})\)=\(([^()\r\n]{1,2000})\)")
"""``Key (user_id, token)=(5, X) already exists.``, and not ``Key(token)``."""
_POSTGRES_ROW = re.compile(rb"Failing row contains \(([^\r\n]{1,4000})\)")
"""``Failing row contains (5, ada, X).``: which column is which is not said."""
_SQL_SERVER = re.compile(
    rb"constraint '([\w.$-]{1,200})'[^\r\n]{1,400}?duplicate key value is \(([^\r\n]{1,1000}?)\)"
)
"""``Violation of UNIQUE KEY constraint 'UQ_token'. … The duplicate key value is (X).``"""
_MYSQL_KEY = re.compile(
    rb"""Duplicate entry \\*'([^\r\n]{1,1000}?)\\*' for key \\*'([\w.$-]{1,200})\\*'"""
)
"""``Duplicate entry 'X' for key 'users.api_token'``."""
_QUOTED = re.compile(
    rb"""(?<!\\)\\*['"]([^'"\r\n]{1,300}?)\\{0,9}['"] (?:for|in|of) (?:the )?"""
    rb"""(?:column|field|parameter|attribute|argument|property)[: ]{1,2}\\*['"]?([\w.\[\]-]{1,100})"""
)
"""``Invalid value 'X' for field 'password'``."""
_PYDANTIC = re.compile(
    rb"(?:\A|[\r\n]|\\n)([\w.\[\]-]{1,100})(?:\r?\n|\\n)[ \t]+[^\r\n]{1,300}?\[type=\w{1,60}, "
    rb"input_value=([^\r\n]{1,1000}?), input_type=\w"
)
"""``password``, and on the next line ``String should … [type=…, input_value='X', input_type=str]``."""


def find_in_errors(data: bytes, context: Context) -> Iterable[Finding]:
    """Find the values that an error quotes under a sensitive column or field."""
    for start, end in [*_find_keys(data, context), *_find_inputs(data, context)]:
        yield Finding(start, end, "name")


def _find_keys(data: bytes, context: Context) -> Iterable[Range]:
    for detail in _POSTGRES_KEY.finditer(data):
        context.budget.count()
        yield from _pick(data, detail.span(2), detail[1].split(b","), context)
    for entry in _MYSQL_KEY.finditer(data):
        context.budget.count()
        if context.is_secret(entry[2].rpartition(b".")[2], entry[1]):
            yield entry.span(1)
    for value in _QUOTED.finditer(data):
        context.budget.count()
        if context.strength(value[2]) >= Strength.TOKEN and context.is_secret(value[2], value[1]):
            yield value.span(1)
    for key in _SQL_SERVER.finditer(data):
        context.budget.count()
        if context.is_secret(key[1], key[2]):
            yield key.span(2)
    for row in _POSTGRES_ROW.finditer(data):
        context.budget.count()
        if not row[1].startswith(b"["):
            yield row.span(1)


def _pick(data: bytes, span: Range, columns: list[bytes], context: Context) -> Iterable[Range]:
    at, end = span
    values = data[at:end].split(b", ")
    strengths = [context.strength(column.strip()) for column in columns]
    if max(strengths) is Strength.NONE:
        return
    if len(values) != len(columns):  # one of them has a comma in it
        yield span
        return
    for column, value in zip(columns, values, strict=True):
        if context.is_secret(column.strip(), value):
            yield at, at + len(value)
        at += len(value) + 2


def _find_inputs(data: bytes, context: Context) -> Iterable[Range]:
    for error in _PYDANTIC.finditer(data) if b"input_value=" in data else ():
        context.budget.count()
        start, end = error.span(2)
        quoted = error[2][:1] in b"'\"" and len(error[2]) > 1
        start, end = start + quoted, end - quoted
        if error[2][:1] not in b"{[" and context.is_secret(
            error[1].rpartition(b".")[2], data[start:end]
        ):
            yield start, end
