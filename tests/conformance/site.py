"""All apps behind one WSGI callable: what every server runs.

``X-App`` chooses the app, ``X-Scene`` says what its notes belong to. Nothing here is different with
tracking off and on, but the ``track`` that the apps are made with.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flask import Flask

from flask_tracking.testing.watch import freeze_signatures, note_signals

from . import journal
from .exchange import PROBE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from .apps import Factory

Track = Callable[[Flask], None]


LOGGERS = ("", "gunicorn.error", "gunicorn.access", "hypercorn.error", "hypercorn.access")
"""The root, and those that do not propagate to it."""

FOR_GOOD = contextlib.ExitStack()
"""What a server process enters and never leaves."""


class Site:
    """The apps by name."""

    def __init__(self, factories: dict[str, Factory], track: Track) -> None:
        """Make every app.

        Args:
            factories: make the apps, by name.
            track: called by each factory where an app would say ``Tracking(app)``.
        """
        self.apps: dict[str, Any] = {}
        for name, make_app in factories.items():
            self.apps[name] = make_app(self._counting(track))

    def _counting(self, track: Track) -> Track:
        def track_and_count(app: Flask) -> None:
            note_signals(app, journal.note)
            track(app)
            tracked_app = app.wsgi_app

            def count(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
                journal.add("call", app.name)
                return tracked_app(environ, start_response)

            app.wsgi_app = count  # type: ignore[method-assign]

        return track_and_count

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        journal.current_scene.set(environ.get("HTTP_X_SCENE", ""))
        app: WSGIApplication | None = self.apps.get(environ.pop("HTTP_X_APP", ""))
        if app is not None and environ.get("PATH_INFO") != PROBE:
            return app(environ, start_response)
        start_response("200 OK", [("Content-Length", "5")])
        return [b"probe"]


class JournalHandler(logging.Handler):
    """Puts the log into the journal; that of flask_tracking under a kind of its own."""

    def emit(self, record: logging.LogRecord) -> None:
        is_own = record.name.partition(".")[0] == "flask_tracking"
        journal.add("own" if is_own else "log", self.format(record))


@contextlib.contextmanager
def journalled_log() -> Iterator[None]:
    """Let all loggers write into the journal as well."""
    handler = JournalHandler()
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s: %(message)s"))
    own = logging.getLogger("flask_tracking")
    propagated, own.propagate = own.propagate, False
    loggers = [own, *map(logging.getLogger, LOGGERS)]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        own.propagate = propagated
        for logger in loggers:
            logger.removeHandler(handler)


def print_tracebacks_whole() -> None:
    """Let what nobody catches be printed by one write.

    Python prints it by hundreds of writes, and others print between them.
    """

    def print_whole(kind: Any, error: Any, tb: Any, announced: str = "") -> None:
        sys.stderr.write(announced + "".join(traceback.format_exception(kind, error, tb)))

    def print_of_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit:
            name = args.thread.name if args.thread else ""
            print_whole(*args[:3], announced=f"Exception in thread {name}:\n")

    sys.excepthook = print_whole
    threading.excepthook = print_of_thread


def make_application() -> Site:
    """Make what a server process runs, as its environment variables say."""
    from .apps import FACTORIES
    from .tracks import make_track

    print_tracebacks_whole()
    journal.use(journal.Journal(os.environ["CONFORMANCE_JOURNAL"]))
    FOR_GOOD.enter_context(freeze_signatures())
    FOR_GOOD.enter_context(journalled_log())
    names = os.environ["CONFORMANCE_APPS"].split(",")
    factories = {name: FACTORIES[name] for name in names if name}
    return Site(factories, make_track(os.environ["CONFORMANCE_VARIANT"]))
