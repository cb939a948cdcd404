"""``keep`` protects a record from being overwritten by routine records, ``unkeep`` ends that."""

from __future__ import annotations

from collections.abc import Sequence

import click
from flask.cli import with_appcontext

from ..errors import TrackingError
from ..exporters.store import Store
from ..filters import Filter
from ..queries import find_newest
from ..record import Record
from ..runtime.text import count_of, visible
from .common import (
    find_records,
    get_record,
    get_store,
    id_command,
    reports_errors,
)
from .misses import comment
from .record_ids import takes_ids, takes_ids_or_filter
from .record_table import render_line
from .terminal import say

NOT_KEPT = Filter.parse("not is:kept")


@id_command()
@click.option("--reason", default="asked for", show_default=True, help="Why they are kept.")
@with_appcontext
@reports_errors
@takes_ids_or_filter
def keep(ids: Sequence[str], wanted: Filter | None, reason: str, limit: int) -> None:
    """Keep records: routine records will not overwrite them.

    Takes ids, or a filter with a colon, like 'path:/payments/* since:1h'; each term is an option, too.
    """
    store = get_store()
    if wanted is not None:
        _keep_all(store, wanted, reason, limit)
        return
    for record in find_records(store, ids):
        _keep_one(store, record, reason)


def _keep_one(store: Store, record: Record, reason: str) -> None:
    if record.kept:
        say(f"Already kept ({visible(record.kept_reason or '-')}): {render_line(record)}")
        return
    store.keep(record.id, reason)
    # It may have been overwritten in the meantime.
    say(f"Kept ({visible(reason)}): {render_line(get_record(store, record.id))}")


def _keep_all(store: Store, wanted: Filter, reason: str, limit: int) -> None:
    found = find_newest(store, wanted & NOT_KEPT, limit, fields="summary")
    # Some may have been overwritten in the meantime.
    kept = sum(store.keep(record.id, reason) for record in found)
    more = " More may match: use a higher --limit." if len(found) == limit else ""
    say(f"Kept ({visible(reason)}): {count_of(kept, 'record')}.{more}")
    if not found:
        _explain_none(store, wanted, limit)


def _explain_none(store: Store, wanted: Filter, limit: int) -> None:
    """Say why no record of a filter was kept: all are, or there is none."""
    if kept := find_newest(store, wanted, limit, fields="summary"):
        say(_describe_kept(len(kept), limit), err=True)
    else:
        comment(store, wanted, kept, limit, "kept")


def _describe_kept(kept: int, limit: int) -> str:
    """Say how many there are; as many as the limit may be a part of them, none of which is not kept."""
    if kept == limit:
        return "All matching records are already kept."
    verb = "is" if kept == 1 else "are"
    return f"{count_of(kept, 'matching record')} {verb} already kept."


@id_command()
@takes_ids
@with_appcontext
@reports_errors
def unkeep(ids: Sequence[str]) -> None:
    """Stop keeping records."""
    store = get_store()
    for record in find_records(store, ids):
        _unkeep_one(store, record)


def _unkeep_one(store: Store, record: Record) -> None:
    if not store.unkeep(record.id):
        raise TrackingError(f"Record {record.id} is not kept. `list --kept` shows kept records.")
    say(f"No longer kept: {render_line(record)}")
    if store.get(record.id) is None:
        say("It is deleted: newer records had overwritten all but the kept copy.")
    else:
        say("It stays until newer records overwrite it.")


COMMANDS = (keep, unkeep)
