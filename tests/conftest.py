"""Fixtures: a fresh app for each test, and a real MongoDB for those that want one."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from typing import Any

import hypothesis
import pytest
from flask import Flask
from pymongo import MongoClient
from pymongo.database import Database

from flask_tracking import MemoryExporter, Record, Tracking
from flask_tracking.queries import misses
from flask_tracking.runtime import guard

from .servers import MongoServer, mongo_server
from .tiers import TierGuard, leave_out_of_coverage, mark_integration, put_integration_first
from .url_rules import share_builders

Document = dict[str, Any]

pytest_plugins = ["pytester", "flask_tracking.pytest_plugin"]

# An example that takes long says that the machine is busy.
hypothesis.settings.register_profile("without a deadline", deadline=None)
hypothesis.settings.load_profile("without a deadline")

share_builders()

# A shell starts jobs in the background with Ctrl-C ignored, and programs inherit that: what tests start
# is to be interrupted all the same.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Keep unit tests within their process, and all tests in one zone and terminal."""
    os.environ["TZ"] = "UTC"  # commands show local times
    os.environ["TERM"] = "xterm"  # and colours
    time.tzset()
    misses.QUESTION_S = 10.0  # a busy machine is to find the values that a filter may mean, too
    config.pluginmanager.register(TierGuard())


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run two tests at a time for each processor: many wait for what they have started.

    ``--numprocesses logical`` runs one, for tests that wait for nothing.
    """
    for_each = 1 if config.getoption("numprocesses") == "logical" else 2
    return for_each * (os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that use a database, and let workers begin with them."""
    mark_integration(items)
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is not None:
        put_integration_first(items, worker["workercount"])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Prepare the process that runs the tests, when all are collected.

    Processes that tests start are not measured: tests time them, and count what they import.
    """
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    leave_out_of_coverage(session.items)
    freeze_what_is_left()


def freeze_what_is_left() -> None:
    """Collect garbage, and spare later collections what is left: thousands of tests and reports."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Collect the garbage of each module, and freeze what is left of it, like the reports.

    Not in its teardown: its last test still holds its fixtures then, and an app that is frozen stays.
    """
    result = yield
    if nextitem is None or nextitem.path != item.path:
        freeze_what_is_left()
    return result


def pytest_sessionfinish() -> None:
    """Let pytest's last collection go through everything: garbage that warns fails the run."""
    gc.unfreeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let every test see its own log lines and count its own failures.

    No fixtures: thousands of tests would set them up, at ten times the cost.
    """
    guard.failures.clear()
    guard._last_logged.clear()
    # Flask's own group of commands may have run in the last test: `app.run()` does nothing then.
    os.environ.pop("FLASK_RUN_FROM_CLI", None)


@pytest.fixture(autouse=True, scope="session")
def _push_request_context() -> None:
    """Push no context around a test, as pytest-flask would: requests would share its ``g``."""


# Nor let it touch the app: tests of what it does to ours run a pytest of their own.
_configure_application = _monkeypatch_response_class = _push_request_context


@pytest.fixture
def memory() -> MemoryExporter:
    """Where the records of `app` go."""
    return MemoryExporter()


@pytest.fixture
def app() -> Flask:
    """A bare app that is not tracked yet; records are stored inside the request."""
    app = Flask("shop")
    app.config["TRACKING_WORKER"] = "sync"
    app.secret_key = "not a secret"
    return app


@pytest.fixture
def tracking(app: Flask, memory: MemoryExporter) -> Tracking:
    """Track `app`, with its settings as they are now, into `memory`."""
    return Tracking(app, exporter=memory)


@pytest.fixture
def only_record(memory: MemoryExporter) -> Callable[[], Record]:
    """Return the one record of the test."""

    def only() -> Record:
        (record,) = memory.records
        return record

    return only


@pytest.fixture(scope="session")
def mongodb() -> Iterator[str]:
    """The URI of a running MongoDB, without a database.

    ``TRACKING_TEST_MONGODB_URI`` if it is set, else a ``mongod`` on the PATH, else SecantusDB.
    """
    uri = os.environ.get("TRACKING_TEST_MONGODB_URI")
    if uri:
        yield uri.rstrip("/") + "/"
        return
    if MongoServer.kind() is None:
        reason = "no MongoDB: set TRACKING_TEST_MONGODB_URI or pip install 'flask-tracking[embedded]'"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with mongo_server("--enable-test-commands") as server:
        yield server.uri


@pytest.fixture
def database(mongodb: str) -> Iterator[Database[Document]]:
    """An empty database of the test's own."""
    client: MongoClient[Document] = MongoClient(mongodb, tz_aware=True)
    name = f"test_{uuid.uuid4().hex[:12]}"
    try:
        yield client[name]
    finally:
        client.drop_database(name)
        client.close()


@pytest.fixture
def database_uri(mongodb: str, database: Database[Document]) -> str:
    """The URI of `database`."""
    return f"{mongodb}{database.name}"


@pytest.fixture
def collect() -> Callable[[], None]:
    """Collect garbage now, so that what nobody holds is gone."""

    def collect() -> None:
        for _ in range(3):
            gc.collect()

    return collect


@pytest.fixture
def untraced() -> Iterator[None]:
    """Keep coverage out of a test: it counts lines, and not how often.

    Threads that begin meanwhile are left out, too.
    """
    trace, trace_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    yield
    threading.settrace(trace_threads)
    sys.settrace(trace)
