"""The spool under gunicorn: what is in memory when the server is told to end is stored later."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from ..servers import MongoServer, free_port, gunicorn, mongo_server
from .clients import send_echoes, wait_for
from .test_gunicorn import numbers_of

pytestmark = pytest.mark.integration

Document = dict[str, Any]
REQUESTS = 5000
ONE_MORE = 10**6


def test_sigterm_right_after_5000_requests(
    mongodb: str, database: Database[Document], tmp_path: Path
) -> None:
    """All of them, and the first one after the next start, are stored exactly once."""
    environ = {
        "TEST_MONGODB_URI": f"{mongodb}{database.name}",
        "FLASK_TRACKING_SPOOL_DIR": str(tmp_path),
    }
    with gunicorn(
        "tests.e2e.app:app", "--worker-class", "gthread", "--threads", "4", env=environ
    ) as url:
        load = send_echoes(url, clients=4, count=REQUESTS)
    at_the_end = database["tracking"].count_documents({})
    with gunicorn("tests.e2e.app:app", env=environ) as url:
        one_more = send_echoes(url, clients=1, count=1, first=ONE_MORE)
        wait_for(lambda: database["tracking"].count_documents({}) > REQUESTS)
    assert (load.wrong, one_more.wrong) == ([], [])
    expected = collections.Counter([*range(REQUESTS), ONE_MORE])
    assert numbers_of(database["tracking"]) == expected
    print(f"{at_the_end} of {REQUESTS} were stored when the first server had ended")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.skipif(MongoServer.kind() is None, reason="there is no database server to start")
def test_processes_that_never_saw_the_database(tmp_path: Path) -> None:
    """What several workers have spooled is stored by those of the next start."""
    with mongo_server() as server:
        server.kill()
        environ = {
            "FLASK_TRACKING_MONGODB_URI": f"{server.uri}shop",
            "FLASK_TRACKING_SPOOL_DIR": str(tmp_path),
        }
        with gunicorn("tests.e2e.app:app", "--workers", "2", env=environ) as url:
            load = send_echoes(url, clients=4, count=400)
        server.port = free_port()
        server.start()
        environ["FLASK_TRACKING_MONGODB_URI"] = f"{server.uri}shop"
        with gunicorn("tests.e2e.app:app", env=environ) as url:
            send_echoes(url, clients=1, count=1, first=ONE_MORE)
            with MongoClient[Document](server.uri) as client:
                recorded = client["shop"]["tracking"]
                wait_for(lambda: recorded.count_documents({}) == 401)
                assert numbers_of(recorded) == collections.Counter([*load.sent, ONE_MORE])
    assert sorted(load.sent) == list(range(400))
