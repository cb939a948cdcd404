"""Rows of the table of processes: whether each stores what it records, and in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from ...rollups.rollup import Rollup

MAX_PROCESSES = 20


class ProcessRow(NamedTuple):
    """A process, by the minutes that it has counted."""

    name: str
    version: str | None
    until: datetime
    """The end of its last minute."""
    requests: int
    lag_ms: float
    """The longest time until a record was stored."""
    waiting: int
    """The most records that waited in its memory."""
    lost: str
    """The lost records by reason; empty for none."""


def make_process_rows(minutes: Iterable[Rollup]) -> list[ProcessRow]:
    """Return a row for each process, the one that was heard of last first."""
    by_process: dict[str, list[Rollup]] = {}
    for one in minutes:
        by_process.setdefault(one.process or "unknown", []).append(one)
    rows = [_make_row(name, of_process) for name, of_process in sorted(by_process.items())]
    return sorted(rows, key=attrgetter("until"), reverse=True)[:MAX_PROCESSES]


def _make_row(name: str, minutes: list[Rollup]) -> ProcessRow:
    last = max(minutes, key=attrgetter("start"))
    lost = sum((one.dropped for one in minutes), Counter[str]())
    return ProcessRow(
        name,
        last.version,
        last.end,
        sum(one.total.requests for one in minutes),
        max(one.lag_ms for one in minutes),
        max(one.waiting for one in minutes),
        ", ".join(f"{count:,} {reason}" for reason, count in lost.most_common()),
    )
