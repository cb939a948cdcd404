"""Open a span at the WSGI boundary and end it there.

Only this boundary knows when a response really ended: ``request_finished`` fires before a body is
streamed and not at all if an exception escapes; ``request_tearing_down`` fires twice for some requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..registry import ENVIRON_KEY
from ..runtime.guard import counting, drop_own_frame, report_failure
from ..runtime.weak_registry import WeakRegistry
from .bodies import stored_types
from .exchange import EXCLUDED, Exchange, Submit
from .exclusion import make_exclusion, match_any
from .span import Span, reset_running, restore_running, running, set_running

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from ..registry import TrackedApp


class TrackingMiddleware:
    """The WSGI middleware around the app: records each exchange without changing it."""

    def __init__(self, wsgi_app: WSGIApplication, tracked: TrackedApp, submit: Submit) -> None:
        """Wrap `wsgi_app`.

        Args:
            wsgi_app: the app's own.
            tracked: its tracking state.
            submit: receives the capture of each exchange that has ended. Called on the thread of the
                request, which waits for it.
        """
        self.wsgi_app = wsgi_app
        self.tracked = tracked
        self.submit = submit
        self.read_settings()
        _middlewares.add(self)

    def read_settings(self) -> None:
        """Read the present settings of the tracked app, for later requests."""
        settings = self.tracked.settings
        self._excludes = make_exclusion(settings)
        self._without_bodies = match_any(settings.exclude_body)
        self._room = settings.copied_body_bytes
        self._stored_types = stored_types(settings.body_content_types)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Werkzeug's debugger leaves out frames with this name, even where they cannot be dropped.
        __traceback_hide__ = True
        outer = environ.get(ENVIRON_KEY)
        self.tracked.is_reached = True
        try:
            exchange = self._open(environ, start_response)
        except Exception as error:
            with counting(self.tracked.failures):
                report_failure("opening a span", error)
            exchange = None
        if exchange is None:
            try:
                return self.wsgi_app(environ, start_response)
            except BaseException:
                drop_own_frame()
                raise
        token = set_running(exchange.span)
        try:
            iterable = self.wsgi_app(environ, exchange.start_response)
        except BaseException as error:
            drop_own_frame()
            exchange.fail(error)
            raise
        finally:
            try:
                reset_running(token)
            except LookupError:
                restore_running(token)
            if outer is not None:
                environ[ENVIRON_KEY] = outer
            # The server checks for its own class after the call. The app may have removed ours, or put
            # another one there, which stays.
            wrap_file: object = environ.get("wsgi.file_wrapper")
            if wrap_file is exchange:
                environ["wsgi.file_wrapper"] = exchange.server_wrap_file
        return exchange.tee(iterable)

    def _open(self, environ: WSGIEnvironment, start_response: StartResponse) -> Exchange | None:
        room = self._room
        if self._excludes is not None or self._without_bodies is not None:
            path = _read_path(environ)
            if self._excludes is not None and self._excludes(path, environ):
                return None
            if self._without_bodies is not None and self._without_bodies(path):
                room = EXCLUDED
        span = Span(self.tracked, environ, running.get())
        exchange = Exchange(span, start_response, self.submit)
        exchange.enter(environ, room, self._stored_types)
        return exchange


def _read_path(environ: WSGIEnvironment) -> str:
    path: str = environ.get("PATH_INFO", "")
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")


_middlewares: WeakRegistry[TrackingMiddleware] = WeakRegistry()


def find_middlewares() -> list[TrackingMiddleware]:
    """Return the middlewares of all apps of this process."""
    return list(_middlewares)
