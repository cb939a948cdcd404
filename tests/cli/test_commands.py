"""The commands are imported when they are used."""

from __future__ import annotations

import gc
import pkgutil
import subprocess
import sys
from importlib import import_module

import click
import pytest
from flask import Flask
from flask.cli import FlaskGroup

from flask_tracking import Tracking, cli

from .conftest import Invoke

RESOLVE = """
import sys
import click
from flask import Flask
from flask_tracking import cli

app = Flask("shop")
cli.register(app)
group = app.cli.commands["tracking"]
names = sys.argv[1:]
assert all(group.get_command(click.Context(group), name).name == name for name in names)
print(*sorted(name for name in sys.modules if name.startswith("flask_tracking.")))
"""


def imported_for(*names: str) -> set[str]:
    """Return which modules of ours a fresh interpreter has imported to find these commands."""
    command = [sys.executable, "-c", RESOLVE, *names]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def defined() -> dict[str, tuple[str, click.Command]]:
    """Return all commands by name, each with its module."""
    found: dict[str, tuple[str, click.Command]] = {}
    for module in pkgutil.iter_modules(cli.__path__):
        commands = getattr(import_module(f"{cli.__name__}.{module.name}"), "COMMANDS", ())
        found.update((command.name, (module.name, command)) for command in commands)
    return found


def test_table_of_names() -> None:
    """The table names every command that a module defines, and no other."""
    assert {name: module for name, (module, _) in defined().items()} == cli._MODULES


@pytest.mark.integration
def test_no_command_is_imported_before_it_is_used() -> None:
    """What registers the commands with an app imports none of them."""
    assert imported_for() == {"flask_tracking.cli"}


@pytest.mark.integration
@pytest.mark.parametrize("name", ["list", "show", "keep", "unkeep", "overrides", "init", "serve"])
def test_redaction_is_imported_by_what_redacts(name: str) -> None:
    """A command that does not redact imports nothing of redaction, nor the way of a request."""
    imported = imported_for(name)
    assert f"flask_tracking.cli.{cli._MODULES[name]}" in imported
    others = {f"flask_tracking.cli.{module}" for module in cli._MODULES.values()}
    assert imported & others == {f"flask_tracking.cli.{cli._MODULES[name]}"}
    assert not {one for one in imported if one.startswith("flask_tracking.pipeline")}


@pytest.mark.integration
def test_rare_parts_of_the_store_are_imported_when_it_is_used() -> None:
    """The store imports how collections are made, and records rewritten, when it does so."""
    code = "import sys, flask_tracking.exporters.mongo; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    for part in ("rewrite", "collection"):
        assert f"flask_tracking.exporters.mongo.{part}" not in done.stdout.split()


def test_commands_leave_the_collector_alone(
    app: Flask, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage is collected as the process of the command, or the app in it, would have it."""
    changed: list[str] = []
    for name in ("freeze", "disable", "set_threshold"):
        monkeypatch.setattr(gc, name, lambda *_, name=name: changed.append(name))
    group = FlaskGroup(create_app=lambda: app)
    runner = app.test_cli_runner()
    assert runner.invoke(group, ["tracking", "show", "nonsense"]).exit_code == 2
    assert changed == []


def test_unknown_command(invoke: Invoke, tracking: Tracking) -> None:
    """A wrong name is answered as by a group that has all commands from the start."""
    result = invoke("lst")
    every = click.Group(
        "tracking", commands={name: command for name, (_, command) in defined().items()}
    )
    with pytest.raises(click.UsageError) as expected:
        every.resolve_command(click.Context(every), ["lst"])
    assert result.exit_code == 2
    assert result.stderr.endswith(f"Error: {expected.value.format_message()}\n")


def test_help(invoke: Invoke, tracking: Tracking) -> None:
    """The help lists every command with what it does."""
    output = invoke("--help").output
    for name, (_, command) in defined().items():
        assert f"  {name} " in output
        assert command.get_short_help_str(80) in output


def test_app_has_a_command_of_its_own(invoke: Invoke, app: Flask, tracking: Tracking) -> None:
    """What an app puts in the place of a command, or beside them, stays there."""
    group = app.cli.commands["tracking"]
    assert isinstance(group, click.Group)
    for name in ("list", "own"):
        group.add_command(click.Command(name, callback=lambda name=name: click.echo(f"own {name}")))
    assert invoke("list").output == "own list\n"
    assert invoke("own").output == "own own\n"
    assert "unkeep" in invoke("--help").output
    assert invoke("list").output == "own list\n"
