"""Queries for any store: small, indexed ranges of time, never the whole collection."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, Literal, overload

from ..exporters.store import Fields, Store
from ..filters import FIRST, Filter
from ..record import Record
from ..record_summary import RecordSummary

__all__ = ["find_newest"]

WINDOWS = tuple(timedelta(seconds=4**step) for step in range(14))
"""The ranges in which the newest records are searched: from a second to two years, then everything.

Each range is four times the one before. So a range holds at most about four times the wanted records,
and searching an idle year takes a dozen short queries.
"""
RARE_WINDOWS = WINDOWS[::3]
"""The ranges for failures. There are few of these, so fewer and longer ranges cost less."""


@overload
def find_newest(
    store: Store,
    wanted: Filter,
    limit: int,
    *,
    now: datetime | None = None,
    fields: Literal["all"] = "all",
) -> list[Record]: ...


@overload
def find_newest(
    store: Store,
    wanted: Filter,
    limit: int,
    *,
    now: datetime | None = None,
    fields: Literal["summary"],
) -> list[RecordSummary]: ...


def find_newest(
    store: Store,
    wanted: Filter,
    limit: int,
    *,
    now: datetime | None = None,
    fields: Fields = "all",
) -> list[Any]:
    """Find the newest `limit` records, the newest first.

    Each step queries one range of arrival times that no earlier step has queried. The search stops
    when the list is full, so the cost depends on the age of the matching records, not on their number.

    Args:
        store: the store.
        wanted: the filter.
        limit: maximum number of records.
        now: the time from which to search back; the present by default.
        fields: ``all`` returns records, ``summary`` only the columns of a list.
    """
    find: Callable[..., list[Any]] = partial(store.find, wanted, fields=fields)
    now = now or datetime.now(timezone.utc)
    first, last = wanted.arrival(now)
    end = last or now
    found: list[Any] = []
    # The clock of another machine may be ahead: the first range has no end.
    until = None
    for window in RARE_WINDOWS if wanted.wants_failures else WINDOWS:
        since = max(end, FIRST + window) - window
        found += find(limit=limit - len(found), between=(since, until))
        if len(found) >= limit or (first is not None and first >= since):
            return found
        until = since
    return found + find(limit=limit - len(found), between=(None, until))
