"""Put the dashboard's pages into an app."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from flask import Flask, Response, abort, current_app, request

from ..errors import ConfigError, TrackingError
from ..exporters.store import find_store
from ..registry import TrackedApp
from . import boundary, changes
from .access import Access, may_see
from .messages import explain
from .page import BLUEPRINT, Page
from .views import ROUTES, Route

__all__ = ["mount"]

Nonce = Callable[[], str]


class Seen(NamedTuple):
    """What the pages of an app show, and to whom."""

    tracked: TrackedApp
    access: Access | None
    nonce: Nonce | None


def mount(
    app: Flask, tracked: TrackedApp, access: Access | None = None, nonce: Nonce | None = None
) -> None:
    """Add the pages below ``TRACKING_DASHBOARD_URL_PREFIX`` to an app.

    Args:
        app: the app.
        tracked: what tracks it.
        access: see `access.may_see`.
        nonce: called in the request's context; returns the nonce of the app's own policy.

    Raises:
        ConfigError: the exporter of the app cannot be asked for records.
    """
    if find_store(tracked.exporter) is None:
        raise ConfigError(
            f"TRACKING_DASHBOARD is True, but {type(tracked.exporter).__name__} is not a store: it "
            "takes records and gives none back. Use MongoExporter or MemoryExporter, alone or in a "
            "TeeExporter."
        )
    prefix = tracked.settings.dashboard_url_prefix
    for route in ROUTES:
        _add(app, prefix, route, partial(_answer, Seen(tracked, access, nonce), route))
    app.wsgi_app = boundary.Boundary(  # type: ignore[method-assign]
        app.wsgi_app, prefix, lambda: _exempt(app)
    )


def _add(app: Flask, prefix: str, route: Route, view: Callable[..., Response]) -> None:
    """Add a rule for every method, so that all methods are refused alike."""
    endpoint = f"{BLUEPRINT}.{route.name}"
    rule = app.url_rule_class(prefix + route.path, endpoint=endpoint, methods=None)
    rule.provide_automatic_options = False  # type: ignore[attr-defined]
    app.url_map.add(rule)
    app.view_functions[endpoint] = view


def _exempt(app: Flask) -> None:
    for route in ROUTES:
        changes.exempt_from_csrf(app, app.view_functions[f"{BLUEPRINT}.{route.name}"])


def _answer(seen: Seen, route: Route, **values: Any) -> Response:
    """Answer a request to one of our addresses, or refuse it as an address that does not exist."""
    if not may_see(current_app, request.environ, seen.access):
        abort(404)
    store = find_store(seen.tracked.exporter)
    if store is None:  # a test has another exporter
        abort(404)
    nonce = seen.nonce() if seen.nonce is not None else ""
    page = Page(request, seen.tracked, store, nonce=nonce)
    if request.method not in route.methods:
        response = Response(status=405, headers={"Allow": ", ".join(route.methods)})
    else:
        try:
            with store.limited(route.budget_s):
                response = route.view(page, **values)
        except TrackingError as error:
            response = explain(page, error)
    if page.new_cookie is not None:
        path = f"{request.root_path}{seen.tracked.settings.dashboard_url_prefix}"
        changes.set_cookie(response, page.new_cookie, path=path, is_secure=request.is_secure)
    policy = boundary.DOWNLOAD_POLICY if route.is_download else boundary.PAGE_POLICY
    boundary.ask_for(request.environ, [("Content-Security-Policy", policy), *boundary.COMMON])
    response.headers.setdefault("Cache-Control", "no-store")
    return response
