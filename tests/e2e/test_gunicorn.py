"""gunicorn with forked workers, and a database that dies under way."""

from __future__ import annotations

import collections
import re
import threading
import time
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from ..servers import MongoServer, free_port, gunicorn, mongo_server
from .clients import Load, send_echoes, wait_for

pytestmark = pytest.mark.integration

Document = dict[str, Any]


def numbers_of(collection: Any) -> collections.Counter[int]:
    """Count how often each request is recorded."""
    return collections.Counter(
        int(document["path"].removeprefix("/echo/")) for document in collection.find({}, {"path": True})
    )


def test_every_request_of_forked_workers(mongodb: str, database: Database[Document]) -> None:
    """Four preloaded workers, a client from before the fork, warnings as errors: all is there once."""
    uri = f"{mongodb}{database.name}"
    environ = {"TEST_MONGODB_URI": uri, "FLASK_TRACKING_SHUTDOWN_TIMEOUT_S": "25"}
    options = ("--workers", "4", "--preload")
    with gunicorn("tests.e2e.app:app", *options, env=environ, python=("-W", "error")) as url:
        load = send_echoes(url, clients=8, count=2000)
    assert load.wrong == []
    assert sorted(load.sent) == list(range(2000))
    # The workers have ended in order, so what they held is stored.
    assert numbers_of(database["tracking"]) == collections.Counter(load.sent)
    processes = database["tracking"].distinct("process")
    assert len(processes) == 4
    assert all(re.fullmatch(r".+:\d+:[0-9a-f]{16}", process) for process in processes)
    assert database["tracking"].options()["capped"] is True
    record = database["tracking"].find_one({"path": "/echo/1999"})
    assert record is not None
    assert record["request_body"] == record["response_body"] == b'{"number": 1999}'
    assert (record["url_rule"], record["target"]) == ("/echo/<int:number>", "/echo/1999")


def run_through_an_outage(server: MongoServer, environ: dict[str, str]) -> Load:
    """Send requests while the database is killed and comes back on its data, until all is stored.

    The outage lasts for 5 s, by when the pause between two tries is the longest.
    """
    over, load = threading.Event(), Load()

    def cut_power() -> None:
        try:
            wait_for(lambda: len(load.sent) > 300)
            server.kill()
            time.sleep(5)
            wait_for(lambda: len(load.sent) > 700)
            server.start()
            wait_for(lambda: len(load.sent) > 1000)
        finally:
            over.set()

    outage = threading.Thread(target=cut_power)
    with gunicorn("tests.e2e.app:app", "--workers", "2", env=environ) as url:
        outage.start()
        send_echoes(url, clients=4, until=over, load=load, pause_s=0.005)
        outage.join()
        with MongoClient[Document](server.uri) as client:
            recorded = client["shop"]["tracking"]
            wait_for(lambda: recorded.count_documents({}) >= len(load.sent))
    return load


@pytest.mark.skipif(MongoServer.kind() is None, reason="there is no database server to kill")
def test_database_that_is_killed_in_mid_traffic() -> None:
    """No client sees an error; every request is recorded exactly once, what arrived before included."""
    with mongo_server("--sync-on-commit") as server:
        uri = f"{server.uri}shop"
        tracked = run_through_an_outage(server, {"FLASK_TRACKING_MONGODB_URI": uri})
        client: MongoClient[Document] = MongoClient(server.uri)
        recorded = numbers_of(client["shop"]["tracking"])
        client.close()
    assert tracked.wrong == []
    assert len(tracked.sent) > 1000
    assert recorded == collections.Counter(tracked.sent)


def test_database_that_is_away() -> None:
    """While there is no database every client gets its answer, and the process ends in time."""
    environ = {"FLASK_TRACKING_MONGODB_URI": f"mongodb://127.0.0.1:{free_port()}/shop"}
    with gunicorn("tests.e2e.app:app", "--workers", "2", env=environ) as url:
        load = send_echoes(url, clients=4, count=400)
    assert load.wrong == []
    assert sorted(load.sent) == list(range(400))
