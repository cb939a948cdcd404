"""Harms, planted where tracking would be: the suite must find every one and name a view."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Flask, request_finished, session

from .inprocess import NAME as TEST_CLIENT

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Call = Callable[["WSGIApplication", "WSGIEnvironment", "StartResponse"], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One harm."""

    harm: str
    """What it does, in words."""
    track: Callable[[Flask], None]
    """What is called in the place of ``Tracking(app)``."""
    server: str = TEST_CLIENT
    """Where it is planted. The test client sees most: every chunk, and when it was made."""
    app: str = ""
    """The app whose scenes are played, "" for all."""


class Passing:
    """An iterable that changes what a harm says, and nothing else."""

    def __init__(
        self,
        iterable: Iterable[bytes],
        change: Callable[[Iterable[bytes]], Iterator[bytes]] = iter,
        *,
        closes: int = 1,
    ) -> None:
        self._iterable = iterable
        self._chunks = change(iterable)
        self._closes = closes

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """Close the app's iterable that many times."""
        for _ in range(self._closes):
            if hasattr(self._iterable, "close"):
                self._iterable.close()


def around(call: Call) -> Callable[[Flask], None]:
    """Return what puts `call` around an app, as a middleware."""

    def track(app: Flask) -> None:
        wsgi_app = app.wsgi_app

        def middleware(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            return call(wsgi_app, environ, start_response)

        app.wsgi_app = middleware  # type: ignore[method-assign]

    return track


def changing_headers(change: Callable[[list[Any]], list[Any]]) -> Callable[[Flask], None]:
    """Return what changes the headers of each answer."""

    def call(app: WSGIApplication, environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        def start(status: str, headers: list[Any], *exc_info: Any) -> Any:
            return start_response(status, change(headers), *exc_info)

        return app(environ, start)

    return around(call)


def changing_body(change: Callable[[Iterable[bytes]], Iterator[bytes]]) -> Callable[[Flask], None]:
    """Return what changes the chunks of each answer."""
    return around(lambda app, environ, start: Passing(app(environ, start), change))


def lose_a_byte(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut every chunk of many."""
    return (chunk[:-1] if len(chunk) > 1000 else chunk for chunk in chunks)


def join_two(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Join the first two chunks, without a wait if there is only one."""
    chunks = iter(chunks)
    first = next(chunks, None)
    if first is not None:
        yield first + next(chunks, b"")
    yield from chunks


def hold_back(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Hand out nothing before ten chunks are made."""
    iterator = iter(chunks)
    yield from list(itertools.islice(iterator, 10))
    yield from iterator


def read_ahead(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Make the next chunk before the last one is taken."""
    before: list[bytes] = []
    for chunk in chunks:
        yield from before
        before = [chunk]
    yield from before


def read_the_body(
    app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Read the input before the app does, and do not put it back."""
    if environ.get("CONTENT_LENGTH", "").isdecimal():
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    return app(environ, start_response)


def take_methods_away(
    app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Replace the input by one that can only be read."""

    class Reader:
        def __init__(self, stream: Any) -> None:
            self.read = stream.read
            self.readline = stream.readline

    if "wsgi.input" in environ:
        environ["wsgi.input"] = Reader(environ["wsgi.input"])
    return app(environ, start_response)


def swallow_exceptions(
    app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """End a stream that fails as if it had been whole."""

    def change(chunks: Iterable[bytes]) -> Iterator[bytes]:
        with contextlib.suppress(ZeroDivisionError):
            yield from chunks

    return Passing(app(environ, start_response), change)


def answer_exceptions(
    app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Make an answer of what should reach the server."""
    try:
        return app(environ, start_response)
    except Exception:
        start_response("500 Internal Server Error", [("Content-Length", "0")])
        return []


def lose_the_file(
    app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Wrap every iterable: the server does not know its own file any more."""
    return Passing(app(environ, start_response))


def touch_the_session(app: Flask) -> None:
    """Read the session through its proxy before the answer is made."""
    app.before_request_funcs.setdefault(None, []).append(lambda: session.get("_user_id") and None)


def raise_in_a_signal(app: Flask) -> None:
    """Fail in a receiver."""

    def receiver(sender: Flask, **sent: Any) -> None:
        raise RuntimeError("in a receiver")

    request_finished.connect(receiver, app, weak=False)


def ask_the_database(app: Flask) -> None:
    """Send a statement of our own once the response is made."""

    def receiver(sender: Flask, **sent: Any) -> None:
        from sqlalchemy import text

        sender.extensions["sqlalchemy"].session.execute(text("SELECT 1"))

    request_finished.connect(receiver, app, weak=False)


def log_a_line(app: Flask) -> None:
    """Write into the app's log."""
    request_finished.connect(lambda *_, **__: app.logger.warning("recorded"), app, weak=False)


MUTANTS: dict[str, Mutant] = {
    "lost byte": Mutant("cuts the last byte of a large chunk", changing_body(lose_a_byte)),
    "read body": Mutant("reads the input before the app", around(read_the_body)),
    "input with fewer methods": Mutant("replaces the input", around(take_methods_away)),
    "added header": Mutant(
        "adds X-Request-ID", changing_headers(lambda headers: [*headers, ("X-Request-ID", "1")])
    ),
    "reordered headers": Mutant("sorts the headers", changing_headers(sorted)),
    "renamed header": Mutant(
        "writes names in Title-Case",
        changing_headers(lambda headers: [(name.title(), value) for name, value in headers]),
    ),
    "swallowed exception": Mutant("ends a failing stream in order", around(swallow_exceptions)),
    "answered exception": Mutant("answers what should escape", around(answer_exceptions)),
    "missing close": Mutant(
        "never closes", around(lambda app, environ, start: Passing(app(environ, start), closes=0))
    ),
    "doubled close": Mutant(
        "closes twice", around(lambda app, environ, start: Passing(app(environ, start), closes=2))
    ),
    "touched session": Mutant("reads the session", touch_the_session),
    "changed chunk boundary": Mutant("joins two chunks", changing_body(join_two)),
    "delayed first byte": Mutant("makes ten chunks before it sends one", changing_body(hold_back)),
    "chunk made too early": Mutant("is one chunk ahead", changing_body(read_ahead)),
    "raising receiver": Mutant("fails in a signal", raise_in_a_signal),
    "statement": Mutant("asks the app's database after the view", ask_the_database, app="sql"),
    "line in the app's log": Mutant("logs to the app's logger", log_a_line),
    "lost sendfile": Mutant(
        "wraps the file that the server would send",
        around(lose_the_file),
        server="gunicorn gthread",
        app="files",
    ),
    "delayed event": Mutant(
        "holds events back", changing_body(hold_back), server="gunicorn gthread", app="streams"
    ),
}
"""By name."""
