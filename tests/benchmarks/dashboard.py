"""What the dashboard costs: ``python -m tests.benchmarks.dashboard [--records 1000000]``.

Each page at so many records and 30 days of rollups: its time on the server, and its size when it is
compressed. Then what 20 viewers of a live list do to the requests of an app on one synchronous worker,
and what it costs while nobody looks. The exit status is 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from flask import Flask
from flask.testing import FlaskClient

from flask_tracking import Filter, Settings, Tracking, queries
from flask_tracking.dashboard import sharing, static_files
from flask_tracking.dashboard.tables.keyset import Cursor
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.exporters.store import Store
from tests.benchmarks import read, rollups
from tests.benchmarks.mix import make_mix
from tests.servers import ROOT, gunicorn, mongo_server

PREFIX = "/_tracking"
FIRST_VIEW_KB, LATER_KB = 90.0, 30.0
VIEWERS, FIRST_POLL_S = 20, 0.7
RATE, LOAD_S = 40, 10.0
"""Requests per second to the app, and for how long."""
MEMORY_KB = 1024


class Target(NamedTuple):
    """A page, and how long it may take on the server."""

    name: str
    path: str
    ms: float


TARGETS = (
    Target("overview, 1 h", "/", 400),
    Target("overview, 24 h", "/?from=24h", 400),
    Target("overview, 30 d", "/?from=30d", 400),
    Target("routes", "/routes", 400),
    Target("errors", "/errors", 300),
    Target("users of errors", "/data/users", 1000),
    Target("requests", "/requests", 300),
    Target("requests, failed", "/requests?q=is:error&from=24h", 300),
    Target("request", "/requests/{id}", 150),
    Target("related requests", "/data/requests/{id}/related", 300),
    Target("next request", "/older/{position}", 50),
    Target("previous request", "/newer/{position}", 50),
    Target("rows of a live list", "/data/rows?since={now}", 20),
    Target("proposals", "/data/complete?text=user:", 50),
    Target("health", "/health", 300),
)


def main() -> int:
    """Measure everything, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with mongo_server(*read.ROOMY) as server:
        uri = f"{server.uri}dashboard"
        fill(uri, arguments.records)
        is_met = measure_pages(uri, arguments.rounds)
        is_met &= measure_viewers(f"{server.uri}viewers")
    is_met &= measure_import()
    return 0 if is_met else 1


def fill(uri: str, records: int) -> None:
    """Store records of the demo's mix over a day, and a month of rollups."""
    settings = Settings(
        mongodb_uri=uri, retention=read.RETENTION, kept_size_bytes=2**28, export_timeout_s=1800.0
    )
    began = time.perf_counter()
    read.store(uri, settings, make_mix(), records, datetime.now(timezone.utc))
    store = MongoExporter(settings)
    store.prepare()
    rollups.fill(store)
    store.close()
    print(f"{records:,} records and 30 days of rollups stored in {time.perf_counter() - began:.0f} s")


# Pages


def measure_pages(uri: str, rounds: int) -> bool:
    """Print a line for each page; tell whether all targets are met."""
    app = Flask("bench")
    app.config |= {
        "TRACKING_DASHBOARD": True,
        "TRACKING_ENABLED": False,
        "TRACKING_MONGODB_URI": uri,
        "TRACKING_RETENTION": read.RETENTION,
        "TRACKING_EXPORT_TIMEOUT_S": 60.0,
    }
    tracking = Tracking(app, dashboard_access=lambda: True)
    client, exporter = app.test_client(), app.extensions["tracking"].exporter
    sharing.HEAVY_S = float("inf")  # each round reads anew
    places = find_places(exporter)
    files_kb = sum(_compress(one.content) for one in static_files.load_files().values())
    print(f"\n{'page':24}{'ms':>8}{'target':>8}{'kB, gz':>8}{'first':>8}")
    met = [measure_page(client, one, places, files_kb, rounds) for one in TARGETS]
    print(f"files of ours, once: {files_kb:.1f} kB; later pages at most {LATER_KB:g} kB")
    tracking.close(2)
    exporter.close()
    return all(met)


def find_places(store: Store) -> dict[str, str]:
    """Return the variable parts of addresses: a request amid the others."""
    noon = datetime.now(timezone.utc) - read.PERIOD / 2
    middle = queries.find_newest(store, Filter().narrowed(None, noon), 1)[0]
    return {"id": str(middle.id), "position": str(Cursor.of(middle))}


def measure_page(
    client: FlaskClient, target: Target, places: Mapping[str, str], files_kb: float, rounds: int
) -> bool:
    """Print how long a page takes, and its size alone and with all files of ours."""
    now = quote(datetime.now(timezone.utc).isoformat())
    path = PREFIX + target.path.format(now=now, **places)
    walls = []
    for _ in range(rounds):
        began = time.perf_counter()
        response = client.get(path)
        walls.append((time.perf_counter() - began) * 1000)
    size_kb, wall_ms = _compress(response.data), statistics.median(walls)
    is_met = wall_ms <= target.ms and size_kb <= LATER_KB and size_kb + files_kb <= FIRST_VIEW_KB
    is_met &= response.status_code in (200, 303)
    # A page whose time was over shows a part, or nothing: it took longer than is printed.
    cut = "  CUT" if response.status_code == 503 or b"Not read in time" in response.data else ""
    verdict = "met" if is_met else "MISSED"
    sizes = f"{size_kb:8.1f}{size_kb + files_kb:8.1f}"
    print(f"{target.name:24}{wall_ms:8.0f}{target.ms:8.0f}{sizes}  {verdict}{cut}", flush=True)
    return is_met


def _compress(content: bytes) -> float:
    return len(gzip.compress(content, 6)) / 1000


# Viewers


def measure_viewers(uri: str) -> bool:
    """Print the app's p95 on one synchronous worker, alone and with viewers of a live list."""
    env = {"BENCH_MONGODB_URI": uri, "BENCH_DASHBOARD": "1"}
    with gunicorn("tests.benchmarks.served_app:app", "--workers", "1", env=env) as address:
        ask_often(address, 2.0)  # warm
        alone = ask_often(address, LOAD_S)
        with viewers(address) as polls:
            beside = ask_often(address, LOAD_S)
    limit_ms = alone * 1.1 + 5
    verdict = "met" if beside <= limit_ms else "MISSED"
    print(f"\n{RATE} requests per second, one synchronous worker, p95 of the app:")
    print(f"  alone {alone:.1f} ms, with {VIEWERS} live viewers {beside:.1f} ms, ", end="")
    print(f"target {limit_ms:.1f} ms, {verdict} ({len(polls):,} polls answered)")
    return beside <= limit_ms


def ask_often(address: str, duration_s: float) -> float:
    """Send requests at an even rate, each when its time has come; return p95 in ms."""
    took: list[float] = []
    count = int(duration_s * RATE)
    waiting = [threading.Thread(target=_send, args=(address, took)) for _ in range(count)]
    began = time.perf_counter()
    for at, thread in enumerate(waiting):
        time.sleep(max(0.0, began + at / RATE - time.perf_counter()))
        thread.start()
    for thread in waiting:
        thread.join()
    return statistics.quantiles(took, n=20)[-1]


def _send(address: str, took: list[float]) -> None:
    began = time.perf_counter()
    fetch(address, "/")
    took.append((time.perf_counter() - began) * 1000)


def fetch(address: str, path: str) -> tuple[int, bytes]:
    """Send one request over a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()


@contextlib.contextmanager
def viewers(address: str) -> Iterator[list[int]]:
    """Look at a live list, as browsers do; yields the status of each poll."""
    statuses: list[int] = []
    is_over = threading.Event()
    threads = [
        threading.Thread(
            target=_view, args=(address, at * FIRST_POLL_S / VIEWERS, is_over, statuses.append)
        )
        for at in range(VIEWERS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert set(statuses) <= {200}, sorted(set(statuses))


def _view(
    address: str, delay_s: float, is_over: threading.Event, note: Callable[[int], object]
) -> None:
    since, position = datetime.now(timezone.utc).isoformat(), ""
    is_over.wait(delay_s)
    pause_s = FIRST_POLL_S
    while not is_over.wait(pause_s):
        path = f"{PREFIX}/data/rows?since={quote(since)}&have={position}"
        status, body = fetch(address, path)
        note(status)
        if status == 200:
            answer = json.loads(body)
            since, position = answer["now"], answer["position"]
            pause_s = answer["again_ms"] / 1000


# Nobody looks

_IMPORT = """
import gc, sys, threading
from flask import Flask
from flask_tracking import Tracking
import flask_tracking.exporters.mongo
app = Flask("a")
app.config.update(TRACKING_MONGODB_URI="mongodb://127.0.0.1:1/a", TRACKING_ENABLED=False)
app.config["TRACKING_DASHBOARD"] = sys.argv[1] == "1"
Tracking(app)
gc.collect()
pages = int(open("/proc/self/statm").read().split()[1])
has_reader = "_reader" in vars(app.extensions["tracking"].exporter)
print(pages * 4, threading.active_count(), int(has_reader))
"""


def measure_import() -> bool:
    """Print what an app with a dashboard has more, before anybody has looked."""
    without, with_ = (_import(flag) for flag in "01")
    more_kb = with_[0] - without[0]
    is_met = more_kb <= MEMORY_KB and with_[1:] == without[1:] == (1, 0)
    print(
        f"nobody looks: {more_kb:,} kB of memory, target {MEMORY_KB:,} kB; {with_[1] - without[1]} "
        f"threads, {with_[2]} clients more, {'met' if is_met else 'MISSED'}"
    )
    return is_met


def _import(flag: str) -> tuple[int, ...]:
    """Return the median of resident kB, and the threads and readers of such an app."""
    runs = []
    for _ in range(5):
        command = [sys.executable, "-c", _IMPORT, flag]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        output = subprocess.run(command, env=environ, capture_output=True, check=True, text=True).stdout
        runs.append(tuple(map(int, output.split())))
    return sorted(runs)[len(runs) // 2]


if __name__ == "__main__":
    sys.exit(main())
