"""The filter of a command: an argument in the grammar of filters, and an option for each term."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import click

from ..errors import FilterError
from ..filters import Filter
from ..filters.completion import complete
from ..filters.terms import TERMS, TermType
from ..runtime.text import suggest
from .common import get_current
from .proposals import find_values

__all__ = [
    "add_filter_options",
    "complete_words",
    "get_saved_filter",
    "join_filters",
    "make_option_term",
    "pop_option_filters",
    "takes_filter",
]

_OPTIONS = {f"term_{key}": row for key, row in TERMS.items() if not key.endswith(".")}
"""The rows that have an option, by the name of its parameter."""


def takes_filter(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument FILTER, an option for each term, and ``--saved``.

    The command gets them as the `Filter` ``wanted``; all of them must match.
    """

    @functools.wraps(command)
    def with_filter(*args: Any, words: tuple[str, ...], **values: Any) -> Any:
        wanted = join_filters(words, pop_option_filters(values))
        return command(*args, wanted=wanted, **values)

    return _WORDS(add_filter_options(with_filter))


def add_filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each term, ``--kept`` and ``--saved``; `pop_option_filters` reads them."""
    options = [_make_option(name, row) for name, row in reversed(_OPTIONS.items())]
    # The last one that is added is the first in the help.
    additions: list[Callable[[Any], Any]] = [_SAVED, _KEPT, *options]
    return functools.reduce(lambda decorated, add: add(decorated), additions, command)


def pop_option_filters(values: dict[str, Any]) -> list[Filter]:
    """Take what the options of a filter were given out of the values of a command.

    Raises:
        FilterError: a value is invalid, or there is no saved filter of that name.
    """
    filters = list(map(get_saved_filter, values.pop("saved")))
    for name, row in _OPTIONS.items():
        filters += [make_option_term(row.key, text) for text in values.pop(name)]
    if values.pop("is_kept"):
        filters.append(Filter.term("is", "kept"))
    return filters


def join_filters(words: Iterable[str], filters: Iterable[Filter]) -> Filter:
    """Return the filter that the words are, and those of the options, all of which must match.

    Raises:
        FilterError: the words are no filter.
    """
    return functools.reduce(Filter.__and__, filters, Filter.parse(" ".join(words)))


def make_option_term(key: str, text: str, option: str | None = None) -> Filter:
    """Return the filter of a term that an option has given.

    Args:
        key: of the term.
        text: its value.
        option: the name of the option, without dashes; by default the key.

    Raises:
        FilterError: the value is invalid; the message names the option.
    """
    try:
        return Filter.term(key, text)
    except FilterError as error:
        raise FilterError(f"--{option or key}: {error}") from None


def get_saved_filter(name: str) -> Filter:
    """Return a filter of ``TRACKING_FILTERS``.

    Raises:
        FilterError: there is none of that name.
    """
    filters = dict(get_current().settings.filters)
    if name not in filters:
        known = ", ".join(filters) or "none"
        hint = suggest(name, list(filters))
        raise FilterError(f"Unknown filter {name!r}.{hint} Saved in TRACKING_FILTERS: {known}.")
    return filters[name]


def _make_option(name: str, row: TermType) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    examples = ", ".join(row.examples)
    return click.option(
        f"--{row.key}",
        name,
        metavar=row.value,
        multiple=True,
        shell_complete=functools.partial(_complete_value, row),
        help=f"Records {row.meaning}: {examples}.".replace("`", ""),
    )


def _complete_value(
    row: TermType, context: click.Context, _: click.Parameter, incomplete: str
) -> list[str]:
    values = row.choices or find_values(context, row.key)
    return [value for value in values if value.casefold().startswith(incomplete.casefold())]


def complete_words(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return what the words of a filter may become."""
    return complete(incomplete, functools.partial(find_values, context))


def _complete_saved(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in find_values(context, "saved") if name.startswith(incomplete)]


_SAVED = click.option(
    "--saved",
    metavar="NAME",
    multiple=True,
    shell_complete=_complete_saved,
    help="A filter of the setting TRACKING_FILTERS.",
)
_KEPT = click.option("--kept", "is_kept", is_flag=True, help="The same as --is kept.")
_WORDS = click.argument("words", metavar="[FILTER]...", nargs=-1, shell_complete=complete_words)
