"""Apps that are put together: blueprints, classes, hosts, apps beside apps and inside apps."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, copy_current_request_context, current_app, request
from flask.views import MethodView, View
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from ..exchange import HOST, Scene, get, post, scenes
from ..journal import note
from ._base import Factory, Track, new_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PROXY_HEADERS = {
    "X-Forwarded-For": "203.0.113.7, 10.0.0.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "public.example",
    "X-Forwarded-Prefix": "/below",
}


def make_blueprints_app(track: Track) -> WSGIApplication:
    """Make an app with nested blueprints and views that are classes."""
    app = new_app("blueprints")
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)

    @inner.before_request
    def before() -> None:
        note(f"before {request.blueprints}")

    @inner.get("/raise")
    def fail() -> str:
        raise LookupError

    @inner.errorhandler(LookupError)
    def handle(error: LookupError) -> tuple[str, int]:
        return "the blueprint's own answer", 404

    class Page(View):
        def dispatch_request(self, number: int) -> str:  # type: ignore[override]
            return f"page {number} at {request.endpoint}"

    class Items(MethodView):
        def get(self) -> str:
            return "all items"

        def post(self) -> tuple[str, int]:
            return "one more", 201

    inner.add_url_rule("/page/<int:number>", view_func=Page.as_view("page"))
    inner.add_url_rule("/items", view_func=Items.as_view("items"))
    outer.register_blueprint(inner, url_prefix="/inner")
    track(app)
    app.register_blueprint(outer, url_prefix="/outer")
    return app


def make_contexts_app(track: Track) -> WSGIApplication:
    """Make an app whose views leave their thread, or call the app itself."""
    app = new_app("contexts")
    track(app)

    @app.get("/async")
    async def asynchronous() -> str:
        return f"async {request.path}"

    @app.get("/async/raise")
    async def asynchronous_failure() -> str:
        raise ZeroDivisionError("async")

    @app.get("/inner")
    def inner() -> str:
        return request.args["word"]

    @app.get("/nested")
    def nested() -> str:
        scene = {"X-Scene": request.headers["X-Scene"]}
        with current_app.test_client() as client:
            word = client.get("/inner?word=nested", headers=scene).text
        return f"{word} in {request.path}"

    @app.get("/thread")
    def thread() -> str:
        seen = []

        @copy_current_request_context
        def look() -> None:
            seen.append(request.path)

        threads = [threading.Thread(target=look) for _ in range(2)]
        for one in threads:
            one.start()
            one.join()
        return " ".join(seen)

    return app


def make_subdomain_app(track: Track) -> WSGIApplication:
    """Make an app that tells subdomains apart."""
    app = Flask("subdomain", static_folder=None, subdomain_matching=True)
    app.config["SERVER_NAME"] = HOST
    track(app)
    app.add_url_rule("/", "main", lambda: "main")
    app.add_url_rule("/", "sub", lambda name: f"sub {name}", subdomain="<name>")
    return app


def make_hosts_app(track: Track) -> WSGIApplication:
    """Make an app that tells hosts apart."""
    app = Flask("hosts", host_matching=True, static_folder=None)
    track(app)
    app.add_url_rule("/", "one", lambda: "one", host="one.example")
    app.add_url_rule("/", "any", lambda domain: domain, host="<domain>.test")
    return app


def _echo_app(name: str) -> Flask:
    app = new_app(name)

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
    @app.route("/<path:path>", methods=["GET", "POST"])
    def echo(path: str) -> str:
        note(f"{name} got {request.get_data()!r}")
        if path == "raise":
            raise ZeroDivisionError(f"in {name}")
        return f"{name}: {request.script_root} {request.url} {request.remote_addr}"

    return app


def make_beside_app(track: Track) -> WSGIApplication:
    """Make two tracked apps behind one dispatcher."""
    first, second = _echo_app("first"), _echo_app("second")
    track(first)
    track(second)
    return DispatcherMiddleware(first, {"/second": second})


def make_inside_app(track: Track) -> WSGIApplication:
    """Make a tracked app inside a tracked app."""
    outer, inner = _echo_app("outer"), _echo_app("inner")
    track(inner)
    outer.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
        outer.wsgi_app, {"/inner": inner}
    )
    track(outer)
    return outer


def make_mounted_app(track: Track) -> WSGIApplication:
    """Make a tracked app with two applications inside, one of them not of Flask."""
    app, api = _echo_app("mounted"), _echo_app("api")

    def metrics(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"requests_total 1 {environ['SCRIPT_NAME']}|{environ['PATH_INFO']}".encode()]

    app.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
        app.wsgi_app, {"/metrics": metrics, "/api": api}
    )
    track(app)
    return app


def make_proxy_inside_app(track: Track) -> WSGIApplication:
    """Make an app with ProxyFix nearer to the app than tracking."""
    app = _echo_app("proxy-inside")
    app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    track(app)
    return app


def make_proxy_outside_app(track: Track) -> WSGIApplication:
    """Make an app with ProxyFix around tracking."""
    app = _echo_app("proxy-outside")
    track(app)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    return app


FACTORIES: dict[str, Factory] = {
    "blueprints": make_blueprints_app,
    "contexts": make_contexts_app,
    "subdomain": make_subdomain_app,
    "hosts": make_hosts_app,
    "beside": make_beside_app,
    "inside": make_inside_app,
    "mounted": make_mounted_app,
    "proxy-inside": make_proxy_inside_app,
    "proxy-outside": make_proxy_outside_app,
}

SCENES = [
    *scenes(
        "blueprints",
        {
            "blueprint, class-based view": get("/outer/inner/page/7"),
            "blueprint, MethodView": post("/outer/inner/items"),
            "blueprint, method not allowed": post("/outer/inner/page/7"),
            "blueprint, errorhandler": get("/outer/inner/raise"),
        },
    ),
    *scenes(
        "contexts",
        {
            "async view": get("/async"),
            "async view that raises": get("/async/raise"),
        },
        not_on={"hypercorn": "asgiref runs no second event loop in the thread of the first"},
    ),
    *scenes(
        "contexts",
        {
            "nested test_client": get("/nested"),
            "copy_current_request_context and threads": get("/thread"),
        },
    ),
    *scenes(
        "subdomain",
        {
            "no subdomain": get("/"),
            "subdomain": get("/", {"Host": f"api.{HOST}"}),
            "another domain": get("/", {"Host": "elsewhere.example"}),
        },
    ),
    *scenes(
        "hosts",
        {
            "host matching": get("/", {"Host": "one.example"}),
            "host matching, variable": get("/", {"Host": "shop.test"}),
            "host matching, no match": get("/", {"Host": "two.example"}),
        },
    ),
    *scenes(
        "beside",
        {
            "DispatcherMiddleware, first app": post("/a?b=c", b"for the first"),
            "DispatcherMiddleware, second app": post("/second/a", b"for the second"),
            "DispatcherMiddleware, second app raises": get("/second/raise"),
        },
    ),
    *scenes(
        "inside",
        {
            "tracked inside tracked, outer": post("/a", b"for the outer"),
            "tracked inside tracked, inner": post("/inner/a", b"for the inner"),
            "tracked inside tracked, inner raises": get("/inner/raise"),
        },
    ),
    *[
        Scene(f"mounted inside, {name}", "mounted", (get(path),), recorded=({"path": path},))
        for name, path in {"metrics": "/metrics", "API": "/api/v1/x", "own page": "/a"}.items()
    ],
    *scenes("proxy-inside", {"ProxyFix inside": get("/a", PROXY_HEADERS)}),
    *scenes("proxy-outside", {"ProxyFix outside": get("/a", PROXY_HEADERS)}),
]
