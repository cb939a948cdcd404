"""Exceptions in apps whose REST extensions answer them: Flask-RESTX, Flask-RESTful, flask-smorest."""

from __future__ import annotations

import copy
import gc
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import flask_restful
import pytest
from flask import Blueprint, Flask, Response, abort, got_request_exception
from werkzeug.debug import DebuggedApplication
from werkzeug.exceptions import NotFound

from flask_tracking import MemoryExporter, Tracking
from flask_tracking.runtime import guard

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # jsonschema's RefResolver
    import flask_restx


made: list[Flask] = []


@pytest.fixture(autouse=True)
def let_go_of_apps() -> Iterator[None]:
    """Empty the apps of the test: Flask-RESTX keeps them, and later tests want to be the only one."""
    yield
    while made:
        vars(made.pop()).clear()


class NoStock(Exception):
    """Answered with a 503 by an errorhandler."""


class Taken(Exception):
    """Answered with a 409 by an errorhandler."""


def fail(kind: str) -> Any:
    """Fail as the URL says."""
    if kind == "ok":
        return {"ok": True}
    if kind.isdecimal():
        abort(int(kind))
    raise {"crash": ValueError, "stock": NoStock, "taken": Taken}[kind](kind)


def add_restx(app: Flask) -> None:
    """Add a Flask-RESTX API with errorhandlers of its own."""
    fill_restx(flask_restx.Api(app, prefix="/api"))


def fill_restx(api: flask_restx.Api) -> None:
    """Give an API its errorhandlers and its view."""

    @api.errorhandler(NoStock)
    def handle_stock(error: NoStock) -> Any:
        return {"message": "no stock"}, 503

    @api.errorhandler(Taken)
    def handle_taken(error: Taken) -> Any:
        return {"message": "taken"}, 409

    class View(flask_restx.Resource):
        def get(self, kind: str) -> Any:
            return fail(kind)

    api.add_resource(View, "/<kind>")


def add_restx_later(app: Flask) -> None:
    """Add a Flask-RESTX API by init_app, within a blueprint."""
    blueprint = Blueprint("api", __name__, url_prefix="/api")
    api = flask_restx.Api()
    fill_restx(api)
    api.init_app(blueprint)
    app.register_blueprint(blueprint)


ERRORS = {
    "NoStock": {"message": "no stock", "status": 503},
    "Taken": {"message": "taken", "status": 409},
}


def add_restful(app: Flask) -> None:
    """Add a Flask-RESTful API with errors of its own."""
    api = flask_restful.Api(prefix="/api", errors=ERRORS)

    class View(flask_restful.Resource):
        def get(self, kind: str) -> Any:
            return fail(kind)

    api.add_resource(View, "/<kind>")
    api.init_app(app)


class HandlingApi(flask_restful.Api):
    """Answers some errors by a method of its own."""

    def handle_error(self, e: Exception) -> Any:
        if isinstance(e, NoStock | Taken):
            status = 503 if isinstance(e, NoStock) else 409
            return self.make_response({"message": str(e)}, status)
        return super().handle_error(e)


def add_restful_handle_error(app: Flask) -> None:
    """Add a Flask-RESTful API that overrides handle_error."""
    api = HandlingApi(app, prefix="/api")

    class View(flask_restful.Resource):
        def get(self, kind: str) -> Any:
            return fail(kind)

    api.add_resource(View, "/<kind>")


def add_plain(app: Flask) -> None:
    """Add a view with Flask's own errorhandlers, of a blueprint and of the app."""
    blueprint = Blueprint("api", __name__, url_prefix="/api")
    app.register_error_handler(Taken, lambda error: ("taken", 409))
    blueprint.register_error_handler(NoStock, lambda error: ("no stock", 503))
    blueprint.add_url_rule("/<kind>", "view", fail)
    app.register_blueprint(blueprint)


APIS: dict[str, Callable[[Flask], None]] = {
    "restx": add_restx,
    "restx later": add_restx_later,
    "restful": add_restful,
    "restful handle_error": add_restful_handle_error,
    "plain": add_plain,
}
each_api = pytest.mark.parametrize("add", APIS.values(), ids=APIS)
each_order = pytest.mark.parametrize("first", ["tracking", "api"])


def make_app(
    add: Callable[[Flask], None], memory: MemoryExporter | None, first: str = "tracking", **config: Any
) -> Flask:
    """Make an app with an API; `memory` is None for no tracking."""
    app = Flask("shop")
    made.append(app)
    app.config.update({"TRACKING_WORKER": "sync", "PROPAGATE_EXCEPTIONS": False, **config})
    app.logger.disabled = True
    if first == "api":
        add(app)
    if memory is not None:
        Tracking(app, exporter=memory)
    if first == "tracking":
        add(app)
    return app


def ask(app: Flask, kind: str, method: str = "GET") -> Any:
    """Return what a client gets: the status and the body, or the type of what escapes."""
    try:
        response = app.test_client().open(f"/api/{kind}", method=method)
    except BaseException as error:
        return type(error)
    return response.status, list(response.headers), response.data


def recorded(memory: MemoryExporter) -> tuple[int, str | None]:
    """Return the status and the short name of the exception of the only record."""
    (record,) = memory.records
    exception = record.exception
    assert record.status_code is not None
    return record.status_code, exception and exception.type.rpartition(".")[2]


@pytest.mark.repeats
@each_order
@each_api
@pytest.mark.parametrize(
    ("kind", "status", "exception"),
    [
        ("ok", 200, None),
        ("404", 404, None),
        ("400", 400, None),
        ("503", 503, "ServiceUnavailable"),
        ("crash", 500, "ValueError"),
        ("stock", 503, "NoStock"),
        ("taken", 409, None),
    ],
)
def test_status_settles_the_exception(
    memory: MemoryExporter,
    add: Callable[[Flask], None],
    first: str,
    kind: str,
    status: int,
    exception: str | None,
) -> None:
    """In both orders an exception is recorded when its answer is a 5xx, and not with a 4xx."""
    app = make_app(add, memory, first)
    assert ask(app, kind) == ask(make_app(add, None, first), kind)
    assert recorded(memory) == (status, exception)


@each_order
@each_api
@pytest.mark.parametrize(("path", "method", "status"), [("a/b/c", "GET", 404), ("ok", "PATCH", 405)])
def test_no_route(
    memory: MemoryExporter,
    add: Callable[[Flask], None],
    first: str,
    path: str,
    method: str,
    status: int,
) -> None:
    """A path that is not found, or another method, is no exception."""
    app = make_app(add, memory, first)
    assert ask(app, path, method) == ask(make_app(add, None, first), path, method)
    assert recorded(memory) == (status, None)


CONFIGS: list[dict[str, Any]] = [
    {"TESTING": True, "PROPAGATE_EXCEPTIONS": None},
    {"DEBUG": True, "PROPAGATE_EXCEPTIONS": None},
    {"PROPAGATE_EXCEPTIONS": True},
    {"TRAP_HTTP_EXCEPTIONS": True},
    {"TRAP_HTTP_EXCEPTIONS": True, "PROPAGATE_EXCEPTIONS": True},
    {"TRAP_BAD_REQUEST_ERRORS": True},
]


@pytest.mark.repeats
@each_order
@each_api
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_exceptions_count_by_what_the_client_gets(
    add: Callable[[Flask], None], first: str, config: dict[str, Any]
) -> None:
    """Whatever the settings: recorded when the client gets a 5xx or it escapes, else not."""
    memory = MemoryExporter()
    app, bare = (make_app(add, one, first, **config) for one in (memory, None))
    for kind in ("ok", "404", "503", "crash", "stock", "taken"):
        memory.clear()
        answer = ask(app, kind)
        assert answer == ask(bare, kind)
        status, exception = recorded(memory)
        if isinstance(answer, type):
            assert (status, exception) == (500, answer.__name__)
        else:
            assert answer[0].startswith(str(status))
            assert (exception is not None) == (status >= 500)


@each_order
@each_api
@pytest.mark.parametrize("kind", ["stock", "taken", "404", "crash"])
def test_exception_in_after_request(
    memory: MemoryExporter, add: Callable[[Flask], None], first: str, kind: str
) -> None:
    """What after_request raises comes past request_finished, and counts by its answer all the same."""

    def add_failing(app: Flask) -> None:
        add(app)

        @app.after_request
        def after(response: Response) -> Response:
            return Response(str(fail(kind)))

    app = make_app(add_failing, memory, first)
    answer = ask(app, "ok")
    assert answer == ask(make_app(add_failing, None, first), "ok")
    status, exception = recorded(memory)
    assert answer[0].startswith(str(status))
    assert (exception is not None) == (status >= 500)
    assert exception in (None, "NoStock", "Taken", "NotFound", "ValueError")


@each_api
def test_debugger_inside(memory: MemoryExporter, add: Callable[[Flask], None]) -> None:
    """What a debugger inside answers with its page is recorded by the page's status."""

    def add_debugged(app: Flask) -> None:
        add(app)
        app.wsgi_app = DebuggedApplication(app.wsgi_app)  # type: ignore[method-assign]

    app = make_app(add_debugged, memory, "api", PROPAGATE_EXCEPTIONS=True)
    assert ask(app, "crash")[0] == "500 INTERNAL SERVER ERROR"
    assert recorded(memory) == (500, "ValueError")


@pytest.mark.parametrize(("status", "exception"), [("200 OK", None), ("502 Bad Gateway", "ValueError")])
def test_middleware_that_answers(memory: MemoryExporter, status: str, exception: str | None) -> None:
    """What a WSGI middleware inside answers in the app's place settles the exception, too."""

    def add_answering(app: Flask) -> None:
        add_plain(app)
        wsgi_app = app.wsgi_app

        def answer(environ: Any, start_response: Any) -> Any:
            try:
                return wsgi_app(environ, start_response)
            except ValueError:
                start_response(status, [("Content-Length", "2")])
                return [b"ok"]

        app.wsgi_app = answer  # type: ignore[method-assign]

    app = make_app(add_answering, memory, "api", PROPAGATE_EXCEPTIONS=True)
    assert ask(app, "crash")[0] == status
    assert recorded(memory) == (int(status[:3]), exception)


def test_signal_that_an_app_sends(memory: MemoryExporter) -> None:
    """An app that sends the signal by itself and answers well has no exception."""

    def add(app: Flask) -> None:
        @app.get("/api/<kind>")
        def view(kind: str) -> str:
            got_request_exception.send(app, exception=ValueError())
            return kind

    assert ask(make_app(add, memory), "ok")[2] == b"ok"
    assert recorded(memory) == (200, None)


def test_escaping_exception_wins(memory: MemoryExporter) -> None:
    """What escapes is recorded, not the exception that was to be answered before it."""

    def add(app: Flask) -> None:
        app.add_url_rule("/api/<kind>", "view", fail)

        @app.errorhandler(ValueError)
        def handle(error: ValueError) -> Response:
            raise SystemExit(3)

    assert ask(make_app(add, memory), "crash") is SystemExit
    assert recorded(memory) == (500, "SystemExit")


@each_order
@each_api
def test_users_are_not_loaded_for_a_404(
    memory: MemoryExporter, add: Callable[[Flask], None], first: str
) -> None:
    """The signal of an abort() loads no user: the response is not made yet, and would vary."""
    from flask_login import LoginManager, UserMixin

    class User(UserMixin):
        id = "42"

    def add_login(app: Flask) -> None:
        app.secret_key = "not a secret"
        add(app)
        LoginManager(app).user_loader(lambda user_id: User())
        # Flask-Login's own after_request asks for the session: what is tested is ours.
        app.after_request_funcs.clear()

    app = make_app(add_login, memory, first, TESTING=True, TRACKING_LOAD_USER=True)
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = "42"
    response = client.get("/api/404")
    assert (response.status_code, "Vary" in response.headers) == (404, False)
    assert memory.records[0].user_id == "42"


@each_order
@each_api
def test_exception_is_let_go(memory: MemoryExporter, add: Callable[[Flask], None], first: str) -> None:
    """No exception, answered or not, outlives its request."""
    alive: list[weakref.ref[BaseException]] = []

    def add_noting(app: Flask) -> None:
        add(app)

        @app.after_request
        def after(response: Response) -> Response:
            if response.status_code == 418:
                raise NotFound
            return response

    app = make_app(add_noting, memory, first)

    def note(sender: Flask, exception: BaseException, **_: Any) -> None:
        alive.append(weakref.ref(exception))

    with got_request_exception.connected_to(note, app):
        for kind in ("404", "503", "crash", "418"):
            ask(app, kind)
    gc.collect()
    assert len(memory.records) == 4
    assert [reference() for reference in alive if reference() is not None] == []


def frames(add: Callable[[Flask], None], memory: MemoryExporter | None, first: str) -> list[Any]:
    """Return the functions in the traceback that the app logs, and in the one that escapes."""
    seen: list[Any] = []
    app = make_app(add, memory, first)
    app.log_exception = lambda exc_info: seen.append(  # type: ignore[method-assign]
        [frame.name for frame in traceback.extract_tb(exc_info[2])]
    )
    ask(app, "crash")
    app.config["PROPAGATE_EXCEPTIONS"] = True
    try:
        app.test_client().get("/api/crash")
    except ValueError as error:
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        seen.append(names[names.index("wsgi_app") :])
    return seen


@each_order
@each_api
def test_no_frame_of_ours(memory: MemoryExporter, add: Callable[[Flask], None], first: str) -> None:
    """Within Flask the tracebacks of exceptions show no frame of ours."""
    expected = frames(add, None, first)
    assert len(expected) == 2
    assert frames(add, memory, first) == expected


def test_handlers_answer_as_they_did(memory: MemoryExporter) -> None:
    """What a test puts in the place of a handler is called, can be asked, and can be taken away."""
    from unittest import mock

    app = make_app(add_plain, memory)
    ask(app, "ok")
    with mock.patch.object(app, "handle_user_exception", return_value="mocked") as handler:
        assert ask(app, "404")[2] == b"mocked"
        assert app.handle_user_exception.call_count == 1  # type: ignore[attr-defined]
        handler.assert_called_once()
    assert ask(app, "404")[0] == "404 NOT FOUND"
    assert [record.status_code for record in memory.records] == [200, 200, 404]


def test_mock_is_told_later_what_to_return(memory: MemoryExporter) -> None:
    """What is set on a handler after a request is set on the mock that stands there."""
    from unittest import mock

    app = make_app(add_plain, memory)
    with mock.patch.object(app, "handle_user_exception", return_value="first"):
        assert ask(app, "404")[2] == b"first"
        app.handle_user_exception.return_value = "second"  # type: ignore[attr-defined]
        assert ask(app, "404")[2] == b"second"


def test_handler_that_is_patched_in_the_class(memory: MemoryExporter) -> None:
    """What replaces a handler in the app's class takes effect, as nothing replaces it in the app."""
    from unittest import mock

    app = make_app(add_plain, memory)
    with mock.patch.object(
        Flask, "handle_user_exception", autospec=True, return_value="mocked"
    ) as handler:
        assert ask(app, "404")[2] == b"mocked"
        handler.assert_called_once()
    assert ask(app, "404")[0] == "404 NOT FOUND"


def test_handlers_have_what_methods_have(memory: MemoryExporter) -> None:
    """Whatever wraps a handler may ask for its name and for whom it is bound to."""
    app = make_app(add_plain, memory)
    for name in ("handle_user_exception", "handle_exception"):
        handler = getattr(app, name)
        assert (handler.__name__, handler.__qualname__) == (name, f"Flask.{name}")
        assert (handler.__self__, handler.__func__) == (app, getattr(Flask, name))
        assert copy.copy(handler).__self__ is app


def test_handler_outside_a_request(memory: MemoryExporter) -> None:
    """An app's handler that is called outside a request raises what it did."""
    app = make_app(add_plain, memory, PROPAGATE_EXCEPTIONS=True)
    with pytest.raises(ValueError, match="mine"):
        app.handle_exception(ValueError("mine"))
    assert not guard.failures
