"""``scrub`` applies the current redaction to stored records."""

from __future__ import annotations

from collections.abc import Iterator

import click
from flask.cli import with_appcontext

from ..errors import TrackingError
from ..exporters.store import Rewritten
from ..runtime.text import visible
from .columns import Column, render_columns
from .common import get_current, get_store, reports_errors
from .redaction import make_current_stored_redactor

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Change nothing, and print the same counts.")
@with_appcontext
@reports_errors
def scrub(dry_run: bool) -> None:
    """Redact stored records with the current names and formats.

    Records already redacted with them are skipped. Restart the app with the new settings first; until
    then it keeps storing with the old ones. Safe to interrupt and repeat.
    """
    if not get_current().settings.redact:
        raise TrackingError("TRACKING_REDACT is False, so there are no rules to apply. Set it to True.")
    redactor = make_current_stored_redactor()
    steps = get_store().rewrite(redactor.redact, redactor.version, is_dry_run=dry_run)
    done: dict[str, Rewritten] = {}
    try:
        _follow(steps, done)
    except KeyboardInterrupt:
        click.echo("\nInterrupted. Run the command again to continue.", err=True)
        raise SystemExit(INTERRUPTED) from None
    else:
        if not done:
            click.echo("Nothing is stored.")
    finally:
        if done:
            _report(list(done.values()), is_dry_run=dry_run)


def _follow(steps: Iterator[Rewritten], done: dict[str, Rewritten]) -> None:
    """Show a progress bar for each collection, and store its latest counts in `done`."""
    step = next(steps, None)
    while step is not None:
        name, seen = step.name, 0
        with click.progressbar(length=step.stored, label=visible(name)) as bar:
            while step is not None and step.name == name:
                done[name] = step
                count = step.looked_at + step.current
                bar.update(count - seen)
                seen = count
                step = next(steps, None)
            # The length is an estimate: records come and go meanwhile.
            bar.update(max(0, done[name].stored - seen))


def _report(done: list[Rewritten], *, is_dry_run: bool) -> None:
    columns = [
        Column("", [visible(one.name) for one in done]),
        Column("LOOKED AT", [f"{one.looked_at:,}" for one in done], is_number=True),
        Column("CHANGED", [f"{one.changed:,}" for one in done], is_number=True),
        Column("ALREADY CURRENT", [f"{one.current:,}" for one in done], is_number=True),
    ]
    click.echo(render_columns(columns))
    left = sum(one.left for one in done)
    if left:
        click.secho(
            f"{left:,} records could not be read or written, or kept changing. Run the command again.",
            fg="yellow",
        )
    if is_dry_run:
        click.echo("Dry run: nothing was changed.")


COMMANDS = (scrub,)
