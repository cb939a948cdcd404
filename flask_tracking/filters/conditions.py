"""The conditions that a filter is made of. A store knows these, and not the terms of the grammar.

A condition that compares a field does not hold for a record without that field. `Negation` is exact:
it holds wherever its condition does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from .wildcards import Parts

__all__ = [
    "All",
    "AnyOf",
    "Compares",
    "Condition",
    "Exists",
    "HasHeader",
    "HasItem",
    "InBody",
    "IsKept",
    "IsOneOf",
    "Matches",
    "NamesObject",
    "Negation",
    "Term",
    "all_of",
    "any_of",
    "walk",
]

Operator = Literal["<", "<=", ">=", ">"]


@dataclass(frozen=True, slots=True)
class Compares:
    """A number or a time lies on one side of a value."""

    field: str
    operator: Operator
    value: float | datetime | timedelta
    """An age counts back from the moment of the search."""


@dataclass(frozen=True, slots=True)
class Matches:
    """A whole text matches one with wildcards."""

    field: str
    """A field of `Record`, or one of its parts with a dot: ``exception.type``."""
    parts: Parts
    folds_case: bool = False


@dataclass(frozen=True, slots=True)
class IsOneOf:
    """A value is one of several; None stands for a missing one."""

    field: str
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """A field is there and not empty."""

    field: str


@dataclass(frozen=True, slots=True)
class IsKept:
    """The record is kept."""


@dataclass(frozen=True, slots=True)
class NamesObject:
    """The text of an object names something: ``<User ada>`` names ``ada``."""

    field: str
    name: str


@dataclass(frozen=True, slots=True)
class HasHeader:
    """A header with this name, in any case, has a value that matches, in any case."""

    field: str
    name: str
    """With the letters of ASCII in lower case."""
    parts: Parts


@dataclass(frozen=True, slots=True)
class HasItem:
    """Data of the app has a value that matches at a path; a list there, one of its items."""

    path: tuple[str, ...]
    """Keys, and indexes of lists."""
    parts: Parts


@dataclass(frozen=True, slots=True)
class InBody:
    """A stored body contains a text, in any case."""

    text: str


@dataclass(frozen=True, slots=True)
class Negation:
    """The condition does not hold."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class All:
    """All conditions hold; without any, always."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of two or more conditions holds."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """A term of the grammar: its text, and the condition that follows from it."""

    key: str
    """As in ``status`` or ``header.accept``; empty for a bare word."""
    parts: Parts
    """The value."""
    condition: Condition = field(compare=False, repr=False)


Condition = (
    Compares
    | Matches
    | IsOneOf
    | Exists
    | IsKept
    | NamesObject
    | HasHeader
    | HasItem
    | InBody
    | Negation
    | All
    | AnyOf
    | Term
)


def all_of(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that all hold: without nested ones of its kind, a single one as it is."""
    flat = _flatten(All, conditions)
    return flat[0] if len(flat) == 1 else All(flat)


def any_of(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that one of at least one holds, in the same way."""
    flat = _flatten(AnyOf, conditions)
    return flat[0] if len(flat) == 1 else AnyOf(flat)


def _flatten(kind: type[All] | type[AnyOf], conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    flat: list[Condition] = []
    for one in conditions:
        flat += one.conditions if isinstance(one, kind) else (one,)
    return tuple(flat)


def walk(condition: Condition) -> Iterator[Condition]:
    """Yield a condition, and all that it is made of."""
    yield condition
    if isinstance(condition, All | AnyOf):
        for one in condition.conditions:
            yield from walk(one)
    elif isinstance(condition, Negation | Term):
        yield from walk(condition.condition)
