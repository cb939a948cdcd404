"""``list`` shows one line per record, ``show`` one record in full."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

import click
from flask.cli import with_appcontext

from ..filters import Filter, is_pattern
from ..queries import find_newest
from ..runtime.text import visible
from .columns import terminal_width
from .common import find_id, get_record, get_store, reports_errors
from .render import render_record, render_table

MAX_LIMIT = 10_000


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a `Filter`, one for each of its keys, with values as text."""
    for name, metavar, text in reversed(
        [
            (
                "since",
                "TIME",
                "Arrived at this time or later: 2026-11-24T12:00 (UTC), or 90s, 15m, 2h.",
            ),
            ("until", "TIME", "Arrived before this time."),
            ("status", "CODE", "A status code like 404, or a class like 5xx."),
            ("method", "METHOD", "An HTTP method."),
            (
                "path",
                "PATH",
                "The full path, or path?query; * matches any characters: '/orders/*'.",
            ),
            ("slower-than", "TIME", "Took at least this long: 200ms or 1.5s."),
            (
                "user",
                "USER",
                "The user's id or text, with or without <User ...>; * matches any characters.",
            ),
        ]
    ):
        parameter = name.replace("-", "_")
        command = click.option(f"--{name}", parameter, metavar=metavar, help=text)(command)
    return command


@click.command("list")
@filter_options
@click.option("--kept", "is_kept", is_flag=True, help="Only kept records.")
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, MAX_LIMIT),
    help="Maximum number of records.",
)
@with_appcontext
@reports_errors
def list_records(limit: int, is_kept: bool, **options: str | None) -> None:
    """List recorded requests, the newest first."""
    texts = {name.replace("_", "-"): text for name, text in options.items()}
    wanted = Filter.from_options({**texts, "kept": "yes" if is_kept else None})
    records = find_newest(get_store(), wanted, limit, fields="summary")
    if not records:
        click.echo(explain_nothing(texts, is_kept), err=True)
        return
    click.echo(render_table(records, terminal_width()))


def explain_nothing(texts: Mapping[str, str | None], is_kept: bool) -> str:
    """Return a message that names the filter, with a hint that may find records."""
    given = {name: text for name, text in texts.items() if text is not None}
    options = [f"--{name} {shlex.quote(visible(text))}" for name, text in given.items()]
    options += ["--kept"] if is_kept else []
    if not options:
        return "No records are stored. `flask tracking init` shows which collections are read."
    wanted = " ".join(options)
    hint = next((hint for name in _HINTS if (hint := _HINTS[name](given.get(name)))), None)
    return f"No records match {wanted}. Try {hint}." if hint else f"No records match {wanted}."


def _hint_at_user(user: str | None) -> str | None:
    if not user or is_pattern(user):
        return None
    return f"--user {shlex.quote(f'*{visible(user)}*')}"


def _hint_at_path(path: str | None) -> str | None:
    if path is None or is_pattern(path):
        return None
    without_query, mark, _ = path.partition("?")
    # A path without a query string matches any query string.
    return f"--path {shlex.quote(visible(without_query) + ('' if mark else '*'))}"


def _hint_at_time(since: str | None) -> str | None:
    return "an earlier --since" if since else None


_HINTS = {"user": _hint_at_user, "path": _hint_at_path, "since": _hint_at_time}
"""Hints that may find more records, by option."""


@click.command()
@click.argument("record_id", metavar="ID")
@with_appcontext
@reports_errors
def show(record_id: str) -> None:
    """Show one record in full.

    ID is a full or short id from `list`.
    """
    store = get_store()
    click.echo(render_record(get_record(store, find_id(store, record_id))))


COMMANDS = (list_records, show)
