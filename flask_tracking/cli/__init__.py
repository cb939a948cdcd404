"""The commands of ``flask tracking``. Each group has a module, imported when it is used."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup, FlaskGroup

__all__ = ["is_command_running", "register"]

_MODULES = {
    "capacity": "retention",
    "curl": "reproduce",
    "doctor": "doctor",
    "export": "transfer",
    "har": "reproduce",
    "httpie": "reproduce",
    "import": "transfer",
    "init": "store",
    "keep": "kept",
    "list": "records",
    "migrate": "retention",
    "pytest": "reproduce",
    "python": "reproduce",
    "redact": "redact",
    "overrides": "overrides",
    "replay": "replay",
    "resize": "retention",
    "scrub": "scrub",
    "serve": "store",
    "show": "records",
    "spool": "spool",
    "stats": "stats",
    "tail": "tail",
    "unkeep": "kept",
}
"""The module of each command."""


class _Commands(AppGroup):
    """Imports the module of a command when the command is used."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Make the context of a call, with what Click does not know of terminals: colours, widths."""
        from .terminal import (  # an app that is only served needs none of it
            help_width,
            replace_closed_streams,
            replace_unknown_characters,
        )

        replace_closed_streams()
        for stream in (sys.stdout, sys.stderr):
            replace_unknown_characters(stream)
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            extra.setdefault("color", False)
        extra.setdefault("terminal_width", help_width())
        return super().make_context(info_name, args, parent, **extra)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command. An unknown name loads all modules, so that Click can suggest one."""
        if cmd_name in _MODULES:
            self._load(_MODULES[cmd_name])
        elif cmd_name not in self.commands:
            self._load(*_MODULES.values())
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        self._load(*_MODULES.values())
        return super().list_commands(ctx)

    def _load(self, *modules: str) -> None:
        for module in modules:
            for command in import_module(f".{module}", __name__).COMMANDS:
                # A command that the app has replaced stays.
                self.commands.setdefault(command.name, command)


def register(app: Flask) -> None:
    """Add ``flask tracking`` to the commands of `app`."""
    app.cli.add_command(
        _Commands("tracking", help="Inspect recorded requests and manage their storage.")
    )


def is_command_running() -> bool:
    """Return True if the app is created for a ``flask`` command that serves no requests."""
    context = click.get_current_context(silent=True)
    if context is None or context.info_name == "run":
        return False
    return isinstance(context.find_root().command, FlaskGroup)
