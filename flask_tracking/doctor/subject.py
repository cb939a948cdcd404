"""What is examined: an app, what tracks it, and a sample of its records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from flask import Flask

from ..config import Settings
from ..exporters.store import Problem, Store
from ..filters import Filter
from ..queries import find_newest
from ..record import Record
from ..registry import TrackedApp

SAMPLE = 200
"""How many of the newest records are looked at."""

Findings = Iterator[Problem | str]
"""Problems, and as text what is worth knowing although it is none, a line each."""


@dataclass
class Subject:
    """One app under examination."""

    app: Flask
    tracked: TrackedApp
    store: Store | None
    """Where its records are; None if its exporter returns none. That it answers is for the first check
    to see."""

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


def describe_age(age_s: float) -> str:
    """Return an age for people, like ``3 hours``."""
    for unit, seconds in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if age_s >= 2 * seconds:
            return f"{age_s / seconds:.0f} {unit}"
    return f"{max(0.0, age_s):.0f} s"
