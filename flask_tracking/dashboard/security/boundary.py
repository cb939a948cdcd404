"""WSGI middleware for the dashboard's headers, since extensions may replace those of a view."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BLUEPRINT = "tracking_dashboard"
"""The prefix of our endpoints, as if they were of a blueprint."""
KEY = "flask_tracking.dashboard"
"""The key in the environ for the headers that a page requests."""
POLICIES_KEY = "flask_tracking.dashboard.policies"
"""The key in the environ for the policies that the app set on an earlier page."""

Headers = list[tuple[str, str]]

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
DOWNLOAD_POLICY = "sandbox; default-src 'none'"
COMMON: Headers = [
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]


class Boundary:
    """WSGI middleware that adds the headers requested by a page of the dashboard to its response.

    Responses of the app itself are unchanged, including its 404 when access is refused.
    """

    def __init__(self, wsgi_app: WSGIApplication, prefix: str, on_first: Callable[[], object]) -> None:
        """Wrap `wsgi_app`.

        Args:
            wsgi_app: the app's own.
            prefix: other paths are passed on untouched.
            on_first: called at the first request to the dashboard, when all extensions are set up.
        """
        self.wsgi_app = wsgi_app
        self._prefix = prefix
        self._on_first = on_first
        self._is_first = True
        self._policies: tuple[str, ...] | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        __traceback_hide__ = True  # as that of the middleware that tracks
        if not environ.get("PATH_INFO", "").startswith(self._prefix):
            return self.wsgi_app(environ, start_response)
        if self._is_first:
            self._on_first()
            self._is_first = False
        wanted: Headers = []
        environ[KEY] = wanted
        environ[POLICIES_KEY] = self._policies

        def start(
            status: str, headers: Headers, exc_info: OptExcInfo | None = None
        ) -> Callable[[bytes], object]:
            if wanted:
                self._policies = tuple(_find_policies(headers))
            return start_response(status, _merge(headers, wanted), exc_info)

        return self.wsgi_app(environ, start)


def ask_for(environ: WSGIEnvironment, headers: Iterable[tuple[str, str]]) -> None:
    """Request `headers` for the response to the current request."""
    wanted: Any = environ.get(KEY)
    if wanted is not None:
        wanted.extend(headers)


def find_policies(environ: WSGIEnvironment) -> tuple[str, ...] | None:
    """Return the policies that the app itself sets on our pages; None before the first page."""
    policies: tuple[str, ...] | None = environ.get(POLICIES_KEY)
    return policies


def _find_policies(headers: Headers) -> list[str]:
    return [value for name, value in headers if name.lower() == "content-security-policy"]


def _merge(headers: Headers, wanted: Headers) -> Headers:
    """Replace headers of the same name by ours; policies are added, as browsers enforce all."""
    ours = {name.lower() for name, _ in wanted} - {"content-security-policy"}
    return [pair for pair in headers if pair[0].lower() not in ours] + wanted
