"""Notice requests that reach the app past the middleware, because a server took its ``wsgi_app``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from flask.app import Flask

from ..runtime.guard import harmless, warn_rarely
from .middleware import is_left_out

if TYPE_CHECKING:
    from flask import Request

    from ..registry import TrackedApp

__all__ = ["warn_of_bypass"]


@harmless("looking for the middleware")
def warn_of_bypass(app: Flask, tracked: TrackedApp, request: Request) -> None:
    """Warn, once, that the server calls the app past the middleware.

    Call it for a request without a span of `app`. Nothing is said when the middleware has ever been
    called, of requests that would not be recorded, and where a test dispatches a context by itself.
    """
    if tracked.is_reached or is_left_out(tracked.settings, request.path, request.environ):
        return
    if not _is_in_wsgi_app(app):
        return
    tracked.is_reached = True
    warn_rarely(
        f"bypass of {id(tracked)}",
        "Nothing is recorded: the server calls an app.wsgi_app of the app '%s' that was taken before "
        "Tracking(app) replaced it. Call Tracking(app) first, or give the server the app and not its "
        "wsgi_app.",
        app.name,
    )


def _is_in_wsgi_app(app: Flask) -> bool:
    """Tell whether the running request was begun by Flask's own ``wsgi_app`` of `app`."""
    code = inspect.unwrap(Flask.wsgi_app).__code__
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is code and frame.f_locals.get("self") is app:
            return True
        frame = frame.f_back
    return False
