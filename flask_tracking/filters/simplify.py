"""Conditions with a part of them decided, for stores that cannot ask for that part."""

from __future__ import annotations

from collections.abc import Callable

from .conditions import (
    All,
    AnyOf,
    Condition,
    InBody,
    IsKept,
    Negation,
    Term,
    all_of,
    any_of,
    walk,
)

__all__ = [
    "ALWAYS",
    "NEVER",
    "decide_kept",
    "excludes_kept",
    "searches_bodies",
    "without_bodies",
]

ALWAYS = All(())
NEVER = Negation(ALWAYS)

Decide = Callable[[Condition, bool], Condition]
"""Returns a leaf, or `ALWAYS` or `NEVER` if it is decided.

Args: the leaf; True where the whole can only become true by it, False where only false.
"""


def decide_kept(condition: Condition, is_kept: bool) -> Condition:
    """Return the condition for records of which all or none are kept."""
    known = ALWAYS if is_kept else NEVER
    return _simplify(condition, lambda leaf, _: known if isinstance(leaf, IsKept) else leaf)


def without_bodies(condition: Condition) -> Condition:
    """Return a condition that asks for no body, and holds wherever `condition` does."""

    def decide(leaf: Condition, is_positive: bool) -> Condition:
        if not isinstance(leaf, InBody):
            return leaf
        return ALWAYS if is_positive else NEVER

    return _simplify(condition, decide)


def searches_bodies(condition: Condition) -> bool:
    """Tell whether the condition asks for a body."""
    return any(isinstance(one, InBody) for one in walk(condition))


def excludes_kept(condition: Condition) -> bool:
    """Tell whether there may be records that are selected because they are not kept."""
    found = []

    def decide(leaf: Condition, is_positive: bool) -> Condition:
        found.append(isinstance(leaf, IsKept) and not is_positive)
        return leaf

    _simplify(condition, decide)
    return any(found)


def _simplify(condition: Condition, decide: Decide, is_positive: bool = True) -> Condition:
    """Return the condition with decided leaves; `ALWAYS` and `NEVER` do not occur inside it."""
    if isinstance(condition, Term):
        return _simplify(condition.condition, decide, is_positive)
    if isinstance(condition, Negation):
        inner = _simplify(condition.condition, decide, not is_positive)
        return inner.condition if isinstance(inner, Negation) else Negation(inner)
    if isinstance(condition, All):
        parts = [_simplify(one, decide, is_positive) for one in condition.conditions]
        return NEVER if NEVER in parts else all_of(parts)
    if isinstance(condition, AnyOf):
        parts = [_simplify(one, decide, is_positive) for one in condition.conditions]
        return ALWAYS if ALWAYS in parts else any_of([one for one in parts if one != NEVER] or [NEVER])
    return decide(condition, is_positive)
