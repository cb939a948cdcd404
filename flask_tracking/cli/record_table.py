"""Records as text for a terminal, without control characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone, tzinfo

from ..present import Section, describe_zone, move_to_zone, present
from ..record import Record
from ..record_summary import RecordSummary, summarize
from ..runtime.text import visible
from .terminal import cell_width, stylize, wrap
from .text_table import GAP, PLAIN, Column, Style, leave_out, pad, render_columns

METHOD = "METHOD"
LEAST_PATH = 15
"""The minimum width of a path that shares its line with a status and a short id."""
LEAST_STACKED = 18
"""The minimum width of two lines for a record: an indent, a short id, which is never cut, and `…`."""
LEAST_PATH_BESIDE_ERROR = 10
"""The same in at least `WIDE` cells, where the user and the error shall have room, too."""
WIDE = 80
LEAST_USER, LEAST_ERROR = 6, 8
LEAST_VALUE = 32
"""The minimum width of values beside their names, where a record is shown in full."""
ID_HEAD, ID_TAIL = 8, 6
"""The hex digits in a short id: those of the second, and those of the number in its process."""


def render_table(
    records: Sequence[RecordSummary], width: int | None, zone: tzinfo | None = timezone.utc
) -> str:
    """Return a table with a line for each record, or with two where the terminal is too narrow.

    Args:
        records: one or more records.
        width: the width of the terminal in cells; None for no limit.
        zone: the zone of the times; None for that of this machine.
    """
    arrived = _time_column([move_to_zone(record.date_created, zone) for record in records])
    columns = _make_columns(records, arrived, width)
    if width is not None:
        columns = leave_out([column for column in columns if any(column.cells)], width)
        if not any(column.title == METHOD for column in columns):
            times = zip(records, arrived.short or arrived.cells, strict=True)
            return "\n".join([arrived.title, *(_stack(one, time, width) for one, time in times)])
        columns = [
            _mark_kept(one, columns, records) if one.title == "STATUS" else one for one in columns
        ]
    return render_columns(columns, width, [_style(record) for record in records])


def _make_columns(records: Sequence[RecordSummary], arrived: Column, width: int | None) -> list[Column]:
    took = [_milliseconds(record.execution_time) for record in records]
    ids = [str(record.id) for record in records]
    return [
        arrived,
        Column(METHOD, [visible(record.method or "-") for record in records], least=6, rank=4),
        Column(
            "PATH",
            [visible(record.path_and_query or "-") for record in records],
            least=_least_path(width),
        ),
        Column("STATUS", [str(record.status_code or "-") for record in records]),
        Column("MS", took, is_number=True, rank=3),
        Column("USER", [visible(record.user) for record in records], least=LEAST_USER, rank=1),
        Column("ERROR", [visible(record.error) for record in records], least=LEAST_ERROR, rank=2),
        Column("KEPT", [_kept(record) for record in records], least=4, rank=1),
        Column("ID", ids, short=[shorten_id(one) for one in ids]),
    ]


def _stack(record: RecordSummary, time: str, width: int) -> str:
    """Return two lines for a terminal with no room for method, path and id in one."""
    mark = "*" if record.kept else ""
    method, status = visible(record.method or "-"), str(record.status_code or "-")
    path = visible(record.path_and_query or "-")
    took = "" if record.execution_time is None else f"{_milliseconds(record.execution_time)} ms"
    cells = [shorten_id(str(record.id)), took, visible(record.error), visible(record.user)]
    lines = [f"{time} {method} {status}{mark} {path}", GAP + GAP.join(filter(None, cells))]
    cut = [pad(line, max(width, LEAST_STACKED)).rstrip() for line in lines]
    return stylize("\n".join(cut), **_style(record))


def _least_path(width: int | None) -> int:
    return LEAST_PATH if width is None or width < WIDE else LEAST_PATH_BESIDE_ERROR


def _time_column(times: Sequence[datetime]) -> Column:
    """Return the column of times. If all are of one day, only the title shows it, and the zone."""
    if len(zones := {describe_zone(time) for time in times}) > 1:
        # The clock was changed in between.
        times, zones = [time.astimezone(timezone.utc) for time in times], {"UTC"}
    (zone,) = zones
    if len(days := {time.date() for time in times}) > 1:
        cells = [f"{time:%Y-%m-%d %H:%M:%S}" for time in times]
        short = [cell[len("2026-") :] for cell in cells]
        return Column(f"TIME ({zone})", cells, short=short, rank=5)
    if zone == "UTC":
        return Column(f"{days.pop()}", [f"{time:%H:%M:%SZ}" for time in times], rank=5)
    return Column(f"{days.pop()} {zone}", [f"{time:%H:%M:%S}" for time in times], rank=5)


def shorten_id(record_id: str) -> str:
    """Return a short id: the second and the number, which nearly always tell records apart."""
    return f"{record_id[:ID_HEAD]}…{record_id[-ID_TAIL:]}"


def _kept(record: RecordSummary) -> str:
    return visible(record.kept_reason or "yes") if record.kept else ""


def _mark_kept(status: Column, columns: list[Column], records: Sequence[RecordSummary]) -> Column:
    """Mark kept records at their status if the column with the reason has no room."""
    if any(column.title == "KEPT" for column in columns):
        return status
    marks = ["*" if record.kept else "" for record in records]
    return status._replace(
        cells=[f"{cell}{mark}" for cell, mark in zip(status.cells, marks, strict=True)]
    )


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def has_failed(record: RecordSummary) -> bool:
    """Return True for a failure of the app."""
    return (record.status_code or 0) >= 500 or record.outcome in ("error", "stream_error")


def _style(record: RecordSummary) -> Style:
    if has_failed(record):
        return {"fg": "red"}
    return {"fg": "yellow"} if (record.status_code or 0) >= 400 else PLAIN


def render_row(record: RecordSummary, width: int | None, zone: tzinfo | None = timezone.utc) -> str:
    """Return the line of one record, for a list that goes on; its columns do not depend on others.

    Narrow terminals get two lines.

    Args:
        record: the record.
        width: the width of the terminal in cells; None for no limit.
        zone: the zone of the time; None for that of this machine.
    """
    arrived = move_to_zone(record.date_created, zone)
    mark = "Z" if describe_zone(arrived) == "UTC" else ""
    method, status = visible(record.method or "-"), str(record.status_code or "-")
    took = _milliseconds(record.execution_time)
    record_id = str(record.id) if width is None else shorten_id(str(record.id))
    path = visible(record.path_and_query or "-")
    # A narrow terminal does without the time; a narrower one has it on a line of two.
    middle = f"{method:<7} {status:>3}  "
    first = f"{arrived:%H:%M:%S}{mark} {method:<7} {status:>3} {took:>10}  "
    last = [visible(record.user), visible(record.error)]
    if width is None:
        line = first + GAP.join(filter(None, (path, *last, record_id)))
    else:
        least = LEAST_PATH + len(GAP) + len(record_id)
        heads = (one for one in (first, middle) if width - cell_width(one) >= least)
        head = next(heads, None)
        if head is None:
            return _stack(record, f"{arrived:%H:%M:%S}{mark}", width)
        room = width - cell_width(head) - len(GAP) - len(record_id)
        line = f"{head}{_fit_cells(path, *last, width=room, least=_least_path(width))}{GAP}{record_id}"
    return stylize(line, **_style(record))


def _fit_cells(path: str, user: str, error: str, *, width: int, least: int) -> str:
    """Return the cells that fit, shortened, the path first and the others at the end."""
    columns = [
        Column("", [path], least=least),
        Column("", [user], least=LEAST_USER, rank=1),
        Column("", [error], least=LEAST_ERROR, rank=2),
    ]
    shown = leave_out([column for column in columns if any(column.cells)], width)
    taken = sum(cell_width(GAP + column.cells[0]) for column in shown) - len(GAP)
    shown[0] = shown[0]._replace(cells=[path + " " * (width - taken)])
    return pad(render_columns(shown, width).split("\n")[1], width)


def render_line(record: Record | RecordSummary) -> str:
    """Return a line that describes a record, without its id."""
    return f"{render_request(record)} {render_outcome(record)}"


def render_request(record: Record | RecordSummary) -> str:
    """Return its method and path: ``GET /orders?page=2``."""
    path = _summarize(record).path_and_query or "-"
    return visible(" ".join(filter(None, [record.method, path])))


def render_outcome(record: Record | RecordSummary) -> str:
    """Return its status and its exception: ``500 KeyError``."""
    parts = [str(record.status_code or "-"), _summarize(record).error]
    return visible(" ".join(filter(None, parts)))


def _summarize(record: Record | RecordSummary) -> RecordSummary:
    return summarize(record) if isinstance(record, Record) else record


def render_record(record: Record, zone: tzinfo | None = timezone.utc, width: int | None = None) -> str:
    """Return a record in full.

    Args:
        record: the record.
        zone: the zone of the times; None for that of this machine.
        width: the width of the terminal in cells, at which lines end between words; None for no limit.
    """
    overview, *others = present(record, zone)
    lines = [*_wrap(overview.title, width), "", *_pairs(overview, width)]
    for section in others:
        lines += ["", *_lines(section, width)]
    return "\n".join(lines)


def _lines(section: Section, width: int | None) -> Iterator[str]:
    title = f"{section.title} ({section.about})" if section.about else section.title
    yield from _wrap(title, width)
    yield from _pairs(section, width)
    if section.text and section.about:  # separates a body from its headers
        yield ""
    if section.text:
        for line in section.text.rstrip().split("\n"):
            yield from _wrap(f"  {line}", width)


def _wrap(line: str, width: int | None) -> list[str]:
    shown = visible(line)
    return wrap(shown, width, len(shown) - len(shown.lstrip(" ")) + len(GAP))


def _pairs(section: Section, width: int | None) -> Iterator[str]:
    """Yield names and values in two columns, or without columns where values would have no room."""
    names = max((cell_width(visible(name)) for name, _ in section.pairs), default=0)
    indent = len(GAP) + names + len(GAP)
    if width is not None and width - indent < LEAST_VALUE:
        names, indent = 0, 2 * len(GAP)
    for name, value in section.pairs:
        shown = visible(name)
        line = f"{GAP}{shown if names == 0 else pad(shown, names)}{GAP}{visible(value)}"
        yield from wrap(line, width, indent)
