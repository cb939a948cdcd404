"""Access control: by a callable of the app, or only for browsers on the developer's own machine.

A refusal is the app's own 404, as for a path that does not exist.
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
"""Called without arguments in the context of each request; a true value grants access."""

_UNDECIDED = (
    Response,
    Awaitable,
    Generator,
    AsyncGenerator,
    FunctionType,
    MethodType,
    BuiltinFunctionType,
)
"""Results that are true by accident: the page of a login wall, a method that was not called."""
_ORIGINAL = "werkzeug.proxy_fix.orig"
"""The key under which ProxyFix keeps the original values."""


def may_see(app: Flask, environ: WSGIEnvironment, access: Access | None) -> bool:
    """Tell whether the current request may see the dashboard.

    With `access`, the callable alone decides. If it raises, or returns no decision but for example a
    response or a coroutine, access is refused and the error is logged. Without it, access is limited to
    browsers on the same machine as an app in debug mode.

    Args:
        app: the app; its `debug` counts.
        environ: the WSGI environ of the request, after all middleware.
        access: the argument of `Tracking(app, dashboard_access=...)`.
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
        answer.close()  # else Python warns that it was never awaited
    if isinstance(answer, _UNDECIDED) or type(answer) is tuple:
        raise TypeError(f"expected true or false, and not a {type(answer).__name__}")
    return bool(answer)


def is_own_machine(environ: WSGIEnvironment) -> bool:
    """Tell whether a browser on this machine connected directly, by a loopback name.

    Behind a proxy on the same machine every peer is loopback, and with DNS rebinding a foreign page can
    reach this server under its own name, which shows in the ``Host`` header.
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
