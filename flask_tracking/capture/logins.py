"""Read the user of the running request from login extensions, without loading one.

Flask-Login, Flask-HTTPAuth and Flask-JWT-Extended store the verified user in Flask's ``g``. These
extensions are looked up in ``sys.modules`` and never imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, g, has_request_context
from flask.globals import request_ctx
from werkzeug.local import LocalProxy

from ..runtime.guard import call_foreign

if TYPE_CHECKING:
    from ..registry import TrackedApp


class Login(NamedTuple):
    """A user named by a login extension."""

    user: Any
    """An object or an id."""
    verified_id: str | None = None
    """The id in a token that the app has verified; it takes precedence over the object's id."""


def may_know_users(app: Flask, tracked: TrackedApp) -> bool:
    """Tell whether anything could name the user; cheap, because it is called for every request."""
    return (
        tracked.user_loader is not None
        or hasattr(app, "login_manager")
        or "flask_httpauth" in sys.modules
        or "flask_jwt_extended" in sys.modules
    )


def find_logins(app: Flask, tracked: TrackedApp, *, may_load: bool) -> Iterator[Login]:
    """Yield the users that login extensions name for the running request, best first.

    Args:
        app: the app of the request.
        tracked: its tracking state.
        may_load: True once the response is made, when a query can no longer change it.
    """
    if tracked.user_loader is not None:
        if may_load:
            yield Login(call_foreign("user_loader", _call_loader, tracked.user_loader, default=None))
        return
    has_flask_login = hasattr(app, "login_manager")
    loaded = g.get("_login_user") if has_flask_login else None
    if loaded is not None:
        yield Login(loaded)
    yield from _find_verified(app)
    if has_flask_login and loaded is None:
        if may_load and tracked.settings.load_user:
            yield Login(call_foreign("loading the Flask-Login user", _load_user, default=None))
        else:
            yield Login(session_user_id())


def _find_verified(app: Flask) -> Iterator[Login]:
    if "flask_httpauth" in sys.modules:
        user = g.get("flask_httpauth_user")
        # With optional=True it is the result of the check, and False if that failed. Compared by
        # identity: the == of a user may read its id.
        if user is not None and user is not False:
            yield Login(user)
    if "flask_jwt_extended" in sys.modules:
        claims = g.get("_jwt_extended_jwt")  # written after all checks; empty without a token
        if claims:
            yield _read_token(app, claims)


def _read_token(app: Flask, claims: Mapping[str, Any]) -> Login:
    identity = claims.get(app.config.get("JWT_IDENTITY_CLAIM", "sub"))
    user = (g.get("_jwt_extended_jwt_user") or {}).get("loaded_user")
    if identity is None:
        return Login(user)
    return Login(identity if user is None else user, str(identity))


def session_user_id() -> Any:
    """Return the id of the user in Flask-Login's session, or None."""
    # Not through the `session` proxy, which would mark the session as accessed: `Vary: Cookie`.
    context = vars(request_ctx._get_current_object())  # type: ignore[attr-defined]
    session = context.get("_session", context.get("session"))
    # dict.get instead of session.get: a session class of the app may record that it was read.
    return dict.get(session, "_user_id") if isinstance(session, dict) else None


def is_current_user(proxy: object) -> bool:
    """Tell whether `proxy` is Flask-Login's ``current_user``; resolving it may load the user."""
    return proxy is getattr(sys.modules.get("flask_login"), "current_user", None)


def resolve(proxy: LocalProxy[Any]) -> Any:
    """Return the object behind a proxy; for a user that was not loaded, the id in the session."""
    if not is_current_user(proxy):
        return proxy._get_current_object()
    if not has_request_context():
        return None
    loaded = g.get("_login_user")
    return session_user_id() if loaded is None else loaded


def is_logged_in(user: object) -> bool:
    """Tell whether `user` is the object that Flask-Login has loaded for the running request."""
    return user is not None and has_request_context() and g.get("_login_user") is user


def _call_loader(loader: Callable[[], Any]) -> Any:
    user = loader()
    # The app asked for it: here Flask-Login's proxy may load the user.
    return user._get_current_object() if isinstance(user, LocalProxy) else user


def _load_user() -> Any:
    from flask_login import current_user

    return current_user._get_current_object()
