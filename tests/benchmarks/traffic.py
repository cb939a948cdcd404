"""The requests that every variant gets, made as a WSGI server makes them."""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

KINDS = ("GET", "POST")

BODY = json.dumps(
    {
        "order": 100,
        "note": "Please ring twice, the bell is quiet.",
        "lines": [
            {
                "article": f"A-{number:05}",
                "title": f"Notebook No. {number}, ruled",
                "count": 2,
                "price": 4.5,
            }
            for number in range(37)
        ],
    }
).encode()
"""About 3 kB of JSON."""
ORDER = b'"order": 100'
"""Another number in each request: real bodies differ, and what repeats costs redaction less."""

_HEADERS = (
    ("HOST", b"shop.example.org"),
    (
        "USER_AGENT",
        b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        b"Chrome/%d.0.0.0 Safari/537.36",
    ),
    ("ACCEPT", b"application/json, text/plain, */*"),
    ("ACCEPT_LANGUAGE", b"de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"),
    ("ACCEPT_ENCODING", b"gzip, deflate, br, zstd"),
    ("REFERER", b"https://shop.example.org/orders?page=%d"),
    ("ORIGIN", b"https://shop.example.org"),
    ("COOKIE", b"session=eyJjYXJ0IjpbMTcsNF19.aSTb2Q.5c0ZfYk9Gm0mTz3oQy1c2v%06d; theme=dark"),
    ("SEC_FETCH_MODE", b"cors"),
    ("SEC_FETCH_SITE", b"same-origin"),
    ("X_FORWARDED_FOR", b"203.0.113.%d"),
    ("X_FORWARDED_PROTO", b"https"),
)
"""Twelve headers of a browser behind a proxy; `%d` is another number in each request."""


class ClientError(RuntimeError):
    """What the client received is not what the app sends."""


def make_environ(kind: str, number: int, body: bytes = b"") -> dict[str, Any]:
    """Return the environ of one request; its strings are new ones, as a server's are.

    Args:
        kind: the method, ``GET`` or ``POST``.
        number: makes requests differ, within a few dozen user agents and addresses.
        body: the request's body.
    """
    environ: dict[str, Any] = {
        "REQUEST_METHOD": kind,
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/orders/{number % 1000}",
        "QUERY_STRING": f"page={number % 20}",
        "RAW_URI": f"/orders/{number % 1000}?page={number % 20}",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": f"10.0.0.{number % 250}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    for name, value in _HEADERS:
        text = value % (number % 40) if b"%" in value else value
        environ["HTTP_" + name] = text.decode("latin-1")
    if body:
        environ["CONTENT_TYPE"] = "application/json"
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ


class Client:
    """A WSGI server's part: calls the app, consumes the response and closes it."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self.sent = 0
        """How many requests were answered as they should be."""

    def send(self, kind: str, body: bytes, expected_size: int | None = None) -> int:
        """Make one request, check the answer and return the size of its body.

        Raises:
            ClientError: the answer is no 200, or its body has not `expected_size` bytes.
        """
        order = b'"order": %d' % (100 + self.sent % 900)
        size = call(self._app, make_environ(kind, self.sent, body.replace(ORDER, order)))
        if expected_size is not None and size != expected_size:
            raise ClientError(f"a {kind} was answered with {size} bytes")
        self.sent += 1
        return size


def call(app: WSGIApplication, environ: dict[str, Any]) -> int:
    """Call `app`, consume the response, close it, and return the size of its body.

    Raises:
        ClientError: the answer is no 200.
    """
    statuses: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
        statuses.append(status)
        return _write

    size = 0
    iterable: Iterable[bytes] = app(environ, start_response)
    try:
        for chunk in iterable:
            size += len(chunk)
    finally:
        close = getattr(iterable, "close", None)
        if close is not None:
            close()
    if statuses != ["200 OK"]:
        raise ClientError(f"{environ['PATH_INFO']} was answered {statuses}")
    return size


def _write(data: bytes) -> object:
    raise NotImplementedError("no variant writes")


def arrival_times_ns(count: int, gap_us: float) -> list[int]:
    """Return when each of `count` requests arrives, in ns since the start.

    Independent arrivals, `gap_us` apart on average, and the same in every run.
    """
    generator = random.Random(17)  # the same bursts for every variant
    now, arrivals = 0.0, []
    for _ in range(count):
        now += generator.expovariate(1 / (gap_us * 1000))
        arrivals.append(int(now))
    return arrivals


def send_at(arrivals: Sequence[int], send: Callable[[], object]) -> list[float]:
    """Send one request at each time of `arrivals`, whether or not the one before was slow.

    Returns:
        The latencies in µs, counted from when a request should have been sent.
    """
    latencies_us = []
    started_ns = time.perf_counter_ns()
    for arrival_ns in arrivals:
        due_ns = started_ns + arrival_ns
        early_ns = due_ns - time.perf_counter_ns()
        if early_ns > 0:
            time.sleep(early_ns / 1e9)
        send()
        latencies_us.append((time.perf_counter_ns() - due_ns) / 1000)
    return latencies_us
