"""Views that answer whole: text, JSON, redirects, empty answers, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, abort, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from ..exchange import get, post, scenes, send
from ._base import Factory, Track, new_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Shouting(Response):
    """A response class of the app's own."""

    default_mimetype = "text/x-shout"

    def set_data(self, value: bytes | str) -> None:
        """Shout."""
        super().set_data(value.upper())


def make_app(track: Track) -> WSGIApplication:
    """Make an app that answers whole."""
    app = new_app("output")
    track(app)

    @app.get("/plain")
    def plain() -> str:
        return "hello"

    @app.get("/json")
    def as_json() -> dict[str, object]:
        return {"number": 17, "text": "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n"}

    @app.get("/redirect")
    def redirected() -> WerkzeugResponse:
        return redirect(url_for("plain"))

    @app.route("/empty", methods=["GET", "DELETE"])
    def empty() -> tuple[str, int]:
        return "", 204

    @app.get("/etag")
    def with_etag() -> WerkzeugResponse:
        response = make_response("the same as ever")
        response.add_etag()
        return response.make_conditional(request)

    @app.get("/headers")
    def headers() -> tuple[str, list[tuple[str, str]]]:
        many = [
            ("X-Two", "1"),
            ("x-one", "2"),
            ("X-Two", "3"),
            ("Link", "</a>; rel=next"),
            ("Link", "</b>"),
        ]
        return "headers", many

    @app.get("/cookies")
    def cookies() -> Response:
        response = make_response("cookies")
        response.set_cookie("a", "1", max_age=60)
        response.set_cookie("b", "2", httponly=True, samesite="Lax")
        response.delete_cookie("c")
        return response

    @app.get("/nothing")
    def nothing() -> str:
        return ""

    @app.get("/big")
    def big() -> bytes:
        return bytes(range(256)) * 4096

    @app.get("/subclass")
    def subclass() -> Response:
        return Shouting("quiet")

    @app.get("/teapot")
    def teapot() -> str:
        abort(418, "short and stout")

    @app.post("/created")
    def created() -> tuple[dict[str, int], int, dict[str, str]]:
        return {"id": 1}, 201, {"Location": "/plain"}

    return app


FACTORIES: dict[str, Factory] = {"output": make_app}

VIEWS = {
    "plain text": "/plain",
    "JSON": "/json",
    "redirect": "/redirect",
    "empty 204": "/empty",
    "ETag": "/etag",
    "many headers": "/headers",
    "cookies": "/cookies",
    "empty 200": "/nothing",
    "1 MiB": "/big",
    "Response subclass": "/subclass",
    "abort": "/teapot",
    "no such page": "/nowhere",
}

SCENES = [
    *scenes("output", {name: get(path) for name, path in VIEWS.items()}),
    *scenes("output", {f"HEAD of {name}": send("HEAD", path) for name, path in VIEWS.items()}),
    *scenes(
        "output",
        {
            "OPTIONS": send("OPTIONS", "/empty"),
            "method not allowed": post("/plain", b"x"),
            "201 with Location": post("/created", b"{}", "application/json"),
            "304": get("/etag", {"If-None-Match": '"0b5e437a9e9424dfd1a26f7c1a52fbdf325c43d9"'}),
            "query and unusual path": get("/plain?a=1&b=%FF#"),
            "path that is not UTF-8": get("/%ff/%C3%BC"),
        },
    ),
]
