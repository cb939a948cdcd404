"""Detect requests that bypass the middleware because a server holds the app's old ``wsgi_app``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from flask.app import Flask

from ..runtime.guard import harmless, warn_rarely
from .exclusion import make_exclusion

if TYPE_CHECKING:
    from flask import Request

    from ..registry import TrackedApp

__all__ = ["warn_of_bypass"]


@harmless("looking for the middleware")
def warn_of_bypass(app: Flask, tracked: TrackedApp, request: Request) -> None:
    """Warn, once, that the server bypasses the middleware.

    Call it for a request without a span of `app`. It does not warn if the middleware has ever been
    called, for requests that are excluded, or if a test dispatches a context itself.
    """
    if tracked.is_reached or not _is_in_wsgi_app(app):
        return
    excludes = make_exclusion(tracked.settings)
    if excludes is not None and excludes(request.path, request.environ):
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
    """Tell whether Flask's own ``wsgi_app`` of `app` started the running request."""
    code = inspect.unwrap(Flask.wsgi_app).__code__
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is code and frame.f_locals.get("self") is app:
            return True
        frame = frame.f_back
    return False
