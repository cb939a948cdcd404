"""``spool``: the records and rollups that wait on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timezone, tzinfo
from enum import Enum
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from flask.cli import AppGroup, with_appcontext

from ..errors import ExportError, NoDatabaseError, TrackingError
from ..runtime.sizes import format_size
from ..runtime.text import count_of, visible
from ..spool import SET_ASIDE, HeldFile, Spool, SpoolError, SpoolFile, decode_record, open_rollup_spool
from .common import get_current, get_exporter, get_spool, reports_errors
from .json_output import render_values, takes_json
from .terminal import ask, bar_width, say, terminal_width
from .text_table import Column, render_columns, show_time, takes_zone

if TYPE_CHECKING:
    from ..pipeline.spool_retry import SpoolRetry, Totals

LEAST_FILE, LEAST_STATE = 16, 9
"""The minimum widths of columns, in cells."""

spool = AppGroup("spool", help="Inspect and send records that wait on disk.")


class _Place(NamedTuple):
    """A file, and the folder in which it is."""

    spool: Spool
    file: SpoolFile
    folder: str
    has_rollups: bool
    """True if its entries are rollups, and not records."""

    @property
    def kind(self) -> str:
        """The kind of its entries."""
        return "rollups" if self.has_rollups else self.file.kind.value

    @property
    def state(self) -> str:
        """Its state, if it is not an ordinary file."""
        if self.folder:
            return "set aside"
        return "being written, or left by a killed process" if self.file.is_partial else ""

    def amount_of(self, entries: int) -> _Amount:
        """Return a number of its entries as what they are."""
        return _Amount(0, entries) if self.has_rollups else _Amount(entries, 0)

    @property
    def amount(self) -> _Amount:
        """The number of entries in its name."""
        return self.amount_of(self.file.entry_count)


class _Amount(NamedTuple):
    """Numbers of records and of rollups."""

    records: int = 0
    rollups: int = 0

    def plus(self, other: _Amount) -> _Amount:
        """Return the sum."""
        return _Amount(self.records + other.records, self.rollups + other.rollups)

    def __str__(self) -> str:
        """Name both, but rollups only if there are any."""
        records = count_of(self.records, "record")
        return f"{records} and {count_of(self.rollups, 'rollup')}" if self.rollups else records


@spool.command("list")
@takes_zone
@takes_json("an object for each file, one per line")
@with_appcontext
@reports_errors
def list_files(as_json: bool, utc: bool) -> None:
    """List the files of the spool, the oldest first.

    Files that flask-tracking did not write, or a newer version of it, are left alone and listed last.
    """
    found = get_spool()
    places = list(_read_places(found))
    if as_json:
        for place in places:
            click.echo(render_values(_to_values(place)))
        return
    say(_summarize(found, places))
    if places:
        click.echo(_render(places, timezone.utc if utc else None))
    for name in _list_foreign(found):
        say(f"{visible(name)}: not of this version, left alone", fg="yellow")


def _to_values(place: _Place) -> dict[str, Any]:
    return {
        "name": place.file.name,
        "written": _read_time(place.file),
        "kind": place.kind,
        **place.amount._asdict(),
        "state": place.state or "waiting",
    }


def _read_places(found: Spool) -> Iterator[_Place]:
    for one, has_rollups in ((found, False), (open_rollup_spool(found), True)):
        yield from (_Place(one, file, "", has_rollups) for file in one.waiting())
        yield from (_Place(one, file, SET_ASIDE, has_rollups) for file in one.set_aside())


def _list_foreign(found: Spool) -> list[str]:
    return [*found.foreign(), *open_rollup_spool(found).foreign()]


def _summarize(found: Spool, places: Sequence[_Place]) -> str:
    waiting = [place for place in places if not place.folder]
    amount = _sum_up(place.amount for place in waiting)
    used, limit = format_size(found.size()), format_size(get_current().settings.spool_bytes)
    return (
        f"Waiting: {amount} in {count_of(len(waiting), 'file')}. "
        f"{used} of {limit} are used in {visible(found.path)}"
    )


def _sum_up(amounts: Iterable[_Amount]) -> _Amount:
    return reduce(_Amount.plus, amounts, _Amount())


def _render(places: Sequence[_Place], zone: tzinfo | None) -> str:
    return render_columns(
        [
            Column("WRITTEN", [show_time(_read_time(place.file), zone) for place in places], rank=2),
            Column("KIND", [place.kind for place in places], rank=1),
            Column("RECORDS", [_show_records(place) for place in places], is_number=True),
            Column("FILE", [place.file.name for place in places], least=LEAST_FILE),
            Column("STATE", [place.state for place in places], least=LEAST_STATE),
        ],
        terminal_width(),
    )


def _show_records(place: _Place) -> str:
    return "" if place.has_rollups else f"{place.file.entry_count:,}"


def _read_time(file: SpoolFile) -> datetime:
    return datetime.fromtimestamp(file.written_ms / 1000, timezone.utc)


class _Verdict(NamedTuple):
    """What was found in a file."""

    place: _Place
    intact: int | None = None
    """How many of its entries are; None where it could not be read."""
    is_whole: bool = True
    """False if there is anything else in it."""
    error: str = ""
    """Why it could not be read."""

    @property
    def is_damaged(self) -> bool:
        """Whether entries are missing, something else is there, or it cannot be read."""
        is_short = self.intact is not None and self.place.file.count_missing(self.intact) > 0
        return bool(self.error) or is_short or not self.is_whole

    @property
    def is_away(self) -> bool:
        """Whether another process sends it, or has sent it meanwhile."""
        return self.intact is None and not self.error

    @property
    def state(self) -> str:
        """All of it in a word."""
        if self.error:
            return "unreadable"
        return "in use" if self.is_away else "damaged" if self.is_damaged else "intact"


@spool.command()
@takes_json("an object for each file, one per line")
@with_appcontext
@reports_errors
def verify(as_json: bool) -> None:
    """Read all files and check every record and rollup; change nothing.

    The exit status is 1 if something is damaged or cannot be read.
    """
    found, verdicts = get_spool(), []
    for verdict in map(_verify, _read_places(found)):
        verdicts.append(verdict)
        if as_json:
            click.echo(render_values(_verdict_to_values(verdict)))
        elif verdict.state != "intact":
            say(_describe(verdict), fg="red" if verdict.is_damaged else None)
    if not as_json:
        _say_verified(verdicts, _list_foreign(found))
    if any(verdict.is_damaged for verdict in verdicts):
        raise SystemExit(1)


def _say_verified(verdicts: Sequence[_Verdict], foreign: Sequence[str]) -> None:
    """Print the sums, also of what was not checked."""
    intact = _sum_up(one.place.amount_of(one.intact or 0) for one in verdicts)
    damaged = sum(one.is_damaged for one in verdicts)
    files = f"{count_of(damaged, 'file')} {_be(damaged == 1)} damaged"
    say(f"{intact} {_be(intact == (1, 0))} intact, {files}.")
    away = [one.place for one in verdicts if one.is_away]
    if away:
        amount = _sum_up(place.amount for place in away)
        say(f"Not checked, because in use or gone: {count_of(len(away), 'file')} with {amount}")
    if foreign:
        say(f"Not checked, because foreign or of another version: {count_of(len(foreign), 'file')}")


def _be(is_one: bool) -> str:
    return "is" if is_one else "are"


def _verify(place: _Place) -> _Verdict:
    try:
        with place.spool.hold(place.file, place.folder) as held:
            return _Verdict(place) if held is None else _verify_held(place, held)
    except SpoolError as error:
        return _Verdict(place, error=str(error))


def _verify_held(place: _Place, held: HeldFile) -> _Verdict:
    from ..pipeline.rollup_spool import decode_rollup  # it imports the way to the store

    decode: Callable[[bytes], object] = decode_rollup if place.has_rollups else decode_record
    contents = held.read()
    intact = sum(decode(entry) is not None for entry in contents.entries)
    return _Verdict(place, intact, contents.is_whole)


def _describe(verdict: _Verdict) -> str:
    file = verdict.place.file
    if verdict.error:
        return f"{file.name}: {visible(verdict.error)}"
    if verdict.is_away:
        return f"{file.name}: in use, or gone"
    noun = "rollup" if verdict.place.has_rollups else "record"
    what = f"{verdict.intact:,} of {count_of(file.entry_count, noun)} intact"
    is_short = file.count_missing(verdict.intact or 0) > 0
    return f"{file.name}: {what}{'' if is_short else ', beside something that is not ours'}"


def _verdict_to_values(verdict: _Verdict) -> dict[str, Any]:
    values = {**_to_values(verdict.place), "place": verdict.place.folder or "waiting"}
    return {**values, "state": verdict.state, "intact": verdict.intact, "error": verdict.error or None}


@spool.command()
@with_appcontext
@reports_errors
def retry() -> None:
    """Send all files now, those set aside too if they are not damaged.

    Running processes send what waits by themselves. Two that send the same file do no harm. The exit
    status is 1 if anything is lost, or a file cannot be read or sent.
    """
    from ..pipeline.spool_retry import SpoolRetry  # it imports the way to the store

    exporter, found = get_exporter(), get_spool()
    if not exporter.outlives_process:
        name = type(exporter).__name__
        raise TrackingError(f"{name} loses its records with the process, so spooled ones are not sent.")
    exporter.open()
    sender = SpoolRetry(get_current().settings, exporter, found)
    places = list(_read_places(found))
    sent = [place for place in places if sender.takes_rollups or not place.has_rollups]
    fates: Counter[_Fate] = Counter()
    try:
        with click.progressbar(sent, label="Sending", width=bar_width()) as bar:
            fates.update(_send(place, sender) for place in bar)
    except (ExportError, NoDatabaseError) as error:
        sender.finish(is_away=True)
        _say_lost(sender.totals)
        done = _Amount(sender.totals.records, sender.totals.rollups)
        raise TrackingError(f"Stopped after {done}: {error}") from None
    sender.finish(is_away=False)
    _report(sender.totals, fates, len(places) - len(sent))


class _Fate(Enum):
    """What became of a file, and why it stays."""

    SENT = ""
    """Removed, or set aside if it is damaged."""
    IN_USE = "in use, or gone"
    OLD = "set aside before, because of damage; what is intact in them is stored"
    REFUSED = "refused by the exporter"
    UNREADABLE = "unreadable"


FAULTS = (_Fate.REFUSED, _Fate.UNREADABLE)


def _send(place: _Place, sender: SpoolRetry) -> _Fate:
    try:
        with place.spool.hold(place.file, place.folder) as held:
            if held is None:
                return _Fate.IN_USE
            if place.folder and _verify_held(place, held).is_damaged:
                return _Fate.OLD
            is_sent = sender.send_rollups(held) if place.has_rollups else sender.send_records(held)
            return _Fate.SENT if is_sent else _Fate.REFUSED
    except SpoolError as error:
        say(visible(f"{place.file.name}: {error}"), fg="red", err=True)
        return _Fate.UNREADABLE


def _report(totals: Totals, fates: Counter[_Fate], stays: int) -> None:
    """Say what became of all files, and end with status 1 if anything is wrong."""
    say(f"Sent: {_Amount(totals.records, totals.rollups)}.")
    if stays:
        days = get_current().settings.rollup_days
        why = "because the exporter stores none" if days else "while TRACKING_ROLLUP_DAYS is 0"
        say(f"{count_of(stays, 'file')} of rollups: left there {why}")
    for fate in _Fate:
        if fate is not _Fate.SENT and fates[fate]:
            say(f"{count_of(fates[fate], 'file')}: {fate.value}", fg="yellow")
    if _say_lost(totals) or any(fates[fate] for fate in FAULTS):
        raise SystemExit(1)


def _say_lost(totals: Totals) -> bool:
    """Say what was lost; return whether anything was."""
    damaged = _Amount(totals.damaged_records, totals.damaged_rollups)
    if any(damaged):
        say(f"Lost by damage: {damaged}. Damaged files are set aside.", fg="red", err=True)
    if totals.rejected:
        say(f"Rejected by the store: {count_of(totals.rejected, 'record')}", fg="red", err=True)
    return any(damaged) or totals.rejected > 0


@spool.command()
@click.option("--yes", is_flag=True, help="Do not ask before files are deleted.")
@with_appcontext
@reports_errors
def discard(yes: bool) -> None:
    """Delete damaged files that were set aside.

    What is intact in them is stored already. Undamaged files that were set aside stay: `retry` sends
    them.
    """
    aside = [place for place in _read_places(get_spool()) if place.folder]
    damaged = [one.place for one in map(_verify, aside) if one.is_damaged and not one.error]
    if damaged and not yes:
        ask(f"Delete {count_of(len(damaged), 'damaged file')}?")
    discarded = sum(map(_discard, damaged))
    say(f"Deleted: {count_of(discarded, 'file')}")


def _discard(place: _Place) -> bool:
    with place.spool.hold(place.file, place.folder) as held:
        if held is not None:
            held.remove()
    return held is not None


COMMANDS = (spool,)
