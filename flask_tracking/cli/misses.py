"""What a command says of a filter that finds nothing, or as many records as its limit allows."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Sequence, Sized
from datetime import datetime, timezone

import click
from click.core import ParameterSource
from flask import current_app

from ..exporters.store import Store
from ..filters import Filter
from ..filters.conditions import Compares, Condition, Term, all_of, any_of
from ..filters.wildcards import Parts, contains, write_parts
from ..queries.misses import explain_miss, finds_any, parts_of
from ..runtime.text import visible
from .terminal import say

__all__ = ["comment", "explain_nothing"]


def comment(store: Store, wanted: Filter, found: Sized, limit: int, done: str) -> None:
    """Say on standard error why nothing was found, or that the default limit may have left some out.

    Args:
        store: the store that was asked.
        wanted: the filter of the command.
        found: the records.
        limit: the option ``--limit`` of the command; somebody who sets it knows it.
        done: what the command does with records, like ``listed``.
    """
    if not found:
        say(explain_nothing(store, wanted), err=True)
    elif len(found) == limit and not _is_limit_given():
        say(f"Only the newest {limit:,} are {done}. More may match: use a higher --limit.", err=True)


def _is_limit_given() -> bool:
    source = click.get_current_context().get_parameter_source("limit")
    return source is not ParameterSource.DEFAULT


def explain_nothing(store: Store, wanted: Filter) -> str:
    """Say what was looked for, which part of it excludes all records, and what may find some."""
    if wanted == Filter.all and not store.is_shared:
        return "This app stores in the memory of its own process; other processes cannot see it."
    if wanted == Filter.all:
        return "No records are stored. `flask tracking init` shows which collections are read."
    excluding, similar, known = explain_miss(store, wanted, current_app)
    said = [f"No records match {visible(str(wanted))}."]
    choice = _find_choice(store, parts_of(wanted))
    if excluding and not choice:
        said.append(f"There are some without {' or '.join(map(_quote, excluding))}.")
    if choice:
        said.append(f"Try {_propose(choice)}.")
    elif similar:
        said.append(f"Did you mean {' or '.join(map(_propose, similar))}?")
    elif hint := _find_hint(store, parts_of(wanted), excluding):
        said.append(f"Try {hint}.")
    elif known:
        said.append(f"For example there are {', '.join(map(_propose, known))}.")
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


def _find_choice(store: Store, parts: Sequence[Condition]) -> str | None:
    """Return two terms of one key, joined with ``or``, if that finds records."""
    by_key: dict[str, list[Condition]] = {}
    for one in parts:
        if isinstance(one, Term) and one.key not in _NARROWING:
            by_key.setdefault(one.key, []).append(one)
    terms = next((terms for terms in by_key.values() if len(terms) > 1), None)
    if terms and finds_any(store, _replace(parts, terms, any_of(terms))):
        return str(Filter(any_of(terms)))
    return None


def _replace(parts: Sequence[Condition], replaced: Sequence[Condition], other: Condition) -> Filter:
    return Filter(all_of([*(one for one in parts if one not in replaced), other]))


def _find_hint(store: Store, parts: Sequence[Condition], excluding: Collection[str]) -> str | None:
    """Return a wider term that finds records, for one that excludes all if such are known."""
    terms = [one for one in parts if isinstance(one, Term)]
    by_key = {one.key: one for one in terms if not excluding or str(Filter(one)) in excluding}
    for key, widen in _HINTS.items():
        wider = widen(by_key[key].parts) if key in by_key else None
        if wider and finds_any(store, _replace(parts, [by_key[key]], wider.condition)):
            return _propose(str(wider)) if wider != Filter.all else "an earlier time"
    return None


def _widen_user(parts: Parts) -> Filter | None:
    return None if len(parts) > 1 else _make("user", contains(parts))


def _widen_path(parts: Parts) -> Filter | None:
    if len(parts) > 1:
        return None
    # A path alone is found with any query.
    without_query, mark, _ = parts[0].partition("?")
    return _make("path", (without_query,) if mark else (without_query, ""))


def _make(key: str, parts: Parts) -> Filter:
    return Filter.term(key, write_parts(parts))


def _quote(term: str) -> str:
    """Return a term as an argument of a shell."""
    return shlex.quote(visible(term))


def _propose(term: str) -> str:
    """Return a term to type: a wildcard stands for each character that could not be copied."""
    return _quote("".join(one if one.isprintable() else "*" for one in term))


_HINTS: dict[str, Callable[[Parts], Filter | None]] = {
    "user": _widen_user,
    "path": _widen_path,
    "since": lambda _: Filter.all,
}
"""Wider terms, by the key of a term."""
_NARROWING = ("since", "until", "slow", "is", "has", "body", "")
"""Keys of terms of which one record may match several."""
