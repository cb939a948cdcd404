"""``keep`` protects a record from being overwritten by routine records, ``unkeep`` ends that."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..errors import TrackingError
from ..runtime.text import visible
from .common import find_id, get_record, get_store, id_command, reports_errors
from .render import render_line


@id_command()
@click.argument("record_id", metavar="ID")
@click.option("--reason", default="asked for", show_default=True, help="Why it is kept.")
@with_appcontext
@reports_errors
def keep(record_id: str, reason: str) -> None:
    """Keep a record: routine records will not overwrite it."""
    store = get_store()
    wanted = find_id(store, record_id)
    record = get_record(store, wanted)
    if record.kept:
        click.echo(f"Already kept ({visible(record.kept_reason or '-')}): {render_line(record)}")
        return
    store.keep(wanted, reason)
    # It may have been overwritten in the meantime.
    click.echo(f"Kept ({visible(reason)}): {render_line(get_record(store, wanted))}")


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
