"""What a place of records holds, what it could hold, and how far a change of that has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

__all__ = ["Rebuilt", "Resized", "Sharded", "Usage"]

DAY_S = 86_400
LEAST_SPAN_S = 600
"""Records of less than that tell of no rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How full a place of records is.

    .. versionadded:: 2.0
    """

    name: str
    records: int
    """About how many it holds."""
    stored_bytes: int | None = None
    """What they take without indexes; None where that is unknown."""
    index_bytes: int | None = None
    """What their indexes take; None where that is unknown."""
    max_bytes: int | None = None
    """What they may take at most; None for no such bound."""
    max_records: int | None = None
    """How many it holds at most; None for no such bound."""
    ttl_s: int | None = None
    """After how many seconds records expire; None where they do not."""
    oldest: datetime | None = None
    """When the oldest one arrived; None where there is none."""

    @property
    def record_bytes(self) -> float | None:
        """What a record takes on average; None where that is unknown."""
        if self.stored_bytes is None or not self.records:
            return None
        return self.stored_bytes / self.records

    def records_per_day(self, now: datetime) -> float | None:
        """Return how many arrive a day, the average since the oldest; None below ten minutes."""
        span_s = (now - self.oldest).total_seconds() if self.oldest else 0.0
        return None if span_s < LEAST_SPAN_S else self.records * DAY_S / span_s

    def records_at(self, max_bytes: float | None) -> float | None:
        """Return how many records it would hold at a size; None where nothing bounds them."""
        bounds: list[float] = [] if self.max_records is None else [self.max_records]
        if max_bytes is not None and self.record_bytes:
            bounds.append(max_bytes / self.record_bytes)
        return min(bounds, default=None)

    def days_at(self, max_bytes: float | None, now: datetime) -> float | None:
        """Return how many days of records it would hold at a size; None where that is unknown."""
        records, rate = self.records_at(max_bytes), self.records_per_day(now)
        return None if records is None or not rate else records / rate


class Resized(NamedTuple):
    """What became of the bounds of a place."""

    name: str
    old_bytes: int | None
    """The bound before; None where there was none."""
    new_bytes: int | None
    """The bound now, as the store says when it is asked again."""
    is_done: bool
    """False where the bounds are not the wanted ones."""
    refusal: str = ""
    """Why the store refuses it, in its words; empty where it does not say."""
    exists: bool = True
    """False where there is no such place yet, or a rebuild has not made it again."""


class Sharded(NamedTuple):
    """Whether the records are distributed over shards, and what distributes them."""

    name: str
    commands: tuple[str, ...]
    """For the store's own shell."""
    is_done: bool
    """False where the store has no shards."""


class Rebuilt(NamedTuple):
    """How far the copying into a new place has come."""

    name: str
    stored: int
    """About how many records are to be looked at."""
    looked_at: int = 0
    copied: int = 0
    left: int = 0
    """Which were refused there, and are where they were."""
    skipped: int = 0
    """The oldest, for which there is no room in the new place."""
