"""``export`` writes records to a file, ``import`` stores the records of a file."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TypeVar

import click
from flask.cli import with_appcontext

from ..errors import ConfigError, TrackingError
from ..filters import Filter
from ..interchange import FORMATS, READABLE, read_records, write_records
from ..queries import read_matching
from ..record import Record
from ..redaction.redactor import Redactor
from ..runtime.text import count_of
from .common import Choice, get_current, get_store, reports_errors
from .filtering import takes_filter
from .misses import explain_nothing
from .redaction import make_current_stored_redactor
from .terminal import bar_width, say

T = TypeVar("T")

BATCH = 500
DEFAULT_FORMAT = "ndjson"


@click.command("export")
@click.option(
    "--format",
    "name",
    metavar="FORMAT",
    type=Choice(list(FORMATS)),
    help=f"One of {', '.join(FORMATS)}. By default that of the file's suffix, else ndjson.",
)
@click.option("-o", "--output", metavar="FILE", help="A new file; by default standard output.")
@with_appcontext
@reports_errors
@takes_filter
def export_records(wanted: Filter, name: str | None, output: str | None) -> None:
    """Write records to a file, the newest first.

    FILTER selects records, as for `list`; by default all. The file has what is stored: secrets are
    redacted there, personal data is not.
    """
    store = get_store()
    name = name or _check_format(output)
    with _open_output(output) as file:
        records = read_matching(store, wanted)
        about = store.count_records() if wanted == Filter.all else None
        with _show_progress(records, "Exporting", about) as counted:
            written, left_out = write_records(counted, file, name)
    say(f"Exported {count_of(written, 'record')}.", err=True)
    if not written + left_out:
        say(explain_nothing(store, wanted), err=True)
    _say_missing(f"Cannot be written as {name}", left_out)
    _exit_if(left_out > 0)


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--format",
    "name",
    metavar="FORMAT",
    type=Choice(READABLE),
    help=f"One of {', '.join(READABLE)}. By default that of the file's suffix, else ndjson.",
)
@with_appcontext
@reports_errors
def import_records(path: str, name: str | None) -> None:
    """Store the records of a file that `export` has written.

    The file - is standard input. Records are redacted with the current names and formats first. Those
    that are already stored stay as they are, so an interrupted import can be repeated.
    """
    store = get_store()
    store.open()
    redactor = make_current_stored_redactor() if get_current().settings.redact else None
    source = _Source(name or _find_readable_format(path))
    stored = known = rejected = 0
    with (
        click.open_file(path, "rb") as file,
        _show_progress(source.read(file), "Importing") as found,
    ):
        for records in _batches(found):
            found_ids = store.find_ids({record.id for record in records})
            new = [record for record in records if record.id not in found_ids]
            lost = store.export(redact(new, redactor)) or 0
            rejected += lost
            stored += len(new) - lost
            known += len(records) - len(new)
    if source.damage is None or stored + known:
        say(_describe_import(stored, known), err=True)
    source.say_faults()
    _say_missing("Rejected by the store", rejected)
    source.check_end()
    _exit_if(source.faults + rejected > 0)


class _Source:
    """A file whose records are imported, and what cannot be read of it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.faults = 0
        self._first_fault = ""
        self._count = 0
        self.damage: TrackingError | None = None

    def read(self, file: IO[bytes]) -> Iterator[Record]:
        """Yield what can be read. At damage it ends: the records in front of it are to be stored."""
        try:
            found = read_records(file, self._name, self._note_fault)
            for record in found:
                if record is not None:
                    self._count += 1
                    yield record
        except TrackingError as error:
            self.damage = error

    def _note_fault(self, place: str) -> None:
        self._first_fault = self._first_fault or place
        self.faults += 1

    def say_faults(self) -> None:
        """Say how many entries are no records, where the first is, and what was expected."""
        if self.faults:
            unit = self._first_fault.partition(" ")[0]
            say(
                f"Cannot be read: {count_of(self.faults, unit)}, the first is {self._first_fault}. "
                f"Expected records as {self._name}; for another format use --format.",
                fg="yellow",
                err=True,
            )

    def check_end(self) -> None:
        """Make sure that the whole file was read.

        Raises:
            TrackingError: it is damaged; the records in front of the damage are stored by now.
        """
        if self.damage is not None:
            stored = ["What was read before is stored."] if self._count else []
            raise TrackingError(" ".join([str(self.damage), *stored]))


def _describe_import(stored: int, known: int) -> str:
    line = f"Imported {count_of(stored, 'record')}"
    were = "was" if known == 1 else "were"
    return f"{line}; {known:,} {were} already stored." if known else f"{line}."


def _say_missing(what: str, number: int) -> None:
    if number:
        say(f"{what}: {count_of(number, 'record')}.", fg="yellow", err=True)


def _exit_if(is_incomplete: bool) -> None:
    """Fail if records are missing: a script may delete the original next."""
    if is_incomplete:
        click.get_current_context().exit(1)


def _find_readable_format(path: str) -> str:
    name = find_format(path)
    if name not in READABLE:
        raise ConfigError(
            f"Files of the format {name} cannot be read. Possible: {', '.join(READABLE)}."
        )
    return name


def find_format(path: str | Path | None) -> str:
    """Return the format that the suffix of a file names."""
    suffix = Path(path or "").suffix.lower().removeprefix(".")
    return suffix if suffix in FORMATS else DEFAULT_FORMAT


def _check_format(output: str | None) -> str:
    """Return the format for a new file; its suffix must not promise another."""
    suffix = Path(output or "").suffix.lower()
    if suffix and suffix.removeprefix(".") not in FORMATS:
        known = ", ".join(f".{name}" for name in FORMATS)
        raise ConfigError(f"Unknown suffix {suffix!r}: expected one of {known}, or --format.")
    return find_format(output)


def redact(records: list[Record], redactor: Redactor | None) -> list[Record]:
    """Redact the records that were not redacted with the current names and formats."""
    if redactor is None:
        return records
    old = [record for record in records if record.redaction_version != redactor.version]
    new = {record.id: record for record in redactor.redact(old)}
    return [new.get(record.id, record) for record in records]


@contextlib.contextmanager
def _open_output(path: str | None) -> Iterator[IO[bytes]]:
    """Open a new file that only this user can read; it is removed if not all of it is written."""
    if path is None or path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise TrackingError(f"{path} already exists. Choose another name, or remove it.") from None
    except OSError as error:
        raise TrackingError(f"{path} cannot be created: {error.strerror}.") from None
    try:
        with open(descriptor, "wb") as file:
            yield file
    except BaseException:
        os.unlink(path)
        raise


def _batches(found: Iterable[Record]) -> Iterator[list[Record]]:
    found = iter(found)
    while batch := list(itertools.islice(found, BATCH)):
        yield batch


def is_terminal() -> bool:
    """Return True if somebody watches."""
    return sys.stderr.isatty()


@contextlib.contextmanager
def _show_progress(records: Iterator[T], label: str, about: int | None = None) -> Iterator[Iterable[T]]:
    """Show a progress bar in a terminal: up to `about`, or only the number so far."""
    if not is_terminal():
        yield records
        return
    with click.progressbar(
        records,
        length=about,
        label=label,
        show_pos=True,
        update_min_steps=100,
        width=bar_width(err=True),
        file=sys.stderr,
    ) as bar:
        yield bar


COMMANDS = (export_records, import_records)
