"""Views whose answers come piece by piece, and end in every way there is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flask import Response, request, stream_with_context

from ..exchange import HangUp, Release, Take, get, scenes, send
from ..gates import wait_at_gate
from ..journal import note, noting
from ._base import Factory, Track, new_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Pages:
    """An iterable of the app's own: no generator, with ``close`` and without ``__len__``."""

    def __init__(self, *pages: bytes) -> None:
        self.pages = pages

    def __iter__(self) -> Iterator[bytes]:
        note("iter")
        return iter(self.pages)

    def close(self) -> None:
        """Note that it was closed."""
        note("closed")


class SizedPages(Pages):
    """The same with a length: some servers make a ``Content-Length`` of a length of 1."""

    def __len__(self) -> int:
        note("len")
        return len(self.pages)


def count(to: int) -> Iterator[bytes]:
    """Yield numbers, and note how that ended."""
    try:
        for number in range(to):
            note(f"made {number}")
            yield b"%d;" % number
        note("made all")
    except GeneratorExit:
        note("left early")
        raise
    finally:
        note("cleaned up")


def fail_after(number: int) -> Iterator[bytes]:
    """Yield some numbers and raise."""
    yield from count(number)
    raise ZeroDivisionError("in mid-stream")


def wait_for_the_client(*, for_ever: bool) -> Iterator[str]:
    """Yield events of which the second is made when the client has seen the first."""
    try:
        note("made the first")
        yield "data: 1\n\n"
        wait_at_gate()
        yield "data: 2\n\n"
        while for_ever:
            time.sleep(0.001)  # as endless streams do: none is made of nothing else
            yield "data: more\n\n"
    finally:
        note("stream closed")


def make_app(track: Track) -> WSGIApplication:
    """Make an app that streams."""
    app = new_app("streams")
    track(app)

    @app.get("/generator")
    def generator() -> Iterator[bytes]:
        return count(3)

    @app.get("/generator/text")
    def text_generator() -> Response:
        return Response((f"{number}\u00fc" for number in range(3)), mimetype="text/plain")

    @app.get("/context")
    def in_context() -> Response:
        def stream() -> Iterator[str]:
            yield request.args["word"]
            yield request.path

        return Response(stream_with_context(stream()))

    @app.get("/events")
    def events() -> Response:
        return Response(wait_for_the_client(for_ever=False), mimetype="text/event-stream")

    @app.get("/endless")
    def endless() -> Response:
        return Response(wait_for_the_client(for_ever=True), mimetype="text/event-stream")

    @app.get("/fails/<int:number>")
    def fails(number: int) -> Iterator[bytes]:
        return fail_after(number)

    @app.get("/closing")
    def closing() -> Response:
        response = Response(count(2))
        response.call_on_close(noting("first on close"))
        response.call_on_close(noting("second on close"))
        return response

    @app.get("/close-raises")
    def close_raises() -> Response:
        response = Response(count(2))

        def fail() -> None:
            note("closing raises")
            raise RuntimeError("in close")

        response.call_on_close(fail)
        return response

    @app.get("/iterable/<int:number>")
    def iterable(number: int) -> Response:
        return Response(Pages(*[b"page"] * number))

    @app.get("/sized/<int:number>")
    def sized(number: int) -> Response:
        return Response(SizedPages(*[b"page"] * number))

    @app.get("/passthrough")
    def passthrough() -> Response:
        return Response(SizedPages(b"one", b"", b"three"), direct_passthrough=True)

    @app.get("/empty-chunks")
    def empty_chunks() -> Response:
        return Response([b"", b"a", b"", b"b", b""])

    @app.get("/length/<int:length>")
    def with_length(length: int) -> Response:
        return Response(count(3), headers={"Content-Length": str(length)})

    @app.get("/many")
    def many() -> Response:
        return Response(b"x" * 100 for _ in range(1000))

    return app


FACTORIES: dict[str, Factory] = {"streams": make_app}

SCENES = [
    *scenes(
        "streams",
        {
            "generator": get("/generator"),
            "generator of text": get("/generator/text"),
            "HEAD of a generator": send("HEAD", "/generator"),
            "generator for HTTP/1.0": get("/generator", version="1.0"),
            "stream_with_context": get("/context?word=hello"),
            "server-sent events, each before the next": (get("/events"), Take(1), Release()),
            "generator that raises midway": get("/fails/2"),
            "generator that raises at once": get("/fails/0"),
            "call_on_close": get("/closing"),
            "close() that raises": get("/close-raises"),
            "custom iterable": get("/iterable/3"),
            "custom iterable of nothing": get("/iterable/0"),
            "custom iterable with a length": get("/sized/3"),
            "custom iterable of length 1": get("/sized/1"),
            "HEAD of a custom iterable": send("HEAD", "/sized/3"),
            "direct_passthrough": get("/passthrough"),
            "empty chunks": get("/empty-chunks"),
            "stream with its length": get("/length/6"),
            "stream that is shorter than its length": get("/length/9"),
            "stream that is longer than its length": get("/length/4"),
            "stream of 1000 chunks": get("/many"),
        },
    ),
    *scenes(
        "streams",
        {
            "endless stream that the client leaves": (
                *(get("/endless"), Take(1)),
                *(HangUp(reset=True), Release()),
            ),
        },
        not_on={"hypercorn": "asgiref goes on for ever when the client has left"},
    ),
]
