"""The values that a shell proposes for a term: of the app, and of its newest records."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Thread
from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo

from ..errors import TrackingError
from ..exporters.store import Store, find_store
from ..filters import Filter
from ..record_summary import RecordSummary
from ..registry import EXTENSION_KEY, TrackedApp, find_tracked

__all__ = ["find_values"]

BUDGET_S = 0.05
"""The time that completion waits for the store; people do not wait longer."""
NEWEST = 200
"""Records whose columns are read."""
NEWEST_WHOLE = 30
"""Records that are read with all their data."""


def find_values(context: click.Context, key: str) -> list[str]:
    """Return values of `key` that there are, sorted; none where the app or its store cannot say.

    Args:
        context: of the command.
        key: of a term; for ``custom.`` the names behind the dot are returned. For ``saved`` it is the
            names of filters in ``TRACKING_FILTERS``.
    """
    script = context.find_object(ScriptInfo)
    if script is None:
        return []
    app = script.load_app()
    if key in _OF_APP:
        return sorted(_OF_APP[key](app))
    read = _OF_RECORDS.get(key)
    return [] if read is None else sorted(_ask_briefly(app, read))


def _list_saved(tracked: TrackedApp | None) -> list[str]:
    return [] if tracked is None else list(dict(tracked.settings.filters))


def _ask_briefly(app: Flask, read: Callable[[Store], Iterable[str]]) -> set[str]:
    """Return what the store answers within the budget: it may be slow, or away."""
    found: set[str] = set()

    def ask() -> None:
        with app.app_context(), contextlib.suppress(TrackingError):
            tracked = find_tracked()
            store = find_store(tracked.exporter) if tracked is not None else None
            if store is not None:
                found.update(read(store))

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(BUDGET_S)
    return found.copy()


def _read_column(
    read: Callable[[RecordSummary], str | None],
) -> Callable[[Store], Iterable[str]]:
    def read_all(store: Store) -> set[str]:
        newest = store.find(Filter.all, limit=NEWEST, fields="summary")
        return {value for one in newest if (value := read(one))}

    return read_all


def _read_custom_names(store: Store) -> set[str]:
    newest = store.find(Filter.all, limit=NEWEST_WHOLE)
    return {name for one in newest for name in _list_names(one.custom_data or {})}


def _list_names(data: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _list_names(value, f"{before}{key}.")
        else:
            yield f"{before}{key}"


_OF_APP: dict[str, Callable[[Flask], Iterable[str]]] = {
    "blueprint": lambda app: app.blueprints,
    "endpoint": lambda app: app.view_functions,
    "route": lambda app: {rule.rule for rule in app.url_map.iter_rules()},
    "saved": lambda app: _list_saved(app.extensions.get(EXTENSION_KEY)),
}
_OF_RECORDS: dict[str, Callable[[Store], Iterable[str]]] = {
    "custom.": _read_custom_names,
    "host": _read_column(lambda one: one.host),
    "user": _read_column(lambda one: one.user_id or one.user_repr),
    "version": _read_column(lambda one: one.version),
}
