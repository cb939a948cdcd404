"""Exceptions, everywhere they can come from, in the modes in which Flask treats them differently."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, after_this_request, request
from werkzeug.debug import DebuggedApplication
from werkzeug.exceptions import Conflict, HTTPException

from ..exchange import Scene, get, post, scenes
from ..journal import note
from ..servers import WORKER_TIMEOUT_S
from ._base import Factory, Track, new_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

MODES = ("production", "testing", "debug")


class OutOfStock(Exception):
    """An error that the app has an answer to."""


def add_handlers(app: Flask) -> None:
    """Raise in each kind of handler, when its path is asked for."""

    def raise_at(path: str) -> None:
        if request.path == path:
            raise ZeroDivisionError(f"at {path}")

    app.before_request(lambda: raise_at("/before"))

    @app.after_request
    def after(response: Response) -> Response:
        note(f"after {response.status}")
        raise_at("/after")
        return response

    app.teardown_request(lambda error: raise_at("/teardown"))


def add_views(app: Flask) -> None:
    """Add a view for each kind of failure."""

    @app.route("/<path:any_path>")
    def fine(any_path: str) -> str:
        return f"fine: {any_path}"

    @app.get("/raise")
    def fail() -> str:
        raise ZeroDivisionError("in the view")

    @app.get("/handled")
    def handled() -> str:
        raise OutOfStock

    @app.errorhandler(OutOfStock)
    def out_of_stock(error: OutOfStock) -> tuple[dict[str, str], int]:
        return {"error": "out of stock"}, 409

    @app.get("/handler-raises")
    def handler_raises() -> str:
        raise LookupError("first")

    @app.errorhandler(LookupError)
    def fail_again(error: LookupError) -> str:
        raise ValueError("second")

    @app.get("/http")
    def http() -> str:
        raise Conflict("two at a time")

    @app.get("/with-response")
    def with_response() -> str:
        raise HTTPException(response=Response("made by hand", 499))

    @app.get("/none")
    def nothing() -> Any:
        return None

    @app.post("/form")
    def form() -> str:
        return request.form["missing"]

    @app.get("/after-this")
    def after_this() -> str:
        @after_this_request
        def add(response: Response) -> Response:
            response.headers["X-After"] = "this"
            return response

        return "after this"


def make_app(mode: str, track: Track) -> WSGIApplication:
    """Make an app in one of the modes."""
    app = new_app(mode, TESTING=mode == "testing")
    app.debug = mode == "debug"
    add_handlers(app)
    track(app)
    add_views(app)
    return DebuggedApplication(app, evalex=True) if mode == "debug" else app


def make_catch_all_app(track: Track) -> WSGIApplication:
    """Make an app that has an answer to every exception, as JSON APIs do."""
    app = new_app("catch-all")
    track(app)
    add_handlers(app)
    add_views(app)

    @app.errorhandler(Exception)
    def any_error(error: Exception) -> tuple[dict[str, str], int]:
        return {"error": type(error).__name__}, getattr(error, "code", 500)

    return app


def make_exits_app(track: Track) -> WSGIApplication:
    """Make an app whose views end more than the request."""
    app = new_app("exits")
    track(app)

    @app.get("/exit")
    def leave() -> str:
        sys.exit(3)

    @app.get("/greenlet-exit")
    def kill_greenlet() -> str:
        import greenlet

        raise greenlet.GreenletExit

    @app.get("/too-slow")
    def too_slow() -> str:
        import threading

        note("waits longer than the server does")
        # Not time.sleep, which gevent's worker would make cooperative.
        original: Callable[[float], None] = _real_sleep()
        try:
            original(WORKER_TIMEOUT_S * 20)
        finally:
            note(f"woken in {threading.current_thread().name}")
        return "in time"

    return app


def _real_sleep() -> Callable[[float], None]:
    import time

    if "gevent.monkey" not in sys.modules:
        return time.sleep
    import gevent.monkey

    sleep: Callable[[float], None] = gevent.monkey.get_original("time", "sleep")
    return sleep


FACTORIES: dict[str, Factory] = {
    **{mode: functools.partial(make_app, mode) for mode in MODES},
    "catch-all": make_catch_all_app,
    "exits": make_exits_app,
}

FAILURES = {
    "unhandled exception": get("/raise"),
    "errorhandler": get("/handled"),
    "errorhandler that raises": get("/handler-raises"),
    "exception in before_request": get("/before"),
    "exception in after_request": get("/after"),
    "exception in teardown_request": get("/teardown"),
    "HTTPException": get("/http"),
    "HTTPException with a response": get("/with-response"),
    "view that returns None": get("/none"),
    "missing form key": post("/form", b"a=1", "application/x-www-form-urlencoded"),
    "after_this_request": get("/after-this"),
}


def _in_mode(app: str) -> list[Scene]:
    return scenes(app, {f"{name}, {app}": request for name, request in FAILURES.items()})


SCENES = [
    *(scene for mode in (*MODES, "catch-all") for scene in _in_mode(mode)),
    # Last, for they end workers.
    *scenes(
        "exits",
        {"GreenletExit": get("/greenlet-exit"), "sys.exit": get("/exit")},
        not_on={
            "waitress": "one of its threads dies, and the client waits for ever",
            "hypercorn": "the exit reaches its event loop and ends the server",
        },
    ),
    *scenes(
        "exits",
        {"worker timeout": get("/too-slow")},
        only_on=("gunicorn sync", "gunicorn gevent"),
        why_only="only gunicorn ends workers that are busy for too long, and not of threads",
    ),
]
