"""`Filter` to a MongoDB query. Every query is a range of ``date_created``, which is indexed.

Failures, which are rare among all records and much asked for, have a small index of their own there.
Among the kept ones they are not rare.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from ...filters import FIRST, Filter

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
    if wanted.path is not None:
        # "s" lets a dot match a newline, which a path may hold.
        query["path"] = (
            {"$regex": wanted.path_regex(), "$options": "s"} if "*" in wanted.path else wanted.path
        )
    if wanted.slower_than_ms is not None:
        query["execution_time"] = {"$gte": wanted.slower_than_ms}
    if wanted.user is not None:
        query["$or"] = [{"user_id": wanted.user}, {"user_repr": wanted.user}]
    return query


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
