"""Harms to plant in every app, to see that the suites notice them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import flask

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def add_header(wsgi_app: WSGIApplication) -> WSGIApplication:
    """Say in every response that it depends on cookies."""

    def harmed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(
            status: str, headers: list[tuple[str, str]], *exc_info: Any
        ) -> Callable[[bytes], object]:
            return start_response(status, [*headers, ("Vary", "Cookie")], *exc_info)

        return wsgi_app(environ, start)

    return harmed


def lose_byte(wsgi_app: WSGIApplication) -> WSGIApplication:
    """Withhold the last byte of every chunk."""

    def harmed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return (chunk[:-1] for chunk in wsgi_app(environ, start_response))

    return harmed


def read_input(wsgi_app: WSGIApplication) -> WSGIApplication:
    """Read the body of the request before the app can."""

    def harmed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"] = io.BytesIO()
        return wsgi_app(environ, start_response)

    return harmed


def swallow_exception(wsgi_app: WSGIApplication) -> WSGIApplication:
    """Answer with an empty page where an exception would have reached the server."""

    def harmed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return wsgi_app(environ, start_response)
        except Exception:
            start_response("500 INTERNAL SERVER ERROR", [])
            return []

    return harmed


def ask_user(wsgi_app: WSGIApplication) -> WSGIApplication:
    """Read the email of a user who was loaded, which is a statement where a commit has expired it."""

    def harmed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(*arguments: Any) -> Callable[[bytes], object]:
            getattr(flask.g.get("_login_user"), "email", None)
            return start_response(*arguments)

        return wsgi_app(environ, start)

    return harmed


HARMS: dict[str, Callable[[WSGIApplication], WSGIApplication]] = {
    "header": add_header,
    "body": lose_byte,
    "input": read_input,
    "exception": swallow_exception,
    "user": ask_user,
}
"""By the name that ``--harm`` takes."""
