"""The pytest plugin of one run of a suite: tracks every app that is made, and reports in JSON.

It is loaded with ``-p`` into the tests of others, so it must change nothing but what it is asked to:
with ``--tracking off`` nothing of flask_tracking is even imported.
"""

from __future__ import annotations

import contextlib
import functools
import json
import platform
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from .flask_harms import HARMS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from flask_tracking.pipeline.worker import Worker

MODES = ("off", "sync", "batch")
"""``off``, else how records are stored: inside the request, or by a thread."""
SETTINGS: dict[str, Any] = {"TRACKING_BODY_CONTENT_TYPES": ["*/*"]}
"""Besides the defaults, so that all that can be recorded is."""
CLOSE_TIMEOUT_S = 10.0
UNDER_TEST = (
    *("flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "click", "blinker"),
    *("mongoengine", "pymongo", "ua-parser"),
)
"""What has to have the same version in the environment of the tests as here."""
TESTED = ("flask-login", "flask-security", "httpbin")
"""What else is tested, where it is installed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take what is to be done, and where to report."""
    group = parser.getgroup("flask-tracking conformance")
    group.addoption("--report", type=Path, required=True)
    group.addoption("--tracking", choices=MODES, default="off")
    group.addoption("--harm", choices=sorted(HARMS))


def pytest_configure(config: pytest.Config) -> None:
    """Begin before the first test module is imported: some make apps then."""
    mode = config.getoption("tracking")
    tracked = None if mode == "off" else track_every_app(mode, config.getoption("harm"))
    config.pluginmanager.register(Reporter(config.getoption("report"), tracked))


@dataclass
class Tracked:
    """What was tracked so far; keeps no app."""

    workers: list[Worker] = field(default_factory=list)
    """One for each app."""
    requests: int = 0
    """How many the apps got, counted outside of tracking."""


def track_every_app(mode: str, harm: str | None = None) -> Tracked:
    """Track each app as soon as it is made, like a user whose first line after it is ``Tracking(app)``.

    Subclasses are tracked at the end of ``Flask.__init__``, and whatever wraps ``app.wsgi_app`` later
    stands outside.

    Returns:
        What is tracked, which grows.
    """
    from flask_tracking import MemoryExporter, Tracking

    tracked = Tracked()
    make = Flask.__init__

    @functools.wraps(make)
    def make_tracked(app: Flask, *args: Any, **kwargs: Any) -> None:
        make(app, *args, **kwargs)
        app.config.update(SETTINGS, TRACKING_WORKER=mode)
        Tracking(app, exporter=MemoryExporter())
        tracked.workers.append(app.extensions["tracking"].worker)
        app.wsgi_app = count_requests(app.wsgi_app, tracked)  # type: ignore[assignment, method-assign]
        if harm:
            app.wsgi_app = HARMS[harm](app.wsgi_app)  # type: ignore[assignment, method-assign]

    Flask.__init__ = make_tracked  # type: ignore[assignment, method-assign]
    return tracked


def count_requests(wsgi_app: WSGIApplication, tracked: Tracked) -> WSGIApplication:
    """Count each call of `wsgi_app`, so that it shows when one leaves no record."""

    def counted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        tracked.requests += 1
        return wsgi_app(environ, start_response)

    return counted


class Reporter:
    """Notes what became of each test, and writes it down when the last one has ended."""

    def __init__(self, path: Path, tracked: Tracked | None) -> None:
        """Write to `path`; `tracked` is None where nothing is tracked."""
        self._path = path
        self._tracked = tracked
        self._collected: list[str] = []
        self._outcomes: dict[str, str] = {}
        self._reasons: dict[str, str] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that cannot be imported as if it were a test."""
        if report.failed:
            self._note(report, "error")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is going to run."""
        self._collected = [item.nodeid for item in session.items]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome; one after setup and call passed is that of the teardown."""
        outcome: str = report.outcome
        if report.when != "call" and report.failed:
            outcome = "error"
        elif hasattr(report, "wasxfail"):
            outcome = "xpassed" if report.passed else "xfailed"
        if report.when == "call" or outcome != "passed":
            self._note(report, outcome)

    def _note(self, report: pytest.CollectReport | pytest.TestReport, outcome: str) -> None:
        self._outcomes[report.nodeid] = outcome
        if outcome in ("failed", "error"):
            crash = getattr(report.longrepr, "reprcrash", None)
            self._reasons[report.nodeid] = crash.message if crash else report.longreprtext
        elif outcome == "skipped" and isinstance(report.longrepr, tuple):
            self._reasons[report.nodeid] = report.longrepr[-1]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write the report."""
        report = {
            "outcomes": dict.fromkeys(self._collected, "not run") | self._outcomes,
            "reasons": self._reasons,
            "versions": {"Python": platform.python_version()} | find_versions(),
            "tracking": None if self._tracked is None else close_and_count(self._tracked),
        }
        self._path.write_text(json.dumps(report))


def find_versions() -> dict[str, str]:
    """Look up the versions of what takes part."""
    versions = {name: version(name) for name in (*UNDER_TEST, "pytest")}
    for name in TESTED:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def close_and_count(tracked: Tracked) -> dict[str, Any]:
    """Store what still waits, and say what was recorded and what went wrong."""
    from flask_tracking.runtime import guard

    in_time = [worker.close(CLOSE_TIMEOUT_S) for worker in tracked.workers]
    all_stats = [worker.stats for worker in tracked.workers]
    lost: Counter[str] = Counter()
    for stats in all_stats:
        lost.update(stats.dropped)
    lost.update({f"not closed within {CLOSE_TIMEOUT_S:.0f} s": in_time.count(False)})
    return {
        "apps": len(tracked.workers),
        "requests": tracked.requests,
        "records": sum(stats.exported for stats in all_stats),
        "troubles": +lost + guard.failures,
    }
