"""``flask tracking``: the commands, one module for each group of them."""

from __future__ import annotations

from flask import Flask
from flask.cli import AppGroup

from . import records, store

__all__ = ["register"]


def register(app: Flask) -> None:
    """Add ``flask tracking`` to the commands of `app`."""
    group = AppGroup("tracking", help="Look at recorded requests, and see to their store.")
    for command in (*store.COMMANDS, *records.COMMANDS):
        group.add_command(command)
    app.cli.add_command(group)
