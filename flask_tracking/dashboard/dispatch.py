"""The dispatcher of requests to the dashboard, imported when the first one is admitted."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from flask import Response, abort, request

from ..errors import FilterError, TrackingError
from ..exporters.store import find_store
from ..registry import TrackedApp
from .messages import show_filter_error, show_store_error
from .page import Page
from .security import boundary, csrf
from .views import Route


def answer(tracked: TrackedApp, nonce: str, route: Route, **values: Any) -> Response:
    """Answer the current request, whose access has been granted.

    Args:
        tracked: the app whose records are shown.
        nonce: the nonce of the app's own policy; empty for none.
        route: the matched route.
        **values: the variable parts of its URL.
    """
    store = find_store(tracked.exporter)
    if store is None:  # a test has another exporter
        abort(404)
    page = Page(request, tracked, store, nonce=nonce)
    if request.method not in route.methods:
        response = Response(status=405, headers={"Allow": ", ".join(route.methods)})
    else:
        try:
            with store.limited(route.budget_s):
                response = _find_view(route)(page, **values)
        except FilterError as error:  # with what the page adds, the filter is too long
            response = show_filter_error(page, error)
        except TrackingError as error:
            response = show_store_error(page, error)
    if page.new_cookie is not None:
        path = f"{request.root_path}{tracked.settings.dashboard_url_prefix}"
        csrf.set_cookie(response, page.new_cookie, path=path, is_secure=request.is_secure)
    policy = boundary.DOWNLOAD_POLICY if route.is_download else boundary.PAGE_POLICY
    boundary.ask_for(request.environ, [("Content-Security-Policy", policy), *boundary.COMMON])
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _find_view(route: Route) -> Callable[..., Response]:
    module, _, name = route.view.partition(".")
    view: Callable[..., Response] = getattr(import_module(f".pages.{module}", __package__), name)
    return view
