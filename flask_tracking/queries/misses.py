"""Why a filter finds nothing: the parts that exclude every record, and values that there are."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from flask import Flask

from ..errors import ExportError, FilterError
from ..exporters.store import Store
from ..filters import Filter
from ..filters.conditions import All, AnyOf, Condition, Term, all_of
from .newest import search_newest
from .values import (
    find_app_values,
    find_custom_values,
    find_literal_paths,
    find_record_values,
    split_paths,
)

__all__ = ["Miss", "explain_miss", "finds_any", "parts_of"]

MAX_PARTS = 4
"""Parts of a filter that are left out in turn."""
MAX_TERMS = 2
"""Terms for which values are looked for."""
MAX_VALUES = 3
MAX_LENGTH = 80
"""Characters of a value that is compared with others."""
QUESTION_S = 0.15
"""The time for each question to the store: one for a part, at most two for the values of a term."""

_PATH_KEYS = ("path", "")
"""Keys of terms that look into paths: that of a path, and none, of a word."""

Found = tuple[tuple[str, ...], tuple[str, ...]]
"""Similar terms, and others."""


class Miss(NamedTuple):
    """What is known of a filter that finds nothing."""

    excluding: tuple[str, ...] = ()
    """Parts of the filter. Without any one of them it finds records."""
    similar: tuple[str, ...] = ()
    """Terms with values that the app or its newest records have, spelled like those of the filter."""
    known: tuple[str, ...] = ()
    """Some terms with such values if none is similar."""


def explain_miss(store: Store, wanted: Filter, app: Flask) -> Miss:
    """Find out why a filter finds nothing, in about a second at most.

    Args:
        store: the store.
        wanted: the filter.
        app: whose routes, endpoints and blueprints may be meant.
    """
    parts = parts_of(wanted)
    excluding = [parts[at] for at in range(min(len(parts), MAX_PARTS)) if _excludes(store, parts, at)]
    terms = [one for one in excluding or parts if isinstance(one, Term)][:MAX_TERMS]
    found = next(filter(any, (_find_values(store, one, app) for one in terms)), ((), ()))
    return Miss(tuple(map(_format, excluding)), *found)


def parts_of(wanted: Filter) -> tuple[Condition, ...]:
    """Return the parts of a filter that must all match."""
    condition = wanted.condition
    return condition.conditions if isinstance(condition, All) else (condition,)


def finds_any(store: Store, wanted: Filter) -> bool:
    """Tell whether a filter finds a record; no if the time is over before one is found."""
    with contextlib.suppress(ExportError), store.limited(QUESTION_S):
        return bool(search_newest(store, wanted, 1).records)
    return False


def _format(part: Condition) -> str:
    text = str(Filter(part))
    return f"({text})" if isinstance(part, AnyOf) else text


def _excludes(store: Store, parts: Sequence[Condition], at: int) -> bool:
    """Tell whether the other parts find a record."""
    rest = parts[:at], parts[at + 1 :]
    return len(parts) > 1 and finds_any(store, Filter(all_of((*rest[0], *rest[1]))))


def _find_values(store: Store, term: Term, app: Flask) -> Found:
    """Return terms with values that there are: similar ones, and if there are none, others."""
    if len(term.parts) > 1:
        return (), ()
    (value,) = term.parts
    stem, _, name = term.key.partition(".")
    if not stem:  # other words are no example of anything
        return _choose("", value, _list_values(store, "", app))[0], ()
    if stem != "custom":
        return _choose(term.key, value, _list_values(store, term.key, app))
    names = _ask(store, lambda: find_record_values(store, "custom."))
    if name not in names:
        return _choose_name(name, value, names)
    return _choose(term.key, value, _ask(store, lambda: find_custom_values(store, name)))


def _list_values(store: Store, key: str, app: Flask) -> set[str]:
    own = find_app_values(app, key)
    values = _ask(store, lambda: find_record_values(store, key)) if own is None else own
    if key in _PATH_KEYS:
        # The newest records need not have met each route.
        values |= split_paths(key, find_literal_paths(app))
    # `error:` takes the name of a class without its module.
    return {one.rpartition(".")[2] for one in values} if key == "error" else values


def _ask(store: Store, question: Callable[[], set[str]]) -> set[str]:
    with contextlib.suppress(ExportError), store.limited(QUESTION_S):
        return question()
    return set()


def _choose(key: str, value: str, values: set[str]) -> Found:
    similar, others = _find_similar(value, values - {value})
    return _make_terms([(key, one) for one in similar]), _make_terms([(key, one) for one in others])


def _choose_name(name: str, value: str, names: set[str]) -> Found:
    similar, others = (
        [(f"custom.{one}", value) for one in found] for found in _find_similar(name, names)
    )
    return _make_terms(similar), _make_terms([(key, "*") for key, _ in others])


def _find_similar(text: str, known: set[str]) -> tuple[list[str], list[str]]:
    """Return texts that are spelled like one, the most similar first, and if there are none, others."""
    by_folded = {one.casefold(): one for one in sorted(known) if len(one) <= MAX_LENGTH}
    if len(text) > MAX_LENGTH:  # comparing takes the square of the length
        return [], list(by_folded.values())
    found = difflib.get_close_matches(text.casefold(), by_folded, n=MAX_VALUES)
    return [by_folded[one] for one in found], [] if found else list(by_folded.values())


def _make_terms(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return some terms as text, without those that no filter can ask for."""

    def make() -> Iterator[str]:
        for key, value in pairs:
            with contextlib.suppress(FilterError):
                yield str(Filter.term(key, value, is_literal=value != "*"))

    return tuple(islice(make(), MAX_VALUES))
