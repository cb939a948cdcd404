"""Record what the requests of a test do, whatever its apps say of themselves."""

from __future__ import annotations

import contextlib
import dataclasses
import weakref
from collections.abc import Callable, Iterator, Mapping
from threading import get_ident
from typing import Any, NamedTuple

from flask import request_finished, request_started

# Not `flask.Flask`, which OpenTelemetry replaces: apps created before that are apps too.
from flask.app import Flask

from ..capture.middleware import TrackingMiddleware, find_middlewares
from ..capture.span import current_span
from ..config import Settings
from ..config.overridden import check_settings, overridden
from ..extension import Tracking
from ..pipeline.worker import Worker
from ..record import Capture, Record
from ..registry import EXTENSION_KEY, TrackedApp
from ..runtime.guard import harmless
from ..runtime.lifecycle import call_apart
from .collector import Collector

__all__ = ["Recorder"]

FLUSH_S = 5.0
"""The time that a test waits for its records if its marker asks for the background thread."""
IN_TESTS: Mapping[str, Any] = {
    "enabled": True,
    "sample_rate": 1.0,
    "spool_dir": None,
    "worker": "sync",
}
"""Settings that a test begins with: each request is recorded, as soon as its response is complete."""
MAX_NOTED = 100
"""Exchanges; with more, those that have ended are forgotten."""
_FUNCTIONS = ("user_repr", "user_loader", "redact")
"""The functions of a disabled app that are known."""


class _Substitute(NamedTuple):
    """The settings and the worker that a borrowed app has for a while."""

    settings: Settings
    worker: Worker


class Recorder:
    """Records one test after the other, in one process.

    Apps that are set up during a test are overridden. Those that are there already, or that a fixture
    of a wider scope sets up, belong to other tests too: they are borrowed, and given back at its end.
    That happens at their first request, because most that are there are garbage of earlier tests.
    """

    def __init__(self) -> None:
        """Record nothing yet."""
        self.collector = Collector()
        self._open = _OpenExchanges()
        self._settings: Mapping[str, Any] = {}
        self._is_passive = False
        self._block = contextlib.ExitStack()
        self._borrowed = contextlib.ExitStack()
        self._taken: set[TrackedApp] = set()
        self._suspensions = 0
        """The depth of nested `suspended` blocks: a fixture may need other fixtures."""
        self._substitutes: weakref.WeakKeyDictionary[TrackedApp, _Substitute] = (
            weakref.WeakKeyDictionary()
        )

    @contextlib.contextmanager
    def recording(self, settings: Mapping[str, Any], *, passive: bool = False) -> Iterator[None]:
        """Record the requests in this block.

        Args:
            settings: by the names of `Settings`; they win over those of the apps.
            passive: let the apps also export as they say, by their own settings.

        Raises:
            ConfigError: a setting is wrong.
        """
        self._settings, self._is_passive = settings, passive
        request_started.connect(self._on_request_started)
        request_finished.connect(self._open.note)
        self.collector.begin()
        try:
            self._enter()
            yield
        finally:
            self._open.end_all()
            self._leave()
            self.collector.is_listening = False
            request_started.disconnect(self._on_request_started)
            request_finished.disconnect(self._open.note)

    def read(self) -> list[Record]:
        """Return the records of this test so far; streams that nobody has read end here, unread."""
        self._open.end_own()
        if self._settings.get("worker") == "batch":
            _flush_all()
        return self.collector.records

    def track(self, app: object) -> None:
        """Record an app, also one that is not tracked, or that says ``TRACKING_ENABLED = False``.

        Args:
            app: the result of the fixture `app`. Anything but a Flask app is left alone.
        """
        if isinstance(app, Flask):
            self._begin_tracking(app)
            self._take_once(app.extensions[EXTENSION_KEY])

    def _begin_tracking(self, app: Flask) -> None:
        """Track an app that is not tracked, from now on: later tests may have it, too."""
        tracked: TrackedApp | None = app.extensions.get(EXTENSION_KEY)
        if tracked is None or tracked.worker is None:
            app.extensions.pop(EXTENSION_KEY, None)
            functions = {name: getattr(tracked, name, None) for name in _FUNCTIONS}
            with self.suspended(), overridden(exporter=self.collector, **IN_TESTS):
                Tracking(app, **functions)

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Leave all apps as they are in this block: an app that is set up in it outlives the test.

        Its requests belong to no test: with another order of tests, another test would have them.
        """
        self._leave()
        if not self._suspensions:
            self.collector.take_from_children()
        self._suspensions += 1
        try:
            yield
        finally:
            self._suspensions -= 1
            if self.collector.is_listening and not self._suspensions:
                self.collector.pass_over_children()
                self._enter()

    @contextlib.contextmanager
    def recording_forks(self, app: object) -> Iterator[None]:
        """Record what a server of `app` does that is forked in this block, in all tests to come."""
        if isinstance(app, Flask):
            self._begin_tracking(app)
        self.collector.open_to_children()
        with contextlib.ExitStack() as stack:
            for middleware in find_middlewares():
                if middleware.tracked.exporter is not self.collector:
                    stack.callback(self._borrow(middleware, {}))
            yield

    def _enter(self) -> None:
        if not self._is_passive:
            settings = {**IN_TESTS, **self._settings}
            self._block.enter_context(overridden(exporter=self.collector, **settings))
        if self._settings:  # they may decide before a request has started
            for middleware in find_middlewares():
                self._take(middleware)

    @harmless("borrowing an app")
    def _on_request_started(self, _: Flask, **__: Any) -> None:
        span = current_span()
        exchange: Any = span.exchange
        if exchange is None:
            return
        # A server that is forked while suspended stays so, but answers the requests of tests.
        if self._suspensions and not self.collector.is_child:
            # The request belongs to no test, and must not need a database.
            exchange.submit = exchange.submit if self._is_passive else _ignore
        elif middleware := self._take_once(span.owner):
            exchange.submit = middleware.submit

    def _take_once(self, tracked: TrackedApp) -> TrackingMiddleware | None:
        """Record an app, unless that is done already; return its middleware if it is done now."""
        if tracked in self._taken or tracked.exporter is self.collector:
            return None
        for middleware in find_middlewares():
            if middleware.tracked is tracked:
                self._take(middleware)
                return middleware
        return None  # the app has another `wsgi_app` now

    def _take(self, middleware: TrackingMiddleware) -> None:
        give_back = (
            self._observe(middleware) if self._is_passive else self._borrow(middleware, self._settings)
        )
        self._borrowed.callback(give_back)
        self._taken.add(middleware.tracked)

    def _leave(self) -> None:
        self._borrowed.close()
        self._taken.clear()
        self._block.close()

    def _borrow(
        self, middleware: TrackingMiddleware, settings: Mapping[str, Any]
    ) -> Callable[[], None]:
        """Let an app record for the test alone; return what gives it back."""
        tracked, submit = middleware.tracked, middleware.submit
        before = tracked.settings, tracked.exporter, tracked.worker
        substitute = self._find_substitute(tracked, settings)
        tracked.settings, tracked.exporter, tracked.worker = (
            substitute.settings,
            self.collector,
            substitute.worker,
        )
        middleware.submit = substitute.worker.submit if substitute.settings.enabled else _ignore
        if settings:
            middleware.read_settings()

        def give_back() -> None:
            tracked.settings, tracked.exporter, tracked.worker = before
            middleware.submit = submit
            if settings:
                middleware.read_settings()
                substitute.worker.close(FLUSH_S)

        return give_back

    def _observe(self, middleware: TrackingMiddleware) -> Callable[[], None]:
        """Let an app record for the test, too; return what ends that."""
        submit = middleware.submit
        ours = self._find_substitute(middleware.tracked, {}).worker.submit

        def submit_twice(capture: Capture) -> None:
            ours(capture)
            submit(capture)

        def give_back() -> None:
            middleware.submit = submit

        middleware.submit = submit_twice
        return give_back

    def _find_substitute(self, tracked: TrackedApp, settings: Mapping[str, Any]) -> _Substitute:
        """Return what to borrow an app with. A worker compiles much, so most tests share one."""
        if settings:
            return self._make_substitute(tracked, settings)
        if tracked not in self._substitutes:
            self._substitutes[tracked] = self._make_substitute(tracked, {})
        return self._substitutes[tracked]

    def _make_substitute(self, tracked: TrackedApp, settings: Mapping[str, Any]) -> _Substitute:
        changed = dataclasses.replace(tracked.settings, **check_settings({**IN_TESTS, **settings}))
        assert tracked.make_worker is not None  # noqa: S101 - an app with a middleware has a worker
        return _Substitute(changed, tracked.make_worker(changed, self.collector))


class _OpenExchanges:
    """Exchanges whose view has returned; their bodies may not have been read yet."""

    def __init__(self) -> None:
        self._noted: list[tuple[int, weakref.ref[Any]]] = []

    @harmless("noting an exchange")
    def note(self, _: Flask, **__: Any) -> None:
        """Receive ``request_finished``."""
        exchange = current_span().exchange
        if exchange is not None:
            if len(self._noted) >= MAX_NOTED:
                self._noted = [noted for noted in self._noted if _is_open(noted[1])]
            self._noted.append((get_ident(), weakref.ref(exchange)))

    def end_own(self) -> None:
        """End those of this thread: none of them is being answered now."""
        own = get_ident()
        self._end([one for thread, one in self._noted if thread == own])
        self._noted = [noted for noted in self._noted if noted[0] != own]

    def end_all(self) -> None:
        """End those of all threads, for the test is over."""
        self._end([one for _, one in self._noted])
        self._noted = []

    def _end(self, references: list[weakref.ref[Any]]) -> None:
        for reference in references:
            if _is_open(reference):
                call_apart(reference().end, "unread")  # type: ignore[union-attr]


def _is_open(reference: weakref.ref[Any]) -> bool:
    exchange = reference()
    return exchange is not None and not exchange.has_ended


def _ignore(_: Capture) -> None:
    """Stand in for a worker where a request is not recorded."""


def _flush_all() -> None:
    for middleware in find_middlewares():
        if middleware.tracked.worker is not None:
            middleware.tracked.worker.flush(FLUSH_S)
