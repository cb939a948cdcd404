"""An exchange as data: what a client sends, step by step, and to which app."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

HOST = "shop.example"
PROBE = "/-probe"
"""The path of the request that finds out whether a connection was kept open."""


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request, sent at once."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    version: str = "1.1"
    pieces: tuple[int, ...] = ()
    """Sizes of the frames, for a body in chunked coding."""

    def head(self, app: str, scene: str) -> bytes:
        """Return the bytes before the body."""
        headers = [("Host", HOST), *self.headers, ("X-App", app), ("X-Scene", scene)]
        if any(name == "Host" for name, _ in self.headers):
            del headers[0]
        if self.pieces:
            headers.append(("Transfer-Encoding", "chunked"))
        elif self.body or self.method == "POST":
            headers.append(("Content-Length", str(len(self.body))))
        lines = [f"{self.method} {self.target} HTTP/{self.version}"]
        lines += [f"{name}: {value}" for name, value in headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def encoded_body(self) -> bytes:
        """Return the bytes of the body on the wire."""
        if not self.pieces:
            return self.body
        frames, rest = [], self.body
        for size in self.pieces:
            frames.append(b"%x\r\n%b\r\n" % (size, rest[:size]))
            rest = rest[size:]
        assert not rest, "the pieces do not cover the body"
        return b"".join([*frames, b"0\r\n\r\n"])


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request, whose body comes in `Body` steps."""

    request: Request


@dataclass(frozen=True, slots=True)
class Body:
    """Part of a request's body, as it is on the wire."""

    request: Request
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that are no part of a request, as after an upgrade."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """A client that is slow: the pause is what is tested, nothing waits for it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Take:
    """Read the head of the answer and that many pieces of its body."""

    pieces: int


@dataclass(frozen=True, slots=True)
class Release:
    """Let the view go on that waits for this client."""


@dataclass(frozen=True, slots=True)
class EndInput:
    """Say that nothing more will be sent, and go on reading."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Leave: end the connection in order, or with a reset."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    """Read what is still to come; where the server ends the connection, go on over another one."""


Step = Request | Head | Body | Raw | Pause | Take | Release | EndInput | HangUp | Finish


@dataclass(frozen=True, slots=True)
class Scene:
    """One exchange with one app."""

    name: str
    app: str
    steps: tuple[Step, ...] = ()
    call: Callable[[Any], None] | None = None
    """For bad servers: changes the environ of the call. Such scenes are played in process only."""
    not_on: Mapping[str, str] = field(default_factory=dict)
    """Servers, by the beginning of their name, where it cannot be played; each with the reason."""
    only_on: tuple[str, ...] = ()
    why_only: str = ""
    never_noted: Mapping[str, str] = field(default_factory=dict)
    """What must not be in the journal, on servers by the beginning of their name."""
    recorded: tuple[Mapping[str, Any], ...] = ()
    """Fields that its records must have, without a fault: for each request, or once for all of them."""

    def reason_against(self, server: str) -> str | None:
        """Return why it cannot be played on `server`, or None."""
        if self.only_on and not server.startswith(self.only_on):
            return self.why_only
        if self.call is not None and server != "test client":
            return "a server that misbehaves is played in process"
        return next((why for name, why in self.not_on.items() if server.startswith(name)), None)

    @property
    def requests(self) -> tuple[Request, ...]:
        """The requests whose answers are to be read, in their order."""
        return tuple(
            step if isinstance(step, Request) else step.request
            for step in self.steps
            if isinstance(step, (Request, Head))
        )


def scenes(app: str, exchanges: Mapping[str, Step | Iterable[Step]], **options: Any) -> list[Scene]:
    """Make scenes that are all played with one app.

    Args:
        app: its name.
        exchanges: the steps of each, by name.
        **options: further fields of `Scene`.
    """
    made = []
    for name, steps in exchanges.items():
        several = tuple(steps) if isinstance(steps, Iterable) else (steps,)
        made.append(Scene(name, app, several, **options))
    return made


def get(target: str, headers: Mapping[str, str] | None = None, **more: Any) -> Request:
    """Make a GET request."""
    return send("GET", target, headers, **more)


def post(target: str, body: bytes = b"", content_type: str = "text/plain", **more: Any) -> Request:
    """Make a POST request; `headers` come before ``Content-Type``."""
    headers = {**more.pop("headers", {}), "Content-Type": content_type}
    return send("POST", target, headers, body=body, **more)


def send(method: str, target: str, headers: Mapping[str, str] | None = None, **more: Any) -> Request:
    """Make a request."""
    return Request(method, target, tuple((headers or {}).items()), **more)


def with_header(request: Request, name: str, value: str) -> Request:
    """Return `request` with one more header."""
    return dataclasses.replace(request, headers=(*request.headers, (name, value)))
