"""``flask tracking``: the commands, one module for each group of them."""

from __future__ import annotations

import click
from flask import Flask
from flask.cli import AppGroup, FlaskGroup

from . import kept, records, redact, rules, scrub, store

__all__ = ["is_command_running", "register"]


def register(app: Flask) -> None:
    """Add ``flask tracking`` to the commands of `app`."""
    group = AppGroup("tracking", help="Look at recorded requests, and see to their store.")
    for module in (store, records, kept, rules, redact, scrub):
        for command in module.COMMANDS:
            group.add_command(command)
    app.cli.add_command(group)


def is_command_running() -> bool:
    """Tell whether the app is being made for a ``flask`` command, and not to serve requests."""
    context = click.get_current_context(silent=True)
    if context is None or context.info_name == "run":
        return False
    return isinstance(context.find_root().command, FlaskGroup)
