"""Who may see the dashboard: nobody, unless the app says so, or the developer's own machine asks.

What is refused looks like a path that the app does not have.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from types import BuiltinFunctionType, CoroutineType, FunctionType, MethodType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.wrappers import Response

from ...runtime.guard import report_failure

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Access = Callable[[], object]
"""Called without arguments in the context of each request to a page; true lets it in."""

_UNDECIDED = (
    Response,
    Awaitable,
    Generator,
    AsyncGenerator,
    FunctionType,
    MethodType,
    BuiltinFunctionType,
)
"""Types of answers that are true whatever was meant: the page of a login wall, a method not called."""
_ORIGINAL = "werkzeug.proxy_fix.orig"
"""Where ProxyFix keeps what the environ said before."""


def may_see(app: Flask, environ: WSGIEnvironment, access: Access | None) -> bool:
    """Tell whether the current request may see the dashboard.

    With `access` that alone decides; what it raises is a refusal, and is logged. So is an answer that
    decides nothing, like a response or a coroutine. Without it only a browser on the machine of an app
    in debug mode may.

    Args:
        app: the app; its `debug` counts.
        environ: of the request, after all middleware.
        access: what `Tracking(app, dashboard_access=...)` was given.
    """
    if access is None:
        return app.debug and is_own_machine(environ)
    try:
        return _decide(app.ensure_sync(access)())
    except Exception as error:
        report_failure("asking dashboard_access", error)
        return False


def _decide(answer: object) -> bool:
    if isinstance(answer, CoroutineType):
        answer.close()  # or Python warns that nobody has awaited it
    if isinstance(answer, _UNDECIDED) or type(answer) is tuple:
        raise TypeError(f"expected true or false, and not a {type(answer).__name__}")
    return bool(answer)


def is_own_machine(environ: WSGIEnvironment) -> bool:
    """Tell whether a browser on this machine asks, without a proxy, for a name of this machine.

    Behind a proxy on the same machine every peer is this machine; and a page of a stranger can have
    its own name lead here, which the ``Host`` header shows.
    """
    original = environ.get(_ORIGINAL) or {}
    peer = original.get("REMOTE_ADDR", environ.get("REMOTE_ADDR"))
    host = original.get("HTTP_HOST", environ.get("HTTP_HOST"))
    return _is_loopback(peer) and not _is_forwarded(environ) and _is_loopback_name(host)


def _is_forwarded(environ: WSGIEnvironment) -> bool:
    return any(
        name in ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP") or name.startswith("HTTP_X_FORWARDED_")
        for name in environ
    )


def _is_loopback(address: object) -> bool:
    if not isinstance(address, str):
        return False
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback


def _is_loopback_name(host: object) -> bool:
    if not isinstance(host, str):
        return False
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in ("localhost", "127.0.0.1", "::1") or _is_loopback(name)
