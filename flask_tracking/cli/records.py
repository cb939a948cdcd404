"""``list`` shows one line per record, ``show`` one record in full."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from datetime import timezone
from time import monotonic

import click
from flask.cli import with_appcontext

from ..exporters.store import Store
from ..filters import Filter
from ..filters.simplify import searches_bodies
from ..filters.wildcards import Parts, contains, write_parts
from ..queries import find_newest, search_bodies
from ..record_summary import RecordSummary, summarize
from ..runtime.text import visible
from .common import find_id, get_record, get_store, id_command, reports_errors, takes_limit
from .filtering import takes_filter
from .json_output import render_json, takes_json
from .record_table import render_record, render_table
from .text_table import echo_pages, takes_zone, terminal_width


@click.command("list")
@takes_limit(20, "Maximum number of records.")
@click.option("--resume", metavar="TIME", help="Go on with a search in bodies before this time.")
@takes_zone
@takes_json
@with_appcontext
@reports_errors
@takes_filter
def list_records(wanted: Filter, limit: int, resume: str | None, utc: bool, as_json: bool) -> None:
    """List recorded requests, the newest first.

    FILTER selects records, like 'status:5xx path:/api/* since:2h'. Terms can be combined with and, or,
    not and parentheses; each term is an option, too.

    A search in bodies ends after two seconds, and prints how to go on.
    """
    store = get_store()
    if resume is not None:
        wanted &= Filter.term("until", resume)
    in_bodies = searches_bodies(wanted.condition)
    records: Sequence[RecordSummary]
    if in_bodies:
        records = _search_bodies(store, wanted, limit)
    else:
        records = find_newest(store, wanted, limit, fields="summary")
    if as_json:
        for record in records:
            click.echo(render_json(record))
    elif records:
        click.echo(render_table(records, terminal_width(), timezone.utc if utc else None))
    elif not in_bodies:
        click.echo(explain_nothing(store, wanted), err=True)


def _search_bodies(store: Store, wanted: Filter, limit: int) -> list[RecordSummary]:
    """Search in bodies, and say how many records were read."""
    began = monotonic()
    found, searched, resume = search_bodies(store, wanted, limit)
    took_s = monotonic() - began
    count = None if resume is None else store.count_records()
    of_all = f"{searched:,} records" if count is None else f"{searched:,} of about {count:,} records"
    line = f"Found {len(found):,} in the bodies of {of_all}, in {took_s:.1f} s."
    if resume is not None:
        time = resume.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{line} To search older records, add --resume {time}"
    click.echo(line, err=True)
    return list(map(summarize, found))


def explain_nothing(store: Store, wanted: Filter) -> str:
    """Say what was looked for, and what may find something."""
    if wanted == Filter.all and not store.is_shared:
        return "This app stores in the memory of its own process; other processes cannot see it."
    if wanted == Filter.all:
        return "No records are stored. `flask tracking init` shows which collections are read."
    terms = {term.key: term for term in reversed(wanted.terms())}
    hints = (_HINTS[key](terms[key].parts) for key in _HINTS if key in terms)
    hint = next(filter(None, hints), None)
    shown = visible(str(wanted))
    return f"No records match {shown}. Try {hint}." if hint else f"No records match {shown}."


def _hint_at_user(parts: Parts) -> str | None:
    return None if len(parts) > 1 else _show("user", contains(parts))


def _hint_at_path(parts: Parts) -> str | None:
    if len(parts) > 1:
        return None
    # A path alone is found with any query.
    without_query, mark, _ = parts[0].partition("?")
    return _show("path", (without_query,) if mark else (without_query, ""))


def _show(key: str, parts: Parts) -> str:
    return shlex.quote(visible(str(Filter.term(key, write_parts(parts)))))


_HINTS: dict[str, Callable[[Parts], str | None]] = {
    "user": _hint_at_user,
    "path": _hint_at_path,
    "since": lambda _: "an earlier time",
}
"""Hints for finding more, by the key of a term."""


@id_command()
@click.argument("record_id", metavar="ID")
@takes_zone
@takes_json
@with_appcontext
@reports_errors
def show(record_id: str, utc: bool, as_json: bool) -> None:
    """Show one record in full.

    ID is a full or a short id, as `list` shows them, the beginning of one, or -1 for the newest.
    """
    store = get_store()
    record = get_record(store, find_id(store, record_id))
    if as_json:
        click.echo(render_json(record, indent=2))
    else:
        echo_pages(render_record(record, timezone.utc if utc else None))


COMMANDS = (list_records, show)
