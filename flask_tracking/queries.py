"""The read side, whatever the store: ask for small, indexed ranges, never for everything."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone

from .exporters.base import Reader
from .filters import FIRST, Filter
from .record import Record

__all__ = ["find_newest"]

WINDOWS = tuple(timedelta(seconds=4**step) for step in range(14))
"""How far back "the newest" is looked for, step by step: from a second to two years, then everything.

Each step is four times the one before, so that a range holds at most about four times what is wanted
of it, and looking through an idle year takes a dozen short questions.
"""
RARE_WINDOWS = WINDOWS[::3]
"""The same for failures: there are few in each, so that fewer and longer steps cost less."""


def find_newest(
    reader: Reader, wanted: Filter, limit: int, *, now: datetime | None = None
) -> list[Record]:
    """Find the newest `limit` records, the newest first.

    Each step asks for one range of arrival times that no step before has asked for, and the first
    step that fills the list is the last one: how many records there are does not matter, only how far
    back the wanted ones are.

    Args:
        reader: where to look.
        wanted: which are meant.
        limit: how many at most.
        now: from where to look back; the present by default.
    """
    end = wanted.until or now or datetime.now(timezone.utc)
    found: list[Record] = []
    # A record may be younger than our clock: the first step is open at its younger end.
    step = wanted
    for window in RARE_WINDOWS if wanted.wants_failures else WINDOWS:
        since = max(end, FIRST + window) - window
        found += reader.find(step, limit=limit - len(found), since=since)
        if len(found) >= limit or (wanted.since is not None and wanted.since >= since):
            return found
        step = dataclasses.replace(wanted, until=since)
    return found + reader.find(step, limit=limit - len(found))
