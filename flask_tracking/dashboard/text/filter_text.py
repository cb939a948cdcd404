"""Composition of filters as text, as people would write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from ...errors import FilterError
from ...filters import Filter
from ...filters.conditions import AnyOf
from ...runtime.durations import parse_duration

__all__ = ["exclude", "find_term", "freeze", "join", "route_terms", "term", "without"]

_TIME = re.compile(r"(?<![^\s(])(since|until):([^\s()\"']+)")
"""A time bound as people write it, like ``since:1h``; a near miss is ``body:"since:1h"``."""


def term(key: str, value: str) -> str:
    """Return the text of a term that selects exactly this value."""
    return str(Filter.term(key, value, is_literal=True))


def find_term(key: str, value: str) -> str:
    """Return the same as `term`, or an empty text if no filter can express so long or odd a value."""
    try:
        text = term(key, value)
        Filter.parse(text)
    except FilterError:
        return ""
    return text


def route_terms(name: str) -> str:
    """Return the terms that select a route named like ``GET /orders/<int:id>``.

    An invalid method is left out, and so is the rule of requests that matched no route.
    """
    method, _, rule = name.partition(" ")
    terms = (find_term("method", method), term("route", rule) if rule.startswith("/") else "")
    return " ".join(filter(None, terms))


def join(text: str, added: str) -> str:
    """Add a term to a filter, unless the filter has it already.

    The user's own text stays as it is. If it cannot be parsed, the new term takes its place.

    Args:
        text: the current filter.
        added: a term, or ``not`` and a term.
    """
    if not text:
        return added
    if added in text.split(" "):
        return text
    try:
        is_alternative = isinstance(Filter.parse(text).condition, AnyOf)
    except FilterError:
        return added
    return f"({text}) {added}" if is_alternative else f"{text} {added}"


def exclude(text: str, term: str) -> str:
    """Add the negation of a term to a filter."""
    words = text.split(" ")
    return join(" ".join(word for word in words if word != term), f"not {term}")


def freeze(text: str, now: datetime) -> str:
    """Replace ages by absolute times, so that the filter selects the same tomorrow.

    Args:
        text: the filter; an invalid one is returned unchanged.
        now: the time to which ages are relative.
    """

    def fix(found: re.Match[str]) -> str:
        age_ms = parse_duration(found[2])
        if age_ms is None:
            return found[0]
        time = now - timedelta(milliseconds=age_ms)
        return f"{found[1]}:{time.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}"

    try:
        frozen = _TIME.sub(fix, text)
        is_same = _without_times(frozen) == _without_times(text)
    except (FilterError, OverflowError):
        return text
    return frozen if is_same else text  # it replaced text inside quotes


def _without_times(text: str) -> list[tuple[str, object]]:
    return [(one.key, one.key in ("since", "until") or one.parts) for one in Filter.parse(text).terms()]


def without(text: str) -> list[tuple[str, str]]:
    """Return each term with the filter that remains without it; nothing for alternatives."""
    terms = [str(Filter(one)) for one in Filter.parse(text).terms()]
    if Filter.parse(" ".join(terms)) != Filter.parse(text):
        return []  # not a plain list
    return [(one, " ".join(terms[:at] + terms[at + 1 :])) for at, one in enumerate(terms)]
