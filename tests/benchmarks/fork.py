"""What tracking adds to a fork while the database hangs: ``python tests/benchmarks/fork.py``.

A tracked process has a full batch on its way to a database that never answers, and more in its queue.
It forks as often as a bare one, in turns. The exit status is 1 when the median, or one in ten, is past
the target.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for those who run this file by its path

from flask import Flask

from flask_tracking import Tracking
from tests.conformance.hanging import hanging_database

QUEUED = 5000
FORKS = 50
TARGET_MS = 10.0


def fork_ms() -> float:
    """Fork, and return how long it took until both processes went on."""
    reader, writer = os.pipe()
    began_ns = time.perf_counter_ns()
    pid = os.fork()
    now_ns = time.perf_counter_ns()
    if pid == 0:
        os.write(writer, b"%d" % now_ns)
        os._exit(0)
    child_ns = int(os.read(reader, 100))
    os.waitpid(pid, 0)
    os.close(reader)
    os.close(writer)
    return (max(now_ns, child_ns) - began_ns) / 1e6


def measure(kind: str, uri: str) -> None:
    """Fork in this process, and print what each fork took."""
    app = Flask("fork")
    app.config.update(TRACKING_MONGODB_URI=uri, TRACKING_SHUTDOWN_TIMEOUT_S=0)
    app.add_url_rule("/", "view", lambda: "ok")
    tracking = Tracking(app) if kind == "tracked" else None
    client = app.test_client()
    for _ in range(QUEUED):
        client.get("/").close()
    print(*(fork_ms() for _ in range(FORKS)))
    if tracking is not None:
        assert tracking.stats.queue_records == QUEUED, tracking.stats


def run(kind: str, uri: str) -> list[float]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--kind", kind, uri]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [float(value) for value in done.stdout.split()]


def main() -> int:
    """Measure in turns, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--kind", choices=["tracked", "bare"])
    parser.add_argument("uri", nargs="?", default="")
    options = parser.parse_args()
    if options.kind:
        measure(options.kind, options.uri)
        return 0
    taken: dict[str, list[float]] = {"bare": [], "tracked": []}
    with hanging_database() as uri:
        for _ in range(options.rounds):
            for kind, values in taken.items():
                values += run(kind, uri)
    print(f"ms for a fork, {len(taken['bare'])} of each, {QUEUED:,} records in the queue")
    print(f"{'':10}{'median':>8}{'p90':>8}{'max':>8}")
    quantiles = {kind: _quantiles(values) for kind, values in taken.items()}
    for kind, row in quantiles.items():
        print(f"{kind:10}" + "".join(f"{value:8.2f}" for value in row))
    added = [ours - bare for ours, bare in zip(quantiles["tracked"], quantiles["bare"], strict=True)]
    is_met = added[0] <= TARGET_MS and added[1] <= TARGET_MS
    print(
        f"{'added':10}"
        + "".join(f"{value:8.2f}" for value in added)
        + f"   target at most {TARGET_MS:g} (median, p90): {'met' if is_met else 'MISSED'}"
    )
    return 0 if is_met else 1


def _quantiles(values: list[float]) -> tuple[float, float, float]:
    ordered = sorted(values)
    return statistics.median(ordered), ordered[int(len(ordered) * 0.9)], ordered[-1]


if __name__ == "__main__":
    sys.exit(main())
