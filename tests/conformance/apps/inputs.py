"""Views that take input in every way, and note what they saw."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from werkzeug.exceptions import ClientDisconnected

from ..exchange import Body, EndInput, HangUp, Head, Pause, Request, get, post, scenes
from ..journal import note
from ._base import Factory, Track, new_app
from .connections import ONE_PER_CONNECTION

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def digest(data: bytes) -> str:
    """Return what data are, shortly."""
    return f"{len(data)} bytes, {hashlib.sha256(data).hexdigest()[:12]}"


def read_in_pieces(stream: Any) -> bytes:
    """Read 1000 bytes at a time."""
    return b"".join(iter(lambda: stream.read(1000), b""))


def read_lines(stream: Any) -> bytes:
    """Read line by line, to the end."""
    return b"|".join(iter(stream.readline, b""))


def read_into(stream: Any) -> bytes:
    """Read into a buffer where the server's object can, else say that it cannot."""
    if not hasattr(stream, "readinto"):
        return b"no readinto"
    buffer = bytearray(10)
    count = stream.readinto(buffer)
    return bytes(buffer[:count])


READERS: dict[str, Callable[[Any], bytes]] = {
    "read": lambda stream: stream.read(),
    "read-some": lambda stream: stream.read(7),
    "read-none": lambda stream: stream.read(0),
    "read-pieces": read_in_pieces,
    "readline": lambda stream: stream.readline(),
    "readline-some": lambda stream: stream.readline(3) if _takes_size(stream) else b"takes no size",
    "readlines": lambda stream: b"|".join(stream.readlines()),
    "all-lines": read_lines,
    "iterate": lambda stream: b"|".join(stream),
    "next": lambda stream: next(iter(stream)),
    "readinto": read_into,
    "nothing": lambda stream: b"",
    "methods": lambda stream: " ".join(
        name
        for name in ("read", "read1", "readline", "readlines", "readinto", "seek", "tell", "fileno")
        if hasattr(stream, name)
    ).encode(),
}
"""Ways to use a raw ``wsgi.input``."""


def _takes_size(stream: Any) -> bool:
    try:
        stream.readline(0)
    except TypeError:
        return False
    return True


def add_views(app: Flask) -> None:
    """Add a view for each way to take input."""

    @app.post("/form")
    def form() -> str:
        note(f"form {sorted(request.form.items(multi=True))}")
        files = {name: digest(file.read()) for name, file in request.files.items()}
        note(f"files {sorted(files.items())}")
        return f"{len(request.form)} {len(request.files)}"

    @app.post("/json")
    def as_json() -> dict[str, object]:
        note(f"json {request.get_json()!r}")
        return {"got": request.json}

    @app.post("/raw/<name>")
    def raw(name: str) -> bytes:
        stream = request.environ["wsgi.input"]
        data = READERS[name](stream)
        note(f"{name}: {data[:200]!r} {digest(data)}")
        return data

    @app.post("/stream/<int:size>")
    def stream(size: int) -> str:
        note(f"stream {request.stream.read(size)!r}")
        return "partly"

    @app.post("/data/uncached")
    def uncached() -> str:
        note(f"first {digest(request.get_data(cache=False))}")
        note(f"second {digest(request.get_data())}")
        return "uncached"

    @app.post("/data")
    def data() -> bytes:
        first = request.get_data()
        note(f"{digest(first)}, the same again: {request.data == first}")
        return digest(first).encode()

    @app.post("/ignored")
    def ignored() -> str:
        note(f"length {request.content_length}, {request.environ.get('wsgi.input_terminated')}")
        return "ignored"

    @app.errorhandler(ClientDisconnected)
    def client_left(error: ClientDisconnected) -> tuple[str, int]:
        note("the client left")
        return "left", 400


def make_app(track: Track) -> WSGIApplication:
    """Make an app without limits."""
    app = new_app("inputs")
    track(app)
    add_views(app)
    return app


def make_limited_app(track: Track) -> WSGIApplication:
    """Make an app that takes little."""
    app = new_app("limited", MAX_CONTENT_LENGTH=2000, MAX_FORM_MEMORY_SIZE=100)
    track(app)
    add_views(app)
    return app


FACTORIES: dict[str, Factory] = {"inputs": make_app, "limited": make_limited_app}

FORM = "application/x-www-form-urlencoded"
LINES = b"first line\nsecond line\n\nno end"
BOUNDARY = "----conformance"


def multipart(parts: Iterable[tuple[str, str | None, bytes]]) -> tuple[bytes, str]:
    """Return a body and its type, of fields and files: name, file name or None, content."""
    pieces = []
    for name, filename, content in parts:
        disposition = f'form-data; name="{name}"'
        if filename is not None:
            disposition += f'; filename="{filename}"\r\nContent-Type: application/octet-stream'
        head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n"
        pieces.append(head.encode() + content + b"\r\n")
    pieces.append(f"--{BOUNDARY}--\r\n".encode())
    return b"".join(pieces), f"multipart/form-data; boundary={BOUNDARY}"


def upload(*sizes: int) -> tuple[bytes, str]:
    """Return a body with files of these sizes, and its type."""
    files = [
        (f"file{n}", f"{n}.bin", bytes(range(256)) * (size // 256)) for n, size in enumerate(sizes)
    ]
    return multipart([("title", None, b"holiday"), *files])


def raw(name: str) -> Request:
    """Return a request for one of the raw readers."""
    return post(f"/raw/{name}", LINES)


TO_THE_END = ("read", "readlines", "all-lines", "iterate", "read-pieces")
"""Raw readers that go on until there is no more."""
LARGE_JSON = b'{"list": [' + b"1," * 50_000 + b"1]}"
CHUNKED = post("/data", LINES, pieces=(5, 20, len(LINES) - 25))
SLOW = post("/data", LINES)
BROKEN = post("/data", LINES * 100)

SCENES = [
    *scenes(
        "inputs",
        {
            "form": post("/form", b"a=1&b=%C3%BC&a=2", FORM),
            "multipart, fields": post("/form", *multipart([("a", None, b"1"), ("b", None, b"2")])),
            "multipart, file of 0 B": post("/form", *upload(0)),
            "multipart, files of 1 KiB and 1 MiB": post("/form", *upload(1024, 1 << 20)),
            "multipart, file of 20 MiB": post("/form", *upload(20 << 20)),
            "multipart without its end": post("/form", upload(1024)[0][:-10], upload()[1]),
            "JSON input": post("/json", b'{"a": [1, null]}', "application/json"),
            "JSON input of 100 kB": post("/json", LARGE_JSON, "application/json"),
            "JSON input that is none": post("/json", b"{", "application/json"),
            "get_data": post("/data", LINES),
            "get_data beside an Upgrade header": post("/data", LINES, headers={"Upgrade": "h2c"}),
            "get_data of a gzip body": post(
                "/data", b"\x1f\x8bnot really", headers={"Content-Encoding": "gzip"}
            ),
            "get_data(cache=False)": post("/data/uncached", LINES),
            "stream read partly": post("/stream/5", LINES),
            "stream read beyond its end": post("/stream/500", LINES),
            "stream not read": post("/ignored", LINES),
            "no body": post("/data"),
        },
    ),
    *scenes(
        "inputs",
        {
            "input not read, then another request": (post("/ignored", LINES), get("/nowhere")),
            "input read partly, then another request": (post("/stream/5", LINES), get("/nowhere")),
        },
        not_on=ONE_PER_CONNECTION,
    ),
    *scenes(
        "inputs",
        {f"wsgi.input, {name}": raw(name) for name in READERS if name not in TO_THE_END},
    ),
    *scenes(
        "inputs",
        {f"wsgi.input, {name}": raw(name) for name in TO_THE_END},
        not_on={"werkzeug": "its raw input ends with the connection"},
    ),
    *scenes(
        "inputs",
        {f"wsgi.input to its end, {name}": (raw(name), EndInput()) for name in TO_THE_END},
        only_on=("werkzeug",),
        why_only="elsewhere the raw input ends with the body",
    ),
    *scenes(
        "limited",
        {
            "MAX_CONTENT_LENGTH": post("/data", b"x" * 3000),
            "MAX_CONTENT_LENGTH, input not read": post("/ignored", b"x" * 3000),
            "MAX_CONTENT_LENGTH, chunked": post("/data", b"x" * 3000, pieces=(1500, 1500)),
            "MAX_FORM_MEMORY_SIZE": post("/form", *multipart([("a", None, b"x" * 500)])),
        },
    ),
    *scenes(
        "inputs",
        {
            "chunked request": CHUNKED,
            "chunked request, raw": post("/raw/read", LINES, pieces=(5, len(LINES) - 5)),
            "chunked request, not read": post("/ignored", LINES, pieces=(5, len(LINES) - 5)),
            "slow client": (Head(SLOW), Pause(0.05), Body(SLOW, 0, 5), Pause(0.05), Body(SLOW, 5)),
            "slow chunked client": (Head(CHUNKED), Body(CHUNKED, 0, 7), Pause(0.05), Body(CHUNKED, 7)),
        },
    ),
    *scenes(
        "inputs",
        {
            "client that leaves in mid-upload": (Head(BROKEN), Body(BROKEN, 0, 500), HangUp()),
            "client that is cut off in mid-upload": (
                Head(BROKEN),
                Body(BROKEN, 0, 500),
                HangUp(reset=True),
            ),
        },
        not_on={
            "test client": "it sends whole requests",
            "hypercorn": "asgiref fails or not, by whether the client has left when the app begins",
        },
    ),
]
