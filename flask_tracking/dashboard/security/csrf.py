"""Protection against cross-site request forgery, by a random cookie and a form field derived from it.

It needs neither the app's session nor a ``SECRET_KEY``.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from flask import Request, Response

if TYPE_CHECKING:
    from flask import Flask

COOKIE = "flask_tracking_dashboard"
FIELD = "token"
COOKIE_BYTES = 32


def read_cookie(request: Request) -> str | None:
    """Return the value of our cookie; None if it is missing or malformed."""
    value = request.cookies.get(COOKIE, "")
    is_ours = len(value) == 2 * COOKIE_BYTES and all(one in "0123456789abcdef" for one in value)
    return value if is_ours else None


def make_cookie() -> str:
    """Return a new random value for the cookie."""
    return secrets.token_hex(COOKIE_BYTES)


def set_cookie(response: Response, value: str, *, path: str, is_secure: bool) -> None:
    """Set the cookie, limited to our own path."""
    response.set_cookie(COOKIE, value, path=path, secure=is_secure, httponly=True, samesite="Strict")


def make_token(cookie: str) -> str:
    """Return the value of the form field that belongs to a cookie."""
    return hashlib.sha256(f"flask-tracking dashboard {cookie}".encode()).hexdigest()


def is_from_our_page(request: Request) -> bool:
    """Tell whether the request was submitted by a form of the dashboard."""
    cookie = read_cookie(request)
    if cookie is None or not _is_same_origin(request):
        return False
    return hmac.compare_digest(make_token(cookie).encode(), request.form.get(FIELD, "").encode())


def _is_same_origin(request: Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("Origin") == request.host_url.rstrip("/")


def exempt_from_csrf(app: Flask, view: object) -> None:
    """Exempt a view from Flask-WTF, if the app uses it: our views have their own check."""
    protection = app.extensions.get("csrf")
    exempt = getattr(protection, "exempt", None)
    if callable(exempt):
        exempt(view)
