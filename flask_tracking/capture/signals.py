"""Flask's signals add data to the span; none of them starts or ends it.

- ``request_started``: the route, and the request as the app sees it (behind ``ProxyFix``).
- ``got_request_exception``: an exception, which Flask-RESTX and Flask-RESTful may still answer with a
  404. ``request_finished`` does not follow every exception, so user and custom data are read here too.
- ``request_finished``: the response is made and the session saved, so looking for the user changes
  nothing. Blinker's part costs every request as much as ours, so only apps that may know users pay it.

The response starts right after ``request_finished``: custom data are read then, by the exchange.

No signal reports an exception that an errorhandler answers. It passes through
``app.handle_user_exception``, where it is noted. Whether an exception is recorded is decided later: by
the status of the response, or because the exception escapes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, got_request_exception, request, request_finished, request_started
from werkzeug.exceptions import HTTPException

from ..config import find_changed_keys
from ..registry import ENVIRON_KEY, EXTENSION_KEY
from ..runtime.guard import harmless, report_failure, warn_rarely
from .bypass import warn_of_bypass
from .idle_marks import warn_of_idle_marks
from .logins import find_logins, may_know_users
from .marks import UNKNOWN, apply_marks
from .snapshot import foreign_text
from .span import Span

if TYPE_CHECKING:
    from ..registry import TrackedApp

_get_request: Callable[[], Request] = request._get_current_object  # type: ignore[attr-defined]
"""Returns the request behind Flask's proxy. Looking the method up takes as long as calling it."""


def connect(app: Flask) -> None:
    """Subscribe to the signals of `app`, and note the exceptions that its errorhandlers answer."""
    # Module-level functions: blinker holds receivers weakly, and a bound method would be collected. The
    # one that every request calls is held strongly, which saves looking up a weak reference.
    request_started.connect(_on_request_started, app, weak=False)
    got_request_exception.connect(_on_got_request_exception, app)
    _note_exceptions(app)


def _note_exceptions(app: Flask) -> None:
    """Wrap the app's handlers of exceptions, including those that an extension has replaced."""
    for name, note in _NOTES.items():
        if type(getattr(app, name)) is not _NotedHandler:
            setattr(app, name, _NotedHandler(app, name, note))


class _NotedHandler:
    """A handler of exceptions whose calls are noted.

    Looking up ``__call__`` notes the exception and returns the handler itself to be called. So no frame
    of ours appears in the tracebacks that the app logs, and the handler is called as before.
    """

    __slots__ = ("_app", "_handler", "_name", "_note")

    def __init__(self, app: Flask, name: str, note: Callable[[Flask, BaseException], None]) -> None:
        self._app = app
        self._name = name
        self._handler = vars(app).get(name)
        self._note = note

    @property
    def __wrapped__(self) -> Any:
        # A handler that the app does not override is looked up in its class, which may be patched.
        return _bind(self._app, self._name) if self._handler is None else self._handler

    @property
    def __call__(self) -> Callable[..., Any]:
        error = sys.exc_info()[1]
        if error is not None:
            self._note(self._app, error)
        handler: Callable[..., Any] = self.__wrapped__
        return handler

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the handler, which may be a mock, including those of any method."""
        if name.startswith("_") and name not in _OF_METHODS:
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set foreign attributes on the handler: a mock may be configured later."""
        if name in self.__slots__:
            object.__setattr__(self, name, value)
        else:
            setattr(self.__wrapped__, name, value)


_OF_METHODS = ("__name__", "__qualname__", "__self__", "__func__", "__code__")


def _bind(app: Flask, name: str) -> Any:
    """Look up a method of an app, ignoring the attributes of the instance."""
    method = next(vars(kind)[name] for kind in type(app).__mro__ if name in vars(kind))
    bind = getattr(type(method), "__get__", None)
    return method if bind is None else bind(method, app, type(app))


@harmless("noting a handled exception")
def _note_handled(app: Flask, error: BaseException) -> None:
    span = _find_current_span(app)
    if span is not None:
        span.take_handled(error)


@harmless("noting an unhandled exception")
def _note_unhandled(app: Flask, error: BaseException) -> None:
    span = _find_current_span(app)
    if span is not None:
        span.take_handled(error)
        span.is_unhandled = True


_NOTES = {"handle_user_exception": _note_handled, "handle_exception": _note_unhandled}


def _find_span(app: Flask, request: Request) -> Span | None:
    """Return the span of `request`, unless it belongs to another app around this one."""
    span: Span | None = request.environ.get(ENVIRON_KEY)
    if span is None or span.owner is not app.extensions.get(EXTENSION_KEY):
        return None
    return span if span.is_recording else None


def _find_current_span(app: Flask) -> Span | None:
    return _find_span(app, _get_request()) if request else None


def _on_request_started(app: Flask, **_: Any) -> None:
    try:
        request_object = _get_request()
        tracked = app.extensions[EXTENSION_KEY]
        span = request_object.environ.get(ENVIRON_KEY)
        if span is not None and span.owner is tracked and span.is_recording:
            if not tracked.finds_users and may_know_users(app, tracked):
                tracked.finds_users = True
                request_finished.connect(_on_request_finished, app)
            _take_route(app, span, request_object)
            if not (
                type(app.handle_user_exception) is type(app.handle_exception) is _NotedHandler
            ):  # an extension has replaced them
                _note_exceptions(app)
        elif not tracked.is_reached:
            warn_of_bypass(app, tracked, request_object)
    except Exception as error:
        report_failure("reading the route", error)


def _take_route(app: Flask, span: Span, request_object: Request) -> None:
    span.request = request_object
    environ = span.environ = request_object.environ
    span.path_info = environ.get("PATH_INFO")
    if span.is_trace_live:
        span.note_active_span()
    tracked = span.owner
    rule = request_object.url_rule
    if rule is not None:
        endpoint = span.endpoint = rule.endpoint
        span.url_rule = rule.rule
        if "." in endpoint:
            span.blueprint = request_object.blueprint
        view_args = request_object.view_args
        if view_args:
            span.view_args = texts = {}
            for name, value in view_args.items():
                is_plain = type(value) is str or type(value) is int
                texts[name] = str(value) if is_plain else foreign_text(str, value)
        # A single lookup for most requests, because most views have no marks.
        if tracked.marks.get(endpoint, UNKNOWN) is not None:
            apply_marks(app, span, endpoint, request_object.method)
    if not tracked.is_config_checked:
        _check_config(app, tracked)
        warn_of_idle_marks(app)


@harmless("reading an exception")
def _on_got_request_exception(app: Flask, exception: BaseException, **_: Any) -> None:
    span = _find_current_span(app)
    if span is None:
        return
    span.take_handled(exception)
    # Flask-RESTX and Flask-RESTful also send each abort(404), which is not worth a traceback.
    if not isinstance(exception, HTTPException) or (exception.code or 500) >= 500:
        span.describe_handled()
    span.take_request_data()
    span.settle_trace()
    # If exceptions propagate, no response is made and request_finished never comes.
    propagates = app.config["PROPAGATE_EXCEPTIONS"]
    if propagates is None:
        propagates = app.testing or app.debug
    if not span.has_user and may_know_users(app, span.owner):
        _take_user(app, span, may_load=propagates and span.is_unhandled)


@harmless("reading the user")
def _on_request_finished(app: Flask, **_: Any) -> None:
    span = _find_current_span(app)
    if span is not None and not span.has_user:
        _take_user(app, span, may_load=True)


def _take_user(app: Flask, span: Span, *, may_load: bool) -> None:
    for login in find_logins(app, span.owner, may_load=may_load):
        if login.user is not None and span.take_user(login.user, login.verified_id):
            return


@harmless("looking at a user that was loaded")
def _on_user_loaded(app: Flask, user: object, **_: Any) -> None:
    # Loaded from a header: unlike for the session's user, no other source names it after it expires.
    span = _find_span(app, _get_request())
    if span is not None:
        span.note_loaded_user(user)


def _check_config(app: Flask, tracked: TrackedApp) -> None:
    tracked.is_config_checked = True
    # At the first request, because Flask-Login may be imported after the app was tracked.
    loaded = getattr(sys.modules.get("flask_login"), "user_loaded_from_request", None)
    if loaded is not None:
        loaded.connect(_on_user_loaded, app)
    changed = find_changed_keys(tracked.config, app.config)
    if changed:
        warn_rarely(
            "changed settings",
            "%s changed after Tracking(app) had read it and has no effect. Load the configuration "
            "first, or call tracking.init_app(app) after it.",
            ", ".join(changed),
        )
