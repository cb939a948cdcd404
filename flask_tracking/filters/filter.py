"""`Filter`: a value that selects records."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, ClassVar

from .bounds import FIRST, Bounds, bounds_of
from .conditions import All, Condition, Negation, Term, all_of, any_of, walk
from .grammar import format_condition, parse_condition, parse_value
from .predicate import Predicate, make_predicate
from .term_values import FIRST_FAILURE

__all__ = ["Filter"]


@dataclass(frozen=True, slots=True)
class Filter:
    """Selects records: ``Filter.parse("status:5xx path:/api/* since:1h")``.

    Immutable and hashable; filters that are written the same way are equal. ``Filter()`` and
    ``Filter.all`` select every record. ``a & b``, ``a | b`` and ``~a`` combine filters, ``str(a)`` is a
    text that parses to an equal filter. An age, as in ``since:1h``, counts back from each search.

    .. versionadded:: 2.0
    """

    condition: Condition = All(())
    """For stores: see `flask_tracking.filters.conditions`."""
    _predicate: Predicate | None = field(default=None, init=False, repr=False, compare=False)

    all: ClassVar[Filter]
    """Selects every record."""

    @classmethod
    def parse(cls, text: str) -> Filter:
        """Parse the text of a filter.

        Raises:
            FilterError: the text is invalid; the message shows the spot and the possible values.
        """
        return cls(parse_condition(text))

    @classmethod
    def term(cls, key: str, value: str, *, is_literal: bool = False) -> Filter:
        """Make a filter of one term.

        Args:
            key: of the term, like ``status`` or ``header.accept``; empty for a word.
            value: without quotes.
            is_literal: True takes ``*`` and the backslash as ordinary characters.

        Raises:
            FilterError: the key or the value is wrong.
        """
        return cls(parse_value(key, value, is_literal=is_literal))

    def narrowed(self, since: datetime | None, until: datetime | None) -> Filter:
        """Return this filter for records that arrived within bounds.

        Args:
            since: at this time or later; None for no bound.
            until: before this time; None for no bound.
        """
        bounds = {"since": since, "until": until}
        added = [parse_value(key, at.isoformat()) for key, at in bounds.items() if at is not None]
        return Filter(all_of((self.condition, *added)))

    def matches(self, record: Any) -> bool:
        """Tell whether the filter selects a `Record`."""
        predicate = self._predicate
        if predicate is None:
            predicate = make_predicate(self.condition)
            object.__setattr__(self, "_predicate", predicate)
        return predicate(record)

    def arrival(self, now: datetime | None = None) -> Bounds:
        """Return the bounds of the arrival of all selected records.

        Args:
            now: the time from which ages count back; the present by default.
        """
        return bounds_of(self.condition, "date_created", now or datetime.now(timezone.utc))

    @property
    def wants_failures(self) -> bool:
        """True if the status code selects only failures."""
        lowest = bounds_of(self.condition, "status_code", FIRST).low
        return lowest is not None and lowest >= FIRST_FAILURE

    def terms(self) -> list[Term]:
        """Return the terms, from left to right."""
        return [one for one in walk(self.condition) if isinstance(one, Term)]

    def __and__(self, other: Filter) -> Filter:
        """Select what both select."""
        return _check(all_of((self.condition, other.condition)))

    def __or__(self, other: Filter) -> Filter:
        """Select what one of them selects."""
        return _check(any_of((self.condition, other.condition)))

    def __invert__(self) -> Filter:
        """Select what this filter does not."""
        return _check(Negation(self.condition))

    def __str__(self) -> str:
        """Return a text that parses to an equal filter."""
        return format_condition(self.condition)


def _check(condition: Condition) -> Filter:
    """Return the filter of a condition, if its text can be parsed: it may be too long or too deep."""
    return Filter(parse_condition(format_condition(condition)))


Filter.all = Filter()
