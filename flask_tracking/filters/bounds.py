"""Bounds that all records of a filter lie within, for stores that have an index of a field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from .conditions import All, AnyOf, Compares, Condition, Term

__all__ = ["FIRST", "Bounds", "bounds_of", "resolve"]

FIRST = datetime(1970, 1, 1, tzinfo=timezone.utc)
"""No record is older."""


class Bounds(NamedTuple):
    """The lowest and the highest value of a field; None for no bound."""

    low: Any = None
    """Included."""
    high: Any = None
    """Excluded for times, included for numbers."""


def bounds_of(condition: Condition, field: str, now: datetime) -> Bounds:
    """Return bounds of a field in all records for which `condition` holds.

    Args:
        condition: what the records are selected by.
        field: ``date_created`` or ``status_code``.
        now: the time from which ages count back.
    """
    if isinstance(condition, Term):
        return bounds_of(condition.condition, field, now)
    if isinstance(condition, Compares) and condition.field == field:
        value = resolve(condition, now)
        return Bounds(high=value) if condition.operator.startswith("<") else Bounds(low=value)
    if isinstance(condition, All | AnyOf):
        parts = [bounds_of(one, field, now) for one in condition.conditions]
        lows, highs = [one.low for one in parts], [one.high for one in parts]
        if isinstance(condition, All):
            return Bounds(_strictest(lows, max), _strictest(highs, min))
        return Bounds(_loosest(lows, min), _loosest(highs, max))
    return Bounds()


def resolve(condition: Compares, now: datetime) -> Any:
    """Return the value of a comparison, an age as the time that it means."""
    value = condition.value
    return now - value if isinstance(value, timedelta) else value


def _strictest(values: Sequence[Any], choose: Callable[[Sequence[Any]], Any]) -> Any:
    known = [value for value in values if value is not None]
    return choose(known) if known else None


def _loosest(values: Sequence[Any], choose: Callable[[Sequence[Any]], Any]) -> Any:
    return None if None in values else choose(values)
