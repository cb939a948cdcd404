"""``scrub`` applies the current redaction to stored records."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from ..errors import TrackingError
from ..exporters.store import Rewritten
from ..record import Record
from ..runtime.text import count_of, visible
from ..spool import SET_ASIDE, HeldFile, decode_record, encode_record, open_spool
from .common import get_current, get_store, reports_errors
from .redaction import make_current_stored_redactor
from .terminal import bar_width, say, terminal_width
from .text_table import Column, render_columns

if TYPE_CHECKING:
    from ..redaction.redactor import Redactor

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Change nothing, and print the same counts.")
@with_appcontext
@reports_errors
def scrub(dry_run: bool) -> None:
    """Redact stored records with the current names and formats.

    Spooled records are included. Records already redacted with them are skipped. Restart the app with
    the new settings first; until then it keeps storing with the old ones. Safe to interrupt and repeat.
    """
    if not get_current().settings.redact:
        raise TrackingError("TRACKING_REDACT is False, so there are no rules to apply. Set it to True.")
    redactor = make_current_stored_redactor()
    store = get_store()
    # The spool first: what is sent from there meanwhile is met again in the store.
    steps = itertools.chain(
        _rewrite_spool(redactor, is_dry_run=dry_run),
        store.rewrite(redactor.redact, redactor.version, is_dry_run=dry_run),
    )
    done: dict[str, Rewritten] = {}
    try:
        _follow(steps, done)
    except KeyboardInterrupt:
        say("\nInterrupted. Run the command again to continue.", err=True)
        raise SystemExit(INTERRUPTED) from None
    else:
        if not done:
            say("Nothing is stored.")
    finally:
        if done:
            _report(list(done.values()), is_dry_run=dry_run)
    if any(one.left for one in done.values()):
        # A script may take it that no secret is stored.
        click.get_current_context().exit(1)


def _rewrite_spool(redactor: Redactor, *, is_dry_run: bool) -> Iterator[Rewritten]:
    """Rewrite the files of the spool, if there is one, and say after each what was done."""
    tracked = get_current()
    spool = open_spool(tracked.settings, tracked.name)
    if spool is None:
        return
    files = [(file, "") for file in spool.waiting()]
    files += [(file, SET_ASIDE) for file in spool.set_aside()]
    done = Rewritten("spool", sum(file.entry_count for file, _ in files))
    for file, folder in files:
        with spool.hold(file, folder) as held:
            if held is not None:
                done = _rewrite_file(held, redactor, done, is_dry_run=is_dry_run)
        yield done


def _rewrite_file(
    held: HeldFile, redactor: Redactor, done: Rewritten, *, is_dry_run: bool
) -> Rewritten:
    contents = held.read()
    records = [decode_record(entry) for entry in contents.entries]
    known = [record for record in records if record is not None]
    if not contents.is_whole or len(known) < held.file.entry_count:
        # It cannot be written without what is damaged in it.
        return done._replace(left=done.left + held.file.entry_count)
    old = [record for record in known if record.redaction_version != redactor.version]
    new = {record.id: record for record in redactor.redact(old)}
    entries = [encode_record(new.get(record.id, record)) for record in known]
    if new and not is_dry_run:
        held.replace([entry for entry in entries if entry is not None])
    return done._replace(
        current=done.current + len(known) - len(old),
        looked_at=done.looked_at + len(old),
        changed=done.changed + sum(_is_changed(record, new[record.id]) for record in old),
    )


def _is_changed(before: Record, after: Record) -> bool:
    return dataclasses.replace(after, redaction_version=before.redaction_version) != before


def _follow(steps: Iterator[Rewritten], done: dict[str, Rewritten]) -> None:
    """Show a progress bar for each collection, and store its latest counts in `done`."""
    step = next(steps, None)
    while step is not None:
        name, seen = step.name, 0
        with click.progressbar(length=step.stored, label=visible(name), width=bar_width()) as bar:
            while step is not None and step.name == name:
                done[name] = step
                reached = step.looked_at + step.current
                bar.update(reached - seen)
                seen = reached
                step = next(steps, None)
            # The length is an estimate: records come and go meanwhile.
            bar.update(max(0, done[name].stored - seen))


def _report(done: list[Rewritten], *, is_dry_run: bool) -> None:
    columns = [
        Column("", [visible(one.name) for one in done]),
        Column("LOOKED AT", [f"{one.looked_at:,}" for one in done], is_number=True),
        Column("CHANGED", [f"{one.changed:,}" for one in done], is_number=True),
        Column("ALREADY CURRENT", [f"{one.current:,}" for one in done], is_number=True, rank=1),
    ]
    click.echo(render_columns(columns, terminal_width()))
    left = sum(one.left for one in done)
    if left:
        say(
            f"{count_of(left, 'record')} could not be read or written, or kept changing: "
            "secrets may be left there. Run the command again.",
            fg="yellow",
        )
    if is_dry_run:
        say("Dry run: nothing was changed.")


COMMANDS = (scrub,)
