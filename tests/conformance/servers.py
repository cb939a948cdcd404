"""The servers that people use, each run in a process of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..servers import ROOT, end, free_port, program, wait_until_listening

APPLICATION = "tests.conformance.serve:application"
WORKER_TIMEOUT_S = 6
"""How long gunicorn lets a worker be silent: longer than a busy machine makes one, but in its scene."""
KEEP_ALIVE_S = 5
"""How long gunicorn keeps a connection: longer than a client on a busy machine takes between two steps.
Some scenes last so long, because an answer has no end but that of its connection."""
REST = ("restx-before", "restx-after", "restful-before", "restful-after")
SOCKET_IO = ("socketio", "socketio-outside")
CONNEXION = ("connexion", "connexion-wsgi")
QUIET = {"PYTHONDEVMODE": "", "PYTHONWARNINGS": "", "PYTHONUNBUFFERED": "1"}
"""Warnings of files that an app left open come when the collector does, which is chance; and a buffer
cuts long tracebacks in two, with what another thread prints between them."""


def is_there(name: str) -> bool:
    """Tell whether a package or a program is installed."""
    return bool(importlib.util.find_spec(name) or program(name))


@dataclass(frozen=True, slots=True)
class Server:
    """One column of the table."""

    name: str
    needs: tuple[str, ...]
    """Packages to be installed."""
    command: Callable[[int], list[str]]
    """What to run, for a port."""
    apps: tuple[str, ...] = ()
    """The only apps that it runs, () for all that run under any server."""

    @property
    def is_installed(self) -> bool:
        """Whether it can be run here."""
        return all(is_there(name) for name in self.needs)

    @contextlib.contextmanager
    def run(self, environ: dict[str, str], folder: Path) -> Iterator[int]:
        """Run it; yields its port.

        Args:
            environ: more environment variables.
            folder: of its own; all that it prints goes to the file ``output`` there.
        """
        port = free_port()
        output = folder / "output"
        with output.open("wb") as log:
            # Sets of methods become headers: their order hangs on the seed.
            always = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "XDG_RUNTIME_DIR": str(folder)}
            full = {**os.environ, **QUIET, **always, **environ}
            process = subprocess.Popen(
                self.command(port), cwd=ROOT, env=full, stdout=log, stderr=log, start_new_session=True
            )
            try:
                wait_until_listening(process, port)
                yield port
            except RuntimeError as error:
                raise RuntimeError(f"{self.name}: {error}\n{output.read_text()}") from error
            finally:
                end(process)


def _gunicorn(kind: str, *options: str, name: str = "", apps: tuple[str, ...] = ()) -> Server:
    def command(port: int) -> list[str]:
        return [
            *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", kind),
            *("--timeout", str(WORKER_TIMEOUT_S), "--keep-alive", str(KEEP_ALIVE_S)),
            *("--access-logfile", "-"),
            *(*options, APPLICATION),
        ]

    needs = ("gunicorn", "gevent") if kind == "gevent" else ("gunicorn",)
    called = " ".join(["gunicorn", kind, *(option for option in options if option == "--preload")])
    return Server(name or called, needs, command, apps)


def _own(name: str, *needs: str) -> Server:
    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "tests.conformance.serve", name, str(port)]

    return Server(name, (name, *needs), command)


def _uwsgi(port: int) -> list[str]:
    return [
        *(program("uwsgi") or "uwsgi", "--http-socket", f"127.0.0.1:{port}", "--enable-threads"),
        *("--master", "--processes", "1", "--need-app", "--die-on-term", "--lazy-apps"),
        *("--wsgi", APPLICATION, "--ignore-sigpipe", "--ignore-write-errors"),
    ]


def _socketio(mode: str, *needs: str, apps: tuple[str, ...] = ()) -> Server:
    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "tests.conformance.serve_socketio", mode, str(port)]

    needed = ("flask_socketio", "simple_websocket", *needs)
    return Server(f"socketio {mode}", needed, command, (*SOCKET_IO, *apps))


def _uvicorn(port: int) -> list[str]:
    return [sys.executable, "-m", "tests.conformance.serve_asgi", str(port)]


# What escapes from an app, eventlet's debug mode shows the client; Python 3.10 cannot drop our frame.
SHOWN_TO_CLIENTS = ("testing",) if sys.version_info >= (3, 11) else ()
SERVERS = (
    _own("werkzeug"),
    _gunicorn("sync"),
    _gunicorn("sync", "--preload"),
    _gunicorn("gthread", "--threads", "4"),
    _gunicorn("gthread", "--threads", "4", "--preload"),
    _gunicorn("gevent"),
    _gunicorn("gevent", "--preload"),
    _own("waitress"),
    Server("uwsgi", ("uwsgi",), _uwsgi),
    _own("hypercorn", "asgiref"),
    # Columns of their own, for to import what these apps stand on takes longer than to play them.
    _gunicorn(
        *("gthread", "--threads", "4"), name="extensions gthread", apps=("sql", *REST, *SOCKET_IO)
    ),
    _gunicorn("gevent", name="extensions gevent", apps=("sql",)),
    _socketio("threading"),
    _socketio("gevent", "gevent"),
    _socketio("gevent-websocket", "gevent", "geventwebsocket"),
    _socketio("eventlet", "eventlet", apps=SHOWN_TO_CLIENTS),
    Server("connexion uvicorn", ("uvicorn", "connexion", "a2wsgi"), _uvicorn, CONNEXION),
)
"""Beside the test client, which is no process of its own."""
