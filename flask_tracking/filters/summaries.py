"""Which filters can be applied to the `Summary` of a request, before a record is made of it."""

from __future__ import annotations

from .conditions import All, AnyOf, Condition, Negation, Term, walk

__all__ = ["FIELDS", "is_rule"]

FIELDS = frozenset({"method", "url_rule", "status_code", "execution_time", "outcome"})
"""The fields of a record that its summary has, too."""


def is_rule(condition: Condition) -> bool:
    """Tell whether a summary is enough to decide the condition."""
    return all(
        isinstance(one, All | AnyOf | Negation | Term) or getattr(one, "field", None) in FIELDS
        for one in walk(condition)
    )
