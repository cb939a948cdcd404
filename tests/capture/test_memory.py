"""The memory that captures take: what they count is what Python holds."""

from __future__ import annotations

import datetime as dt
import decimal
import gc
import io
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import ObjectId
from flask import Flask, Response, request

from flask_tracking import Tracking, current_span
from flask_tracking.capture.snapshot import held_bytes
from flask_tracking.record import Capture

Environ = dict[str, Any]
COUNT = 4
"""Exchanges that are measured together."""
FACTOR = 1.3
CONSTANT = 1000
"""Bytes that each may be counted for too much."""


@pytest.fixture
def captures(app: Flask, tracking: Tracking) -> list[Capture]:
    """Where the captures of `app` wait, as in a queue."""
    found: list[Capture] = []
    app.wsgi_app.submit = found.append  # type: ignore[attr-defined]
    app.logger.disabled = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return found


def fresh(text: str) -> str:
    """Return another object of the same text, as servers make one for each request."""
    return text.encode("latin-1").decode("latin-1")


def make_environ(
    path: str = "/", query: str = "", body: bytes = b"", headers: dict[str, str] | None = None
) -> Environ:
    """Make what a server hands over, of nothing that two requests share."""
    given = {
        "REQUEST_METHOD": "POST" if body else "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "RAW_URI": f"{path}?{query}",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "example.org",
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "HTTP_ACCEPT": "text/html,application/xhtml+xml",
        "wsgi.url_scheme": "http",
        **({"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "text/plain"} if body else {}),
        **(headers or {}),
    }
    return {**{key: fresh(value) for key, value in given.items()}, "wsgi.input": io.BytesIO(body)}


def exchange(app: Flask, environ: Environ) -> None:
    """Send a request, and read its answer to the end."""
    result = app.wsgi_app(environ, lambda *_: None)  # type: ignore[arg-type]
    for _ in result:
        pass
    result.close()  # type: ignore[attr-defined]


def measure(app: Flask, captures: list[Capture], make: Callable[[int], Environ]) -> tuple[float, float]:
    """Return the bytes that a capture counts, and that it holds."""
    for number in range(3):  # what is remembered from here on was made before
        exchange(app, make(number))
    captures.clear()
    gc.collect()
    tracemalloc.start()
    try:
        exchange(app, make(3))
        captures.clear()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(10, 10 + COUNT):
            exchange(app, make(number))
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(captures) == COUNT
    return sum(capture.size for capture in captures) / COUNT, held / COUNT


def check(app: Flask, captures: list[Capture], make: Callable[[int], Environ]) -> float:
    """Measure, compare and return what a capture holds."""
    counted, held = measure(app, captures, make)
    assert held / FACTOR <= counted <= FACTOR * held + CONSTANT, (counted, held)
    return held


def plain(_: int) -> Environ:
    return make_environ()


CHUNKS: dict[str, Callable[[], Iterator[bytes]]] = {
    "20,000 of two bytes": lambda: (bytes([at % 256, 1]) for at in range(20_000)),
    "17 of two bytes": lambda: (bytes([at, 1]) for at in range(17)),
    "600 of 700 bytes": lambda: (bytes([at % 256]) * 700 for at in range(600)),
    "30 of 3,000 bytes": lambda: (bytes([at]) * 3000 for at in range(30)),
    "one of 50,000 bytes": lambda: (bytes([at]) * 50_000 for at in range(1)),
    "a megabyte": lambda: (bytes([at]) * 1_000_000 for at in range(1)),
    "small and large ones": lambda: (bytes([at % 256]) * (1 + at % 2 * 1023) for at in range(200)),
}


@pytest.mark.repeats
@pytest.mark.parametrize("make_chunks", CHUNKS.values(), ids=CHUNKS.keys())
def test_answers_of_chunks(
    app: Flask, captures: list[Capture], make_chunks: Callable[[], Iterator[bytes]]
) -> None:
    """However an answer is cut into chunks, what is held of it is what is counted."""
    app.get("/")(lambda: Response(make_chunks(), mimetype="text/plain"))
    body = b"".join(make_chunks())
    check(app, captures, plain)
    kept = b"".join(captures[0].response_chunks)
    assert (kept, captures[0].response_size) == (body[: len(kept)], len(body))


@pytest.mark.repeats
def test_running_answer_of_many_chunks(app: Flask, captures: list[Capture]) -> None:
    """While an answer of tiny chunks is under way, no more is held of it than its bytes."""
    held: list[int] = []

    def generate() -> Iterator[bytes]:
        tracemalloc.start()
        for at in range(20_000):
            yield bytes([at % 256, 1])
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()

    app.get("/")(lambda: Response(generate(), mimetype="text/plain"))
    exchange(app, make_environ())
    assert held[0] < FACTOR * 40_000 + CONSTANT * 5


READERS: dict[str, Callable[[], Any]] = {
    "lines of Flask's stream": lambda: [*request.stream],
    "lines of the input": lambda: [*request.environ["wsgi.input"]],
    "readline": lambda: [*iter(request.environ["wsgi.input"].readline, b"")],
    "readlines": lambda: request.environ["wsgi.input"].readlines(),
    "read by two bytes": lambda: [*iter(lambda: request.environ["wsgi.input"].read(2), b"")],
    "at once": lambda: request.get_data(),
}


@pytest.mark.repeats
@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
def test_uploads(app: Flask, captures: list[Capture], read: Callable[[], Any]) -> None:
    """However an upload is read, what is held of it is what is counted."""

    @app.post("/")
    def view() -> str:
        return str(len(read()))

    body = b"a\n" * 4000
    check(app, captures, lambda _: make_environ(body=bytes(bytearray(body))))
    assert b"".join(captures[0].request_chunks) == body
    assert captures[0].request_note is None


REQUESTS: dict[str, Callable[[int], Environ]] = {
    "plain": plain,
    "many headers": lambda _: make_environ(headers={f"HTTP_X_{at}": f"v{at}" for at in range(100)}),
    "other headers each time": lambda number: make_environ(
        headers={f"HTTP_X_{at}_{number}": f"v{at}" for at in range(100)}
    ),
    "a few other headers each time": lambda number: make_environ(
        headers={f"HTTP_X_{at}_{number}_{'X' * 40}": "v" for at in range(20)}
    ),
    "headers beyond ASCII": lambda _: make_environ(
        headers={f"HTTP_X_{at}": f"\xe9{at}" for at in range(100)}
    ),
    "a long header": lambda _: make_environ(headers={"HTTP_COOKIE": "c" * 8000}),
    "a long query": lambda number: make_environ(query=f"q={'x' * 8000}{number}"),
    "a long argument": lambda number: make_environ(f"/paths/{'x' * 5000}{number}"),
    "an argument beyond ASCII": lambda number: make_environ(
        f"/paths/{('😀' * 1000).encode().decode('latin-1')}{number}"
    ),
    "many arguments": lambda number: make_environ(
        "/many/" + "/".join(f"{number}x{at}" for at in range(20))
    ),
}


@pytest.mark.parametrize("make", REQUESTS.values(), ids=REQUESTS.keys())
def test_requests(app: Flask, captures: list[Capture], make: Callable[[int], Environ]) -> None:
    """Whatever a client puts into its request line and headers is counted as it is held."""
    arguments = "/".join(f"<argument_{at}>" for at in range(20))
    for rule in ("/", "/paths/<path:path>", f"/many/{arguments}"):
        app.add_url_rule(rule, rule, lambda **_: "hello")
    check(app, captures, make)


def nest(depth: int) -> Any:
    value: Any = "innermost"
    for at in range(depth):
        value = {f"level {at}": value}
    return value


def chain(count: int) -> None:
    """Raise an exception with `count` causes."""
    try:
        if count:
            chain(count - 1)
    except ValueError as error:
        raise ValueError(f"{count} 😀" * 100) from error
    raise ValueError("😀" * 500)


def set_many() -> None:
    for at in range(1000):
        current_span().set(f"key {at}", at * 1000)


def set_many_lists() -> None:
    for at in range(20):
        current_span().set(f"key {at}", [None] * 900)


def set_data() -> None:
    request._tracking_data = {f"key {at}": at * 1000 for at in range(900)}  # type: ignore[attr-defined]


def time_many(make_name: Callable[[int], str]) -> None:
    for at in range(1000):
        with current_span().child(make_name(at)):
            pass


def set_value(make_value: Callable[[], Any]) -> Callable[[], None]:
    return lambda: current_span().set("key", make_value())


ANNOTATIONS: dict[str, Callable[[], None]] = {
    "many keys": set_many,
    "nothing, many times": set_many_lists,
    "request._tracking_data": set_data,
    "whole numbers": set_value(lambda: [at * 1000 for at in range(900)]),
    "numbers": set_value(lambda: [at / 3 for at in range(900)]),
    "texts": set_value(lambda: [f"text {at}" for at in range(900)]),
    "texts beyond ASCII": set_value(lambda: [f"😀{at}" for at in range(900)]),
    "bytes": set_value(lambda: [b"bytes %d" % at for at in range(900)]),
    "mappings": set_value(lambda: [{f"key {at}": at * 1000} for at in range(300)]),
    "deep ones": set_value(lambda: [nest(30) for _ in range(30)]),
    "times": set_value(lambda: [dt.datetime(2026, 1, 1) + dt.timedelta(at) for at in range(900)]),
    "ids": set_value(lambda: [ObjectId() for _ in range(900)]),
    "decimals": set_value(lambda: [decimal.Decimal(at) / 7 for at in range(200)]),
    "children": lambda: time_many(lambda _: "step"),
    "children with long names": lambda: time_many(lambda at: f"step {at} {'x' * 500}"),
    "a long traceback": lambda: chain(40),
    "a user": lambda: current_span().set_user("u" + "s" * len(request.path) * 900, "😀" * 900),
    "a reason": lambda: current_span().keep("reason " * len(request.path) * 100),
}


def test_a_list_is_held_with_what_is_in_it() -> None:
    """A list is counted with its values, however deep they are; an ``ObjectId`` with its bytes."""
    inner = [1_000_000, "a text"]
    outer = (inner, None)
    assert held_bytes(outer) == sum(map(sys.getsizeof, (outer, inner, *inner)))
    number = ObjectId()
    assert held_bytes(number) >= sys.getsizeof(number) + len(number.binary)


@pytest.mark.repeats
@pytest.mark.parametrize("annotate", ANNOTATIONS.values(), ids=ANNOTATIONS.keys())
def test_annotations(app: Flask, captures: list[Capture], annotate: Callable[[], None]) -> None:
    """Whatever an app adds to a record is counted as it is held."""

    @app.get("/")
    def view() -> str:
        annotate()
        return "hello"

    check(app, captures, plain)


@pytest.mark.parametrize("value", ["value {}", "\xe9{}", "value {}" * 100])
def test_headers_of_the_response(app: Flask, captures: list[Capture], value: str) -> None:
    """The headers of a response are counted as they are held, with names that nobody shares."""

    @app.get("/")
    def view() -> Response:
        return Response(headers=[(f"X-Header-{at}", value.format(at)) for at in range(100)])

    check(app, captures, plain)
