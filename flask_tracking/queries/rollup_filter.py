"""Which filters rollups can answer: those of time, method, route and version alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..filters import Filter
from ..filters.conditions import (
    All,
    AnyOf,
    Compares,
    Condition,
    Exists,
    IsOneOf,
    Matches,
    Negation,
    Term,
    all_of,
    walk,
)
from ..filters.predicate import make_predicate
from ..rollups.rollup import METHODS

__all__ = ["Selects", "find_unknown", "make_route_filter"]


class _Route(NamedTuple):
    """The properties of requests that rollups have, by the name of the record's field."""

    method: str
    url_rule: str | None
    version: str | None


_METHODS = frozenset((method,) for method in METHODS)
"""The methods that rollups count apart, as what a whole text matches."""

Selects = Callable[[str, str | None, str | None], bool]
"""Tells whether requests are meant: by method, route and version."""


def find_unknown(wanted: Filter) -> list[str]:
    """Return the keys of the terms that rollups cannot answer, each once."""
    return list(dict.fromkeys(_find_unknown(_without_times(wanted.condition))))


def make_route_filter(wanted: Filter) -> Selects | None:
    """Return what selects routes; None where the filter selects all of them."""
    condition = _without_times(wanted.condition)
    if condition == All(()):
        return None
    predicate = make_predicate(condition)
    return lambda method, url_rule, version: predicate(_Route(method, url_rule, version))


def _without_times(condition: Condition) -> Condition:
    """Leave out bounds of time that hold for the whole filter; `Filter.arrival` has them."""
    parts = condition.conditions if isinstance(condition, All) else (condition,)
    return all_of(one for one in parts if not _is_time(one))


def _is_time(condition: Condition) -> bool:
    inner = condition.condition if isinstance(condition, Term) else condition
    return isinstance(inner, Compares) and inner.field == "date_created"


def _find_unknown(condition: Condition) -> Iterator[str]:
    if isinstance(condition, All | AnyOf):
        for one in condition.conditions:
            yield from _find_unknown(one)
    elif isinstance(condition, Negation):
        yield from _find_unknown(condition.condition)
    elif not all(map(_is_known, walk(condition))):
        yield (condition.key if isinstance(condition, Term) else "") or "words"


def _is_known(condition: Condition) -> bool:
    if isinstance(condition, Matches) and condition.field == "method":
        return condition.parts in _METHODS
    if isinstance(condition, Compares | Matches | IsOneOf | Exists):
        return condition.field in _Route._fields
    return isinstance(condition, Term | All | AnyOf | Negation)
