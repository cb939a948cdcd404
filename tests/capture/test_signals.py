"""What Flask's signals tell the span, and that they change nothing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, abort, got_request_exception, request, request_finished
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask_login import LoginManager
from werkzeug.exceptions import HTTPException

from flask_tracking import MemoryExporter, Record, Tracking
from flask_tracking.runtime import guard

Only = Callable[[], Record]


def test_unhandled_exception(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """An exception that nobody handled is recorded with the 500 that Flask made of it."""

    @app.get("/")
    def view() -> str:
        raise KeyError("missing")

    app.logger.disabled = True
    assert app.test_client().get("/").status_code == 500
    record = only_record()
    assert (record.status_code, record.outcome) == (500, "ok")
    assert record.exception is not None
    assert (record.exception.type, record.exception.message) == ("KeyError", "'missing'")
    assert "in view" in record.exception.traceback


def test_exception_answered_by_an_errorhandler(
    app: Flask, tracking: Tracking, only_record: Only
) -> None:
    """What an errorhandler answers with a 5xx is recorded with its exception."""

    @app.get("/")
    def view() -> str:
        raise LookupError("no stock")

    @app.errorhandler(Exception)
    def handle(error: Exception) -> tuple[dict[str, str], int]:
        return {"error": str(error)}, 503

    response = app.test_client().get("/")
    assert (response.status_code, response.json) == (503, {"error": "no stock"})
    exception = only_record().exception
    assert exception is not None
    assert (exception.type, exception.message) == ("LookupError", "no stock")


@pytest.mark.parametrize("status", [400, 404])
def test_exception_answered_with_less_than_500(
    app: Flask, tracking: Tracking, only_record: Only, status: int
) -> None:
    """An exception that becomes a 4xx is the app's way to say no, and not recorded."""

    @app.get("/")
    def view() -> str:
        raise LookupError

    @app.errorhandler(LookupError)
    def handle(error: Exception) -> tuple[str, int]:
        return "no", status

    assert app.test_client().get("/").status_code == status
    assert only_record().exception is None


def test_abort_with_5xx(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """abort(503) sends no signal; its exception is recorded."""

    @app.get("/")
    def view() -> str:
        abort(503)

    assert app.test_client().get("/").status_code == 503
    exception = only_record().exception
    assert exception is not None
    assert exception.type == "werkzeug.exceptions.ServiceUnavailable"


def exchange(tracked: bool, debug: bool) -> list[Any]:
    """Run one app, tracked or not, and return all that can be seen of its error handling."""
    app = Flask("shop")
    app.debug = debug
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.config["TRACKING_WORKER"] = "sync"
    if tracked:
        Tracking(app, exporter=MemoryExporter())
    seen: list[Any] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(("log", record.getMessage(), record.exc_info and record.exc_info[0]))

    app.logger.handlers[:] = [Handler()]
    app.logger.propagate = False

    @app.get("/<kind>")
    def view(kind: str) -> str:
        if kind == "http":
            abort(418)
        if kind == "key":
            return request.form["nothing"]
        raise {"value": ValueError, "lookup": LookupError, "after": ValueError}[kind](kind)

    @app.errorhandler(LookupError)
    def handle(error: Exception) -> tuple[str, int]:
        seen.append(("handler", type(error), str(error)))
        return "handled", 502

    @app.errorhandler(HTTPException)
    def handle_http(error: HTTPException) -> tuple[str, int]:
        seen.append(("http handler", error.code, str(error)))
        return "http", error.code or 500

    @app.after_request
    def after(response: Response) -> Response:
        seen.append(("after", response.status_code))
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        seen.append(("teardown", type(error)))

    def on_exception(sender: Flask, exception: BaseException) -> None:
        seen.append(("got_request_exception", type(exception)))

    def on_finished(sender: Flask, response: Response) -> None:
        seen.append(("request_finished", response.status_code))

    with (
        got_request_exception.connected_to(on_exception, app),
        request_finished.connected_to(on_finished, app),
    ):
        for kind in ("http", "key", "value", "lookup"):
            response = app.test_client().get(f"/{kind}")
            seen.append((kind, response.status, list(response.headers), response.data))
    return seen


@pytest.mark.parametrize("debug", [False, True])
def test_noting_handled_exceptions_changes_nothing(debug: bool) -> None:
    """Responses, handlers' arguments, log, signals and teardown are the same, tracking off and on."""
    assert exchange(tracked=True, debug=debug) == exchange(tracked=False, debug=debug)


@pytest.mark.parametrize("load_user", [False, True])
def test_session_is_not_touched(
    app: Flask, memory: MemoryExporter, only_record: Only, load_user: bool
) -> None:
    """Looking for the user marks no session as accessed and adds no Vary, on success and on failure."""
    app.config["TRACKING_LOAD_USER"] = load_user
    tracking = Tracking(app, exporter=memory)
    LoginManager(app).user_loader(lambda user_id: None)
    # Flask-Login's own after_request asks for the session: what is tested is ours.
    app.after_request_funcs.clear()
    accessed = []

    @app.get("/<kind>")
    def view(kind: str) -> str:
        if kind == "bad":
            raise ValueError
        return "ok"

    class Sessions(SecureCookieSessionInterface):
        def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
            accessed.append(session.accessed)
            super().save_session(app, session, response)

    app.session_interface = Sessions()
    app.logger.disabled = True
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = "42"
    accessed.clear()
    assert "Vary" not in client.get("/good").headers
    assert "Vary" not in client.get("/bad").headers
    assert accessed == [False, False]
    assert tracking.stats.received == 2


def test_view_args_that_cannot_be_printed(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A converter's object whose str() raises costs its text and nothing else."""
    from werkzeug.routing import BaseConverter

    class Nasty:
        def __str__(self) -> str:
            raise RuntimeError

    class NastyConverter(BaseConverter):
        def to_python(self, value: str) -> Nasty:
            return Nasty()

    app.url_map.converters["nasty"] = NastyConverter

    @app.get("/<nasty:thing>/<int:number>")
    def view(thing: Nasty, number: int) -> str:
        return "ok"

    assert app.test_client().get("/x/7").text == "ok"
    assert only_record().view_args == {"thing": "<unreadable Nasty>", "number": "7"}


def test_view_args_are_those_of_the_url(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """What a preprocessor takes out of the arguments is recorded all the same."""

    @app.url_value_preprocessor
    def take(endpoint: str | None, values: dict[str, Any] | None) -> None:
        assert values is not None
        values.pop("lang")

    @app.get("/<lang>/page")
    def page() -> str:
        return "ok"

    assert app.test_client().get("/de/page").text == "ok"
    assert only_record().view_args == {"lang": "de"}


def test_receivers_survive_a_bare_install(app: Flask, memory: MemoryExporter, collect: Any) -> None:
    """Nobody has to keep the Tracking object."""
    Tracking(app, exporter=memory)
    collect()
    app.add_url_rule("/", "index", lambda: "ok")
    assert app.test_client().get("/").text == "ok"
    assert memory.records[0].endpoint == "index"


def test_changed_settings_are_said_once(
    app: Flask, tracking: Tracking, caplog: pytest.LogCaptureFixture
) -> None:
    """A key that changes after Tracking(app) has read it is named at the first request, once."""
    app.config["TRACKING_EXCLUDE"] = ["^/static/"]
    app.test_client().get("/")
    app.test_client().get("/")
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("TRACKING_EXCLUDE changed after Tracking(app) had read it")


def test_users_are_looked_for_where_something_may_know_them(
    app: Flask, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver of request_finished costs each request: it is connected once there may be users."""
    for name in ("flask_httpauth", "flask_jwt_extended"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    app.add_url_rule("/", "index", lambda: "ok")
    app.test_client().get("/")
    assert not list(request_finished.receivers_for(app))
    app.login_manager = None  # type: ignore[attr-defined]
    for _ in range(2):
        app.test_client().get("/")
        assert len(list(request_finished.receivers_for(app))) == 1


def test_data_and_handled_exceptions_are_read_in_the_contexts_of_the_app(
    app: Flask, tracking: Tracking, only_record: Only
) -> None:
    """Texts that need a context are made while there is one: when the response starts."""

    class Named:
        def __str__(self) -> str:
            return request.path

        __repr__ = __str__

    class NamedError(Named, Exception):
        pass

    @app.get("/named")
    def view() -> str:
        request._tracking_data = {"named": Named()}  # type: ignore[attr-defined]
        raise NamedError

    @app.errorhandler(NamedError)
    def handle(error: NamedError) -> tuple[str, int]:
        return "handled", 502

    assert app.test_client().get("/named").status_code == 502
    record = only_record()
    assert record.exception is not None
    assert (record.exception.message, record.custom_data) == ("/named", {"named": "/named"})


def test_failing_receiver_harms_nothing(
    app: Flask, tracking: Tracking, only_record: Only, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When our receivers fail the request is answered, and recorded without what they tell."""

    def fail(*_: Any) -> None:
        raise RuntimeError("ours")

    app.login_manager = None  # type: ignore[attr-defined] # so that users are looked for
    for name in ("_take_route", "_find_span"):
        monkeypatch.setattr(f"flask_tracking.capture.signals.{name}", fail)

    @app.get("/")
    def view() -> str:
        raise ValueError

    @app.errorhandler(ValueError)
    def handle(error: ValueError) -> str:
        return "handled"

    assert app.test_client().get("/").text == "handled"
    assert only_record().endpoint is None
    assert guard.failures == {
        "reading the route": 1,
        "noting a handled exception": 1,
        "reading the user": 1,
    }
