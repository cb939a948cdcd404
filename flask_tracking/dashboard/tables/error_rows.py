"""Rows of the table of errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..charts.chart import Bars, make_bars
from ..page import Page
from ..statistics.failures import Group, Interval, make_terms
from ..text.numbers import count


class ErrorRow(NamedTuple):
    """A group of failures."""

    id: str
    error: str
    place: str
    route: str
    times: int
    users: str | None
    """None if they are not counted."""
    tag: str
    """``new in 2.4.1``, ``back`` or nothing."""
    trend: Bars | None
    address: str
    requests: str
    """The address of its requests."""
    example: str | None
    """The address of a request."""
    versions: tuple[str, ...]
    first: Interval | None
    last: Interval | None


SORTS = {
    "new": lambda one: (not one.is_new, not one.is_back, -one.failures.count),
    "times": lambda one: -one.failures.count,
    "users": lambda one: (-(one.users or 0), -one.failures.count),
}


def sort_groups(groups: Sequence[Group], by: str) -> list[Group]:
    """Return the groups in the order of a column: ``new``, ``times`` or ``users``."""
    return sorted(groups, key=SORTS.get(by, SORTS["times"]))


def make_error_rows(page: Page, groups: Sequence[Group]) -> list[ErrorRow]:
    """Return a row for each group."""
    return [_make_row(page, one) for one in groups]


def _make_row(page: Page, group: Group) -> ErrorRow:
    key, example = group.key, group.failures.example
    return ErrorRow(
        group.id,
        key.error.rpartition(".")[2],
        name_place(key.file, key.function),
        key.url_rule or "(no route)",
        group.failures.count,
        None if group.users is None else write_users(group.users),
        group.tag,
        make_bars(group.trend) if group.trend else None,
        page.link_to("error", group=group.id),
        page.add(make_terms(key)),
        None if example is None else page.link_to("request", id=example.record_id),
        group.versions,
        group.first,
        group.last,
    )


def write_users(users: int | None) -> str:
    """Return a number of users; a dash where none is known, which does not say that there was none."""
    return count(users) if users else "–"


def name_place(file: str, function: str) -> str:
    """Return the origin of a failure, like ``pay.py in charge``; empty if unknown."""
    return f"{file.rpartition('/')[2]} in {function}" if file else ""
