"""A server that notes what it received, byte by byte, and answers 204."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Received(NamedTuple):
    """A request as it came over the wire."""

    method: bytes
    target: bytes
    headers: dict[str, bytes]
    """By name in lower case."""
    body: bytes


class Recorder:
    """Accepts one connection after the other, and reads one request from each."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.received: list[Received] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """Its address, for a URL."""
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def take(self) -> Received:
        """Return the only request since the last call."""
        (received,) = self.received
        self.received.clear()
        return received

    def close(self) -> None:
        """Stop listening."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:  # closed
                return
            with connection:
                connection.settimeout(10)
                self.received.append(_read(connection))
                connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


def _read(connection: socket.socket) -> Received:
    with connection.makefile("rb") as stream:
        method, _, rest = stream.readline().partition(b" ")
        headers: dict[str, bytes] = {}
        while (line := stream.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            assert name.decode().lower() not in headers
            headers[name.decode().lower()] = value.strip(b" \t\r\n")
        if b"100-continue" in headers.get("expect", b""):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = stream.read(int(headers.get("content-length", b"0")))
    return Received(method, re.sub(rb" HTTP/1\.[01]\r\n\Z", b"", rest), headers, body)


@contextmanager
def recorder() -> Iterator[Recorder]:
    """Run a `Recorder`."""
    running = Recorder()
    try:
        yield running
    finally:
        running.close()
