"""The values that a term may have: of the app, and of its newest records, for shells and pages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from flask import Flask

from ..errors import StoreTimeoutError
from ..exporters.store import Store
from ..filters import Filter
from ..filters.predicate import find_items
from ..record_summary import RecordSummary
from ..registry import EXTENSION_KEY, TrackedApp
from .newest import read_newest

__all__ = [
    "find_app_values",
    "find_custom_values",
    "find_literal_paths",
    "find_record_values",
    "read_record_values",
    "read_user_ids",
    "split_paths",
]

NEWEST = 100
"""Records whose columns are read."""
NEWEST_DATA = 30
"""Records whose custom data is read for its names."""

_OBJECT = re.compile(r"^<[A-Za-z_][0-9A-Za-z_.]* ([^\s<>'\"]+)>$")
"""The text of an object with a name of one word, like ``<User ada>``."""


def find_app_values(app: Flask, key: str) -> set[str] | None:
    """Return the values of `key` that the app knows; None if the app does not know any.

    Args:
        app: the app.
        key: of a term.
    """
    read = _OF_APP.get(key)
    return None if read is None else set(read(app))


def find_literal_paths(app: Flask) -> set[str]:
    """Return the paths that the routes of `app` name without arguments, but for excluded ones."""
    tracked: TrackedApp | None = app.extensions.get(EXTENSION_KEY)
    excluded = () if tracked is None else tracked.settings.excluded_paths
    paths = {rule.rule for rule in app.url_map.iter_rules() if not rule.arguments}
    return {path for path in paths if not any(one.match(path) for one in excluded)}


def split_paths(key: str, paths: Iterable[str]) -> set[str]:
    """Return paths as values of ``path``; for a word, whose key is empty, their segments.

    The root is left out: it is like every short path.
    """
    if key:
        return {path for path in paths if path != "/"}
    return {segment for path in paths for segment in path.split("/") if segment}


def find_record_values(store: Store, key: str) -> set[str]:
    """Return the values of `key` among the newest records; none for keys of which nothing is proposed.

    Args:
        store: the store.
        key: of a term; for ``custom.`` the names behind the dot are returned. Empty for a word, for
            which segments of paths are returned.

    Raises:
        ExportError: the store is unreachable or refuses.
    """
    return _collect(read_record_values(store, key))


def read_record_values(store: Store, key: str) -> Iterator[str]:
    """Yield what `find_record_values` returns as it is found, some of it more than once."""
    read = _OF_RECORDS.get(key)
    return iter(()) if read is None else iter(read(store))


def find_custom_values(store: Store, name: str) -> set[str]:
    """Return the values of custom data with a name among the newest records, as a filter has them.

    Args:
        store: the store.
        name: what follows ``custom.`` in the key of a term.

    Raises:
        ExportError: the store is unreachable or refuses.
    """
    newest = read_newest(store, Filter.all, NEWEST, fields="facts")
    path = tuple(name.split("."))
    return _collect(text for one in newest for text in _list_texts(find_items(one.custom_data, path)))


def _collect(values: Iterator[str]) -> set[str]:
    """Return the values that are read before the time of `Store.limited` is over."""
    found: set[str] = set()
    try:
        for value in values:
            found.add(value)
    except StoreTimeoutError:
        if not found:
            raise
    return found


def read_user_ids(store: Store) -> Iterator[str]:
    """Yield the ids of users among the newest records as they are found, some more than once.

    Raises:
        ExportError: the store is unreachable or refuses.
    """
    return iter(_read_column(lambda one: one.user_id)(store))


def _list_texts(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, int | float):
            yield json.dumps(value)


def _read_column(
    read: Callable[[RecordSummary], str | None],
) -> Callable[[Store], Iterable[str]]:
    def read_all(store: Store) -> Iterator[str]:
        newest = read_newest(store, Filter.all, NEWEST, fields="summary")
        return (value for one in newest if (value := read(one)))

    return read_all


def _read_paths(key: str) -> Callable[[Store], Iterable[str]]:
    read = _read_column(lambda one: one.path)
    return lambda store: (value for path in read(store) for value in split_paths(key, [path]))


def _read_users(store: Store) -> Iterator[str]:
    """Yield ids and names: people type the name, and ``user:ada`` finds ``<User ada>``."""
    for one in read_newest(store, Filter.all, NEWEST, fields="summary"):
        yield from (_OBJECT.sub(r"\1", text) for text in (one.user_id, one.user_repr) if text)


def _read_custom_names(store: Store) -> Iterator[str]:
    newest = read_newest(store, Filter.all, NEWEST_DATA, fields="facts")
    return (name for one in newest for name in _list_names(one.custom_data))


def _list_names(data: Any, before: str = "") -> Iterator[str]:
    if not isinstance(data, Mapping):  # a list has no names
        return
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _list_names(value, f"{before}{key}.")
        else:
            yield f"{before}{key}"


_OF_APP: dict[str, Callable[[Flask], Iterable[str]]] = {
    "blueprint": lambda app: app.blueprints,
    "endpoint": lambda app: app.view_functions,
    "route": lambda app: {rule.rule for rule in app.url_map.iter_rules()},
}
_OF_RECORDS: dict[str, Callable[[Store], Iterable[str]]] = {
    "": _read_paths(""),
    "custom.": _read_custom_names,
    "error": _read_column(lambda one: one.exception_type),
    "host": _read_column(lambda one: one.host),
    "hostname": _read_column(lambda one: one.hostname),
    "path": _read_paths("path"),
    "user": _read_users,
    "version": _read_column(lambda one: one.version),
}
