"""What all commands need: the app's store, and errors as one line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click
from bson import ObjectId
from flask import current_app

from ..errors import ExportError, TrackingError
from ..exporters.base import Exporter, Reader
from ..record import Record
from ..registry import TrackedApp, find_tracked
from ..text import visible

CHECK = "Check that it runs, and the URI; the page Operations of the docs says more."
"""What to do about a database that does not do what it should."""

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


def find_current() -> TrackedApp:
    """Return what belongs to the current app.

    Raises:
        TrackingError: the app is not tracked.
    """
    tracked = find_tracked()
    if tracked is None:
        raise TrackingError(f"The app {current_app.name!r} is not tracked: Tracking(app) is missing.")
    return tracked


def find_store() -> Exporter:
    """Return the store of the current app.

    Raises:
        TrackingError: the app is not tracked.
    """
    tracked = find_current()
    click.get_current_context().call_on_close(tracked.exporter.close)
    return tracked.exporter


def find_reader() -> Reader:
    """Return the store of the current app, to read from.

    Raises:
        TrackingError: the app is not tracked, or its store gives nothing back.
    """
    store = find_store()
    if not isinstance(store, Reader):
        raise TrackingError(f"{type(store).__name__} stores records and cannot be asked for them.")
    return store


def read_id(text: str) -> ObjectId:
    """Read an id as `list` shows it.

    Raises:
        TrackingError: it is none.
    """
    if not ObjectId.is_valid(text):
        raise TrackingError(f"{text!r} is no id. Ids have 24 hex digits; `list` shows them.")
    return ObjectId(text)


def get_record(reader: Reader, record_id: ObjectId) -> Record:
    """Return the record with this id.

    Raises:
        TrackingError: there is none.
    """
    record = reader.get(record_id)
    if record is None:
        raise TrackingError(f"There is no record {record_id}. It may have made room for newer ones.")
    return record
