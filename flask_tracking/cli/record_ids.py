"""Arguments that take ids, and the ids that a shell proposes for them: those of the newest records."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from ..errors import ConfigError
from ..exporters.store import Store
from ..filters import Filter
from ..queries.newest import read_newest
from ..record_summary import RecordSummary
from .common import is_filter, is_id, make_id_error, takes_limit
from .filtering import add_filter_options, complete_words, join_filters, pop_option_filters
from .proposals import ask_briefly
from .record_table import render_line

__all__ = ["takes_id", "takes_ids", "takes_ids_or_filter"]

MAX_PROPOSED = 20
_AGE = re.compile(r"-[0-9]+")
"""What begins like an option, but says how many records are newer."""
KEPT = Filter.parse("is:kept")

_IDS_OR_FILTER = "ID...|FILTER"
_LIMIT = takes_limit(100, "Maximum number of records of a filter, the newest ones.")

T = TypeVar("T", str, tuple[str, ...])


def takes_id(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument ID; the command gets it as ``record_id``."""
    add = click.argument(
        "record_id", metavar="ID", shell_complete=_complete_id, callback=_refuse_options
    )
    return add(command)


def takes_ids(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument ID... of kept records; the command gets it as ``ids``."""
    add = click.argument(
        "ids",
        metavar="ID...",
        nargs=-1,
        required=True,
        shell_complete=_complete_kept,
        callback=_refuse_options,
    )
    return add(command)


def takes_ids_or_filter(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument ID...|FILTER, the options of a filter, and ``--limit``.

    The command gets ``ids``, the `Filter` ``wanted``, which is None if there are ids, and ``limit``,
    which bounds the records of a filter.
    """

    @functools.wraps(command)
    def with_ids_or_filter(*args: Any, words: tuple[str, ...], **values: Any) -> Any:
        filters = pop_option_filters(values)
        if filters or is_filter(words):
            _refuse_ids(words)
            return command(*args, ids=(), wanted=join_filters(words, filters), **values)
        if not words:
            raise click.MissingParameter(param_hint=f"'{_IDS_OR_FILTER}'", param_type="argument")
        for word in itertools.filterfalse(is_id, words):
            raise make_id_error(word, " A filter needs a colon, like user:ada.")
        return command(*args, ids=words, wanted=None, **values)

    add = click.argument(
        "words",
        metavar=_IDS_OR_FILTER,
        nargs=-1,
        shell_complete=_complete_id_or_word,
        callback=_refuse_options,
    )
    return add(_LIMIT(add_filter_options(with_ids_or_filter)))


def _refuse_ids(words: Iterable[str]) -> None:
    for word in filter(is_id, words):
        raise ConfigError(
            f"{word} is an id, and the rest is a filter: give either. "
            "If it is a word of the filter, quote the whole filter."
        )


def _refuse_options(context: click.Context, _: click.Parameter, value: T) -> T:
    """Refuse an option that the command does not have: Click takes it for an id, as it does ``-1``."""
    for word in (value,) if isinstance(value, str) else value:
        if word.startswith("-") and not _AGE.fullmatch(word):
            from difflib import get_close_matches  # only who makes a mistake needs it

            name = word.partition("=")[0]
            known = [one for parameter in context.command.params for one in parameter.opts]
            similar = get_close_matches(name, known)
            raise click.NoSuchOption(name, possibilities=similar, ctx=context)
    return value


def _complete_id(
    context: click.Context, _: click.Parameter, incomplete: str, wanted: Filter = Filter.all
) -> list[CompletionItem]:
    def read(store: Store) -> Iterator[RecordSummary]:
        return read_newest(store, wanted, MAX_PROPOSED, fields="summary")

    found = ask_briefly(context, read)
    return list(_propose(found, incomplete))


def _propose(found: list[RecordSummary], incomplete: str) -> Iterator[CompletionItem]:
    for one in found:
        if str(one.id).startswith(incomplete.lower()):
            yield CompletionItem(str(one.id), help=render_line(one))


def _complete_kept(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return _complete_id(context, parameter, incomplete, KEPT)


def _complete_id_or_word(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    words = map(CompletionItem, complete_words(context, parameter, incomplete))
    return [*_complete_id(context, parameter, incomplete), *words]
