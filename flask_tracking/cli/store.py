"""``init`` prepares the store, ``serve`` runs a database for laptops."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from ..errors import TrackingError
from ..exporters.base import Exporter
from ..exporters.retention import Sharded
from ..exporters.store import Store, find_store
from ..runtime.text import visible
from .common import Choice, get_current, get_exporter, reports_errors, show_problems
from .questions import ask_for_age, find_usage
from .terminal import say

DEFAULT_PORT = 27027
START_TIMEOUT_S = 15.0
END_TIMEOUT_S = 5.0
MAX_ERRORS = 200
"""The number of last lines of the server's output that are held."""
IN_USE = "already being managed by another process"
"""A part of the server's message if its folder is in use."""
_ENDING = (signal.SIGTERM, signal.SIGHUP) if hasattr(signal, "SIGHUP") else (signal.SIGTERM,)
"""Signals that end the command besides Ctrl-C: the server must not outlive it."""


@click.command()
@click.option(
    "--shard-key",
    type=Choice(["hashed"]),
    help="Distribute the records over the shards of a cluster, by the hash of their ids.",
)
@click.option("--yes", is_flag=True, help="Do not ask before records expire by a shorter lifetime.")
@with_appcontext
@reports_errors
def init(shard_key: str | None, yes: bool) -> None:
    """Create the collections and their indexes, and report problems.

    Existing collections are used as they are, but for the lifetime of records, which becomes
    TRACKING_TTL_S.
    """
    exporter = get_exporter()
    store = find_store(exporter)
    if shard_key:
        _shard(exporter, store, is_dry_run=True)
    if store is not None and not yes:
        _ask_for_lifetime(store)
    if exporter is not store:
        exporter.open()
    places = () if store is None else store.prepare()
    if not places:
        say(f"{type(exporter).__name__} needs no preparation.")
    for place in places:
        say(f"{visible(place.name)}: {'created' if place.was_created else 'already exists'}")
        for fact in place.facts:
            say(f"  {visible(fact)}")
    if shard_key:
        _show_sharding(_shard(exporter, store))
    if store is not None:
        show_problems(store.check())


def _ask_for_lifetime(store: Store) -> None:
    """Ask before TRACKING_TTL_S becomes so short that records expire at once."""
    settings = get_current().settings
    usage = find_usage(store) if settings.retention == "ttl" else None
    if usage is not None and usage.max_bytes is None and usage.ttl_s != settings.ttl_s:
        ask_for_age(usage, settings.ttl_s)


def _shard(exporter: Exporter, store: Store | None, *, is_dry_run: bool = False) -> Sharded:
    sharded = None if store is None else store.shard(is_dry_run=is_dry_run)
    if sharded is None:
        raise TrackingError(f"{type(store or exporter).__name__} has no shards.")
    return sharded


def _show_sharding(sharded: Sharded) -> None:
    if sharded.is_done:
        say(f"{visible(sharded.name)}: sharded by the hashed _id")
        return
    say("This is not a sharded cluster. On one, run this in mongosh:")
    for command in sharded.commands:
        click.echo(f"  {visible(command)}")


@click.command()
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(1, 65535))
@click.option("--host", default="127.0.0.1", show_default=True)
@with_appcontext
@reports_errors
def serve(host: str, port: int) -> None:
    """Run SecantusDB, a MongoDB for laptops.

    Its data is stored in the app's instance folder. Ctrl-C, SIGTERM and SIGHUP stop it.
    """
    program = _find_program()
    with contextlib.suppress(OSError), socket.create_connection((host, port), 0.5):
        raise TrackingError(
            f"A server already listens at {host}:{port}. If it is `flask tracking serve` of this app, "
            "use it. Otherwise stop it, or choose another --port."
        )
    data = Path(current_app.instance_path) / "tracking-db"
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise TrackingError(
            f"Cannot create the folder {data} ({reason}). Give the app another instance_path."
        ) from None
    command = [program, "--host", host, "--port", str(port), "--storage-path", str(data)]
    command += ["--standalone", "--log-level", "ERROR"]
    for number in _ENDING:
        signal.signal(number, _interrupt)
    # A session of its own, so that Ctrl-C reaches only us, and we stop the server properly.
    process = subprocess.Popen(  # noqa: S603 - found beside Python
        command, start_new_session=True, stderr=subprocess.PIPE
    )
    errors = _Errors(process)
    try:
        _wait_until_up(process, errors, host, port, data)
        errors.show()
        say(f"SecantusDB is running, with its data in {data}. To use it, set:")
        click.echo(f"  TRACKING_MONGODB_URI = 'mongodb://{host}:{port}/tracking'")
        click.echo(f"  TRACKING_SPOOL_DIR = {str(data.with_name('tracking-spool'))!r}")
        say("Press Ctrl-C to stop it.")
        raise SystemExit(process.wait())
    except KeyboardInterrupt:
        say("Stopping.")
    finally:
        process.terminate()
        process.wait()
        errors.join()


class _Errors:
    """Holds the error output of a process until it is clear whether to show it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._pipe = process.stderr
        self._held: list[str] = []
        self._is_shown = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._pipe or ():
            with self._lock:
                text = line.decode(errors="replace").rstrip()
                if self._is_shown:
                    click.echo(visible(text), err=True)
                else:
                    self._held = [*self._held, text][-MAX_ERRORS:]

    def show(self) -> None:
        """Show the held lines, and all later ones."""
        with self._lock:
            self._is_shown = True
            for text in self._held:
                click.echo(visible(text), err=True)

    def join(self) -> list[str]:
        """Wait for the end of the output, and return the held lines."""
        self._thread.join(END_TIMEOUT_S)
        if self._pipe is not None and not self._thread.is_alive():
            self._pipe.close()
        return self._held


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _find_program() -> str:
    # Beside the interpreter first: a virtual environment need not be active.
    beside = os.path.join(os.path.dirname(sys.executable), "secantusd-py")
    program = shutil.which(beside) or shutil.which("secantusd-py")
    if program is None:
        raise TrackingError("SecantusDB is not installed. Run: pip install 'flask-tracking[embedded]'")
    return program


def _wait_until_up(
    process: subprocess.Popen[bytes], errors: _Errors, host: str, port: int, data: Path
) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((host, port), 0.2):
            return
        time.sleep(0.05)
    process.terminate()
    process.wait()
    if any(IN_USE in line for line in errors.join()):
        raise TrackingError(
            f"Another `flask tracking serve` already uses {data}. "
            "Use the URI that it printed, or stop it first."
        )
    errors.show()
    raise TrackingError(f"SecantusDB did not start at {host}:{port}. Its output is shown above.")


COMMANDS = (init, serve)
