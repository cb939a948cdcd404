"""Flask-SocketIO: long polling, websockets, and ordinary requests beside them."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from ..exchange import EndInput, Finish, Raw, Scene, Step, Take, get, post, scenes
from ..journal import current_scene, note
from ._base import Factory, Track, new_app
from .extensions import frame

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def make_app(track: Track) -> WSGIApplication:
    """Make an app that is tracked with all that Flask-SocketIO answers."""
    app = new_app("socketio")
    _add_socketio(app)
    track(app)
    return app


def make_outside_app(track: Track) -> WSGIApplication:
    """Make an app with Flask-SocketIO around tracking, which sees the ordinary requests alone."""
    app = new_app("socketio-outside")
    track(app)
    _add_socketio(app)
    return app


def find_mode() -> str:
    """Return the mode that goes with what this process was patched by."""
    for name, module in {"eventlet": "eventlet.patcher", "gevent": "gevent.monkey"}.items():
        patch = sys.modules.get(module)
        is_patched = getattr(patch, "is_monkey_patched", getattr(patch, "is_module_patched", None))
        if is_patched is not None and is_patched("socket"):
            return name
    return "threading"


def _add_socketio(app: Flask) -> None:
    from flask_socketio import SocketIO, disconnect, emit

    # It answers a CORS request only where that is allowed; the clients here send no origin.
    socketio: Any = SocketIO(app, async_mode=find_mode())
    socketio.server.eio.generate_id = make_session_ids()
    note_event = _note_event

    @socketio.on("connect")
    def connect() -> None:
        note_event("connected")

    @socketio.on("disconnect")
    def leave(reason: str) -> None:
        note_event(f"disconnected: {reason}")

    @socketio.on("shout")
    def shout(word: str) -> None:
        note_event(f"heard {word}")
        emit("shouted", word.upper())

    @socketio.on("send me away")
    def send_away() -> None:
        disconnect()

    @app.route("/ordinary", methods=["GET", "POST"])
    def ordinary() -> str:
        return f"{request.method} {request.get_data(as_text=True)}"


def _note_event(text: str) -> None:
    note(text, request.headers["X-Scene"])


def session_id(scene: str, number: int) -> str:
    """Return the id of a session: Engine.IO's is the first of a scene, Socket.IO's the second."""
    return f"{re.sub('[^A-Za-z]+', '-', scene)}.{number}"


def make_session_ids() -> Any:
    """Return what makes them, so that a client can ask for what it will be told."""
    numbers: dict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))

    def generate_id() -> str:
        scene = current_scene.get()
        return session_id(scene, next(numbers[scene]))

    return generate_id


FACTORIES: dict[str, Factory] = {"socketio": make_app, "socketio-outside": make_outside_app}
NEEDS = dict.fromkeys(FACTORIES, ("flask_socketio", "simple_websocket"))

PATH = "/socket.io/?EIO=4&transport="
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
H2C = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
CLOSE = Raw(frame(8, b"\x03\xe8"))
WEBSOCKET = {"status_code": 101, "outcome": "ok", "exception": None, "kept_reason": None}
POLLED = {"status_code": 200, "outcome": "ok", "exception": None}
UPGRADED_POLLING = {"outcome": "ok", "exception": None, "kept_reason": None}
"""Under gevent and eventlet it answers with a 200 when the websocket has ended."""
ON: dict[str, Any] = {
    "only_on": ("extensions gthread", "socketio"),
    "why_only": "Flask-SocketIO is played in columns of its own, one for each mode",
}


def text(message: str) -> Raw:
    """Return a text frame as a client sends it."""
    return Raw(frame(1, message.encode()))


def event(*parts: str) -> str:
    """Return an event as it is sent."""
    return "42" + json.dumps(parts)


def websocket(*steps: Step) -> tuple[Step, ...]:
    """Return the steps over a websocket that joins the namespace, and ends with its connection."""
    return get(f"{PATH}websocket", UPGRADE), Take(1), text("40"), Take(1), *steps, EndInput()


def poll(scene: str, *messages: str) -> dict[str, tuple[Step, ...]]:
    """Return a scene over long polling: each message is sent, and its answer asked for.

    Args:
        scene: its name, from which the id of the session follows.
        *messages: of the client, after the one that joins the namespace.
    """
    session = f"{PATH}polling&sid={session_id(scene, 1)}"
    steps: list[Step] = [get(f"{PATH}polling")]
    for message in ("40", *messages):
        steps += [Finish(), post(session, message.encode()), Finish(), get(session)]
    return {scene: tuple(steps)}


UPGRADED = "Socket.IO, polling and then a websocket"

SCENES: list[Scene] = [
    *scenes(
        "socketio",
        {
            **poll("Socket.IO, polling", event("shout", "hello")),
            **poll("Socket.IO, polling, sent away", event("send me away")),
            "Socket.IO, unknown session": get(f"{PATH}polling&sid=unknown"),
        },
        **ON,
    ),
    *scenes(
        "socketio",
        {
            "Socket.IO, websocket": websocket(text(event("shout", "hello")), Take(1)),
            "Socket.IO, websocket that is left": websocket(text("41")),
            "Socket.IO, websocket, sent away": websocket(text(event("send me away")), Take(1)),
        },
        **ON,
        recorded=(WEBSOCKET,),
    ),
    *scenes(
        "socketio",
        {"Socket.IO, websocket that is closed": websocket(text("41"), CLOSE)},
        **ON,
        # simple-websocket wakes the handler before it answers: that may end the connection first.
        not_on=dict.fromkeys(
            ("extensions gthread", "socketio threading"),
            "there the answer to a close may come too late",
        ),
        recorded=(WEBSOCKET,),
    ),
    *scenes(
        "socketio",
        {
            UPGRADED: (
                *(get(f"{PATH}polling"), Finish()),
                get(f"{PATH}websocket&sid={session_id(UPGRADED, 1)}", UPGRADE),
                *(Take(0), text("2probe"), Take(1), text("5"), text("40"), Take(2)),
                *(text(event("shout", "hello")), Take(1), EndInput()),
            )
        },
        **ON,
        recorded=(POLLED, UPGRADED_POLLING),
    ),
    *scenes(
        "socketio",
        {
            "beside Socket.IO, POST": post("/ordinary", b"a body"),
            "beside Socket.IO, POST with Upgrade: h2c": post("/ordinary", b"a body", headers=H2C),
        },
        **ON,
        recorded=({**POLLED, "request_body": b"a body"},),
    ),
    *scenes("socketio", {"beside Socket.IO, GET": get("/ordinary")}, **ON, recorded=(POLLED,)),
    *scenes(
        "socketio-outside",
        {
            "Socket.IO outside, websocket": websocket(text(event("shout", "hello")), Take(1)),
            "Socket.IO outside, POST": post("/ordinary", b"a body"),
        },
        **ON,
    ),
]
