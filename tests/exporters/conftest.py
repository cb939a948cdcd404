"""Exporters into a real database, and a database that fails."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from flask_tracking import Settings
from flask_tracking.exporters.mongo import MongoExporter

Document = dict[str, Any]
Make = Callable[..., MongoExporter]


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
