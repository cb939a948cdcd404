"""`Filter` to MongoDB queries. Every query is a range of ``date_created``, which is indexed.

Failures, which are rare among all records and much asked for, have a small index of their own there.
Among the kept ones they are not rare.

The values of a filter stand only where MongoDB takes a value: they are texts, numbers and times, never
documents, so that none is an operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ...filters import FIRST, FIRST_FAILURE, Filter
from ...filters.bounds import Bounds, bounds_of, resolve
from ...filters.conditions import (
    All,
    AnyOf,
    Compares,
    Condition,
    Exists,
    HasHeader,
    HasItem,
    IsKept,
    IsOneOf,
    Matches,
    NamesObject,
    Negation,
)
from ...filters.simplify import NEVER, decide_kept, without_bodies
from ...filters.wildcards import Parts, make_regex, object_regex, read_value
from .codec import utc_now

Query = dict[str, Any]

NEWEST_FIRST = [("date_created", -1), ("_id", -1)]
INDEXED = ("date_created", "status_code")
COMMON_FAILURES = 5
"""Maximum number of failure codes that a query lists one by one."""
_OPERATORS: Mapping[str, str] = {"<": "$lt", "<=": "$lte", ">=": "$gte", ">": "$gt"}


def to_queries(wanted: Filter) -> list[Query]:
    """Return queries of the collection of all records, which find each record by one of them.

    They find all records that are not kept and that `wanted` selects; of kept ones some, too. A filter
    that asks for bodies must be applied to what they find.

    Nearly all failures have one of the first status codes of their class, 500 to 504. A query for one
    code is one contiguous range in the index of failures; with a range of codes, simple query planners
    would read the failures of all times.
    """
    condition, now = without_bodies(decide_kept(wanted.condition, False)), utc_now()
    if condition == NEVER:
        return []
    status = bounds_of(condition, "status_code", now)
    parts = [status]
    if _is_class_of_failures(status):
        rest = status.low + COMMON_FAILURES
        codes = [code for code in range(status.low, rest) if status.high is None or code <= status.high]
        parts = [Bounds(code, code) for code in codes]
        parts += [Bounds(rest, status.high)] if status.high is None or rest <= status.high else []
    return [_make_query(condition, part, now) for part in parts]


def _is_class_of_failures(status: Bounds) -> bool:
    low, high = status
    return low is not None and low >= FIRST_FAILURE and low != high


def to_kept_query(wanted: Filter) -> Query | None:
    """Return the query of the collection of kept records; None if `wanted` selects none of them."""
    condition, now = without_bodies(decide_kept(wanted.condition, True)), utc_now()
    if condition == NEVER:
        return None
    query = _make_query(condition, bounds_of(condition, "status_code", now), now)
    # What stands first decides for servers that plan little.
    return {"date_created": query["date_created"], **query}


def to_tail_query(
    wanted: Filter, since: datetime, end: datetime | None = None, *, has_kept: bool
) -> Query | None:
    """Return the query for what was stored since a time; None if `wanted` can select nothing.

    Args:
        wanted: the filter.
        since: from when on.
        end: the last time; None for no end.
        has_kept: False where no record is kept.
    """
    condition = wanted.condition if has_kept else decide_kept(wanted.condition, False)
    condition, now = without_bodies(condition), utc_now()
    if condition == NEVER:
        return None
    query = _make_query(condition, bounds_of(condition, "status_code", now), now)
    if bounds_of(condition, "date_created", now) == (None, None):
        del query["date_created"]
    # Simple query planners choose the index of the first field.
    stored = {"$gte": since} if end is None else {"$gte": since, "$lte": end}
    return {"date_stored": stored, **query}


def _make_query(condition: Condition, status: Bounds, now: datetime) -> Query:
    arrived = bounds_of(condition, "date_created", now)
    query: Query = {}
    if status != (None, None):
        # First, because of failures there is an index of their own.
        query["status_code"] = _make_range(status, "$lte") if status.low != status.high else status.low
    query["date_created"] = _make_range(Bounds(arrived.low or FIRST, arrived.high), "$lt")
    rest = [_translate(one, now) for one in _split(condition) if not _is_in_bounds(one)]
    if len(rest) == 1 and not rest[0].keys() & query.keys():
        return query | rest[0]
    return query | {"$and": rest} if rest else query


def _make_range(bounds: Bounds, below: str) -> Query:
    ends = zip(("$gte", below), bounds, strict=True)
    return {name: value for name, value in ends if value is not None}


def _split(condition: Condition) -> Iterator[Condition]:
    """Yield the conditions all of which must hold."""
    if isinstance(condition, All):
        for one in condition.conditions:
            yield from _split(one)
    else:
        yield condition


def _is_in_bounds(condition: Condition) -> bool:
    return isinstance(condition, Compares) and condition.field in INDEXED


def _translate(condition: Condition, now: datetime) -> Query:
    if isinstance(condition, Compares):
        return {condition.field: {_OPERATORS[condition.operator]: resolve(condition, now)}}
    if isinstance(condition, All):
        return {"$and": [_translate(one, now) for one in condition.conditions]}
    if isinstance(condition, AnyOf):
        return {"$or": [_translate(one, now) for one in condition.conditions]}
    if isinstance(condition, Negation):
        return {"$nor": [_translate(condition.condition, now)]}
    return _TRANSLATORS[type(condition)](condition)


def _translate_matches(condition: Matches) -> Query:
    return {condition.field: _like(condition.parts, folds_case=condition.folds_case)}


def _translate_header(condition: HasHeader) -> Query:
    # A header is a list of its name and its value; `$elemMatch` cannot tell the two apart everywhere.
    field = f"${condition.field}"
    name = _matches_at(0, make_regex((condition.name,), folds_case=True))
    value = _matches_at(1, make_regex(condition.parts, folds_case=True))
    is_wanted = {"$cond": [{"$isArray": ["$$this"]}, {"$and": [name, value]}, False]}
    headers = {"$cond": [{"$isArray": [field]}, field, []]}
    return {"$expr": {"$in": [True, {"$map": {"input": headers, "in": is_wanted}}]}}


def _matches_at(position: int, regex: str) -> Query:
    item = {"$arrayElemAt": ["$$this", position]}
    return {"$regexMatch": {"input": item, "regex": regex, "options": "s"}}


def _translate_item(condition: HasItem) -> Query:
    path, parts = ".".join(("custom_data", *condition.path)), condition.parts
    if parts == ("", ""):
        return {path: {"$exists": True}}
    return {path: {"$in": [*parts, *read_value(parts)]} if len(parts) == 1 else _like(parts)}


def _like(parts: Parts, *, folds_case: bool = False) -> Any:
    if len(parts) == 1 and not folds_case:
        return parts[0]
    # "s" lets a dot match a newline, which a path may hold.
    return {"$regex": make_regex(parts, folds_case=folds_case), "$options": "s"}


_TRANSLATORS: Mapping[type, Callable[[Any], Query]] = {
    Exists: lambda one: {one.field: {"$ne": None}},
    HasHeader: _translate_header,
    HasItem: _translate_item,
    IsKept: lambda _: {"kept": True},
    IsOneOf: lambda one: {one.field: {"$in": list(one.values)}},
    Matches: _translate_matches,
    NamesObject: lambda one: {one.field: {"$regex": object_regex(one.name)}},
}
