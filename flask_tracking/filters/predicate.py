"""Conditions in memory: a function of a record for each."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from .conditions import (
    All,
    AnyOf,
    Compares,
    Condition,
    Exists,
    HasHeader,
    HasItem,
    InBody,
    IsKept,
    IsOneOf,
    Matches,
    NamesObject,
    Negation,
    Term,
)
from .wildcards import Parts, fold_case, make_matcher, object_regex, read_value

__all__ = ["Predicate", "find_items", "make_predicate"]

Predicate = Callable[[Any], bool]
"""Takes a record; of a `RecordSummary` only what it has can be asked."""

Get = Callable[[Any], Any]

_INDEX = re.compile("0|[1-9][0-9]{0,8}")
"""A key that is an index of a list, as MongoDB reads it."""
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">=": operator.ge,
    ">": operator.gt,
}


def make_predicate(condition: Condition) -> Predicate:
    """Return a function that tells whether `condition` holds for a record."""
    return _MAKERS[type(condition)](condition)


def _make_all(condition: All) -> Predicate:
    predicates = tuple(map(make_predicate, condition.conditions))

    def holds(record: Any) -> bool:
        for predicate in predicates:  # noqa: SIM110 - `all` takes twice as long
            if not predicate(record):
                return False
        return True

    return holds


def _make_any(condition: AnyOf) -> Predicate:
    predicates = tuple(map(make_predicate, condition.conditions))

    def holds(record: Any) -> bool:
        for predicate in predicates:  # noqa: SIM110 - `any` takes twice as long
            if predicate(record):
                return True
        return False

    return holds


def _make_negation(condition: Negation) -> Predicate:
    predicate = make_predicate(condition.condition)
    return lambda record: not predicate(record)


def _make_compares(condition: Compares) -> Predicate:
    get, value = _getter(condition.field), condition.value
    compare = _OPERATORS[condition.operator]
    if isinstance(value, timedelta):
        age = value

        def holds_now(record: Any) -> bool:
            found = get(record)
            return found is not None and compare(found, datetime.now(timezone.utc) - age)

        return holds_now

    def holds(record: Any) -> bool:
        found = get(record)
        return found is not None and compare(found, value)

    return holds


def _make_matches(condition: Matches) -> Predicate:
    get = _getter(condition.field)
    matches = make_matcher(condition.parts, folds_case=condition.folds_case)

    def holds(record: Any) -> bool:
        text = get(record)
        return text is not None and matches(text)

    return holds


def _make_is_one_of(condition: IsOneOf) -> Predicate:
    get, values = _getter(condition.field), condition.values
    return lambda record: get(record) in values


def _make_exists(condition: Exists) -> Predicate:
    get = _getter(condition.field)
    return lambda record: get(record) not in (None, ())


def _make_is_kept(_: IsKept) -> Predicate:
    return operator.attrgetter("kept")


def _make_names_object(condition: NamesObject) -> Predicate:
    get, search = _getter(condition.field), re.compile(object_regex(condition.name)).search

    def holds(record: Any) -> bool:
        text = get(record)
        return text is not None and search(text) is not None

    return holds


def _make_has_header(condition: HasHeader) -> Predicate:
    get, wanted = _getter(condition.field), condition.name
    matches = make_matcher(condition.parts, folds_case=True)

    def holds(record: Any) -> bool:
        for name, value in get(record):
            if len(name) == len(wanted) and fold_case(name) == wanted and matches(value):
                return True
        return False

    return holds


def _make_has_item(condition: HasItem) -> Predicate:
    path, matches = condition.path, _make_value_matcher(condition.parts)

    def holds(record: Any) -> bool:
        return any(map(matches, find_items(record.custom_data, path)))

    return holds


def _make_in_body(condition: InBody) -> Predicate:
    needle = condition.text.encode().lower()
    return lambda record: (
        needle in record.request_body.lower() or needle in record.response_body.lower()
    )


def _getter(field: str) -> Get:
    """Return what gets a field, or a part of it; None where there is none."""
    name, dot, part = field.partition(".")
    get = operator.attrgetter(name)
    if not dot:
        return get

    def get_part(record: Any) -> Any:
        found = get(record)
        return None if found is None else getattr(found, part)

    return get_part


def find_items(data: Any, path: tuple[str, ...]) -> Iterable[Any]:
    """Yield the values at a path as MongoDB does: lists are searched, unless an index names them."""
    if not path:
        yield data
        if isinstance(data, list | tuple):
            yield from data
        return
    key, rest = path[0], path[1:]
    if isinstance(data, Mapping):
        if key in data:
            yield from find_items(data[key], rest)
    elif isinstance(data, list | tuple):
        if _INDEX.fullmatch(key) and int(key) < len(data):
            item = data[int(key)]
            yield from find_items(item, rest) if rest else (item,)
        for item in data:
            if isinstance(item, Mapping):
                yield from find_items(item, path)


def _make_value_matcher(parts: Parts) -> Callable[[Any], bool]:
    if parts == ("", ""):
        return lambda value: True
    matches = make_matcher(parts)
    plain = read_value(parts)

    def holds(value: Any) -> bool:
        if isinstance(value, str):
            return matches(value)
        return any(_is_same(value, one) for one in plain)

    return holds


def _is_same(value: Any, other: Any) -> bool:
    """Compare as a database does: True is not 1, and NaN equals itself."""
    if isinstance(value, bool) is not isinstance(other, bool):
        return False
    return bool(value == other or (value != value and other != other))


_MAKERS: Mapping[type, Callable[[Any], Predicate]] = {
    All: _make_all,
    AnyOf: _make_any,
    Compares: _make_compares,
    Exists: _make_exists,
    HasHeader: _make_has_header,
    HasItem: _make_has_item,
    InBody: _make_in_body,
    IsKept: _make_is_kept,
    IsOneOf: _make_is_one_of,
    Matches: _make_matches,
    NamesObject: _make_names_object,
    Negation: _make_negation,
    Term: lambda term: make_predicate(term.condition),
}
