"""A database that hangs: it takes connections and everything that is sent, and never answers."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Iterator

from tests.servers import port_of


def serve() -> None:
    """Serve until terminated; the first line of the output is the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        print(listener.getsockname()[1], flush=True)
        selector = selectors.DefaultSelector()
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    selector.register(listener.accept()[0], selectors.EVENT_READ)
                else:
                    _take(selector, key.fileobj)


def _take(selector: selectors.BaseSelector, connection: object) -> None:
    assert isinstance(connection, socket.socket)
    data = b""
    with contextlib.suppress(ConnectionError):
        data = connection.recv(65536)
    if not data:
        selector.unregister(connection)
        connection.close()


@contextlib.contextmanager
def hanging_database() -> Iterator[str]:
    """Run the server in a process of its own; yields its URI, with a database."""
    with port_of(__name__) as port:
        yield f"mongodb://127.0.0.1:{port}/shop"


if __name__ == "__main__":
    serve()
