"""Exporters into a real database, and a database that fails."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import mongoengine
import mongomock
import pytest
from pymongo import MongoClient

from flask_tracking import MemoryExporter, Settings, Store
from flask_tracking.exporters.mongo import MongoExporter

Document = dict[str, Any]
Make = Callable[..., MongoExporter]
MakeStore = Callable[[], Store]


@pytest.fixture
def make(database_uri: str) -> Iterator[Make]:
    """Make exporters into `database` that are closed with the test."""
    made: list[MongoExporter] = []

    def make_exporter(**settings: Any) -> MongoExporter:
        made.append(MongoExporter(Settings(**{"mongodb_uri": database_uri, **settings})))
        return made[-1]

    yield make_exporter
    for exporter in made:
        exporter.close()


@pytest.fixture
def store_settings() -> dict[str, Any]:
    """The settings of `store`; a module may have its own."""
    return {}


# mongomock asks for the time in a way that Python 3.12 and newer warn of.
STORES = [
    "memory",
    pytest.param("mongodb", marks=pytest.mark.integration),
    pytest.param(
        "mongomock",
        marks=pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
    ),
]


@pytest.fixture(params=STORES)
def make_store(request: pytest.FixtureRequest, store_settings: dict[str, Any]) -> Iterator[MakeStore]:
    """Make stores of each kind in turn, empty."""
    if request.param == "memory":
        yield MemoryExporter
        return
    number = itertools.count()

    def settings() -> dict[str, Any]:
        at = next(number)
        return {"collection": f"tracking{at}" if at else "tracking", **store_settings}

    if request.param == "mongodb":
        make = request.getfixturevalue("make")
        yield lambda: make(**settings())
        return
    mongoengine.register_connection(
        "mock",
        name="mock",
        mongo_client_class=mongomock.MongoClient,
        uuidRepresentation="standard",
    )
    with contextlib.ExitStack() as stack:

        def make_mock() -> MongoExporter:
            exporter = MongoExporter(Settings(db_alias="mock", **settings()))
            stack.callback(exporter.close)
            return exporter

        yield make_mock
    mongoengine.disconnect("mock")


@pytest.fixture
def store(make_store: MakeStore) -> Any:
    """Each store in turn, empty."""
    return make_store()


@pytest.fixture
def fail_command(mongodb: str) -> Iterator[Callable[..., None]]:
    """Make the server fail the next commands of a name; needs the server's test commands."""
    client: MongoClient[Document] = MongoClient(mongodb)

    def fail(command: str, times: int = 1, **how: Any) -> None:
        client.admin.command(
            "configureFailPoint",
            "failCommand",
            mode={"times": times},
            data={"failCommands": [command], **how},
        )

    try:
        client.admin.command("configureFailPoint", "failCommand", mode="off")
    except Exception as error:
        client.close()
        if os.environ.get("TRACKING_TEST_MONGODB_URI"):
            pytest.skip(f"the server has no test commands: {error}")
        raise
    yield fail
    client.admin.command("configureFailPoint", "failCommand", mode="off")
    client.close()
