"""``spool``: the records that wait on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from flask.cli import AppGroup, with_appcontext

from ..errors import TrackingError
from ..runtime.text import visible
from ..spool import SET_ASIDE, Spool, SpoolError, SpoolFile, decode_record
from .columns import Column, render_columns
from .common import get_current, get_exporter, get_spool, reports_errors
from .json_output import render_values, takes_json

if TYPE_CHECKING:
    from ..pipeline.drain import Drain

spool = AppGroup("spool", help="Inspect and send records that wait on disk.")


class _Place(NamedTuple):
    """A file, and the folder in which it is."""

    file: SpoolFile
    folder: str

    @property
    def state(self) -> str:
        """What is to be known of it besides its name."""
        if self.folder:
            return "set aside"
        return "being written, or left by a killed process" if self.file.is_partial else ""


@spool.command("list")
@takes_json
@with_appcontext
@reports_errors
def list_files(as_json: bool) -> None:
    """List the files of the spool, the oldest first.

    Files that flask-tracking did not write, or a newer version of it, are left alone and listed last.
    """
    found = get_spool()
    places = list(_read_places(found))
    if as_json:
        for place in places:
            click.echo(render_values(_to_values(place)))
        return
    click.echo(_summarize(found, places))
    if places:
        click.echo(_render(places))
    for name in found.foreign():
        click.secho(f"{visible(name)}: foreign, or of another version; left alone", fg="yellow")


def _to_values(place: _Place) -> dict[str, Any]:
    return {
        "name": place.file.name,
        "written": _read_time(place.file),
        "kind": place.file.kind.value,
        "records": place.file.entry_count,
        "state": place.state or "waiting",
    }


def _read_places(found: Spool) -> Iterator[_Place]:
    yield from (_Place(file, "") for file in found.waiting())
    yield from (_Place(file, SET_ASIDE) for file in found.set_aside())


def _summarize(found: Spool, places: Sequence[_Place]) -> str:
    waiting = [place.file for place in places if not place.folder]
    records = sum(file.entry_count for file in waiting)
    max_bytes = get_current().settings.spool_bytes
    return (
        f"{records:,} records wait in {len(waiting):,} files. {found.size():,} of {max_bytes:,} bytes "
        f"are used in {visible(found.path)}"
    )


def _render(places: Sequence[_Place]) -> str:
    return render_columns(
        [
            Column("WRITTEN", [_show_time(place.file) for place in places]),
            Column("KIND", [place.file.kind.value for place in places]),
            Column("RECORDS", [f"{place.file.entry_count:,}" for place in places], is_number=True),
            Column("FILE", [place.file.name for place in places]),
            Column("STATE", [place.state for place in places]),
        ]
    )


def _show_time(file: SpoolFile) -> str:
    return f"{_read_time(file):%Y-%m-%d %H:%M:%SZ}"


def _read_time(file: SpoolFile) -> datetime:
    return datetime.fromtimestamp(file.written_ms / 1000, timezone.utc)


@spool.command()
@with_appcontext
@reports_errors
def verify() -> None:
    """Read all files and check every record; change nothing.

    The exit status is 1 if something is damaged.
    """
    found = get_spool()
    records = damaged = 0
    for place in _read_places(found):
        intact = _count_intact(found, place)
        if intact is None:
            click.echo(f"{place.file.name}: in use, or gone")
            continue
        records += intact
        if intact < place.file.entry_count:
            damaged += 1
            click.secho(
                f"{place.file.name}: {intact:,} of {place.file.entry_count:,} records are intact",
                fg="red",
            )
    click.echo(f"{records:,} records are intact, {damaged:,} files are damaged.")
    if damaged:
        raise SystemExit(1)


def _count_intact(found: Spool, place: _Place) -> int | None:
    with found.hold(place.file, place.folder) as held:
        if held is None:
            return None
        return sum(decode_record(entry) is not None for entry in held.read().entries)


@spool.command()
@with_appcontext
@reports_errors
def retry() -> None:
    """Send all files now, those set aside too if they are not damaged.

    Running processes send what waits by themselves. Two that send the same file do no harm.
    """
    exporter, found = get_exporter(), get_spool()
    if not exporter.outlives_process:
        name = type(exporter).__name__
        raise TrackingError(f"{name} loses its records with the process, so spooled ones are not sent.")
    exporter.open()
    drain, places = _make_drain(found), list(_read_places(found))
    sent = left = 0
    with click.progressbar(places, label="Sending") as bar:
        for place in bar:
            if _send(found, place, drain):
                sent += place.file.entry_count
            elif drain.failure is not None and drain.failure.broke is None:
                raise TrackingError(f"Stopped after {sent:,} records: {drain.failure.error}")
            else:
                left += 1
    click.echo(f"Sent: {sent:,} records.")
    if left:
        click.secho(f"{left:,} files are in use, damaged, or refused by the exporter.", fg="yellow")


def _make_drain(found: Spool) -> Drain:
    from ..pipeline.counters import Counters  # it imports the way to the store
    from ..pipeline.delivery import Delivery
    from ..pipeline.drain import Drain
    from ..pipeline.spooling import SpoolWriter

    counters = Counters()
    writer = SpoolWriter(found, counters)
    delivery = Delivery(get_current().exporter, counters, lambda: None, writer)
    return Drain(found, writer, delivery)


def _send(found: Spool, place: _Place, drain: Drain) -> bool:
    with found.hold(place.file, place.folder) as held:
        if held is None or (place.folder and not held.read().is_whole):
            return False
        try:
            return bool(drain.send(held))
        except SpoolError as error:
            click.secho(visible(str(error)), fg="red", err=True)
            return False


COMMANDS = (spool,)
