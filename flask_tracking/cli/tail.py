"""``tail`` prints records as they are stored, until Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta, timezone
from time import monotonic, sleep
from typing import Any, NamedTuple

import click
from flask.cli import with_appcontext

from ..errors import ExportError
from ..exporters.store import Store
from ..filters import Filter
from ..record_summary import RecordSummary
from ..runtime.durations import format_duration
from ..runtime.text import count_of, visible
from .common import get_store, reports_errors
from .filtering import takes_filter
from .json_output import render_json, takes_json
from .record_table import has_failed, render_line, render_row
from .terminal import say, terminal_width
from .text_table import takes_zone

POLL_S = 0.2
"""The pause between two queries, each an indexed range of the last seconds."""
RETRY_S = 1.0
"""The pause after the store could not be reached."""
BATCH = 2000


class Totals(NamedTuple):
    """Counts of what was printed."""

    records: int = 0
    failures: int = 0
    slowest: RecordSummary | None = None

    def add(self, record: RecordSummary) -> Totals:
        """Return the totals with one more record."""
        slowest = max(filter(None, (self.slowest, record)), key=lambda one: one.execution_time or 0.0)
        return Totals(self.records + 1, self.failures + has_failed(record), slowest)


@click.command()
@takes_zone
@takes_json("an object for each record, one per line")
@with_appcontext
@reports_errors
@takes_filter
def tail(wanted: Filter, utc: bool, as_json: bool) -> None:
    """Print records as they are stored, until Ctrl-C.

    FILTER selects records, as for `list`. Records appear when they are stored, also those of requests
    that began long ago. While the database is away, it is asked again every second.
    """
    store = get_store()
    position = store.tail(wanted).position
    say("Waiting for records. Press Ctrl-C to stop.", err=True)
    totals, began = Totals(), monotonic()
    try:
        for record in follow(store, wanted, position):
            row = render_row(record, terminal_width(), timezone.utc if utc else None)
            # Counted first: Ctrl-C may follow as soon as it is seen.
            totals = totals.add(record)
            click.echo(render_json(record) if as_json else row)
    except KeyboardInterrupt:
        say(f"\n{_describe(totals, timedelta(seconds=monotonic() - began))}", err=True)


def follow(store: Store, wanted: Filter, position: Any) -> Iterator[RecordSummary]:
    """Yield records stored after a position, without end; ask again if the store does not answer."""
    is_away = False
    while True:
        try:
            records, position = store.tail(wanted, position, limit=BATCH)
        except ExportError as error:
            if not is_away:
                say(visible(f"{error}. Trying again every second."), fg="yellow", err=True)
            is_away = True
            sleep(RETRY_S)
            continue
        if is_away:
            say("The store answers again.", err=True)
        is_away = False
        yield from records
        if len(records) < BATCH:
            sleep(POLL_S)


def _describe(totals: Totals, took: timedelta) -> str:
    line = (
        f"{count_of(totals.records, 'record')} in {format_duration(took)}, {totals.failures:,} failed."
    )
    if totals.slowest is None or totals.slowest.execution_time is None:
        return line
    return (
        f"{line} The slowest took {totals.slowest.execution_time:,.1f} ms: "
        f"{render_line(totals.slowest)}"
    )


COMMANDS = (tail,)
