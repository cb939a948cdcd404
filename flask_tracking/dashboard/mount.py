"""Register the dashboard's pages in an app."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask, Response, abort, current_app, request

from ..errors import ConfigError
from ..exporters.store import find_store
from ..registry import TrackedApp
from ..runtime.guard import call_foreign
from .security import boundary, csrf
from .security.access import Access, may_see
from .views import ROUTES, Route

__all__ = ["mount"]

Nonce = Callable[[], str]
HOST = "tracking_host"
"""The variable part of our rules that matches any host, for apps with host matching."""


def mount(
    app: Flask, tracked: TrackedApp, access: Access | None = None, nonce: Nonce | None = None
) -> None:
    """Register the pages below ``TRACKING_DASHBOARD_URL_PREFIX``.

    Args:
        app: the Flask app.
        tracked: the tracking state of that app.
        access: see `access.may_see`.
        nonce: called in the request's context; returns the nonce of the app's own policy.

    Raises:
        ConfigError: the exporter of the app is not a store, so records cannot be read back.
    """
    if find_store(tracked.exporter) is None:
        raise ConfigError(
            f"TRACKING_DASHBOARD is True, but {type(tracked.exporter).__name__} is not a store: it "
            "takes records and gives none back. Use MongoExporter or MemoryExporter, alone or in a "
            "TeeExporter."
        )
    prefix = tracked.settings.dashboard_url_prefix
    if app.url_map.host_matching:
        app.url_value_preprocessors[boundary.BLUEPRINT].append(_take_host)
        app.url_default_functions[boundary.BLUEPRINT].append(_give_host)
    for route in ROUTES:
        _add(app, prefix, route, partial(_answer, tracked, access, nonce, route))
    app.wsgi_app = boundary.Boundary(  # type: ignore[method-assign]
        app.wsgi_app, prefix, lambda: _exempt(app)
    )


def _add(app: Flask, prefix: str, route: Route, view: Callable[..., Response]) -> None:
    """Add a rule for every method, so that all methods are refused alike.

    It never redirects to add or merge slashes: that would reveal the dashboard to those without access.
    """
    endpoint = f"{boundary.BLUEPRINT}.{route.name}"
    rule = app.url_rule_class(
        prefix + route.path,
        endpoint=endpoint,
        methods=None,
        strict_slashes=False,
        merge_slashes=False,
        host=f"<{HOST}>" if app.url_map.host_matching else None,
    )
    rule.provide_automatic_options = False  # type: ignore[attr-defined]
    app.url_map.add(rule)
    app.view_functions[endpoint] = view


def _take_host(_: str | None, values: dict[str, Any] | None) -> None:
    if values is not None:
        values.pop(HOST, None)


def _give_host(_: str, values: dict[str, Any]) -> None:
    values[HOST] = request.host


def _exempt(app: Flask) -> None:
    for route in ROUTES:
        csrf.exempt_from_csrf(app, app.view_functions[f"{boundary.BLUEPRINT}.{route.name}"])


def _answer(
    tracked: TrackedApp, access: Access | None, nonce: Nonce | None, route: Route, **values: Any
) -> Response:
    """Answer a request if access is granted, else with the app's own 404."""
    if not may_see(current_app, request.environ, access):
        abort(404)
    from .dispatch import answer  # an app whose pages nobody may open does without all of it

    return answer(tracked, _get_nonce(nonce), route, **values)


def _get_nonce(nonce: Nonce | None) -> str:
    """Return the nonce of the app's policy; without it pages work, though without scripts."""
    if nonce is None:
        return ""
    found: object = call_foreign(
        "asking dashboard_nonce", lambda: current_app.ensure_sync(nonce)(), default=""
    )
    return found if isinstance(found, str) else ""
