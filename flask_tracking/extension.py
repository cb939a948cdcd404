"""The extension class `Tracking`: connects capture, worker and exporter, for one app or many."""

from __future__ import annotations

import inspect
import weakref
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from flask import current_app

# Not `flask.Flask`, which OpenTelemetry replaces: apps created before that are apps too.
from flask.app import Flask
from werkzeug.local import LocalProxy

from . import cli
from .capture import signals
from .capture.marks import Mark, mark
from .capture.middleware import TrackingMiddleware
from .capture.span import Span, current_span
from .config import Settings, tracking_keys
from .config.overridden import override
from .errors import ConfigError, TrackingError
from .exporters.base import Exporter
from .pipeline.batch import BatchWorker
from .pipeline.callback import Hooks
from .pipeline.stats import Stats
from .pipeline.worker import SyncWorker, Worker
from .registry import EXTENSION_KEY, TrackedApp, literals_of, register
from .runtime.lifecycle import call_apart
from .runtime.weak_registry import WeakRegistry
from .spool import open_spool

if TYPE_CHECKING:
    from .documents import Tracking as TrackingDocument
    from .record import Record
    from .redaction.replacement import Redact

__all__ = ["Tracking"]

T = TypeVar("T")


class Tracking:
    """Records the requests of an app: ``Tracking(app)``.

    ::

        tracking = Tracking()

        def create_app():
            app = Flask(__name__)
            tracking.init_app(app)
            return app

    One instance can track many apps; each has its own settings, queue and store. All state of an app is
    in ``app.extensions["tracking"]``; this object holds no reference to the app.

    .. versionadded:: 2.0
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        exporter: Exporter | None = None,
        user_repr: Callable[[TrackingDocument], str] | None = None,
        user_loader: Callable[[], Any] | None = None,
        redact: Redact | None = None,
        on_record: Callable[[Record], Record | None] | None = None,
        dashboard_access: Callable[[], object] | None = None,
        dashboard_nonce: Callable[[], str] | None = None,
    ) -> None:
        """Store the arguments, and track `app` if it is given.

        Args:
            app: the app; without it call `init_app` later.
            exporter: takes the records; by default a `MongoExporter` with the app's settings.
            user_repr: replaces the method of that name on ``documents.Tracking``: takes the document
                and returns the text for its user.
            user_loader: called without arguments in the request's context when the response is made;
                returns the user (an object or an id) or None. For apps without Flask-Login.
            redact: called on the worker's thread as ``redact(path, value, rule)``, exactly once for
                each value to be removed, including cookies and ``Authorization``. `path` is the path
                of that value, like ``request_headers.Cookie``; `rule` is the name in the remark: the
                id of a format or pattern, or ``name``, ``header``, ``literal``. Returns the text to
                store, `value` itself to keep it, or None for the action of
                ``TRACKING_REDACT_ACTIONS``. If it raises, the error is logged and the action applied.
            on_record: called on the worker's thread with each record after redaction, before it is
                stored; returns it, a copy made by `dataclasses.replace`, or None to drop it.
            dashboard_access: called without arguments in the context of each request to the dashboard
                (``TRACKING_DASHBOARD``); true lets it in. What it raises is logged, and lets nobody in.
            dashboard_nonce: called in the same way; returns the nonce of the app's own content
                security policy, for the dashboard's scripts and styles.

        Raises:
            ConfigError: an argument or a setting is wrong, or the app is tracked already.
        """
        _check_exporter(exporter)
        functions = {
            "user_repr": user_repr,
            "user_loader": user_loader,
            "redact": redact,
            "on_record": on_record,
            "dashboard_access": dashboard_access,
            "dashboard_nonce": dashboard_nonce,
        }
        for name, function in functions.items():
            if function is not None:
                _check_function(name, function)
        self._exporter = exporter
        self._user_repr = user_repr
        self._user_loader = user_loader
        self._redact = redact
        self._on_record = on_record
        self._dashboard_access = dashboard_access
        self._dashboard_nonce = dashboard_nonce
        self._tracked: WeakRegistry[TrackedApp] = WeakRegistry()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Track `app`. Its ``TRACKING_*`` settings are read here, once: later changes have no effect.

        Middleware that wraps ``app.wsgi_app`` later is outside: its changes are not recorded.

        Raises:
            ConfigError: a setting is wrong, the app is tracked already, or `app` is not a Flask app.
        """
        app = _find_app(app)
        exporter = override(app.config, self._exporter)
        settings = Settings.from_mapping(app.config)
        _check_rules(settings)
        _check_exporter(exporter)
        exporter = exporter or _make_mongo_exporter(settings)
        tracked = TrackedApp(app.name, settings, tracking_keys(app.config), exporter)
        tracked.user_repr = self._user_repr
        tracked.user_loader = self._user_loader
        tracked.redact = self._redact
        register(app, tracked)
        self._tracked.add(tracked)
        cli.register(app)
        if settings.enabled:
            self._start_recording(app, tracked)
        else:
            _when_collected(app, exporter.close)
        if settings.dashboard:
            from .dashboard import mount

            mount(app, tracked, self._dashboard_access, self._dashboard_nonce)

    def _start_recording(self, app: Flask, tracked: TrackedApp) -> None:
        """Have the requests of `app` recorded from now on."""
        hooks = Hooks(literals_of(app), self._redact, self._on_record)
        tracked.make_worker = _worker_factory(app.name, hooks, tracked.failures)
        tracked.worker = tracked.make_worker(tracked.settings, tracked.exporter)
        app.wsgi_app = TrackingMiddleware(  # type: ignore[method-assign]
            app.wsgi_app, tracked, tracked.worker.submit
        )
        signals.connect(app)
        if not cli.is_command_running():
            tracked.worker.prepare()
        _when_collected(app, tracked.worker.let_go)

    def exclude(self, view: T) -> T:
        """Record no request to a view or a blueprint: ``@tracking.exclude``.

        Unlike a path in ``TRACKING_EXCLUDE``, the view is only known once the request has been routed.
        Until then the request is treated like any other. ``span.keep`` in the view overrides the mark.

        Args:
            view: a view function, the result of ``as_view``, a class of views or one of its methods,
                any class whose methods are views, or a blueprint with all its views. It is returned
                unchanged, and may be registered before or after.

        Raises:
            ConfigError: `view` is something else.
        """
        return mark(view, "exclude", Mark(is_excluded=True))

    def exclude_body(self, view: T) -> T:
        """Store neither body of the requests to a view or a blueprint: ``@tracking.exclude_body``.

        Args:
            view: as for `exclude`.

        Raises:
            ConfigError: `view` is something else.
        """
        return mark(view, "exclude_body", Mark(excludes_body=True))

    @overload
    def keep(self, view: str) -> Callable[[T], T]: ...

    @overload
    def keep(self, view: T) -> T: ...

    def keep(self, view: Any) -> Any:
        """Keep the records of a view or a blueprint, whatever their method, status and sampling.

        ``@tracking.keep``, or with a reason ``@tracking.keep("payments")``. ``span.discard`` in the
        view overrides the mark.

        Args:
            view: as for `exclude`, or the reason, which is stored with each record.

        Raises:
            ConfigError: `view` is something else.
        """
        if not isinstance(view, str):
            return mark(view, "keep", Mark(keep_reason="asked for"))
        return lambda target: mark(target, "keep", Mark(keep_reason=view))

    @property
    def span(self) -> Span:
        """The span of the running request; outside a request a span that does nothing."""
        return current_span()

    @property
    def stats(self) -> Stats:
        """The numbers of recorded and dropped requests, of the current app or of the only one.

        Raises:
            TrackingError: several apps could be meant, the app is not tracked, or its tracking is
                switched off.
        """
        tracked: TrackedApp | None = None
        if current_app:
            tracked = current_app.extensions.get(EXTENSION_KEY)
        if tracked is None or tracked not in self._tracked:
            if not self._tracked:
                raise TrackingError(
                    "No app is tracked by this object. Call `init_app(app)`, and keep a reference "
                    "to the app: without one it is garbage-collected."
                )
            if len(self._tracked) > 1:
                raise TrackingError(
                    f"{len(self._tracked)} apps are tracked by this object, so it is not clear whose "
                    "stats are meant. Ask inside `with app.app_context():`."
                )
            tracked = next(iter(self._tracked))
        if tracked.worker is None:
            raise TrackingError(f"The app {tracked.name!r} has TRACKING_ENABLED = False.")
        return tracked.worker.stats

    def flush(self, timeout_s: float) -> bool:
        """Wait until all ended requests are stored or dropped, for every app of this object.

        Args:
            timeout_s: maximum time to wait for each app.

        Returns:
            False if time ran out.
        """
        workers = [tracked.worker for tracked in self._tracked if tracked.worker is not None]
        in_time = [worker.flush(timeout_s) for worker in workers]
        return all(in_time)

    def close(self, timeout_s: float) -> bool:
        """Store queued records and close the exporters; later requests are not recorded.

        Called automatically when the process ends.

        Args:
            timeout_s: maximum time to wait for each app.

        Returns:
            False if time ran out; records that were not stored are counted as dropped.
        """
        workers = [tracked.worker for tracked in self._tracked if tracked.worker is not None]
        in_time = [worker.close(timeout_s) for worker in workers]
        return all(in_time)


def _wrong(name: str, value: object, wanted: str) -> ConfigError:
    kind = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    return ConfigError(f"Invalid Tracking({name}=...): got {kind}, expected {wanted}.")


_PARAMETERS = {
    "user_repr": "document",
    "user_loader": "",
    "redact": "path, value, rule",
    "on_record": "record",
    "dashboard_access": "",
    "dashboard_nonce": "",
}
"""The arguments of each function."""


def _check_function(name: str, function: Callable[..., Any]) -> None:
    if not callable(function):
        raise _wrong(name, function, "a function")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # some built-in functions have no signature
    parameters = _PARAMETERS[name]
    try:
        signature.bind(*filter(None, parameters.split(", ")))
    except TypeError:
        raise _wrong(name, function, f"a function that can be called as {name}({parameters})") from None


def _check_exporter(exporter: object) -> None:
    if not isinstance(exporter, Exporter | None):
        raise _wrong("exporter", exporter, "an Exporter like MemoryExporter()")


def _find_app(app: object) -> Flask:
    """Return the given app, or the app behind a proxy like `current_app`."""
    if isinstance(app, LocalProxy):
        try:
            app = app._get_current_object()
        except RuntimeError:
            raise _wrong("app", app, "a Flask app, and no app context is active here") from None
    if isinstance(app, Flask):
        return app
    for name in ("app", "server"):  # of Connexion, Dash and other wrappers
        if isinstance(getattr(app, name, None), Flask):
            raise _wrong("app", app, f"a Flask app, like the one in its attribute: Tracking(x.{name})")
    wanted = "a Flask app"
    if callable(app):
        wanted += ", like the one that an app factory returns: Tracking(create_app())"
    raise _wrong("app", app, wanted)


def _check_rules(settings: Settings) -> None:
    own = (
        settings.redact_off,
        settings.redact_patterns,
        settings.redact_literals,
        settings.redact_actions,
    )
    if any(own):
        from .redaction.configuration import check_rules

        check_rules(settings)


def _make_mongo_exporter(settings: Settings) -> Exporter:
    from .exporters.mongo import MongoExporter

    return MongoExporter(settings)


def _worker_factory(
    name: str, hooks: Hooks, failures: Counter[str]
) -> Callable[[Settings, Exporter], Worker]:
    def make(settings: Settings, exporter: Exporter) -> Worker:
        worker = SyncWorker if settings.worker == "sync" else BatchWorker
        # A test with an exporter in memory must not take the records that wait for the database.
        spool = open_spool(settings, name) if exporter.outlives_process else None
        return worker(settings, exporter, hooks, failures, spool)

    return make


def _when_collected(app: Flask, close: Callable[[], None]) -> None:
    """Call `close` when the app is garbage-collected, so that no thread or client outlives it."""
    finalizer = weakref.finalize(app, call_apart, close)
    finalizer.atexit = False  # the worker handles the end of the process itself, and waits there
