"""Viewers of live lists on real servers: of each kind of worker, and while the database restarts."""

from __future__ import annotations

import contextlib
import json
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from ..servers import MongoServer, gunicorn, mongo_server
from .clients import wait_for

pytestmark = pytest.mark.integration

APP = "tests.e2e.dashboard_app:app"
FIRST_S, LATER_S = 0.7, 5.0
"""The pauses of the page's script, at first and after a failure."""
WORKERS = {
    "sync": ("--workers", "2"),
    "preloaded": ("--workers", "2", "--preload"),
    "threads": ("--workers", "1", "--threads", "4"),
    "gevent": ("--workers", "1", "--worker-class", "gevent"),
    "gevent, preloaded": ("--workers", "2", "--worker-class", "gevent", "--preload"),
}


def fetch(url: str) -> tuple[int, bytes]:
    """Return the status and the body of an answer."""
    try:
        with urlopen(url, timeout=30) as response:
            return response.status, response.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


@dataclass
class Viewer:
    """A tab with a live list, as the page's script polls it."""

    url: str
    seen: set[int] = field(default_factory=set)
    """The numbers of the requests that it has shown."""
    statuses: list[int] = field(default_factory=list)
    _since: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat())
    _positions: dict[str, str] = field(default_factory=dict)
    """In the feed of each worker that has answered."""
    _pause_s: float = FIRST_S

    def poll(self) -> None:
        """Ask for new rows once."""
        positions = ",".join(map(".".join, self._positions.items()))
        query = f"since={quote(self._since)}&have={positions}"
        status, body = fetch(f"{self.url}/_tracking/data/rows?{query}")
        self.statuses.append(status)
        self._pause_s = LATER_S
        if status == 200:
            answer = json.loads(body)
            self._since = answer["now"]
            name, _, number = answer["position"].partition(".")
            self._positions[name] = number
            self._pause_s = answer["again_ms"] / 1000
            paths = ("".join(text for text, _ in row["path"]) for row in answer["rows"])
            self.seen |= {int(path.rpartition("/")[2]) for path in paths if path.startswith("/echo/")}

    def watch(self, is_over: threading.Event) -> None:
        """Poll until the tab is closed."""
        while not is_over.wait(self._pause_s):
            self.poll()


@contextlib.contextmanager
def viewers(url: str, count: int = 6) -> Iterator[list[Viewer]]:
    """Open tabs with live lists."""
    tabs = [Viewer(url) for _ in range(count)]
    is_over = threading.Event()
    threads = [threading.Thread(target=tab.watch, args=(is_over,)) for tab in tabs]
    for thread in threads:
        thread.start()
    try:
        yield tabs
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def send(url: str, numbers: range) -> list[float]:
    """Send numbered requests, one after another; return how many seconds each took."""
    took = []
    for number in numbers:
        began = time.monotonic()
        assert fetch(f"{url}/echo/{number}") == (200, str(number).encode())
        took.append(time.monotonic() - began)
        time.sleep(0.01)
    return took


@pytest.mark.parametrize("options", WORKERS.values(), ids=WORKERS)
def test_workers(database_uri: str, options: tuple[str, ...]) -> None:
    """Every tab shows every request, and each poll has its answer, of whatever worker."""
    if "gevent" in options:
        pytest.importorskip("gevent")
    environ = {"FLASK_TRACKING_MONGODB_URI": database_uri}
    if {"gevent", "--preload"} <= set(options):
        environ["TEST_PATCH"] = "1"
    with gunicorn(APP, *options, env=environ) as url, viewers(url) as tabs:
        send(url, range(100))
        wait_for(lambda: all(len(tab.seen) == 100 for tab in tabs))
    assert {status for tab in tabs for status in tab.statuses} == {200}


@pytest.mark.parametrize("kind", ["preloaded", "gevent"])
@pytest.mark.skipif(MongoServer.kind() is None, reason="there is no database server to kill")
def test_database_restart(kind: str) -> None:
    """Meanwhile polls are told so in time and the app answers; then tabs show what they missed."""
    if kind == "gevent":
        pytest.importorskip("gevent")
    with mongo_server("--sync-on-commit") as server:
        environ = {"FLASK_TRACKING_MONGODB_URI": f"{server.uri}shop"}
        with gunicorn(APP, *WORKERS[kind], env=environ) as url, viewers(url) as tabs:
            send(url, range(20))
            wait_for(lambda: all(len(tab.seen) == 20 for tab in tabs))
            server.kill()
            send(url, range(20, 40))
            wait_for(lambda: all(503 in tab.statuses for tab in tabs))
            server.start()
            wait_for(lambda: all(len(tab.seen) == 40 for tab in tabs))
    assert {status for tab in tabs for status in tab.statuses} <= {200, 503}


@pytest.mark.skipif(MongoServer.kind() is None, reason="there is no database server to kill")
def test_app_while_the_database_is_away() -> None:
    """Polls that wait for it take a small part of the only worker, however many tabs there are."""
    with mongo_server() as server:
        environ = {"FLASK_TRACKING_MONGODB_URI": f"{server.uri}shop"}
        with gunicorn(APP, "--workers", "1", env=environ) as url, viewers(url, 20) as tabs:
            send(url, range(20))
            wait_for(lambda: all(tab.statuses for tab in tabs))
            server.kill()
            wait_for(lambda: any(503 in tab.statuses for tab in tabs))
            took = send(url, range(20, 120))
    assert statistics.median(took) < 0.5
    assert max(took) < LATER_S
