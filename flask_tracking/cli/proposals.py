"""The values that a shell proposes for a term: of the app, and of its newest records."""

from __future__ import annotations

import contextlib
from threading import Thread

import click
from flask import Flask
from flask.cli import ScriptInfo

from ..errors import TrackingError
from ..exporters.store import find_store
from ..queries.values import find_app_values, find_record_values
from ..registry import EXTENSION_KEY, TrackedApp, find_tracked

__all__ = ["find_values"]

BUDGET_S = 0.05
"""The time that completion waits for the store; people do not wait longer."""


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
    if key == "saved":
        return sorted(_list_saved(app.extensions.get(EXTENSION_KEY)))
    known = find_app_values(app, key)
    return sorted(_ask_briefly(app, key) if known is None else known)


def _list_saved(tracked: TrackedApp | None) -> list[str]:
    return [] if tracked is None else list(dict(tracked.settings.filters))


def _ask_briefly(app: Flask, key: str) -> set[str]:
    """Return what the store answers within the budget: it may be slow, or away."""
    found: set[str] = set()

    def ask() -> None:
        with app.app_context(), contextlib.suppress(TrackingError):
            tracked = find_tracked()
            store = find_store(tracked.exporter) if tracked is not None else None
            if store is not None:
                found.update(find_record_values(store, key))

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(BUDGET_S)
    return found.copy()
