"""What a command says of a filter that finds nothing."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection
from datetime import datetime, timezone

from flask import current_app

from ..exporters.store import Store
from ..filters import Filter
from ..filters.conditions import Compares
from ..filters.wildcards import Parts, contains, write_parts
from ..queries.misses import explain_miss
from ..runtime.text import visible

__all__ = ["explain_nothing"]


def explain_nothing(store: Store, wanted: Filter) -> str:
    """Say what was looked for, which part of it excludes all records, and what may find some."""
    if wanted == Filter.all and not store.is_shared:
        return "This app stores in the memory of its own process; other processes cannot see it."
    if wanted == Filter.all:
        return "No records are stored. `flask tracking init` shows which collections are read."
    excluding, similar, known = explain_miss(store, wanted, current_app)
    said = [f"No records match {visible(str(wanted))}."]
    if excluding:
        said.append(f"There are some without {' or '.join(map(_quote, excluding))}.")
    if similar:
        said.append(f"Did you mean {' or '.join(map(_quote, similar))}?")
    elif hint := _find_hint(wanted, excluding):
        said.append(f"Try {hint}.")
    elif known:
        said.append(f"For example there are {', '.join(map(_quote, known))}.")
    if _may_mean_local(wanted):
        now = datetime.now(timezone.utc)
        said.append(f"Filters read times as UTC; it is {now:%Y-%m-%dT%H:%M} there now.")
    return " ".join(said)


def _may_mean_local(wanted: Filter) -> bool:
    """Tell whether a time may be copied from the list of a machine that is not in UTC."""
    if not datetime.now().astimezone().utcoffset():
        return False
    conditions = (one.condition for one in wanted.terms())
    return any(isinstance(one, Compares) and isinstance(one.value, datetime) for one in conditions)


def _find_hint(wanted: Filter, excluding: Collection[str]) -> str | None:
    """Return a hint for a term, for one that excludes all records if such are known."""
    terms = [one for one in wanted.terms() if not excluding or str(Filter(one)) in excluding]
    by_key = {term.key: term.parts for term in reversed(terms)}
    hints = (hint(by_key[key]) for key, hint in _HINTS.items() if key in by_key)
    return next(filter(None, hints), None)


def _hint_at_user(parts: Parts) -> str | None:
    return None if len(parts) > 1 else _show("user", contains(parts))


def _hint_at_path(parts: Parts) -> str | None:
    if len(parts) > 1:
        return None
    # A path alone is found with any query.
    without_query, mark, _ = parts[0].partition("?")
    return _show("path", (without_query,) if mark else (without_query, ""))


def _show(key: str, parts: Parts) -> str:
    return _quote(str(Filter.term(key, write_parts(parts))))


def _quote(term: str) -> str:
    """Return a term as an argument of a shell."""
    return shlex.quote(visible(term))


_HINTS: dict[str, Callable[[Parts], str | None]] = {
    "user": _hint_at_user,
    "path": _hint_at_path,
    "since": lambda _: "an earlier time",
}
"""Hints for finding more, by the key of a term."""
