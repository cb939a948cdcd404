"""Requests to an app with tracking off and on, and the first difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

# Not `flask.Flask`, which OpenTelemetry replaces: apps created before that are apps too.
from flask.app import Flask

from ..config.overridden import overridden
from ..exporters.memory import MemoryExporter
from ..extension import Tracking
from ..registry import EXTENSION_KEY
from .observation import TWICE, Observation, first_difference
from .watch import Watch, catch_log, freeze_signatures, note_signals

__all__ = ["assert_harmless"]

__tracebackhide__ = True  # of pytest: a failure shows the test that asserts, not how that is done

Asked = str | Mapping[str, Any]


def assert_harmless(app_factory: Callable[[], Flask], requests: Iterable[Asked]) -> None:
    """Assert that tracking changes nothing in your own app.

    The requests are sent three times, each time to a new app and with the cookies that it sets: with
    tracking off, off again and on. What must be equal: the status, every header in its order, every
    chunk of the body and when it was made, exceptions that escape, the app's signals and teardown
    functions with their order, and its log.

    Args:
        app_factory: makes a new app at each call. If it says ``Tracking(app)`` itself, that is switched
            off and on; else the app is tracked when it has been made. Records go to a store in memory.
        requests: in their order; each a path, or a mapping with the arguments of
            ``app.test_client().open``.

    Raises:
        AssertionError: something differs. The message says what the first difference is; also when the
            app already differs from itself with tracking off.
        TypeError: `app_factory` is an app, or `requests` are no sequence of paths and mappings.
        ValueError: the factory returned one app twice, or no request was given.

    .. versionadded:: 2.0
    """
    if isinstance(app_factory, Flask):
        raise TypeError(
            "assert_harmless() was given an app, and needs a function that creates a new one at each "
            "call: pass your factory, like create_app, or lambda: create_app(config)."
        )
    asked = _read_requests(requests)
    if not asked:
        raise ValueError("assert_harmless() was given no requests, so it would prove nothing.")
    off, again, on = Trial(app_factory, False), Trial(app_factory, False), Trial(app_factory, True)
    if off.app is again.app or again.app is on.app:
        raise ValueError("app_factory returned one app twice: it must make a new one at each call.")
    for number, arguments in enumerate(asked, 1):
        seen = off.send(arguments)
        what = f"request {number} ({arguments.get('method', 'GET')} {arguments.get('path', '/')})"
        difference = first_difference(seen, again.send(arguments), TWICE)
        if difference is not None:
            raise AssertionError(
                f"The app is not deterministic, so nothing can be said about tracking: {what} was "
                f"answered twice with tracking off, and differs at the {difference}"
            )
        difference = first_difference(seen, on.send(arguments))
        if difference is not None:
            raise AssertionError(f"Tracking changes {what} at the {difference}")
    on.check_recorded()


def _read_requests(requests: Iterable[Asked]) -> list[dict[str, Any]]:
    if isinstance(requests, (str, Mapping)):
        raise TypeError(
            "assert_harmless() needs a list of requests: put square brackets around the one."
        )
    return [_read_request(number, one) for number, one in enumerate(requests, 1)]


def _read_request(number: int, asked: Asked) -> dict[str, Any]:
    if isinstance(asked, str):
        return {"path": asked}
    if isinstance(asked, Mapping):
        return dict(asked)
    raise TypeError(
        f"Request {number} is {asked!r}: expected a path like '/orders', or the arguments of "
        "app.test_client().open, like {'path': '/orders', 'method': 'POST'}."
    )


class Trial:
    """One app of the factory, with tracking off or on."""

    def __init__(self, app_factory: Callable[[], Flask], is_tracked: bool) -> None:
        self._memory = MemoryExporter()
        self._journal: list[str] = []
        self._log: list[str] = []
        self.app = self._make_app(app_factory, is_tracked)
        note_signals(self.app, self._journal.append)
        self._watch = Watch(self.app.wsgi_app, self._journal.append)
        self.app.wsgi_app = self._watch  # type: ignore[method-assign]
        self._client = self.app.test_client()

    def _make_app(self, app_factory: Callable[[], Flask], is_tracked: bool) -> Flask:
        with overridden(exporter=self._memory, enabled=is_tracked, worker="sync"):
            app = app_factory()
            if EXTENSION_KEY not in app.extensions:
                Tracking(app)
        return app

    def send(self, arguments: Mapping[str, Any]) -> Observation:
        """Send one request and return all that was seen of it."""
        self._watch.begin()
        self._journal.clear()
        self._log.clear()
        with freeze_signatures(), catch_log(self._log.append):
            try:
                response = self._client.open(**arguments)
                for _ in response.iter_encoded():
                    pass
                response.close()
            except Exception as error:
                if self._watch.fate == "ended":  # not of the app: the request cannot be made
                    raise error
        seen = Observation(self._watch.answers, self._watch.fate, tuple(self._journal))
        return replace(seen, log=tuple(self._log))

    def check_recorded(self) -> None:
        """Make sure that tracking was really on."""
        if not self._memory.records:
            raise AssertionError("Tracking was on and recorded nothing: are all paths excluded?")
