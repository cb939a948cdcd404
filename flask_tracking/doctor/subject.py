"""The subject of the checks: an app, its tracking, and a sample of its records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import NamedTuple

from flask import Flask

from ..config import Settings
from ..exporters.rollup_table import RollupQuery
from ..exporters.store import Problem, Store
from ..filters import Filter
from ..queries import find_newest
from ..record import Record
from ..registry import TrackedApp
from ..rollups.rollup import Rollup

SAMPLE = 200
"""Number of newest records in the sample."""


class Unknown(str):
    """A fact for which a check cannot tell whether all is in order."""

    __slots__ = ()


Findings = Iterator[Problem | str]
"""Problems, and facts as text, a line each."""


class Minutes(NamedTuple):
    """What processes have counted, each for itself."""

    rollups: Sequence[Rollup]
    """Without their routes, in no order."""
    lifetime: timedelta
    """How far back they reach."""


@dataclass
class Subject:
    """One app under examination."""

    app: Flask
    tracked: TrackedApp
    store: Store | None
    """The store of its records; None if its exporter is not a store. The first check finds out
    whether it answers."""

    @property
    def settings(self) -> Settings:
        """The settings of the app."""
        return self.tracked.settings

    @cached_property
    def sample(self) -> list[Record]:
        """The newest records, read once; none without a store.

        Raises:
            ExportError: the store cannot be reached, or refuses.
        """
        return [] if self.store is None else find_newest(self.store, Filter(), SAMPLE)

    @cached_property
    def minutes(self) -> Minutes | None:
        """The minutes of all processes, read once; None where nobody counts them.

        Raises:
            ExportError: the store cannot be reached, or refuses.
        """
        table = None if self.store is None else self.store.rollups
        if table is None or not self.settings.rollup_days:
            return None
        width = table.widths[0]
        since = datetime.now(timezone.utc) - width.lifetime
        query = RollupQuery(width.seconds, since=since, with_routes=False, with_examples=False)
        return Minutes(table.find(query), width.lifetime)


def describe_age(age_s: float) -> str:
    """Return an age for people, like ``3 hours``."""
    for unit, seconds in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if age_s >= 2 * seconds:
            return f"{age_s / seconds:.0f} {unit}"
    return f"{max(0.0, age_s):.0f} s"
