"""What happens between requests: versions of HTTP, connections that stay, answers before the body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from ..exchange import Body, Head, Take, get, post, scenes, send
from ..journal import note
from ._base import Factory, Track, new_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def make_app(track: Track) -> WSGIApplication:
    """Make an app that tells requests apart."""
    app = new_app("connections")
    track(app)

    @app.route("/<name>", methods=["GET", "POST"])
    def answer(name: str) -> str:
        note(f"{request.method} {name} {request.environ['SERVER_PROTOCOL']} {request.get_data()!r}")
        return name

    return app


FACTORIES: dict[str, Factory] = {"connections": make_app}

EXPECTING = post("/expecting", b"what was expected", headers={"Expect": "100-continue"})
KEEP = {"Connection": "keep-alive"}

ONE_PER_CONNECTION = {
    "werkzeug": "it ends each connection, and waits for the end of what was sent after the request",
    "gunicorn sync": "it ends each connection",
    "uwsgi": "it ends each connection",
}

SCENES = [
    *scenes(
        "connections",
        {
            "HTTP/1.0": get("/old", version="1.0"),
            "HTTP/1.0, keep-alive": get("/old", KEEP, version="1.0"),
            "HTTP/1.0, POST": post("/old", b"old", version="1.0"),
            "Connection: close": get("/last", {"Connection": "close"}),
        },
    ),
    *scenes(
        "connections",
        {
            "keep-alive": (get("/first"), Take(5), get("/second"), Take(6), get("/third")),
            "pipelining": (
                *(get("/first"), post("/second", b"two")),
                *(send("HEAD", "/third"), get("/fourth")),
            ),
        },
        not_on=ONE_PER_CONNECTION,
    ),
    *scenes(
        "connections",
        {"Expect: 100-continue": (Head(EXPECTING), Take(0), Body(EXPECTING))},
        not_on={"uwsgi": "it answers no Expect"},
    ),
]
