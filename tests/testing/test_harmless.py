"""`assert_harmless` passes where tracking changes nothing, and shows readably where something does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response, request, session

from flask_tracking import Tracking
from flask_tracking.testing import assert_harmless


def make_app(*, tracks_itself: bool = True) -> Flask:
    """Make a small shop."""
    app = Flask("shop")
    app.secret_key = "not a secret"
    if tracks_itself:
        Tracking(app)

    @app.post("/orders")
    def order() -> dict[str, Any]:
        session["number"] = session.get("number", 0) + 1
        return {"number": session["number"], "sent": request.json}

    @app.get("/stream")
    def stream() -> Iterator[bytes]:
        yield from (b"one", b"two")

    @app.get("/raise")
    def fail() -> str:
        raise ZeroDivisionError("in the view")

    return app


REQUESTS: list[str | dict[str, Any]] = [
    "/nowhere",
    {"path": "/orders", "method": "POST", "json": {"tea": 1}},
    {"path": "/orders", "method": "POST", "json": {"tea": 2}},
    "/stream",
    "/raise",
]


@pytest.mark.parametrize("tracks_itself", [True, False])
@pytest.mark.parametrize("testing", [True, False])
def test_harmless_app_passes(tracks_itself: bool, testing: bool) -> None:
    """Requests, sessions, streams and exceptions of an app, whether or not its factory tracks it."""

    def factory() -> Flask:
        app = make_app(tracks_itself=tracks_itself)
        app.testing = testing
        factory.made.append(app)  # type: ignore[attr-defined]
        return app

    factory.made = []  # type: ignore[attr-defined]
    assert_harmless(factory, REQUESTS)
    assert len(factory.made) == 3  # type: ignore[attr-defined]


def harm(app: Flask, change: Callable[[Response], Response]) -> Flask:
    """Change the answers of `app`, but only while it is tracked."""
    if app.config["TRACKING_ENABLED"]:
        app.after_request(change)
    return app


def test_harm_is_shown() -> None:
    """The message names the request, the place and what was there with tracking off and on."""

    def add_header(response: Response) -> Response:
        response.headers["X-Recorded"] = "yes"
        return response

    with pytest.raises(AssertionError) as caught:
        assert_harmless(lambda: harm(make_app(), add_header), ["/stream"])
    assert str(caught.value) == (
        "Tracking changes request 1 (GET /stream) at the header X-Recorded: "
        "missing with tracking off, 'yes' with it on"
    )


def test_app_that_is_not_deterministic_is_told() -> None:
    """An app that differs from itself is said to, before tracking is blamed."""
    numbers = itertools.count()

    def factory() -> Flask:
        app = make_app()
        app.add_url_rule("/count", "count", lambda: str(next(numbers)))
        return app

    with pytest.raises(AssertionError, match="not deterministic") as caught:
        assert_harmless(factory, ["/stream", "/count"])
    assert "request 2 (GET /count)" in str(caught.value)
    assert "\n  once " in str(caught.value) and "\n  then " in str(caught.value)


def test_one_app_returned_twice_is_refused() -> None:
    """A module's only app cannot be both tracked and not."""
    app = make_app(tracks_itself=False)
    with pytest.raises(ValueError, match="one app twice"):
        assert_harmless(lambda: app, ["/stream"])


WRONG: list[tuple[Any, Any, str]] = [
    (
        make_app(tracks_itself=False),
        ["/"],
        "was given an app, and needs a function that creates .* like create_app",
    ),
    (make_app, [("POST", "/orders")], r"Request 1 is \('POST', '/orders'\): expected a path like"),
    (make_app, ["/", None], "Request 2 is None: expected a path like '/orders', or the arguments of"),
    (make_app, "/orders", "needs a list of requests"),
    (make_app, {"path": "/orders"}, "needs a list of requests"),
]


@pytest.mark.parametrize(("factory", "requests", "message"), WRONG)
def test_wrong_arguments_say_what_is_right(factory: Any, requests: Any, message: str) -> None:
    """An app instead of its factory, and requests of another form, are told before any is sent."""
    with pytest.raises(TypeError, match=message):
        assert_harmless(factory, requests)


def test_no_requests_are_refused() -> None:
    """No request proves nothing."""
    with pytest.raises(ValueError, match="no requests"):
        assert_harmless(make_app, [])


def test_app_that_records_nothing_is_told() -> None:
    """Where every path is excluded nothing was proved."""

    def factory() -> Flask:
        app = Flask("shop")
        app.config["TRACKING_EXCLUDE"] = ["/"]
        return app

    with pytest.raises(AssertionError, match="recorded nothing"):
        assert_harmless(factory, ["/nowhere"])


def test_request_that_cannot_be_made_is_the_tests_own_error() -> None:
    """A wrong argument is raised as it is."""
    with pytest.raises(TypeError):
        assert_harmless(make_app, [{"path": "/", "nonsense": 1}])
