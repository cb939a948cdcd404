"""MongoDB queries of a `Filter`. Every query is a range of ``date_created``, which is indexed.

Failures have a small index of their own, except in the kept collection, where they are not rare.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from datetime import datetime
from typing import Any

from ...filters import FIRST, Filter, is_pattern, make_regex, object_regex

NO_QUERY = ["", None]
"""The values of ``query_params`` in a record without a query string."""
NEWEST_FIRST = [("date_created", -1), ("_id", -1)]


def to_query(wanted: Filter) -> dict[str, Any]:
    """Return the query document of `wanted`."""
    arrived: dict[str, Any] = {"$gte": wanted.since or FIRST}
    if wanted.until is not None:
        arrived["$lt"] = wanted.until
    query: dict[str, Any] = {}
    if wanted.status is not None:
        # First, because failures have an index of their own.
        first, last = wanted.status
        query["status_code"] = first if first == last else {"$gte": first, "$lte": last}
    query["date_created"] = arrived
    if wanted.method is not None:
        query["method"] = wanted.method
    if wanted.slower_than_ms is not None:
        query["execution_time"] = {"$gte": wanted.slower_than_ms}
    choices = [choice for choice in (_choose_path(wanted), _choose_user(wanted)) if choice]
    if len(choices) > 1:
        query["$and"] = [{"$or": choice} for choice in choices]
    elif choices:
        query |= choices[0][0] if len(choices[0]) == 1 else {"$or": choices[0]}
    return query


def _choose_path(wanted: Filter) -> list[dict[str, Any]]:
    """Return alternative conditions for the path."""
    if wanted.path is None:
        return []
    choices = [{"path": _like(wanted.path)}]
    if wanted.target is not None:
        path, query = wanted.target
        # The line of a record contains "?" only if there is a query string.
        like = _like(query) if query else {"$in": NO_QUERY}
        if is_pattern(query):
            like["$nin"] = NO_QUERY
        choices.append({"path": _like(path), "query_params": like})
    return choices


def _choose_user(wanted: Filter) -> list[dict[str, Any]]:
    """Return alternative conditions for the user."""
    if wanted.user is None:
        return []
    choices = [{name: _like(wanted.user)} for name in ("user_id", "user_repr")]
    regex = object_regex(wanted.user)
    return choices if regex is None else [*choices, {"user_repr": {"$regex": regex}}]


def _like(pattern: str) -> Any:
    # "s" lets a dot match a newline, which a path may contain.
    return {"$regex": make_regex(pattern), "$options": "s"} if is_pattern(pattern) else pattern


def to_queries(wanted: Filter) -> list[dict[str, Any]]:
    """Return queries that together find the records of `wanted`, each record by one of them.

    Nearly all failures have the first status code of their class. A query for that code alone is one
    contiguous range in the index of failures; with a range of codes, simple query planners would read
    the failures of all times.
    """
    if not wanted.wants_failures or wanted.status is None or wanted.status[0] == wanted.status[1]:
        return [to_query(wanted)]
    first, last = wanted.status
    parts = ((first, first), (first + 1, last))
    return [to_query(dataclasses.replace(wanted, status=part)) for part in parts]


def to_kept_query(wanted: Filter) -> dict[str, Any]:
    """Return the query document of `wanted` for the kept collection."""
    query = to_query(wanted)
    # Simple query planners choose the index of the first field.
    return {"date_created": query["date_created"], **query}


def to_tail_query(wanted: Filter, since: datetime, seen: Collection[Any]) -> dict[str, Any]:
    """Return the query document of `wanted` for records stored since a time.

    Args:
        wanted: the filter.
        since: the earliest time of storing.
        seen: ids to leave out.
    """
    query = to_query(wanted)
    if wanted.since is None and wanted.until is None:
        del query["date_created"]
    if wanted.kept:
        query["kept"] = True
    if seen:
        query["_id"] = {"$nin": list(seen)}
    # Simple query planners choose the index of the first field.
    return {"date_stored": {"$gte": since}, **query}
