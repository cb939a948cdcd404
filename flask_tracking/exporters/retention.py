"""Sizes and limits of the places of records, and the progress of changes to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

__all__ = ["FILLED", "Bounds", "Rebuilt", "Resized", "Sharded", "Usage", "round_up"]

DAY_S = 86_400
LEAST_SPAN_S = 600
"""Records of a shorter span give no rate."""
FILLED = 0.95
"""The share of the new place that a rebuild fills; the rest is for records written meanwhile."""
ROUNDED_TO = 256
"""MongoDB rounds the size of a capped collection up to a multiple of so many bytes."""


def round_up(size_bytes: int) -> int:
    """Return the size that a capped collection gets."""
    return -(-size_bytes // ROUNDED_TO) * ROUNDED_TO


class Bounds(NamedTuple):
    """The limits of a place of records."""

    max_bytes: int | None
    """Size limit; None for none."""
    max_records: int | None = None
    """Maximum number of records; None for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The size of one place of records, and its limits.

    .. versionadded:: 2.0
    """

    name: str
    records: int
    """An estimate of the number of records."""
    stored_bytes: int | None = None
    """Size of the records without indexes; None if unknown."""
    index_bytes: int | None = None
    """Size of the indexes; None if unknown."""
    max_bytes: int | None = None
    """Size limit of the records; None for none."""
    max_records: int | None = None
    """Maximum number of records; None for none."""
    max_records_key: str = ""
    """The setting of `max_records`; empty if there is none."""
    ttl_s: int | None = None
    """Seconds after which records expire; None if they do not."""
    oldest: datetime | None = None
    """Arrival of the oldest record; None if there is none."""

    @property
    def record_bytes(self) -> float | None:
        """Average size of a record; None if unknown."""
        if self.stored_bytes is None or not self.records:
            return None
        return self.stored_bytes / self.records

    def reaches(self, max_bytes: float | None) -> float | None:
        """Return the bytes at which `max_records` is reached before a size; None if the size is first.

        Args:
            max_bytes: the size; None for none.
        """
        if self.max_records is None or max_bytes is None or not self.record_bytes:
            return None
        size = self.max_records * self.record_bytes
        return size if size < max_bytes else None

    def excess(self, bounds: Bounds, filled: float = 1.0) -> float:
        """Return the share of the records, the oldest, that has no room within other limits.

        Args:
            bounds: the other limits.
            filled: the share of these that may be used.
        """
        pairs = zip((self.stored_bytes, self.records), bounds, strict=True)
        shares = [1 - most * filled / stored for stored, most in pairs if stored and most is not None]
        return max(0.0, *shares) if shares else 0.0

    def records_per_day(self, now: datetime) -> float | None:
        """Return the average number of new records a day since the oldest; None below ten minutes."""
        span_s = (now - self.oldest).total_seconds() if self.oldest else 0.0
        return None if span_s < LEAST_SPAN_S else self.records * DAY_S / span_s

    def records_at(self, max_bytes: float | None) -> float | None:
        """Return the number of records that would fit into a size; None without a limit."""
        bounds: list[float] = [] if self.max_records is None else [self.max_records]
        if max_bytes is not None and self.record_bytes:
            bounds.append(max_bytes / self.record_bytes)
        return min(bounds, default=None)

    def days_at(self, max_bytes: float | None, now: datetime) -> float | None:
        """Return the number of days of records that would fit into a size; None if unknown."""
        records, rate = self.records_at(max_bytes), self.records_per_day(now)
        return None if records is None or not rate else records / rate


class Resized(NamedTuple):
    """The result of resizing a place."""

    name: str
    old_bytes: int | None
    """The limit before; None if there was none."""
    new_bytes: int | None
    """The limit now, read back from the store."""
    is_done: bool
    """False if the limit is not the requested one."""
    refusal: str = ""
    """The store's own reason for a refusal; empty if it gives none."""
    exists: bool = True
    """False if the place does not exist yet, or a rebuild has not recreated it."""
    old_records: int | None = None
    """The maximum number of records before; None if there was none."""
    new_records: int | None = None
    """The maximum number of records now, read back from the store; None if there is none."""


class Sharded(NamedTuple):
    """The state of sharding, and the commands that set it up."""

    name: str
    commands: tuple[str, ...]
    """For the store's own shell."""
    is_done: bool
    """False where the store has no shards."""


class Rebuilt(NamedTuple):
    """The progress of copying records into a new place."""

    name: str
    stored: int
    """An estimate of the number of records to read."""
    looked_at: int = 0
    copied: int = 0
    left: int = 0
    """Records that the new place refused; they stay in the old one."""
    skipped: int = 0
    """The oldest records, which do not fit into the new place."""
