"""The dashboard's own headers, set at the WSGI boundary: an extension of the app may replace others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEY = "flask_tracking.dashboard"
"""Where the environ holds the list in which a page leaves its headers."""

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
    """WSGI middleware around the app: adds what a page of the dashboard asked for to its response.

    Responses of the app itself, also those that refuse the dashboard, pass as they are.
    """

    def __init__(self, wsgi_app: WSGIApplication, prefix: str, on_first: Callable[[], object]) -> None:
        """Wrap `wsgi_app`.

        Args:
            wsgi_app: the app's own.
            prefix: only paths that begin with it are looked at.
            on_first: called before the first of them: all extensions of the app are set up by then.
        """
        self.wsgi_app = wsgi_app
        self._prefix = prefix
        self._on_first = on_first
        self._is_first = True

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        __traceback_hide__ = True  # as that of the middleware that tracks
        if not environ.get("PATH_INFO", "").startswith(self._prefix):
            return self.wsgi_app(environ, start_response)
        if self._is_first:
            self._on_first()
            self._is_first = False
        wanted: Headers = []
        environ[KEY] = wanted

        def start(
            status: str, headers: Headers, exc_info: OptExcInfo | None = None
        ) -> Callable[[bytes], object]:
            return start_response(status, _merge(headers, wanted), exc_info)

        return self.wsgi_app(environ, start)


def ask_for(environ: WSGIEnvironment, headers: Iterable[tuple[str, str]]) -> None:
    """Have the response of the current request carry `headers`."""
    wanted: Any = environ.get(KEY)
    if wanted is not None:
        wanted.extend(headers)


def _merge(headers: Headers, wanted: Headers) -> Headers:
    """Return `headers` with ours in place of those of the same name; policies add up."""
    ours = {name.lower() for name, _ in wanted} - {"content-security-policy"}
    return [pair for pair in headers if pair[0].lower() not in ours] + wanted
