"""Python's literals and calls as text, laid out as ``ruff format`` would.

What fits on a line stands on one; else each item has a line of its own, and several a last comma.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .request import Gap

__all__ = [
    "Bracketed",
    "Expression",
    "Raw",
    "call",
    "find_names",
    "interpolate",
    "join_parts",
    "lay_out",
    "lay_out_assertion",
    "literal",
    "quote_text",
]

LINE_LENGTH = 88
"""Ruff's own, where a project says nothing."""


@dataclass(frozen=True)
class Raw:
    """Code that stays on its line."""

    code: str


@dataclass(frozen=True)
class Bracketed:
    """Items between brackets: a call, a list, a dict."""

    opening: str
    items: Sequence[tuple[str, Expression]]
    """Each with what stands in front of it, like ``data=`` or ``"key": ``."""
    closing: str


Expression = Raw | Bracketed


_SINGLETONS = (Raw("None"), Raw("True"), Raw("False"))


def literal(value: Any) -> Expression:
    """Return the expression of a plain value: what JSON knows, bytes, and expressions in it."""
    if isinstance(value, Raw | Bracketed):
        return value
    if isinstance(value, Gap):
        return Raw(value.variable)
    if isinstance(value, str | bytes):
        return Raw(quote_text(value))
    if isinstance(value, Mapping):
        return Bracketed(
            "{", [(f"{quote_text(key)}: ", literal(one)) for key, one in value.items()], "}"
        )
    if isinstance(value, Sequence):
        return Bracketed("[", [("", literal(one)) for one in value], "]")
    return Raw(repr(value))


def quote_text(value: str | bytes) -> str:
    """Return the literal of text or bytes, in the quotes that need fewer escapes."""
    shown = repr(value)
    prefix, body = ("b", shown[2:-1]) if isinstance(value, bytes) else ("", shown[1:-1])
    if shown.endswith("'"):
        body = body.replace("\\'", "'")
    quotes = "'" if body.count('"') > body.count("'") else '"'
    return prefix + quotes + body.replace(quotes, f"\\{quotes}") + quotes


def lay_out(prefix: str, expression: Expression, suffix: str = "", indent: int = 0) -> list[str]:
    """Return the lines of a statement or an item.

    Args:
        prefix: what stands in front of the expression.
        expression: the expression to lay out.
        suffix: what stands behind it.
        indent: blanks in front of the first line.
    """
    line = " " * indent + prefix + _flat(expression) + suffix
    if len(line) <= LINE_LENGTH or isinstance(expression, Raw) or not expression.items:
        return [line]
    lines = [" " * indent + prefix + expression.opening]
    comma = "," if len(expression.items) > 1 else ""
    for before, item in expression.items:
        lines += lay_out(before, item, comma, indent + 4)
    return [*lines, " " * indent + expression.closing + suffix]


def lay_out_assertion(left: str, right: Expression, indent: int) -> list[str]:
    """Return the lines of ``assert left == right``, or with ``is`` where that is how it is written."""
    blanks = " " * indent
    if right in _SINGLETONS:
        return lay_out(f"assert {left} is ", right, indent=indent)
    line = f"{blanks}assert {left} == "
    if isinstance(right, Bracketed) or len(line + right.code) <= LINE_LENGTH:
        return lay_out(line.strip() + " ", right, indent=indent)
    comparison = f"{blanks}    {left} == {right.code}"
    if len(comparison) > LINE_LENGTH:
        return [
            f"{blanks}assert (",
            f"{blanks}    {left}",
            f"{blanks}    == {right.code}",
            f"{blanks})",
        ]
    return [f"{blanks}assert (", comparison, f"{blanks})"]


def _flat(expression: Expression) -> str:
    if isinstance(expression, Raw):
        return expression.code
    items = ", ".join(before + _flat(item) for before, item in expression.items)
    return expression.opening + items + expression.closing


def find_names(code: str) -> set[str]:
    """Return the names that some code uses."""
    return {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}


def join_parts(parts: Sequence[Any], empty: str) -> Expression:
    """Return what joins pieces of text or of bytes.

    Args:
        parts: text, bytes or expressions.
        empty: the literal of nothing, ``""`` or ``b""``.
    """
    if not parts:
        return Raw(empty)
    if len(parts) == 1:
        return literal(parts[0])
    return call(f"{empty}.join", [("", literal(parts))])


def interpolate(parts: Iterable[str | Raw]) -> Expression:
    """Return a literal of text with expressions in it, which have no quotes."""
    pieces = list(parts)
    if len(pieces) == 1:
        return literal(pieces[0])
    text = "".join(
        f"{{{piece.code}}}" if isinstance(piece, Raw) else piece.replace("{", "{{").replace("}", "}}")
        for piece in pieces
    )
    return Raw(f"f{quote_text(text)}" if pieces else '""')


def call(function: str, arguments: Sequence[tuple[str, Expression]]) -> Bracketed:
    """Return a call; each argument has its name and ``=`` in front of it, or nothing."""
    return Bracketed(f"{function}(", arguments, ")")
