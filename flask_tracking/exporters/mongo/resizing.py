"""Measure the collections, and resize a capped one in place."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pymongo.database import Database
from pymongo.errors import OperationFailure

from ...filters import FIRST
from ...runtime.sizes import format_size
from ..retention import Resized, Usage
from ..store import Problem
from .codec import for_reading
from .collection import Plan, find_capped_problems, read_options
from .connection import is_stand_in
from .indexes import Indexing, read_refusal

Document = dict[str, Any]

OLDEST_FIRST = [("date_created", 1)]
MANY_RECORDS = 100
"""Fewer say little about the size of those that follow."""
EARLY = 0.5
"""A bound of documents that is reached below this share of the size is mentioned."""


def measure(database: Database[Document], name: str) -> Usage | None:
    """Return how full a collection is; None where there is none of that name."""
    options = None if is_stand_in(database) else read_options(database, name)[0]
    if options is None:
        return None
    stats = database.command("collStats", name)
    indexing = Indexing(database[name])
    indexing.read()
    return Usage(
        name=name,
        records=int(stats["count"]),
        stored_bytes=int(stats["size"]),
        index_bytes=int(stats.get("totalIndexSize", 0)),
        max_bytes=options.get("size"),
        # What the server calls no bound is a number as well.
        max_records=options.get("max") or None,
        max_records_key="TRACKING_MAX_DOCUMENTS",
        ttl_s=indexing.ttl_s,
        oldest=_find_oldest(database, name),
    )


def _find_oldest(database: Database[Document], name: str) -> datetime | None:
    query = {"date_created": {"$gte": FIRST}}
    found = for_reading(database[name]).find_one(query, {"date_created": True}, sort=OLDEST_FIRST)
    oldest = found and found["date_created"]
    return oldest if isinstance(oldest, datetime) else None


def find_early_limit(database: Database[Document], plan: Plan) -> list[Problem]:
    """Return a problem where the bound of documents leaves much of the size unused."""
    usage = None if plan.max_documents is None else _measure_if_allowed(database, plan.name)
    if usage is None or usage.max_records != plan.max_documents or usage.records < MANY_RECORDS:
        return []
    reached = usage.reaches(usage.max_bytes and usage.max_bytes * EARLY)
    if reached is None:
        return []
    return [
        Problem(
            "warning",
            f"{plan.name} uses at most {format_size(reached)} of {format_size(usage.max_bytes or 0)}: "
            f"TRACKING_MAX_DOCUMENTS is {plan.max_documents:,}",
            f"Raise it, or lower {plan.size_key}. To apply it, by a copy where the server cannot",
            plan.resize_command,
        )
    ]


def _measure_if_allowed(database: Database[Document], name: str) -> Usage | None:
    try:
        return measure(database, name)
    except OperationFailure as error:
        read_refusal(error)
        return None


def resize(database: Database[Document], plan: Plan) -> Resized | None:
    """Give a capped collection the planned bounds, and read them back.

    MongoDB 6.0 and newer do so. Others refuse, or answer that it is done and do nothing.
    """
    if is_stand_in(database):
        return None
    before, _ = read_options(database, plan.name)
    refusal = ""
    if before is not None and before.get("capped"):
        refusal = _change(database, plan)
    after, unseen = read_options(database, plan.name)
    return Resized(
        plan.name,
        (before or {}).get("size"),
        (after or {}).get("size"),
        is_done=after is not None and not any(find_capped_problems(after, plan)),
        refusal=refusal or unseen or "",
        exists=after is not None,
        old_records=(before or {}).get("max") or None,
        new_records=(after or {}).get("max") or None,
    )


def _change(database: Database[Document], plan: Plan) -> str:
    bounds = {"cappedSize": plan.size_bytes, "cappedMax": plan.max_documents}
    command = {name: bound for name, bound in bounds.items() if bound is not None}
    try:
        database.command({"collMod": plan.name, **command})
    except OperationFailure as error:
        return read_refusal(error)
    return ""
