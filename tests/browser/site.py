"""The dashboards that the browser opens: apps with known traffic, below one address each.

Run as a module it prints its port, and serves until it is killed.
"""

from __future__ import annotations

import functools
import logging
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, g
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

from flask_tracking import ExportError, MemoryExporter, Record, Tracking
from flask_tracking.exporters.store import Store

from .records import make_hostile, make_records, make_store

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class BrokenStore(MemoryExporter):
    """A store that never answers."""

    def _find(self, *arguments: object) -> list[Record]:
        raise ExportError("MongoDB at db.example:27017 cannot be reached: connection refused")

    _find_summaries = get = _find  # type: ignore[assignment]


def get_nonce() -> str:
    """Return the nonce of the current response."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return str(g.nonce)


def make_app(store: Store, policy: str = "", *, has_nonce: bool = False) -> Flask:
    """Return an app with a dashboard over `store`.

    Args:
        store: its records.
        policy: the app's own ``Content-Security-Policy``, with ``{nonce}`` where that is to stand.
        has_nonce: pass the nonce on to the dashboard.
    """
    app = Flask("tea-shop")
    app.config.update(
        TRACKING_DASHBOARD=True,
        TRACKING_WORKER="sync",
        TRACKING_APP_VERSION="2.4.1",
        TRACKING_SLOW_MS=500,
    )
    Tracking(
        app,
        exporter=store,
        dashboard_access=lambda: True,
        dashboard_nonce=get_nonce if has_nonce else None,
    )
    app.add_url_rule("/", "home", lambda: "A cup of tea?")

    def add_policy(response: Response) -> Response:
        response.headers.add("Content-Security-Policy", policy.format(nonce=get_nonce()))
        return response

    if policy:
        app.after_request(add_policy)
    return app


class Strays:
    """What is asked of the app itself, which no page of ours may do: told, and forgotten, at ``/``."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Note a path, or tell those noted since."""
        told = Response(" ".join(self.paths))
        self.paths = [*self.paths, environ["PATH_INFO"]] if environ["PATH_INFO"] != "/" else []
        return told(environ, start_response)


NONCE_POLICY = "script-src 'nonce-{nonce}' 'strict-dynamic'; object-src 'none'; base-uri 'none'"
happened = functools.partial(make_store, slower=4.0, failing=0.1)


def make_site() -> DispatcherMiddleware:
    """Return all apps as one."""
    mounted = {
        "/shop": make_app(happened(make_records())),
        "/self": make_app(happened(make_records(), dropped=3), "default-src 'self'"),
        "/nonce": make_app(happened(make_records()), NONCE_POLICY, has_nonce=True),
        "/empty": make_app(MemoryExporter()),
        "/down": make_app(BrokenStore()),
        "/hostile": make_app(make_store(make_hostile())),
    }
    return DispatcherMiddleware(Strays(), {name: app.wsgi_app for name, app in mounted.items()})


def main() -> None:
    """Serve the site."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, make_site(), threaded=True)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
