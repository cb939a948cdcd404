"""The values that a shell proposes: of the app, and of its newest records."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from threading import Thread
from typing import TypeVar

import click
from flask import Flask
from flask.cli import ScriptInfo

from ..errors import TrackingError
from ..exporters.store import Store, find_store
from ..queries.values import find_app_values, read_record_values
from ..registry import EXTENSION_KEY, TrackedApp, find_tracked

__all__ = ["ask_briefly", "find_values"]

T = TypeVar("T")

BUDGET_S = 0.05
"""The time that completion waits for the store; people do not wait longer."""


def find_values(context: click.Context, key: str) -> list[str]:
    """Return values of `key` that there are, sorted; none where the app or its store cannot say.

    Args:
        context: of the command.
        key: of a term; for ``custom.`` the names behind the dot are returned. For ``saved`` it is the
            names of filters in ``TRACKING_FILTERS``.
    """
    app = _load_app(context)
    if app is None:
        return []
    if key == "saved":
        return sorted(_list_saved(app.extensions.get(EXTENSION_KEY)))
    known = find_app_values(app, key)
    if known is not None:
        return sorted(known)
    return sorted(set(ask_briefly(context, lambda store: read_record_values(store, key))))


def _load_app(context: click.Context) -> Flask | None:
    script = context.find_object(ScriptInfo)
    return None if script is None else script.load_app()


def _list_saved(tracked: TrackedApp | None) -> list[str]:
    return [] if tracked is None else list(dict(tracked.settings.filters))


def ask_briefly(context: click.Context, question: Callable[[Store], Iterable[T]]) -> list[T]:
    """Return what the store answers within the budget, which may be a part, or nothing.

    Args:
        context: of the command.
        question: asks the store, in a thread of its own.
    """
    app = _load_app(context)
    found: list[T] = []
    if app is None:
        return found

    def ask() -> None:
        with app.app_context(), contextlib.suppress(TrackingError):
            tracked = find_tracked()
            store = find_store(tracked.exporter) if tracked is not None else None
            if store is not None:
                found.extend(question(store))

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(BUDGET_S)
    return found.copy()
