"""`Filter` to a MongoDB query. Every query is a range of ``date_created``, which is indexed.

Failures, which are rare among all records and much asked for, have a small index of their own there.
Among the kept ones they are not rare.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from datetime import datetime
from typing import Any

from ...filters import FIRST, Filter, is_pattern, make_regex, object_regex

NO_QUERY = ["", None]
"""What a record without a query has in its place."""
NEWEST_FIRST = [("date_created", -1), ("_id", -1)]


def to_query(wanted: Filter) -> dict[str, Any]:
    """Return the query document of `wanted`."""
    arrived: dict[str, Any] = {"$gte": wanted.since or FIRST}
    if wanted.until is not None:
        arrived["$lt"] = wanted.until
    query: dict[str, Any] = {}
    if wanted.status is not None:
        # First, because of failures there is an index of their own.
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
    """Return conditions, one of which must hold for a path."""
    if wanted.path is None:
        return []
    choices = [{"path": _like(wanted.path)}]
    if wanted.target is not None:
        path, query = wanted.target
        # What a record's line shows has a "?" only where there is a query.
        like = _like(query) if query else {"$in": NO_QUERY}
        if is_pattern(query):
            like["$nin"] = NO_QUERY
        choices.append({"path": _like(path), "query_params": like})
    return choices


def _choose_user(wanted: Filter) -> list[dict[str, Any]]:
    """Return conditions, one of which must hold for a user."""
    if wanted.user is None:
        return []
    choices = [{name: _like(wanted.user)} for name in ("user_id", "user_repr")]
    regex = object_regex(wanted.user)
    return choices if regex is None else [*choices, {"user_repr": {"$regex": regex}}]


def _like(pattern: str) -> Any:
    # "s" lets a dot match a newline, which a path may hold.
    return {"$regex": make_regex(pattern), "$options": "s"} if is_pattern(pattern) else pattern


def to_queries(wanted: Filter) -> list[dict[str, Any]]:
    """Return query documents that find together what `wanted` means, each record by one of them.

    Nearly all failures have the first status code of their class. Where it is the only one, those of a
    range of time lie together in their index: a server that plans little reads them alone, and not the
    failures of all times.
    """
    if not wanted.wants_failures or wanted.status is None or wanted.status[0] == wanted.status[1]:
        return [to_query(wanted)]
    first, last = wanted.status
    parts = ((first, first), (first + 1, last))
    return [to_query(dataclasses.replace(wanted, status=part)) for part in parts]


def to_kept_query(wanted: Filter) -> dict[str, Any]:
    """Return the query document of `wanted` for the collection of kept records."""
    query = to_query(wanted)
    # What stands first decides for servers that plan little.
    return {"date_created": query["date_created"], **query}


def to_tail_query(wanted: Filter, since: datetime, seen: Collection[Any]) -> dict[str, Any]:
    """Return the query document of `wanted` for what was stored since a time.

    Args:
        wanted: which are meant.
        since: from when on.
        seen: ids that are not to be found again.
    """
    query = to_query(wanted)
    if wanted.since is None and wanted.until is None:
        del query["date_created"]
    if wanted.kept:
        query["kept"] = True
    if seen:
        query["_id"] = {"$nin": list(seen)}
    # What stands first decides for servers that plan little.
    return {"date_stored": {"$gte": since}, **query}
