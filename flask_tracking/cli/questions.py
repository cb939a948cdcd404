"""Questions that are asked before records are dropped, and the words for what they are about."""

from __future__ import annotations

from datetime import datetime, timezone

from ..exporters.retention import DAY_S, Bounds, Usage, round_up
from ..exporters.store import Store
from ..runtime.sizes import format_size
from ..runtime.text import visible
from .common import get_current
from .terminal import ask


def find_usage(store: Store, *, is_kept: bool = False) -> Usage | None:
    """Return how full the collection of all records is, or that of kept ones; None if it is missing."""
    settings = get_current().settings
    name = settings.kept_collection if is_kept else settings.collection
    return next((usage for usage in store.measure() if usage.name == name), None)


def find_bounds(max_bytes: int | None, is_kept: bool) -> Bounds:
    """Return the bounds of a capped collection: a size that is given, else those of the settings."""
    settings = get_current().settings
    own_bytes = settings.kept_size_bytes if is_kept else settings.table_size_bytes
    return Bounds(
        round_up(own_bytes if max_bytes is None else max_bytes),
        None if is_kept else settings.max_documents,
    )


def ask_for_room(usage: Usage | None, bounds: Bounds, filled: float = 1.0) -> bool:
    """Ask before the oldest records are dropped; False if all have room."""
    excess = 0.0 if usage is None else usage.excess(bounds, filled)
    if usage is None or not excess:
        return False
    margin = f", of which a copy fills {filled:.0%}" if filled < 1 else ""
    ask(
        f"{visible(usage.name)} holds {_compare(usage, bounds, filled)}{margin}. "
        f"The oldest {max(1, round(excess * 100))}% of its records will be dropped. Go on?"
    )
    return True


def _compare(usage: Usage, bounds: Bounds, filled: float) -> str:
    """Say what is stored, and the bound that leaves less room for it."""
    size, records = bounds
    has_less = usage.excess(Bounds(size), filled) < usage.excess(Bounds(None, records), filled)
    if has_less or size is None or usage.stored_bytes is None:
        return f"{usage.records:,} records, and TRACKING_MAX_DOCUMENTS is {records:,}"
    return f"{format_size(usage.stored_bytes)}, and its new size is {format_size(size)}"


def ask_for_age(usage: Usage | None, ttl_s: int) -> None:
    """Ask before records are deleted that are older than a lifetime."""
    if usage is None or usage.oldest is None:
        return
    age_days = (datetime.now(timezone.utc) - usage.oldest).total_seconds() / DAY_S
    ttl_days = ttl_s / DAY_S
    if age_days > ttl_days:
        ask(
            f"The oldest record of {visible(usage.name)} is {format_days(age_days)} old. "
            f"Records older than TRACKING_TTL_S, {format_days(ttl_days)}, will be deleted. Go on?"
        )


def format_days(days: float) -> str:
    """Return a time for people, like ``12 hours``."""
    for unit, per_day in (("days", 1), ("hours", 24), ("minutes", 24 * 60), ("seconds", DAY_S)):
        count = days * per_day
        if count >= 2 or unit == "seconds":
            break
    return f"{count:.2g} {unit}" if count < 99.5 else f"{round_count(count)} {unit}"


def round_count(number: float) -> str:
    """Return a count with two digits that mean something."""
    digits = max(0, len(str(int(number))) - 3)
    return f"{round(number, -digits):,.0f}"
