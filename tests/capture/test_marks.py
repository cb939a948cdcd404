"""What ``exclude``, ``exclude_body`` and ``keep`` do to views and blueprints."""

from __future__ import annotations

import functools
import gc
import importlib
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue
from flask.views import MethodView, View

from flask_tracking import ConfigError, MemoryExporter, Record, Tracking
from flask_tracking.capture import marks

SECRET = b'{"note": "for your eyes only"}'
JSON = {"Content-Type": "application/json"}


def answer() -> tuple[bytes, dict[str, str]]:
    """Answer with what was sent."""
    return request.get_data(), JSON


def ask(app: Flask, path: str = "/", method: str = "POST") -> None:
    """Send a body, and see that it comes back."""
    response = app.test_client().open(path, method=method, data=SECRET, headers=JSON)
    assert response.status_code == 200
    assert response.data == (b"" if method == "HEAD" else SECRET)


def make_view() -> Callable[[], ResponseReturnValue]:
    """Return a view of the test's own."""

    def view() -> ResponseReturnValue:
        return answer()

    return view


def wrap(view: Callable[[], Any]) -> Callable[[], Any]:
    """Wrap a view as decorators do."""

    @functools.wraps(view)
    def wrapper() -> Any:
        return view()

    return wrapper


def wrap_without_marks(view: Callable[[], Any]) -> Callable[[], Any]:
    """Wrap a view and copy nothing but its name: only ``__wrapped__`` leads to what it has."""

    @functools.wraps(view, updated=())
    def wrapper() -> Any:
        return view()

    return wrapper


def describe(record: Record) -> tuple[Any, ...]:
    """Return what the marks decide."""
    return (
        record.kept_reason,
        record.request_body,
        record.request_body_note,
        record.response_body,
        record.response_body_note,
    )


WHOLE = (None, SECRET, None, SECRET, None)
WITHOUT_BODIES = (None, b"", "excluded", b"", "excluded")


def outcome(app: Flask, memory: MemoryExporter, path: str = "/", method: str = "POST") -> Any:
    """Ask once, and return what was recorded: None for nothing."""
    memory.clear()
    ask(app, path, method)
    return describe(memory.records[0]) if memory.records else None


def expected(name: str) -> Any:
    """Return what a mark makes of a record."""
    kept = ("asked for", *WHOLE[1:])
    return {"exclude": None, "exclude_body": WITHOUT_BODIES, "keep": kept}[name]


Route = Callable[[Any], Any]
ORDERS: dict[str, Callable[[Route, Route, Any], Any]] = {
    "mark, then route": lambda mark, route, view: route(mark(view)),
    "route, then mark": lambda mark, route, view: mark(route(view)),
    "mark, wrap, route": lambda mark, route, view: route(wrap(mark(view))),
    "wrap, mark, route": lambda mark, route, view: route(mark(wrap(view))),
    "wrap, route, mark": lambda mark, route, view: mark(route(wrap(view))),
    "route of a wrapper, then mark inside": lambda mark, route, view: (route(wrap(view)), mark(view)),
    "mark, wrap without copying": lambda mark, route, view: route(wrap_without_marks(mark(view))),
    "mark, twice wrapped": lambda mark, route, view: route(wrap(wrap_without_marks(mark(view)))),
}


@pytest.mark.parametrize("name", ["exclude", "exclude_body", "keep"])
@pytest.mark.parametrize("order", ORDERS)
def test_any_order(
    app: Flask, memory: MemoryExporter, tracking: Tracking, name: str, order: str
) -> None:
    """A mark is found whatever is decorated first, also within what wraps the view."""
    ORDERS[order](getattr(tracking, name), app.post("/"), make_view())
    app.post("/other")(make_view_named("other"))
    assert outcome(app, memory) == expected(name)
    assert outcome(app, memory) == expected(name)
    assert outcome(app, memory, "/other") == WHOLE


def make_view_named(name: str) -> Callable[[], ResponseReturnValue]:
    """Return a view with an endpoint of its own."""
    view = make_view()
    view.__name__ = name
    return view


@pytest.mark.parametrize("name", ["exclude", "exclude_body", "keep"])
def test_view_stays_what_it_is(tracking: Tracking, name: str) -> None:
    """The same object is returned, it has its name, and it can be called outside a request."""

    def view() -> str:
        """Say so."""
        return "hello"

    before = (view.__name__, view.__doc__, view.__module__, view.__code__, view.__defaults__)
    assert getattr(tracking, name)(view) is view
    assert (view.__name__, view.__doc__, view.__module__, view.__code__, view.__defaults__) == before
    assert view() == "hello"


def test_keep_with_a_reason(app: Flask, memory: MemoryExporter, tracking: Tracking) -> None:
    """The reason is stored, and the record is kept against every exclusion."""
    tracked = Flask("other")
    tracked.config.update(TRACKING_WORKER="sync", TRACKING_EXCLUDE_METHODS=["POST"])
    tracking.init_app(tracked)
    tracked.post("/")(tracking.keep("payments")(make_view()))
    assert outcome(tracked, memory) == ("payments", *WHOLE[1:])


class Basket(MethodView):
    """A class-based view with a handler for each method."""

    def get(self) -> ResponseReturnValue:
        return answer()

    def post(self) -> ResponseReturnValue:
        return answer()


@pytest.mark.parametrize("name", ["exclude", "exclude_body", "keep"])
def test_class_based_views(app: Flask, memory: MemoryExporter, tracking: Tracking, name: str) -> None:
    """The result of ``as_view``, the list of decorators, the class, and a method can be marked."""
    mark = getattr(tracking, name)

    class Decorated(Basket):
        decorators = [mark]

    @mark
    class Marked(Basket):
        pass

    class OnePart(Basket):
        post = mark(make_method())

    class Dispatching(View):
        methods = ["POST"]
        dispatch_request = mark(make_method())

    app.add_url_rule("/as_view", view_func=mark(Basket.as_view("as_view")))
    app.add_url_rule("/decorated", view_func=Decorated.as_view("decorated"))
    app.add_url_rule("/marked", view_func=Marked.as_view("marked"))
    app.add_url_rule("/part", view_func=OnePart.as_view("part"))
    app.add_url_rule("/dispatching", view_func=Dispatching.as_view("dispatching"))
    app.add_url_rule("/plain", view_func=Basket.as_view("plain"))
    for path in ("/as_view", "/decorated", "/marked", "/part", "/dispatching"):
        assert outcome(app, memory, path) == expected(name), path
    assert outcome(app, memory, "/plain") == WHOLE
    assert outcome(app, memory, "/part", "GET") == WHOLE


class AdminView:
    """Of the shape of the BaseView of Flask-Admin and Flask-AppBuilder: its bound methods are views."""

    def view(self) -> ResponseReturnValue:
        return answer()

    @classmethod
    def of_class(cls) -> ResponseReturnValue:
        return answer()

    def add_to(self, app: Flask) -> None:
        """Add a view for each way to wrap one."""
        for name, wrapper in WRAPPERS.items():
            app.add_url_rule(f"/{name}", name, wrapper(self.view), methods=["POST"])
        app.add_url_rule("/class", "class", self.of_class, methods=["POST"])


def make_proxy(view: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a bound method as Flask-Classful does: a function that is given a name, in another one."""
    function = wrap(view)
    function.class_ = view.__self__  # type: ignore[attr-defined]
    return wrap(function)


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "bound": lambda view: view,
    "wraps": wrap,
    "wraps_without_marks": wrap_without_marks,
    "partial": functools.partial,
    "partial_of_wraps": lambda view: functools.partial(wrap(view)),
    "classful": make_proxy,
}


@pytest.mark.parametrize("name", ["exclude", "exclude_body", "keep"])
@pytest.mark.parametrize("is_base", [False, True])
@pytest.mark.parametrize("is_late", [False, True])
def test_class_whose_methods_are_views(
    app: Flask, memory: MemoryExporter, tracking: Tracking, name: str, is_base: bool, is_late: bool
) -> None:
    """The mark of a class, or of its base, holds for its bound methods, however they are wrapped."""

    class Base(AdminView):
        pass

    class Derived(Base):
        pass

    class Plain(AdminView):
        pass

    if is_late:
        Derived().add_to(app)
    assert getattr(tracking, name)(Base if is_base else Derived) is (Base if is_base else Derived)
    if not is_late:
        Derived().add_to(app)
    app.add_url_rule("/plain", "plain", Plain().view, methods=["POST"])
    for path in (*WRAPPERS, "class"):
        assert outcome(app, memory, f"/{path}") == expected(name), path
    assert outcome(app, memory, "/plain") == WHOLE


@pytest.mark.parametrize("name", ["exclude", "exclude_body", "keep"])
def test_static_methods(app: Flask, memory: MemoryExporter, tracking: Tracking, name: str) -> None:
    """A function that the body of a marked class defines has the mark, bound to nothing."""

    @getattr(tracking, name)
    class Shop:
        @staticmethod
        def loose() -> ResponseReturnValue:
            return answer()

        def plain() -> ResponseReturnValue:  # type: ignore[misc]
            return answer()

    app.post("/loose")(Shop.loose)
    app.post("/plain")(Shop.plain)
    app.post("/wrapped")(wrap(make_view_named("wrapped")))
    assert outcome(app, memory, "/loose") == expected(name)
    assert outcome(app, memory, "/plain") == expected(name)
    assert outcome(app, memory, "/wrapped") == WHOLE


def test_marks_of_two_bases(app: Flask, memory: MemoryExporter, tracking: Tracking) -> None:
    """What is said about the bases of a class holds together; what is nearer wins."""

    @tracking.exclude_body
    class Private(AdminView):
        pass

    @tracking.exclude
    class Quiet(AdminView):
        pass

    @tracking.keep("audit")
    class Audited(Private, Quiet):
        pass

    app.add_url_rule("/", "index", Audited().view, methods=["POST"])
    assert outcome(app, memory) == ("audit", *WITHOUT_BODIES[1:])


@pytest.mark.parametrize("name", ["exclude", "exclude_body", "keep"])
def test_method_of_a_bound_class(
    app: Flask, memory: MemoryExporter, tracking: Tracking, name: str
) -> None:
    """One method of such a class can be marked, too."""

    class Part(AdminView):
        view = getattr(tracking, name)(make_method())

        def other(self) -> ResponseReturnValue:
            return answer()

    app.add_url_rule("/part", "part", wrap(Part().view), methods=["POST"])
    app.add_url_rule("/other", "other", Part().other, methods=["POST"])
    assert outcome(app, memory, "/part") == expected(name)
    assert outcome(app, memory, "/other") == WHOLE


@pytest.mark.parametrize("name", ["exclude", "exclude_body", "keep"])
@pytest.mark.parametrize("library", ["flask_restx", "flask_restful"])
def test_resources(memory: MemoryExporter, library: str, name: str) -> None:
    """The resources of Flask-RESTX and Flask-RESTful are classes of views."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # jsonschema's RefResolver
        rest: Any = importlib.import_module(library)
    app = Flask("rest")
    app.config["TRACKING_WORKER"] = "sync"
    mark = getattr(Tracking(app, exporter=memory), name)
    api = rest.Api(app)

    class Resource(rest.Resource):
        def post(self) -> Any:
            return app.response_class(request.get_data(), content_type="application/json")

    @mark
    class Marked(Resource):
        pass

    class Method(Resource):
        @mark
        def post(self) -> Any:
            return super().post()

    api.add_resource(Marked, "/marked")
    api.add_resource(Method, "/method")
    assert outcome(app, memory, "/marked") == expected(name)
    assert outcome(app, memory, "/method") == expected(name)
    vars(app).clear()  # Flask-RESTX keeps the app, and later tests want to be the only one


def make_method() -> Any:
    """Return a method that answers."""

    def method(self: Any) -> ResponseReturnValue:
        return answer()

    return method


def test_head_goes_where_get_goes(app: Flask, memory: MemoryExporter, tracking: Tracking) -> None:
    """A HEAD that Flask answers by ``get`` has the mark of ``get``."""

    class Page(MethodView):
        @tracking.exclude
        def get(self) -> ResponseReturnValue:
            return answer()

        def post(self) -> ResponseReturnValue:
            return answer()

    app.add_url_rule("/", view_func=Page.as_view("page"))
    assert outcome(app, memory, method="HEAD") is None
    assert outcome(app, memory, method="POST") == WHOLE


@pytest.mark.parametrize("name", ["exclude", "exclude_body", "keep"])
def test_blueprints(app: Flask, memory: MemoryExporter, tracking: Tracking, name: str) -> None:
    """The mark of a blueprint holds for all its views, and for those of blueprints within it."""
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    outer.post("/view")(make_view())
    inner.post("/view")(make_view())
    assert getattr(tracking, name)(outer) is outer
    app.register_blueprint(inner, url_prefix="/alone")
    outer.register_blueprint(inner, url_prefix="/inner")
    app.register_blueprint(outer, url_prefix="/outer")
    app.register_blueprint(outer, url_prefix="/again", name="again")
    assert outcome(app, memory, "/alone/view") == WHOLE
    for path in ("/outer/view", "/outer/inner/view", "/again/view", "/again/inner/view"):
        assert outcome(app, memory, path) == expected(name), path


def test_nearer_and_later_marks_win(app: Flask, memory: MemoryExporter, tracking: Tracking) -> None:
    """Of ``exclude`` and ``keep`` the nearer one holds, then the later; bodies stay excluded."""
    said: list[tuple[list[Any], list[Any]]] = [
        ([tracking.exclude], [tracking.keep("here")]),
        ([tracking.keep], [tracking.exclude]),
        ([], [tracking.exclude, tracking.keep("here")]),
        ([], [tracking.keep, tracking.exclude]),
        ([tracking.exclude_body], [tracking.keep("here")]),
        ([tracking.keep("there")], [tracking.exclude_body]),
    ]
    for number, (of_blueprint, of_view) in enumerate(said):
        blueprint, view = Blueprint(f"b{number}", __name__), make_view()
        for mark in of_blueprint:
            mark(blueprint)
        for mark in of_view:
            mark(view)
        blueprint.post("/")(view)
        app.register_blueprint(blueprint, url_prefix=f"/{number}")
    assert outcome(app, memory, "/0/") == ("here", *WHOLE[1:])
    assert outcome(app, memory, "/1/") is None
    assert outcome(app, memory, "/2/") == ("here", *WHOLE[1:])
    assert outcome(app, memory, "/3/") is None
    assert outcome(app, memory, "/4/") == ("here", *WITHOUT_BODIES[1:])
    assert outcome(app, memory, "/5/") == ("there", *WITHOUT_BODIES[1:])


def test_mark_after_the_first_request(app: Flask, memory: MemoryExporter, tracking: Tracking) -> None:
    """A view that is marked late is marked from then on."""
    view = app.post("/")(make_view())
    assert outcome(app, memory) == WHOLE
    tracking.exclude_body(view)
    assert outcome(app, memory) == WITHOUT_BODIES
    tracking.exclude(view)
    assert outcome(app, memory) is None


def test_wrapped_view_is_left_alone(app: Flask, memory: MemoryExporter, tracking: Tracking) -> None:
    """Marking a wrapper does not mark what it wraps, which may be a view by itself."""
    view = make_view()
    app.add_url_rule("/inside", "inside", tracking.exclude(wrap(view)), methods=["POST"])
    app.add_url_rule("/partly", "partly", tracking.exclude(functools.partial(view)), methods=["POST"])
    app.add_url_rule("/plain", "plain", view, methods=["POST"])
    assert outcome(app, memory, "/inside") is None
    assert outcome(app, memory, "/partly") is None
    assert outcome(app, memory, "/plain") == WHOLE


def test_span_has_the_last_word(app: Flask, memory: MemoryExporter, tracking: Tracking) -> None:
    """What the view says while it runs wins over its mark: the bodies alone are gone."""

    @app.post("/kept")
    @tracking.exclude
    def kept() -> ResponseReturnValue:
        tracking.span.set("order", 17)
        tracking.span.keep("vip")
        return answer()

    @app.post("/discarded")
    @tracking.keep
    def discarded() -> ResponseReturnValue:
        tracking.span.discard()
        return answer()

    assert outcome(app, memory, "/kept") == ("vip", *WITHOUT_BODIES[1:])
    assert memory.records[0].custom_data == {"order": 17}
    assert outcome(app, memory, "/discarded") is None


def test_excluded_request_is_not_handed_over(
    app: Flask, memory: MemoryExporter, tracking: Tracking
) -> None:
    """Of an excluded view nothing reaches the worker, not even of a failure or a stream."""

    @app.post("/")
    @tracking.exclude
    def fail() -> ResponseReturnValue:
        raise RuntimeError

    @app.post("/stream")
    @tracking.exclude
    def stream() -> ResponseReturnValue:
        data = request.get_data()
        return (part for part in (data[:5], data[5:])), JSON

    app.logger.disabled = True
    assert app.test_client().post("/", data=SECRET).status_code == 500
    ask(app, "/stream")
    assert memory.records == []
    assert (tracking.stats.received, tracking.stats.dropped) == (0, {})
    ask_for_404 = app.test_client().post("/absent", data=SECRET, headers=JSON)
    assert ask_for_404.status_code == 404
    assert [record.status_code for record in memory.records] == [404]


def test_copies_are_thrown_away_at_once(app: Flask, memory: MemoryExporter, tracking: Tracking) -> None:
    """What a middleware inside had read before the route was known is let go of in the request."""
    exchanges: list[Any] = []

    @app.post("/")
    @tracking.exclude_body
    def view() -> ResponseReturnValue:
        exchange = getattr(tracking.span, "exchange", None)
        assert exchange is not None
        exchanges.append((exchange._request.chunks, exchange._request.kept))
        return answer()

    flask_app = app.wsgi_app.wsgi_app  # type: ignore[attr-defined]

    def read_early(environ: Any, start_response: Any) -> Any:
        import io

        exchange = environ["flask_tracking.span"].exchange
        body = environ["wsgi.input"].read()
        assert b"".join(exchange._request.chunks) == SECRET
        environ["wsgi.input"] = io.BytesIO(body)
        return flask_app(environ, start_response)

    app.wsgi_app.wsgi_app = read_early  # type: ignore[attr-defined]
    assert outcome(app, memory) == WITHOUT_BODIES
    assert memory.records[0].request_body_size == memory.records[0].response_body_size == len(SECRET)
    assert exchanges == [([], 0)]


@pytest.mark.parametrize("name", [None, "exclude", "exclude_body"])
def test_nothing_is_held_after_the_end(app: Flask, tracking: Tracking, name: str | None) -> None:
    """Span and exchange let go of each other at the end: no cycle is left for the collector."""
    alive: list[weakref.ref[Any]] = []
    view = make_view()
    app.post("/")(view if name is None else getattr(tracking, name)(view))

    @app.before_request
    def note() -> None:
        alive.append(weakref.ref(tracking.span))
        alive.append(weakref.ref(getattr(tracking.span, "exchange", None)))

    gc.collect()
    gc.disable()
    try:
        ask(app)
        assert [reference() for reference in alive] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("target", "kind"), [("/static/", "str"), (None, "NoneType"), (17, "int"), (Flask("x"), "Flask")]
)
def test_what_cannot_be_marked(tracking: Tracking, target: Any, kind: str) -> None:
    """A path, nothing, or an app is refused by a line that names the settings."""
    with pytest.raises(ConfigError, match=f"exclude marks a view .* this is a {kind}. For paths"):
        tracking.exclude(target)


def test_what_takes_no_attribute(app: Flask, memory: MemoryExporter, tracking: Tracking) -> None:
    """What can hold no mark is refused; a method is marked by its function."""
    with pytest.raises(ConfigError, match="cannot mark a builtin_function_or_method, which takes no"):
        tracking.exclude(len)

    class Shop:
        def view(self) -> ResponseReturnValue:
            return answer()

    app.post("/")(tracking.exclude(Shop().view))
    assert outcome(app, memory) is None


def test_odd_views_have_no_marks(app: Flask, memory: MemoryExporter, tracking: Tracking) -> None:
    """A view that answers every question about itself, or wraps itself, is recorded as usual."""

    class Odd:
        __name__ = "odd"

        def __getattr__(self, name: str) -> Any:
            if name.startswith("provide_") or name in ("methods", "required_methods"):
                raise AttributeError(name)
            return self

        def __call__(self) -> ResponseReturnValue:
            return answer()

    class Raising(Odd):
        __name__ = "raising"

        @property
        def __wrapped__(self) -> Any:
            raise RuntimeError("not now")

    app.post("/odd")(Odd())
    app.post("/raising")(Raising())
    assert outcome(app, memory, "/odd") == WHOLE
    assert outcome(app, memory, "/raising") == WHOLE


def test_one_look_for_most_requests(
    app: Flask, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What holds for an endpoint is found out once."""
    found: list[str] = []
    find_marks = marks.find_marks

    def count(app: Flask, endpoint: str) -> Any:
        found.append(endpoint)
        return find_marks(app, endpoint)

    monkeypatch.setattr(marks, "find_marks", count)
    app.post("/")(make_view())
    app.post("/marked")(tracking.keep(make_view_named("marked")))
    for _ in range(3):
        ask(app)
        ask(app, "/marked")
    assert found == ["view", "marked"]
