"""Flask's signals annotate the span; none of them begins or ends it.

What each can tell:

- ``request_started``: the route, and the request as the app sees it (behind ``ProxyFix``).
- ``got_request_exception``: the exception that nobody handled. Not every exception is followed by
  ``request_finished``, so user and custom data are read here already.
- ``request_finished``: the response is made and the session saved, so reading it changes nothing.

An exception that an errorhandler answers is sent by no signal. It passes through
``app.handle_user_exception``, where it is noted; it is recorded when the answer is a 5xx.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, Request, got_request_exception, request, request_finished, request_started
from flask.globals import request_ctx

from ..config import tracking_keys
from ..guard import harmless, report_failure, warn_rarely
from .marks import UNKNOWN, apply_marks
from .snapshot import foreign_text
from .span import ENVIRON_KEY, Span
from .users import find_user

if TYPE_CHECKING:
    from flask import Response

    from ..registry import TrackedApp


def connect(app: Flask) -> None:
    """Subscribe to the signals of `app`, and note the exceptions that its errorhandlers answer."""
    # Module-level functions: blinker holds receivers weakly, and a bound method would be collected.
    request_started.connect(_on_request_started, app)
    request_finished.connect(_on_request_finished, app)
    got_request_exception.connect(_on_got_request_exception, app)
    _note_handled_exceptions(app)


def _note_handled_exceptions(app: Flask) -> None:
    handle_user_exception = app.handle_user_exception

    def note_and_handle_user_exception(*args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        _note_handled(app, args[-1])
        return handle_user_exception(*args, **kwargs)

    app.handle_user_exception = note_and_handle_user_exception  # type: ignore[method-assign]


@harmless("noting a handled exception")
def _note_handled(app: Flask, error: BaseException) -> None:
    span = _find_span(app, request._get_current_object())  # type: ignore[attr-defined]
    if span is not None:
        span.take_handled(error)


def _find_span(app: Flask, request: Request) -> Span | None:
    """Return the span of `request`, unless it belongs to another app around this one."""
    span: Span | None = request.environ.get(ENVIRON_KEY)
    if span is None or span.owner is not app.extensions.get("tracking"):
        return None
    return span if span.is_recording else None


def _on_request_started(app: Flask, **_: Any) -> None:
    try:
        request_object = request._get_current_object()  # type: ignore[attr-defined]
        span = _find_span(app, request_object)
        if span is not None:
            _take_route(app, span, request_object)
    except Exception as error:
        report_failure("reading the route", error)


def _take_route(app: Flask, span: Span, request_object: Request) -> None:
    span.request = request_object
    span.environ = request_object.environ
    tracked = span.owner
    rule = request_object.url_rule
    if rule is not None:
        endpoint = span.endpoint = rule.endpoint
        span.url_rule = rule.rule
        if "." in endpoint:
            span.blueprint = request_object.blueprint
        if request_object.view_args:
            span.view_args = {
                name: str(value) if type(value) in (str, int) else foreign_text(str, value)
                for name, value in request_object.view_args.items()
            }
        # One look for most requests: nothing is said about most views.
        if tracked.marks.get(endpoint, UNKNOWN) is not None:
            apply_marks(app, span, endpoint, request_object.method)
    if not tracked.is_config_checked:
        _check_config(app, tracked)


@harmless("reading an exception")
def _on_got_request_exception(app: Flask, exception: BaseException, **_: Any) -> None:
    span = _find_span(app, request._get_current_object())  # type: ignore[attr-defined]
    if span is None:
        return
    span.take_exception(exception)
    span.take_request_data()
    # Where exceptions propagate no response is made and request_finished never comes.
    propagates = app.config["PROPAGATE_EXCEPTIONS"]
    if propagates is None:
        propagates = app.testing or app.debug
    _take_user(app, span, may_load=propagates)


def _on_request_finished(app: Flask, response: Response, **_: Any) -> None:
    try:
        request_object = request._get_current_object()  # type: ignore[attr-defined]
        span = _find_span(app, request_object)
        if span is None:
            return
        # Asked before the calls: in most requests there is neither.
        if span.handled is not None:
            span.settle_handled(response.status_code)
        if hasattr(request_object, "_tracking_data"):
            span.take_request_data()
        _take_user(app, span, may_load=True)
        span.settled_trace()
    except Exception as error:
        report_failure("reading the user and custom data", error)


def _take_user(app: Flask, span: Span, *, may_load: bool) -> None:
    tracked = span.owner
    if span.has_user or (tracked.user_loader is None and not hasattr(app, "login_manager")):
        return
    # Past the `session` proxy, which would mark the session as accessed and add `Vary: Cookie`.
    context = vars(request_ctx._get_current_object())  # type: ignore[attr-defined]
    session = context.get("_session", context.get("session"))
    user = find_user(tracked, session, may_load=may_load)
    if user is not None:
        span.take_user(user)


def _check_config(app: Flask, tracked: TrackedApp) -> None:
    tracked.is_config_checked = True
    now = tracking_keys(app.config)
    changed = sorted(
        key for key in now.keys() | tracked.config.keys() if now.get(key) != tracked.config.get(key)
    )
    if changed:
        warn_rarely(
            "changed settings",
            "%s changed after Tracking(app) had read it and has no effect. Load the configuration "
            "first, or call tracking.init_app(app) after it.",
            ", ".join(changed),
        )
