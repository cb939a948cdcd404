"""Checks of the app and its process: can they record?"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import bson
import pymongo
from flask import Flask

from ..capture.exclusion import make_exclusion
from ..capture.middleware import TrackingMiddleware
from ..config import find_changed_keys
from ..exporters.store import Problem
from ..pipeline.server import threads_can_run
from .subject import Findings, Subject

UNLIKELY_PATH = "/flask-tracking-doctor-asks-for-this"
MAX_WRAPPERS = 500
"""Maximum number of objects to search for the middleware."""
UWSGI = ("uwsgi", "pyuwsgi")
"""The distributions of uWSGI."""


def check_settings(subject: Subject) -> Findings:
    """Settings that changed after the app was tracked."""
    changed = find_changed_keys(subject.tracked.config, subject.app.config)
    if changed:
        yield Problem(
            "warning",
            f"{', '.join(changed)} changed after Tracking(app) had read it and has no effect",
            "Load the configuration first, or call tracking.init_app(app) after it",
        )


def check_capture(subject: Subject) -> Findings:
    """Requests that pass the app by, or that are never recorded."""
    if not subject.settings.enabled:
        yield Problem("warning", "TRACKING_ENABLED is False: nothing is recorded", "Set it to True")
        return
    if not _is_tracked(subject.app):
        yield Problem(
            "error",
            "Requests pass Tracking by: app.wsgi_app was replaced after Tracking(app), and what stands "
            "there does not call it",
            "Call Tracking(app) last, or let the new app.wsgi_app call the one that it replaces",
        )
    excludes = make_exclusion(subject.settings)
    if excludes is not None and excludes(UNLIKELY_PATH, {}):
        yield Problem(
            "warning",
            "TRACKING_EXCLUDE matches every path: nothing is recorded",
            "Begin patterns with ^/ and a folder, like ^/static/",
        )
    if subject.settings.sample_rate == 0:
        yield "TRACKING_SAMPLE_RATE is 0: routine requests are not stored"


def _is_tracked(app: Flask) -> bool:
    """Tell whether the middleware is among the objects that ``app.wsgi_app`` is made of."""
    seen: dict[int, Any] = {}
    waiting: list[Any] = [app.wsgi_app]
    while waiting and len(seen) < MAX_WRAPPERS:
        one = waiting.pop(0)
        if isinstance(one, TrackingMiddleware):
            return True
        if id(one) not in seen and not isinstance(one, Flask):
            seen[id(one)] = one
            waiting += _find_parts(one)
    return False


def _find_parts(wrapper: Any) -> Iterator[Any]:
    """Yield the callables that a WSGI middleware holds, and those in its dictionaries."""
    values = list(getattr(wrapper, "__dict__", {}).values())
    values.append(getattr(wrapper, "__self__", None))
    for cell in getattr(wrapper, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # a variable that was never set
            values.append(cell.cell_contents)
    for value in values:
        yield from filter(callable, value.values() if isinstance(value, dict) else [value])


def check_threads(subject: Subject) -> Findings:
    """Servers that let no background thread run."""
    fix = "Run uWSGI with --enable-threads, or set TRACKING_WORKER='sync'"
    if subject.settings.worker == "sync":
        return
    if not threads_can_run():
        yield Problem("error", "uWSGI runs without threads: nothing is stored", fix)
    elif not subject.sample and any(map(_is_installed, UWSGI)):
        yield "nothing is stored; uWSGI is installed, and needs --enable-threads if it serves the app"


def _is_installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_speed(subject: Subject) -> Findings:
    """Native code that is missing."""
    if subject.settings.redact and importlib.util.find_spec("re2") is None:
        yield Problem(
            "warning",
            "google-re2 is not installed: redaction takes several times as long",
            "Install the extra `fast`",
            "pip install 'flask-tracking[fast]'",
        )
    if not (bson.has_c() and pymongo.has_c()):
        yield Problem(
            "warning",
            "PyMongo has no C extensions here: encoding records takes several times as long",
            "Install its binary wheel",
            "pip install --force-reinstall --only-binary=pymongo pymongo",
        )
