"""``export`` writes records to a file, ``import`` stores the records of a file."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
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
    type=Choice(list(FORMATS)),
    help="By default that of the file's suffix, else ndjson.",
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
    _report_missing({f"Cannot be written as {name}": left_out})


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "name",
    type=Choice(READABLE),
    help="By default that of the file's suffix, else ndjson.",
)
@with_appcontext
@reports_errors
def import_records(path: Path, name: str | None) -> None:
    """Store the records of a file that `export` has written.

    They are redacted with the current names and formats first. Records that are already stored stay
    as they are, so an interrupted import can be repeated.
    """
    store = get_store()
    store.open()
    redactor = make_current_stored_redactor() if get_current().settings.redact else None
    stored = known = unreadable = rejected = 0
    with path.open("rb") as file, _show_progress(_read(file, path, name), "Importing") as found:
        for batch in _batches(found):
            records = [record for record in batch if record is not None]
            unreadable += len(batch) - len(records)
            found_ids = store.find_ids({record.id for record in records})
            new = [record for record in records if record.id not in found_ids]
            lost = store.export(redact(new, redactor)) or 0
            rejected += lost
            stored += len(new) - lost
            known += len(records) - len(new)
    say(_describe_import(stored, known), err=True)
    _report_missing({"Cannot be read": unreadable, "Rejected by the store": rejected})


def _describe_import(stored: int, known: int) -> str:
    line = f"Imported {count_of(stored, 'record')}"
    were = "was" if known == 1 else "were"
    return f"{line}; {known:,} {were} already stored." if known else f"{line}."


def _report_missing(counts: Mapping[str, int]) -> None:
    """Report missing records, and fail if there are any: a script may delete the original next."""
    missing = {what: number for what, number in counts.items() if number}
    for what, number in missing.items():
        say(f"{what}: {count_of(number, 'record')}.", fg="yellow", err=True)
    if missing:
        click.get_current_context().exit(1)


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


def _read(file: IO[bytes], path: Path, name: str | None) -> Iterator[Record | None]:
    return read_records(file, name or find_format(path))


def _batches(found: Iterable[Record | None]) -> Iterator[list[Record | None]]:
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
