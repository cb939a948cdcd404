"""The tracked apps of this process.

Everything of one app hangs on one `TrackedApp`, kept in ``app.extensions["tracking"]``. The registry
holds them weakly: an app that is gone is not tracked any more.
"""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app

from .config import Settings
from .errors import ConfigError, TrackingError
from .runtime.weak_registry import WeakRegistry

if TYPE_CHECKING:
    from .exporters.base import Exporter
    from .pipeline.worker import Worker

EXTENSION_KEY = "tracking"
ENVIRON_KEY = "flask_tracking.span"
"""The key of the span in the environ of a request."""


@dataclass(eq=False)
class TrackedApp:
    """The parts of one tracked app."""

    name: str
    settings: Settings
    config: dict[str, Any]
    """The ``TRACKING_*`` keys as they were when the settings were read."""
    exporter: Exporter
    worker: Worker | None = None
    """None when ``TRACKING_ENABLED`` is False."""
    make_worker: Callable[[Settings, Exporter], Worker] | None = None
    """Makes another worker with the functions of the app."""
    user_repr: Callable[[Any], str] | None = None
    user_loader: Callable[[], Any] | None = None
    redact: Callable[[str, str, str], str | None] | None = None
    failures: Counter[str] = field(default_factory=Counter)
    """Failures that `guard` caught in requests and in the worker since the start or fork, by kind."""
    is_config_checked: bool = False
    """True once a request has compared `config` with the app's."""
    is_reached: bool = False
    """True once the middleware was called, or the log says that the server calls past it."""
    finds_users: bool = False
    """True once something could name the user of a request, which is then looked for in each."""
    marks: dict[str, Any] = field(default_factory=dict)
    """The marks that `capture.marks` found, by endpoint; None for an endpoint without marks."""


_tracked: WeakRegistry[TrackedApp] = WeakRegistry()


def register(app: Flask, tracked: TrackedApp) -> None:
    """Attach `tracked` to `app`.

    Raises:
        ConfigError: the app is tracked already.
    """
    if EXTENSION_KEY in app.extensions:
        raise ConfigError(
            f"The app {app.name!r} is tracked already. "
            "Call Tracking(app) or init_app(app) once for each app."
        )
    app.extensions[EXTENSION_KEY] = tracked
    _tracked.add(tracked)


def tracked_apps() -> list[TrackedApp]:
    """Return the state of all tracked apps of this process."""
    return list(_tracked)


def find_tracked() -> TrackedApp | None:
    """Return the state of the current app, or of the only tracked app of the process.

    Returns:
        None if the app does not exist.

    Raises:
        TrackingError: two or more apps are tracked and none of them is current.
    """
    if current_app and EXTENSION_KEY in current_app.extensions:
        found: TrackedApp = current_app.extensions[EXTENSION_KEY]
        return found
    tracked = list(_tracked)
    if len(tracked) > 1:
        # An app is part of a reference cycle: an unused one stays until it is collected.
        del tracked
        gc.collect()
        tracked = list(_tracked)
    if len(tracked) > 1:
        names = ", ".join(sorted(one.name for one in tracked))
        raise TrackingError(
            f"{len(tracked)} apps are tracked in this process ({names}), so it is not clear whose "
            "records are meant. Ask inside `with app.app_context():`."
        )
    return tracked[0] if tracked else None


def literals_of(app: Flask) -> Callable[[], list[str]]:
    """Return a function that returns the app's own secrets, without holding the app.

    Call it each time: the app may set its key after it was tracked, and may change it.
    """
    reference = weakref.ref(app)

    def find_literals() -> list[str]:
        alive = reference()
        return [] if alive is None else _secret_keys(alive)

    return find_literals


def _secret_keys(app: Flask) -> list[str]:
    keys = [app.secret_key, *(app.config.get("SECRET_KEY_FALLBACKS") or ())]
    return [key if isinstance(key, str) else key.decode("latin-1") for key in keys if key]
