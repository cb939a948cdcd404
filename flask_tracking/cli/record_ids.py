"""Arguments that take ids, and the ids that a shell proposes for them: those of the newest records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..exporters.store import Store
from ..filters import Filter
from ..queries.newest import read_newest
from ..record_summary import RecordSummary
from .filtering import complete_words
from .proposals import ask_briefly
from .record_table import render_line

__all__ = ["takes_id", "takes_ids", "takes_ids_or_filter"]

MAX_PROPOSED = 20
KEPT = Filter.parse("is:kept")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def takes_id(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument ID; the command gets it as ``record_id``."""
    return click.argument("record_id", metavar="ID", shell_complete=_complete_id)(command)


def takes_ids(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument ID... of kept records; the command gets it as ``ids``."""
    add = click.argument("ids", metavar="ID...", nargs=-1, required=True, shell_complete=_complete_kept)
    return add(command)


def takes_ids_or_filter(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument ID...|FILTER; the command gets it as ``words``."""
    add = click.argument(
        "words", metavar="ID...|FILTER", nargs=-1, required=True, shell_complete=_complete_id_or_word
    )
    return add(command)


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
