"""What all commands need: the app's store, and errors as one line."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import ParamSpec, TypeVar

import click
from bson import ObjectId
from flask import current_app

from ..errors import ExportError, TrackingError
from ..exporters.base import Exporter
from ..exporters.store import Problem, Store, find_store
from ..filters import Filter
from ..record import Record
from ..registry import TrackedApp, find_tracked
from ..runtime.text import visible

CHECK = "Check that it runs, and the URI; the page Operations of the docs says more."
"""What to do about a database that does not do what it should."""

SHORT_ID = re.compile(r"([0-9a-f]{8})(?:…|\.{1,3})([0-9a-f]{6})")
"""The second and the number of an id; a keyboard has dots for what stands between."""
PAGE = 500
"""So many records of a second are read at once."""

P = ParamSpec("P")
R = TypeVar("R")


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Make a command end with one line instead of a traceback when a `TrackingError` says why."""

    @functools.wraps(command)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ExportError as error:
            raise click.ClickException(visible(f"{error}. {CHECK}")) from None
        except TrackingError as error:
            raise click.ClickException(visible(str(error))) from None

    return reporting


def get_current() -> TrackedApp:
    """Return what belongs to the current app.

    Raises:
        TrackingError: the app is not tracked.
    """
    tracked = find_tracked()
    if tracked is None:
        raise TrackingError(f"The app {current_app.name!r} is not tracked: Tracking(app) is missing.")
    return tracked


def get_exporter() -> Exporter:
    """Return the exporter of the current app; it is closed when the command ends.

    Raises:
        TrackingError: the app is not tracked.
    """
    tracked = get_current()
    click.get_current_context().call_on_close(tracked.exporter.close)
    return tracked.exporter


def get_store() -> Store:
    """Return the store of the current app; it is closed when the command ends.

    Raises:
        TrackingError: the app is not tracked, or its exporter is no store.
    """
    exporter = get_exporter()
    store = find_store(exporter)
    if store is None:
        raise TrackingError(
            f"{type(exporter).__name__} is not a store: it takes records and gives none back."
        )
    return store


def show_problems(problems: Iterable[Problem]) -> None:
    """Print what is wrong, and what to do about it."""
    for problem in problems:
        click.secho(visible(str(problem)), fg="red" if problem.level == "error" else "yellow")


def is_id(text: str) -> bool:
    """Tell whether that is an id, a whole or a short one."""
    return ObjectId.is_valid(text) or SHORT_ID.fullmatch(text.lower()) is not None


def find_id(store: Store, text: str) -> ObjectId:
    """Return the id that is meant: a whole one, or a short one as `list` shows it in a narrow terminal.

    Raises:
        TrackingError: it is none, or no record or several have it.
    """
    if ObjectId.is_valid(text):
        return ObjectId(text)
    short = SHORT_ID.fullmatch(text.lower())
    if short is None:
        raise TrackingError(
            f"Invalid id {text!r}: expected 24 hex digits, or a short id like 6b0b2833..3982aa. "
            "`list` shows the ids."
        )
    found = sorted(_find_ids(store, datetime.fromtimestamp(int(short[1], 16), timezone.utc), short[2]))
    if not found:
        raise _not_found(text)
    if len(found) > 1:
        raise TrackingError(
            f"Several records have the id {text}: {', '.join(map(str, found))}. Use one of these."
        )
    return found[0]


def _find_ids(store: Store, second: datetime, tail: str) -> set[ObjectId]:
    """Return the ids with that end of the records that arrived in a second: a short range of an index.

    The first flask-tracking made its ids when it stored a record, at the end of the request.
    """
    found: set[ObjectId] = set()
    wanted = Filter(since=second - timedelta(seconds=1), until=second + timedelta(seconds=1))
    head = f"{int(second.timestamp()):08x}"
    seen: set[ObjectId] = set()
    while page := {
        one.id: one for one in store.find(wanted, limit=PAGE, fields="summary") if one.id not in seen
    }:
        seen |= page.keys()
        found |= {one for one in page if str(one).startswith(head) and str(one).endswith(tail)}
        oldest = min(one.date_created for one in page.values())
        # Once more from the same moment: others of it may not have had room.
        wanted = dataclasses.replace(wanted, until=oldest + timedelta(milliseconds=1))
    return found


def get_record(store: Store, record_id: ObjectId) -> Record:
    """Return the record with this id.

    Raises:
        TrackingError: there is none.
    """
    record = store.get(record_id)
    if record is None:
        raise _not_found(record_id)
    return record


def _not_found(record_id: object) -> TrackingError:
    return TrackingError(
        f"Record {record_id} not found. It may have been overwritten by newer records."
    )
