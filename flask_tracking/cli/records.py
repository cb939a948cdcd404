"""``list`` shows one line per record, ``show`` one record in full."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timezone
from time import monotonic

import click
from flask.cli import with_appcontext

from ..errors import ConfigError
from ..exporters.store import Store
from ..filters import Filter
from ..filters.simplify import searches_bodies
from ..queries import find_newest, search_bodies
from ..record_summary import RecordSummary, summarize
from .common import find_id, get_record, get_store, id_command, reports_errors, takes_limit
from .filtering import make_option_term, takes_filter
from .json_output import render_json, takes_json
from .misses import comment
from .record_ids import takes_id
from .record_table import render_record, render_table
from .terminal import echo_pages, say, terminal_width
from .text_table import takes_zone


@click.command("list")
@takes_limit(20, "Maximum number of records.")
@click.option("--resume", metavar="TIME", help="Go on with a search in bodies before this time.")
@takes_zone
@takes_json("an object for each record, one per line")
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
    in_bodies = searches_bodies(wanted.condition)
    if resume is not None:
        if not in_bodies:
            raise ConfigError(
                "--resume goes on with a search in bodies: add a term like body:needle. "
                "For other filters use --until."
            )
        wanted &= make_option_term("until", resume, "resume")
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
    if not in_bodies:
        comment(store, wanted, records, limit, "listed")


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
    say(line, err=True)
    return list(map(summarize, found))


@id_command()
@takes_id
@takes_zone
@takes_json("one object, the record")
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
        zone = timezone.utc if utc else None
        echo_pages(render_record(record, zone, terminal_width()))


COMMANDS = (list_records, show)
