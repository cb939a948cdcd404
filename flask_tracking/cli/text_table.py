"""Tables that fit the width of a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from itertools import accumulate
from typing import Any, NamedTuple

import click

from ..present import describe_zone, move_to_zone
from .terminal import cell_width, character_width, stylize

GAP = "  "
Style = Mapping[str, Any]
"""Arguments of `click.style`."""
PLAIN: Style = {}


class Column(NamedTuple):
    """A column of a table."""

    title: str
    cells: list[str]
    is_number: bool = False
    least: int | None = None
    """The number of terminal cells to which it may shrink; None if it may not."""
    short: list[str] | None = None
    """The cells in a narrow table; None if they are the same."""
    rank: int = 0
    """Narrow tables leave columns out, those of rank 1 first. Columns of rank 0 always stay."""


def render_columns(
    columns: list[Column], width: int | None = None, styles: Sequence[Style] | None = None
) -> str:
    """Return a line of titles, and a line for each row.

    Args:
        columns: the columns, with the same number of cells each. Empty ones are left out.
        width: the width of the terminal in cells; None for no limit.
        styles: the style of each row, by default plain.
    """
    columns = [column for column in columns if any(column.cells)]
    if width is not None:
        columns = leave_out(columns, width)
    widths = _fit([_natural_width(column) for column in columns], columns, width)
    rows = zip(*([column.title, *column.cells] for column in columns), strict=True)
    titles, *lines = [
        GAP.join(
            pad(cell, cells, right=column.is_number)
            for cell, column, cells in zip(row, columns, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    styled = zip(lines, styles or [PLAIN] * len(lines), strict=True)
    return "\n".join([titles, *(stylize(line, **style) for line, style in styled)])


def leave_out(columns: list[Column], width: int) -> list[Column]:
    """Shorten cells, then leave columns out, until the rest fits at its narrowest."""
    if not _is_too_wide(columns, width):
        return columns
    columns = [one._replace(cells=one.short) if one.short else one for one in columns]
    # Within a rank, the last column goes first.
    for _, _, column in sorted((one.rank, -at, one) for at, one in enumerate(columns)):
        if column.rank and _is_too_wide(columns, width):
            columns = [one for one in columns if one is not column]
    return columns


def _is_too_wide(columns: list[Column], width: int) -> bool:
    least = [min(_natural_width(one), one.least or width) for one in columns]
    return sum(least) + len(GAP) * (len(least) - 1) > width


def _natural_width(column: Column) -> int:
    return max(map(cell_width, [column.title, *column.cells]))


def _fit(widths: list[int], columns: Sequence[Column], total: int | None) -> list[int]:
    """Shrink columns, the widest first, until the table fits or no column can shrink."""
    if total is None:
        return widths
    widths = list(widths)
    while sum(widths) + len(GAP) * (len(widths) - 1) > total:
        shrinkable = [
            number
            for number, column in enumerate(columns)
            if column.least is not None and widths[number] > column.least
        ]
        if not shrinkable:
            break
        widths[max(shrinkable, key=widths.__getitem__)] -= 1
    return widths


takes_zone = click.option("--utc", is_flag=True, help="Show times in UTC, not in the local zone.")


def show_time(time: datetime, zone: tzinfo | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return a time with its zone: ``Z`` in UTC, else the offset.

    Args:
        time: an aware time.
        zone: the zone; None for that of this machine.
        form: the format of the time, for `datetime.strftime`.
    """
    there = move_to_zone(time, zone)
    offset = describe_zone(there)
    return f"{there:{form}}Z" if offset == "UTC" else f"{there:{form}} {offset}"


def _cut(text: str, width: int) -> str:
    """Return the longest beginning of `text` that takes at most `width` cells."""
    for at, taken in enumerate(accumulate(map(character_width, text))):
        if taken > width:
            return text[:at]
    return text


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Cut or pad `text` to a number of terminal cells."""
    if cell_width(text) > width:
        text = f"{_cut(text, width - 1)}…"
    room = " " * (width - cell_width(text))
    return room + text if right else text + room
