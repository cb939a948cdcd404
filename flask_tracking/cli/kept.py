"""``keep`` has a record outlive routine traffic, ``forget`` takes it back."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..errors import TrackingError
from ..runtime.text import visible
from .common import find_id, find_reader, find_store, get_record, reports_errors
from .render import render_line


@click.command()
@click.argument("record_id", metavar="ID")
@click.option("--reason", default="asked for", show_default=True, help="Why, for those who read it.")
@with_appcontext
@reports_errors
def keep(record_id: str, reason: str) -> None:
    """Keep a record: routine traffic will not push it out."""
    reader, store = find_reader(), find_store()
    wanted = find_id(reader, record_id)
    record = get_record(reader, wanted)
    if record.kept:
        click.echo(f"Kept already ({visible(record.kept_reason or '-')}): {render_line(record)}")
        return
    store.keep(wanted, reason)
    # It may have made room in the meantime.
    click.echo(f"Kept ({visible(reason)}): {render_line(get_record(reader, wanted))}")


@click.command()
@click.argument("record_id", metavar="ID")
@with_appcontext
@reports_errors
def forget(record_id: str) -> None:
    """Take back that a record is kept."""
    reader, store = find_reader(), find_store()
    wanted = find_id(reader, record_id)
    record = get_record(reader, wanted)
    if not store.forget(wanted):
        raise TrackingError(f"The record {wanted} is not kept. `list --kept` shows those that are.")
    click.echo(f"Not kept any more: {render_line(record)}")
    if reader.get(wanted) is None:
        click.echo("It is gone: it had made room for newer ones, and was there only as kept.")
    else:
        click.echo("It stays until it makes room for newer ones.")


COMMANDS = (keep, forget)
