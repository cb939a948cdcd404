"""``redact formats`` lists the formats of secrets, ``redact preview`` shows what redaction removes."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from ..config import Settings
from ..errors import ConfigError, TrackingError
from ..record import Record, Remark
from ..redaction.detection.format_type import Format
from ..redaction.detection.formats import FORMATS
from ..redaction.detection.names import count_names
from ..runtime.text import visible
from .common import (
    TAKES_ID,
    find_id,
    get_current,
    get_record,
    get_store,
    is_id,
    reports_errors,
)
from .json_output import render_json, render_values, takes_json
from .preview import preview_request
from .rawrequest import parse_request
from .record_table import render_record
from .redaction import make_current_redactor, make_current_stored_redactor
from .terminal import say, terminal_width
from .text_table import PLAIN, Column, render_columns

LEAST_FINDS, LEAST_NARROW, LEAST_WHERE = 48, 18, 16
"""The minimum widths of columns, in cells; `LEAST_NARROW` in less than `WIDE` ones."""
WIDE = 80
MAX_BYTES = 64 * 1024 * 1024
"""Maximum size of a file with a request."""


@click.group()
def redact() -> None:
    """List formats of secrets, and try redaction on a request."""


@redact.command()
@takes_json("an object for each format, one per line")
@with_appcontext
@reports_errors
def formats(as_json: bool) -> None:
    """List the formats of secrets, with their sources.

    Use their ids in TRACKING_REDACT_OFF; remarks of records show them, too. A narrow terminal leaves
    out the sources, output to a pipe is complete.
    """
    settings = get_current().settings
    if as_json:
        for one in FORMATS:
            click.echo(render_values(_to_values(one, settings)))
        return
    width = terminal_width()
    least = LEAST_NARROW if width is not None and width < WIDE else LEAST_FINDS
    columns = [
        Column("ID", [one.id for one in FORMATS]),
        Column("FINDS", [one.finds for one in FORMATS], least=least),
        Column("VERSION", [str(one.version) for one in FORMATS], is_number=True, rank=2),
        Column("", ["off" if one.id in settings.redact_off else "" for one in FORMATS]),
        Column("SOURCES", [one.sources for one in FORMATS], least=16, rank=1),
    ]
    styles = [{"dim": True} if _is_off(one, settings) else PLAIN for one in FORMATS]
    click.echo(render_columns(columns, width, styles))
    click.echo()
    for line in _describe(settings):
        say(line)
    if not settings.redact:
        say("TRACKING_REDACT is False: no format is applied.", fg="yellow")


def _to_values(one: Format, settings: Settings) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in ("id", "finds", "version", "sources")}
    return values | {"off": _is_off(one, settings)}


def _is_off(one: Format, settings: Settings) -> bool:
    return not settings.redact or one.id in settings.redact_off


def _describe(settings: Settings) -> Iterable[str]:
    off = sum(_is_off(one, settings) for one in FORMATS)
    version = make_current_stored_redactor().version
    yield f"{len(FORMATS)} formats, {off} of them off. The redaction version is {version}."
    yield f"{count_names()} sensitive names, like password, apiKey and card_number."
    for text, own in (
        ("Added by TRACKING_REDACT_NAMES", settings.redact_names),
        ("Removed by TRACKING_REDACT_ALLOW", settings.redact_allow),
        ("Patterns of TRACKING_REDACT_PATTERNS", tuple(dict(settings.redact_patterns))),
    ):
        if own:
            yield f"{text}: {len(own)} ({', '.join(map(visible, own))})."


@redact.command(context_settings=TAKES_ID)
@click.argument("source", metavar="PATH|ID")
@takes_json("one object, the record")
@with_appcontext
@reports_errors
def preview(source: str, as_json: bool) -> None:
    """Show the record of a request, and list the values that redaction removes.

    PATH is a file with a request as text, or - for standard input: the request line, headers, an empty
    line, the body. ID is that of a record, which is shown as `scrub` would leave it. Nothing is stored.
    """
    record = _preview_stored(source) if _is_id(source) else _preview_file(source)
    if as_json:
        click.echo(render_json(record, indent=2))
        return
    width = terminal_width()
    click.echo(render_record(dataclasses.replace(record, redacted=()), width=width))
    click.echo()
    say(_count_removed(record.redacted))
    if record.redacted:
        click.echo(_render_remarks(record.redacted, width))
    if not get_current().settings.redact:
        say("TRACKING_REDACT is False: only four headers are redacted.", fg="yellow")


def _is_id(source: str) -> bool:
    return is_id(source) and not os.path.exists(source)


def _preview_stored(record_id: str) -> Record:
    store = get_store()
    record = get_record(store, find_id(store, record_id))
    (revised,) = make_current_stored_redactor().redact([record])
    return revised


def _preview_file(source: str) -> Record:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    tracked = get_current()
    request = parse_request(_read(source))
    record = preview_request(app, tracked, make_current_redactor(), request)
    if record is None:
        raise TrackingError(
            "Nothing would be stored: TRACKING_EXCLUDE, TRACKING_EXCLUDE_METHODS, "
            "TRACKING_EXCLUDE_HEALTH_CHECKS or a mark of the view excludes it."
        )
    return record


def _read(source: str) -> bytes:
    try:
        data = _read_bytes(source)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(
            f"Cannot read {source!r} ({reason}). Expected a file with a request, - for standard input, "
            "or the id of a record like 6b0b2833420c3ba6703982aa or 6b0b2833..3982aa."
        ) from None
    if len(data) > MAX_BYTES:
        raise TrackingError(f"{source!r} is larger than 64 MiB. Shorten its body.")
    return data


def _read_bytes(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with Path(source).open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _count_removed(remarks: Sequence[Remark]) -> str:
    if not remarks:
        return "Nothing was removed."
    count = "1 value was removed" if len(remarks) == 1 else f"{len(remarks)} values were removed"
    return f"{count} (offset and length in bytes)"


def _render_remarks(remarks: Sequence[Remark], width: int | None) -> str:
    columns = [
        Column("  WHERE", [f"  {visible(one.path)}" for one in remarks], least=LEAST_WHERE),
        Column("RULE", [visible(one.rule) for one in remarks]),
        Column("OFFSET", [f"{one.offset:,}" for one in remarks], is_number=True),
        Column("LENGTH", [f"{one.length:,}" for one in remarks], is_number=True),
    ]
    return render_columns(columns, width)


COMMANDS = (redact,)
