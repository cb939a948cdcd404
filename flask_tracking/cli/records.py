"""``list`` shows records a line each, ``show`` one at length."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import Any

import click
from flask.cli import with_appcontext

from ..filters import Filter
from ..queries import find_newest
from .common import find_reader, get_record, read_id, reports_errors
from .render import render_record, render_table

MAX_LIMIT = 10_000


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that make a `Filter`: its keys, each with its value as text."""
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
            ("path", "PATH", "The whole path; * stands for any characters: '/orders/*'."),
            ("slower-than", "TIME", "Took at least so long: 200ms or 1.5s."),
            ("user", "USER", "The user's id or name."),
        ]
    ):
        parameter = name.replace("-", "_")
        command = click.option(f"--{name}", parameter, metavar=metavar, help=text)(command)
    return command


@click.command("list")
@filter_options
@click.option("--kept", "is_kept", is_flag=True, help="Only those that are kept.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, MAX_LIMIT), help="How many."
)
@with_appcontext
@reports_errors
def list_records(limit: int, is_kept: bool, **options: str | None) -> None:
    """List recorded requests, the newest first."""
    texts = {name.replace("_", "-"): text for name, text in options.items()}
    wanted = Filter.from_options({**texts, "kept": "yes" if is_kept else None})
    records = find_newest(find_reader(), wanted, limit)
    if not records:
        click.echo("No record is like that.", err=True)
        return
    # Into a pipe everything is written whole: whoever reads it there has no columns.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(render_table(records, width))


@click.command()
@click.argument("record_id", metavar="ID")
@with_appcontext
@reports_errors
def show(record_id: str) -> None:
    """Show one record at length."""
    record = get_record(find_reader(), read_id(record_id))
    click.echo(render_record(record))


COMMANDS = (list_records, show)
