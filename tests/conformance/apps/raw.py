"""WSGI as PEP 3333 allows it and frameworks rarely use it, and servers that break it."""

from __future__ import annotations

import atexit
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from ..exchange import HangUp, Release, Scene, Take, get, post, scenes
from ..gates import wait_at_gate
from ..journal import note
from ._base import Factory, Track, new_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PLAIN = [("Content-Type", "text/plain")]


def write(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Use the callable that ``start_response`` returns."""
    say = start_response("200 OK", PLAIN)
    say(b"written ")
    say(b"twice ")
    return [b"and returned"]


def write_only(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Write, and return nothing."""
    say = start_response("200 OK", [*PLAIN, ("Content-Length", "7")])
    say(b"written")
    return []


def start_again(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Replace the headers before anything was sent."""
    start_response("200 OK", [*PLAIN, ("X-First", "1")])
    try:
        raise ZeroDivisionError("before the body")
    except ZeroDivisionError:
        start_response("500 Oh", [*PLAIN, ("X-Second", "2")], sys.exc_info())
    return [b"replaced"]


def start_again_too_late(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Try to replace the headers when they are sent: that raises what is given."""
    start_response("200 OK", PLAIN)
    yield b"sent"
    try:
        raise ZeroDivisionError("in the body")
    except ZeroDivisionError:
        start_response("500 Oh", PLAIN, sys.exc_info())
    yield b"never reached"


def start_twice(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Call ``start_response`` twice without a reason: servers refuse."""
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)
    return [b"twice"]


def start_late(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Call ``start_response`` when the first chunk is asked for, as any generator does."""
    start_response("200 OK", PLAIN)
    yield b"late"


def never_start(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Forget ``start_response``."""
    return [b"no head"]


class Lying(list[bytes]):
    """A list that says that it has one chunk."""

    def __len__(self) -> int:
        return 1


def lie(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Return an iterable whose length is a lie."""
    start_response("200 OK", PLAIN)
    return Lying([b"one", b"two"])


def as_tuple(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Return a tuple."""
    start_response("200 OK", PLAIN)
    return b"one", b"two"


class OldSequence:
    """Iterable by ``__getitem__`` alone."""

    def __getitem__(self, position: int) -> bytes:
        if position > 2:
            raise IndexError
        return b"%d" % position


def old_sequence(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    """Return what has neither ``__iter__`` nor ``__len__``."""
    start_response("200 OK", PLAIN)
    return OldSequence()


def wrong_type(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    """Yield text where bytes belong."""
    start_response("200 OK", PLAIN)
    return ["text"]


def nothing(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    """Forget to return anything."""
    start_response("200 OK", PLAIN)


def past_the_server(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    """Answer on the socket, and tell gunicorn so."""
    from gunicorn.workers.base_async import ALREADY_HANDLED

    environ["gunicorn.socket"].sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nown"
    )
    return ALREADY_HANDLED


def slow_to_return(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Go on when the client, and so the server, has hung up."""
    start_response("200 OK", PLAIN)
    try:
        yield b"1"
        wait_at_gate()
        yield b"2"
    finally:
        note("closed")


RAW: dict[str, Callable[[Any, Any], Any]] = {
    "write()": write,
    "write() and Content-Length": write_only,
    "start_response again, with exc_info": start_again,
    "start_response again, too late": start_again_too_late,
    "start_response twice": start_twice,
    "start_response late": start_late,
    "start_response never": never_start,
    "iterable whose __len__ lies": lie,
    "tuple of chunks": as_tuple,
    "iterable by __getitem__": old_sequence,
    "chunk of the wrong type": wrong_type,
    "nothing returned": nothing,
}
BY_NAME = {"slow": slow_to_return, "past-the-server": past_the_server}


def make_app(track: Track) -> WSGIApplication:
    """Make an app that is WSGI to the bottom."""
    app = new_app("raw")

    def raw(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name = environ["QUERY_STRING"]
        function = BY_NAME.get(name) or list(RAW.values())[int(name)]
        answer: Iterable[bytes] = function(environ, start_response)
        return answer

    app.wsgi_app = raw  # type: ignore[method-assign]
    track(app)
    return app


def make_bad_servers_app(track: Track) -> WSGIApplication:
    """Make an ordinary app that a bad server runs."""
    app = new_app("bad-servers")
    track(app)
    _add_views(app)
    return app


def _add_views(app: Flask) -> None:
    @app.route("/look", methods=["GET", "POST"])
    def look() -> dict[str, Any]:
        stream = request.environ.get("wsgi.input")
        note(f"readline: {hasattr(stream, 'readline')}, seek: {hasattr(stream, 'seek')}")
        note(f"saw {request.get_data()!r} {type(request.environ['PATH_INFO']).__name__}")
        return {"path": request.path, "args": request.args, "ip": request.remote_addr}


def make_taken_app(track: Track) -> WSGIApplication:
    """Make an app that answers over gunicorn's own socket."""
    app = new_app("taken")

    def take(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        from gunicorn.workers.base_async import ALREADY_HANDLED

        answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\ntaken"
        environ["gunicorn.socket"].sendall(answer)
        return ALREADY_HANDLED

    app.wsgi_app = take  # type: ignore[method-assign]
    track(app)
    return app


def make_forks_app(track: Track) -> WSGIApplication:
    """Make an app whose views have children, which leave by the way they came."""
    app = new_app("forks")
    track(app)
    tracked_app = app.wsgi_app

    @app.get("/fork/<how>")
    def fork(how: str) -> str:
        child = os.fork()
        if child:
            return f"the child ended with {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}"
        if how == "exit":
            sys.exit(0)
        os._exit(0)

    def let_children_exit(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        process = os.getpid()
        try:
            return tracked_app(environ, start_response)
        except SystemExit:
            if os.getpid() == process:
                raise
            # gunicorn would let the child go on as a worker.
            atexit._run_exitfuncs()
            os._exit(0)

    app.wsgi_app = let_children_exit  # type: ignore[method-assign]
    return app


FACTORIES: dict[str, Factory] = {
    "raw": make_app,
    "bad-servers": make_bad_servers_app,
    "taken": make_taken_app,
    "forks": make_forks_app,
}


class Text(str):
    """A text that is not exactly one."""


class Unseekable(io.RawIOBase):
    """An input that only goes on."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read."""
        return self._data.readinto(buffer)


class ReadOnly:
    """An input with ``read`` alone."""

    def __init__(self, data: bytes) -> None:
        self.read = io.BytesIO(data).read


def leave_out(*keys: str) -> Callable[[dict[str, Any]], None]:
    """Return what takes keys out of an environ."""

    def change(environ: dict[str, Any]) -> None:
        for key in keys:
            environ.pop(key, None)

    return change


def put_in(**values: Any) -> Callable[[dict[str, Any]], None]:
    """Return what puts values into an environ; ``__`` stands for a dot."""

    def change(environ: dict[str, Any]) -> None:
        environ.update({key.replace("__", "."): value for key, value in values.items()})

    return change


def use_text(environ: dict[str, Any]) -> None:
    """Make every text a subclass of it."""
    environ.update({key: Text(value) for key, value in environ.items() if type(value) is str})


def make_input(kind: Callable[[bytes], Any]) -> Callable[[dict[str, Any]], None]:
    """Return what replaces the input by one of another kind."""

    def change(environ: dict[str, Any]) -> None:
        environ["wsgi.input"] = kind(environ["wsgi.input"].read())

    return change


BAD_SERVERS: dict[str, Callable[[dict[str, Any]], None]] = {
    **{
        f"environ without {key}": leave_out(key)
        for key in (
            *("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_NAME"),
            *("SERVER_PORT", "SERVER_PROTOCOL", "wsgi.version", "wsgi.url_scheme", "wsgi.input"),
            *("wsgi.errors", "REMOTE_ADDR", "HTTP_HOST", "CONTENT_LENGTH", "CONTENT_TYPE"),
        )
    },
    "environ of a str subclass": use_text,
    "environ with numbers": put_in(SERVER_PORT=80, CONTENT_LENGTH=4),
    "Content-Length that is none": put_in(CONTENT_LENGTH="many"),
    "Content-Length below zero": put_in(CONTENT_LENGTH="-1"),
    "Content-Length that is empty": put_in(CONTENT_LENGTH=""),
    "path that is not Latin-1": put_in(PATH_INFO="/\u20ac"),
    "input that cannot seek": make_input(Unseekable),
    "input without readline": make_input(ReadOnly),
    "chunked, not wsgi.input_terminated": put_in(HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH=""),
}

SCENES = [
    *scenes(
        "taken",
        {"ALREADY_HANDLED": get("/taken")},
        only_on=("gunicorn gevent", "gunicorn sync"),
        why_only="only gunicorn hands out its socket so",
        recorded=({"outcome": "ok", "exception": None},),
    ),
    *scenes(
        "forks",
        {
            "child of a view that leaves by sys.exit": get("/fork/exit"),
            "child of a view that leaves by os._exit": get("/fork/_exit"),
        },
        only_on=("gunicorn sync",),
        why_only="a child is played where one thread answers",
        recorded=({"status_code": 200, "outcome": "ok"},),
    ),
    *scenes("raw", {name: get(f"/raw?{number}") for number, name in enumerate(RAW)}),
    *scenes(
        "raw",
        {"app that goes on after the client left": (get("/raw?slow"), Take(1), HangUp(), Release())},
    ),
    *scenes(
        "raw",
        {"answer past the server": get("/raw?past-the-server")},
        only_on=("gunicorn gevent",),
        why_only="only gunicorn's asynchronous workers know an app that has answered by itself",
    ),
    *[
        Scene(f"{name}, {method}", "bad-servers", (request,), call=call)
        for name, call in BAD_SERVERS.items()
        for method, request in {"GET": get("/look?a=1"), "POST": post("/look", b"body")}.items()
    ],
]
