"""Apps with sessions, and with the extensions that people use beside tracking."""

from __future__ import annotations

import functools
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

import flask_compress
from flask import Flask, Request, Response, session
from flask.sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    login_required,
    login_user,
    logout_user,
)
from flask_login.utils import encode_cookie
from flask_sock import Sock

from flask_tracking.testing.watch import freeze_signatures

from ..exchange import Raw, Take, get, post, scenes
from ..journal import note
from ._base import Factory, Track, new_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PAGE = "a page that is long enough to be worth compressing. " * 40


class User(UserMixin):
    """Somebody."""

    def __init__(self, user_id: str) -> None:
        self.id = user_id


def make_login_app(track: Track) -> WSGIApplication:
    """Make an app with Flask-Login."""
    app = new_app("login")
    manager = LoginManager(app)

    @manager.user_loader
    def load(user_id: str) -> User | None:
        note(f"loaded user {user_id}")
        return User(user_id) if user_id == "1" else None

    track(app)

    @app.get("/public")
    def public() -> str:
        return "public"

    @app.get("/who")
    def who() -> str:
        return str(current_user.get_id())

    @app.get("/private")
    @login_required
    def private() -> str:
        return "private"

    @app.post("/login")
    def login() -> str:
        login_user(User("1"), remember=True)
        return "logged in"

    @app.post("/logout")
    def logout() -> str:
        logout_user()
        return "logged out"

    return app


def make_session_app(track: Track) -> WSGIApplication:
    """Make an app with Flask's own sessions."""
    app = new_app("session")
    track(app)
    _add_session_views(app)
    return app


def _add_session_views(app: Flask) -> None:
    app.add_url_rule("/untouched", "untouched", lambda: "untouched")
    app.add_url_rule("/read", "read", lambda: str(session.get("number")))

    @app.get("/write")
    def write() -> str:
        session["number"] = 7
        return "written"

    @app.get("/permanent")
    def permanent() -> str:
        session.permanent = True
        session["number"] = 8
        return "permanent"


class StoredSession(dict[str, Any], SessionMixin):
    """A session that notes when it is used."""

    def __getitem__(self, key: str) -> Any:
        note(f"session asked for {key}")
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Note, and look it up."""
        note(f"session asked for {key}")
        return super().get(key, default)


class StoredSessions(SessionInterface):
    """Sessions that are kept by the server, under an id of the client's."""

    def __init__(self) -> None:
        self.stored: MutableMapping[str, dict[str, Any]] = {"known": {"number": 3, "_user_id": "1"}}

    def open_session(self, app: Flask, request: Request) -> StoredSession:
        """Look up what is stored."""
        note("session opened")
        return StoredSession(self.stored.get(request.cookies.get("sid", ""), {}))

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Store it."""
        note(f"session saved: {dict(session)}")
        response.set_cookie("sid", "known")


def make_stored_session_app(track: Track) -> WSGIApplication:
    """Make an app with sessions on the server."""
    app = new_app("stored-session")
    app.session_interface = StoredSessions()
    track(app)
    _add_session_views(app)
    return app


def make_compress_app(order: str, track: Track) -> WSGIApplication:
    """Make an app with Flask-Compress, installed before or after tracking."""
    app = new_app(f"compress-{order}")
    install: list[Callable[[Flask], object]] = [flask_compress.Compress, track]
    for one in install if order == "before" else reversed(install):
        one(app)
    app.add_url_rule("/page", "page", lambda: PAGE)
    app.add_url_rule("/stream", "stream", lambda: Response(PAGE for _ in range(3)))
    return app


def make_sock_app(track: Track) -> WSGIApplication:
    """Make an app with a WebSocket."""
    app = new_app("sock")
    track(app)
    sock = Sock(app)

    @sock.route("/echo")
    def echo(ws: Any) -> None:
        word = ws.receive()
        note(f"heard {word}")
        ws.send(word.upper())

    return app


FACTORIES: dict[str, Factory] = {
    "login": make_login_app,
    "session": make_session_app,
    "stored-session": make_stored_session_app,
    "compress-before": functools.partial(make_compress_app, "before"),
    "compress-after": functools.partial(make_compress_app, "after"),
    "sock": make_sock_app,
}


def _session_cookie(**values: Any) -> str:
    serializer = SecureCookieSessionInterface().get_signing_serializer(new_app("any"))
    assert serializer is not None
    with freeze_signatures():
        return f"session={serializer.dumps(values)}"


def _remember_cookie(user_id: str) -> str:
    return f"remember_token={encode_cookie(user_id, new_app('any').secret_key)}"


LOGGED_IN = {"Cookie": _session_cookie(_user_id="1", _fresh=True)}
REMEMBERED = {"Cookie": _remember_cookie("1")}
NUMBERED = {"Cookie": _session_cookie(number=5)}
KNOWN = {"Cookie": "sid=known"}

MASK = b"mask"
UPGRADE = get(
    "/echo",
    {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    },
)


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a frame as a client sends it."""
    masked = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + MASK + masked


SCENES = [
    *scenes(
        "login",
        {
            "Flask-Login, nobody": get("/who"),
            "Flask-Login, public page": get("/public", LOGGED_IN),
            "Flask-Login, user of the session": get("/who", LOGGED_IN),
            "Flask-Login, login with remember-me": post("/login"),
            "Flask-Login, remembered user": get("/who", REMEMBERED),
            "Flask-Login, remembered user, public page": get("/public", REMEMBERED),
            "Flask-Login, forged cookie": get("/who", {"Cookie": "remember_token=1|abc"}),
            "Flask-Login, private page": get("/private"),
            "Flask-Login, logout": post("/logout", headers=LOGGED_IN),
        },
    ),
    *scenes(
        "session",
        {
            "session not touched": get("/untouched", NUMBERED),
            "session read": get("/read", NUMBERED),
            "session written": get("/write", NUMBERED),
            "session begun": get("/write"),
            "session made permanent": get("/permanent"),
        },
    ),
    *scenes(
        "stored-session",
        {
            "server-side session not touched": get("/untouched", KNOWN),
            "server-side session read": get("/read", KNOWN),
            "server-side session written": get("/write", KNOWN),
        },
    ),
    *[
        scene
        for order in ("before", "after")
        for scene in scenes(
            f"compress-{order}",
            {
                f"Flask-Compress {order}, Brotli": get("/page", {"Accept-Encoding": "br"}),
                f"Flask-Compress {order}, deflate": get("/page", {"Accept-Encoding": "deflate"}),
                f"Flask-Compress {order}, stream": get("/stream", {"Accept-Encoding": "br"}),
                f"Flask-Compress {order}, not wanted": get("/page"),
            },
        )
    ],
    *scenes(
        "sock",
        {
            "WebSocket upgrade": (
                *(UPGRADE, Take(0), Raw(frame(1, b"hello")), Take(2)),
                Raw(frame(8, b"\x03\xe8")),
            ),
            "WebSocket without an upgrade": get("/echo"),
        },
        not_on=dict.fromkeys(
            ("test client", "waitress", "uwsgi", "hypercorn"),
            "simple-websocket cannot take the socket from this server",
        ),
    ),
]
