"""Requests that change something: only from our own pages.

The app's session is not touched, and no ``SECRET_KEY`` is needed: a random cookie of the dashboard's
own and a field derived from it have to agree.
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
    """Return the value of our cookie, or None where there is none of its shape."""
    value = request.cookies.get(COOKIE, "")
    is_ours = len(value) == 2 * COOKIE_BYTES and all(one in "0123456789abcdef" for one in value)
    return value if is_ours else None


def make_cookie() -> str:
    """Draw a new value."""
    return secrets.token_hex(COOKIE_BYTES)


def set_cookie(response: Response, value: str, *, path: str, is_secure: bool) -> None:
    """Give the browser the cookie, for our pages alone."""
    response.set_cookie(COOKIE, value, path=path, secure=is_secure, httponly=True, samesite="Strict")


def make_token(cookie: str) -> str:
    """Return the field that goes with a cookie."""
    return hashlib.sha256(f"flask-tracking dashboard {cookie}".encode()).hexdigest()


def is_from_our_page(request: Request) -> bool:
    """Tell whether a form on one of our pages sent the request."""
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
    """Tell Flask-WTF, if the app has it, that our views check themselves."""
    protection = app.extensions.get("csrf")
    exempt = getattr(protection, "exempt", None)
    if callable(exempt):
        exempt(view)
