"""What tracking costs in memory: ``python tests/benchmarks/memory.py``.

By how much a process is larger that tracks than one of the same app that does not, each a fresh
interpreter; then what 10,000 waiting records cost, in a store that hangs, so that every record stays in
the queue. The exit status is 1 past a target.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for those who run this file by its path

from tests.benchmarks.traffic import BODY as ORDER
from tests.benchmarks.traffic import KINDS, Client

ROOT = Path(__file__).resolve().parents[2]
REQUESTS = 1_000
BEFORE_FLUSH = 50
"""Requests at a time: what waits in the queue is measured for itself."""
ROUNDS = 3
STAGES = ("the app alone", "PyMongo", "setting up", "requests")
"""After what the memory of a process is looked at."""
PROCESS_TARGET_MIB = 32.0
RECORDS = 10_000
BODY = b'{"note": "' + b"x" * 1012 + b'"}'
"""1 kB of JSON."""
TARGET_MIB = 64.0


def main() -> int:
    """Measure both, print what they cost, and return the exit status."""
    are_met = [measure_process(), measure_queue()]
    return 0 if all(are_met) else 1


def measure_process() -> bool:
    """Print by how much tracking makes a process larger; return whether the target is met."""
    from tests.benchmarks.overhead import new_database, running_mongodb

    steps = []
    with running_mongodb() as mongodb:
        for _ in range(ROUNDS):
            with new_database(mongodb) as (uri, _):
                pairs = zip(run_child(""), run_child(uri), strict=True)
                steps.append([tracked - bare for bare, tracked in pairs])
    step = [statistics.median(each) for each in zip(*steps, strict=True)]
    cost = step[-1]
    parts = [after - before for before, after in zip(step, step[1:], strict=False)]
    print(
        f"A process that tracks, after {REQUESTS:,} requests: {cost:.1f} MiB of resident memory more "
        f"({', '.join(f'{name} {part:.1f}' for name, part in zip(STAGES[1:], parts, strict=True))}); "
        f"target at most {PROCESS_TARGET_MIB:g} MiB: {verdict(cost <= PROCESS_TARGET_MIB)}",
        flush=True,
    )
    return bool(cost <= PROCESS_TARGET_MIB)


def run_child(uri: str) -> list[float]:
    """Run a fresh interpreter; return its memory after each of `STAGES`, in MiB."""
    command = [sys.executable, __file__, "--child", uri]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def be_child(uri: str) -> None:
    """Serve the requests, tracked into `uri` where there is one, and print the memory as JSON."""
    from tests.benchmarks.subject import make_bare, make_ours

    sizes = [resident_mib()]
    if uri:
        import pymongo  # noqa: F401
    sizes.append(resident_mib())
    app, flush = (make_ours if uri else make_bare)(uri)
    sizes.append(resident_mib())
    client = Client(app)
    for number in range(REQUESTS):
        kind = KINDS[number % len(KINDS)]
        client.send(kind, ORDER if kind == "POST" else b"")
        if number % BEFORE_FLUSH == 0:
            flush()
    flush()
    sizes.append(resident_mib())
    print(json.dumps(sizes))


def measure_queue() -> bool:
    """Print what waiting records cost; return whether the target is met."""
    from flask import Flask, request

    from flask_tracking import MemoryExporter, Record, Tracking

    class HangingExporter(MemoryExporter):
        """Answers nothing, like a database behind a broken network."""

        def _store(self, records: Sequence[Record]) -> int:
            threading.Event().wait()
            return 0

    app = Flask("queue")
    # Twice the bounds: what the records cost is measured, not what the bounds keep it to.
    app.config.update(
        TRACKING_QUEUE_RECORDS=2 * RECORDS,
        TRACKING_QUEUE_BYTES=2 * 67_108_864,
        TRACKING_SHUTDOWN_TIMEOUT_S=0,
    )
    tracking = Tracking(app, exporter=HangingExporter())
    app.add_url_rule(
        "/<path:path>", "view", lambda path: str(len(request.get_data())), methods=["POST"]
    )
    client = Client(app)
    for _ in range(1000):  # threads run, caches are full, the first batch is in hand
        client.send("POST", bytes(bytearray(BODY)))
    before = resident_mib()
    queued = tracking.stats.queue_records
    for _ in range(RECORDS):
        client.send("POST", bytes(bytearray(BODY)))  # a copy of its own, as from a socket
    stats = tracking.stats
    assert stats.queue_records - queued == RECORDS, stats
    assert not stats.dropped, stats
    cost = resident_mib() - before
    print(
        f"{RECORDS:,} queued records with a body of {len(BODY):,} bytes and 12 headers: "
        f"{cost:.1f} MiB of resident memory (the queue counts {stats.queue_bytes / 2**20:.1f} MiB for "
        f"{stats.queue_records:,}); target at most {TARGET_MIB:g} MiB: {verdict(cost <= TARGET_MIB)}"
    )
    return cost <= TARGET_MIB


def verdict(is_met: bool) -> str:
    """Return it as a word."""
    return "met" if is_met else "MISSED"


def resident_mib() -> float:
    """Return the resident memory of this process in MiB, after all garbage is gone."""
    gc.collect()
    return read_resident_mib()


def read_resident_mib() -> float:
    """Return the resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        be_child(sys.argv[2])
    else:
        sys.exit(main())
