"""What can go wrong behind an app that is tracked; the client is not to notice any of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from pymongo import MongoClient

from ..servers import free_port, mongo_server
from .hanging import hanging_database

ALWAYS = "alwaysOn"


@contextlib.contextmanager
def _refusing() -> Iterator[str]:
    yield f"mongodb://127.0.0.1:{free_port()}/faulty"


@contextlib.contextmanager
def _dying() -> Iterator[str]:
    """A database that is there when the app is made, and gone when it is used."""
    with mongo_server() as server:
        uri = f"{server.uri}faulty"
        client: MongoClient[dict[str, object]] = MongoClient(uri)
        client.admin.command("ping")
        client.close()
        server.kill()
        yield uri


@contextlib.contextmanager
def _failing_inserts(data: dict[str, object]) -> Iterator[str]:
    with mongo_server("--enable-test-commands") as server:
        client: MongoClient[dict[str, object]] = MongoClient(server.uri)
        fail = {"failCommands": ["insert"], **data}
        client.admin.command({"configureFailPoint": "failCommand", "mode": ALWAYS, "data": fail})
        client.close()
        yield f"{server.uri}faulty"


@contextlib.contextmanager
def _working() -> Iterator[str]:
    with mongo_server() as server:
        yield f"{server.uri}faulty"


FAULTS: dict[str, Callable[[], AbstractContextManager[str]]] = {
    "database down": _dying,
    "database refusing": _refusing,
    "database hanging": hanging_database,
    "connections dropped": lambda: _failing_inserts({"closeConnection": True}),
    "errors answered": lambda: _failing_inserts({"errorCode": 11600}),
    "queue full": _working,
    "raising exporter": _working,
    "out of memory": _working,
    "raising redactor": _working,
    "raising callbacks": _working,
}
"""By name: what makes the URI of a database; what is appended to it names another one there. The last
five are planted in the app itself, by `tracks`."""
LOSSLESS = frozenset({"raising redactor", "raising callbacks"})
"""Faults that cost no record: each is stored all the same, and the log says what failed."""
