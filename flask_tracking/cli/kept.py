"""``keep`` protects a record from being overwritten by routine records, ``unkeep`` ends that."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..errors import TrackingError
from ..exporters.store import Store
from ..filters import Filter
from ..queries import find_newest
from ..runtime.text import visible
from .common import find_id, get_record, get_store, id_command, reports_errors, takes_limit
from .misses import explain_nothing
from .record_table import render_line

NOT_KEPT = Filter.parse("not is:kept")


@id_command()
@click.argument("what", metavar="ID|FILTER")
@click.option("--reason", default="asked for", show_default=True, help="Why it is kept.")
@takes_limit(100, "Maximum number of records of a filter, the newest ones.")
@with_appcontext
@reports_errors
def keep(what: str, reason: str, limit: int) -> None:
    """Keep records: routine records will not overwrite them.

    Takes the id of one record, or a filter with a colon, like 'path:/payments/* since:1h'.
    """
    store = get_store()
    if ":" in what:
        _keep_all(store, Filter.parse(what), reason, limit)
        return
    wanted = find_id(store, what)
    record = get_record(store, wanted)
    if record.kept:
        click.echo(f"Already kept ({visible(record.kept_reason or '-')}): {render_line(record)}")
        return
    store.keep(wanted, reason)
    # It may have been overwritten in the meantime.
    click.echo(f"Kept ({visible(reason)}): {render_line(get_record(store, wanted))}")


def _keep_all(store: Store, wanted: Filter, reason: str, limit: int) -> None:
    found = find_newest(store, wanted & NOT_KEPT, limit, fields="summary")
    # Some may have been overwritten in the meantime.
    count = sum(store.keep(record.id, reason) for record in found)
    more = " More may match: use a higher --limit." if len(found) == limit else ""
    noun = "record" if count == 1 else "records"
    click.echo(f"Kept ({visible(reason)}): {count:,} {noun}.{more}")
    if not found:
        kept = len(find_newest(store, wanted, limit, fields="summary"))
        click.echo(_describe_kept(kept, limit) if kept else explain_nothing(store, wanted), err=True)


def _describe_kept(kept: int, limit: int) -> str:
    if kept == 1:
        return "1 matching record is kept already."
    return f"{kept:,}{' or more' * (kept == limit)} matching records are kept already."


@id_command()
@click.argument("record_id", metavar="ID")
@with_appcontext
@reports_errors
def unkeep(record_id: str) -> None:
    """Stop keeping a record."""
    store = get_store()
    wanted = find_id(store, record_id)
    record = get_record(store, wanted)
    if not store.unkeep(wanted):
        raise TrackingError(f"Record {wanted} is not kept. `list --kept` shows kept records.")
    click.echo(f"No longer kept: {render_line(record)}")
    if store.get(wanted) is None:
        click.echo("It is deleted: newer records had overwritten all but the kept copy.")
    else:
        click.echo("It stays until newer records overwrite it.")


COMMANDS = (keep, unkeep)
