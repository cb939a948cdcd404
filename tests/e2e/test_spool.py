"""The spool under gunicorn: what is in memory when the server is told to end is stored later."""

from __future__ import annotations

import collections
import sys
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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit of files is Linux's")
@pytest.mark.skipif(MongoServer.kind() is None, reason="there is no database server to start")
def test_disk_of_the_database_is_full(tmp_path: Path) -> None:
    """The server answers with errors, or ends; once it is started with more room all is there, once."""
    with mongo_server("--sync-on-commit", is_quiet=True) as server:
        environ = {
            "FLASK_TRACKING_MONGODB_URI": f"{server.uri}shop",
            "FLASK_TRACKING_SPOOL_DIR": str(tmp_path),
            "FLASK_TRACKING_EXPORT_TIMEOUT_S": "2",
        }
        with gunicorn("tests.e2e.app:app", env=environ) as url:
            before = send_echoes(url, clients=2, count=50)
            with MongoClient[Document](server.uri) as client:
                wait_for(lambda: client["shop"]["tracking"].count_documents({}) == 50)
            server.fill_disk()
            meanwhile = send_echoes(url, clients=2, count=200, first=50)
            wait_for(lambda: any(path.is_file() for path in tmp_path.rglob("*")))
            server.kill()  # a new process has no limit
            server.start()
            with MongoClient[Document](server.uri) as client:
                recorded = client["shop"]["tracking"]
                wait_for(lambda: recorded.count_documents({}) == 250)
                assert numbers_of(recorded) == collections.Counter(range(250))
    assert (before.wrong, meanwhile.wrong) == ([], [])
