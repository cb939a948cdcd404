"""Rows of the table of storage: how full it is, and for how long records stay."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ...doctor.subject import describe_age
from ...exporters.retention import DAY_S, Usage
from ..text.numbers import size

FACTORS = (2, 5)
"""The larger sizes to show, as multiples of the present one."""


class StorageRow(NamedTuple):
    """A place of records."""

    name: str
    records: int
    bound: str
    """Like ``61.2 MB of 104.9 MB``, or the most records where bytes are not counted."""
    oldest: datetime | None
    holds: str
    """Like ``about 9 days``; empty if no rate is known."""
    larger: tuple[tuple[str, str], ...]
    """Larger sizes, and for how long records would stay there."""


def make_storage_rows(usages: Iterable[Usage], now: datetime) -> list[StorageRow]:
    """Return a row for each place, that of all records first."""
    return [_make_row(usage, now) for usage in usages]


def _make_row(usage: Usage, now: datetime) -> StorageRow:
    return StorageRow(
        usage.name,
        usage.records,
        _describe_size(usage),
        usage.oldest,
        _describe_stay(usage, usage.max_bytes, now),
        tuple(
            (size(factor * usage.max_bytes), stay)
            for factor in FACTORS
            if usage.max_bytes is not None
            and (stay := _describe_stay(usage, factor * usage.max_bytes, now))
        ),
    )


def _describe_size(usage: Usage) -> str:
    sizes = [size(one) for one in (usage.stored_bytes, usage.max_bytes) if one is not None]
    if not sizes and usage.max_records is not None:
        return f"at most {usage.max_records:,} records"
    return " of ".join(sizes)


def _describe_stay(usage: Usage, max_bytes: int | None, now: datetime) -> str:
    if usage.ttl_s is not None:
        return describe_age(usage.ttl_s)
    days = usage.days_at(max_bytes, now)
    return "" if days is None else f"about {describe_age(days * DAY_S)}"
