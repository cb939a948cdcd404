"""What 10,000 waiting records cost in memory: ``python tests/benchmarks/memory.py``.

The store hangs, so that every record stays in the queue. The exit status is 1 past the target.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for those who run this file by its path

from flask import Flask, request

from flask_tracking import MemoryExporter, Record, Tracking
from tests.benchmarks.traffic import Client

RECORDS = 10_000
BODY = b'{"note": "' + b"x" * 1012 + b'"}'
"""1 kB of JSON."""
TARGET_MIB = 64.0


class HangingExporter(MemoryExporter):
    """Answers nothing, like a database behind a broken network."""

    def _store(self, records: Sequence[Record]) -> int:
        threading.Event().wait()
        return 0


def main() -> int:
    """Queue the records, print what they cost, and return the exit status."""
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
    verdict = "met" if cost <= TARGET_MIB else "MISSED"
    print(
        f"{RECORDS:,} queued records with a body of {len(BODY):,} bytes and 12 headers: "
        f"{cost:.1f} MiB of resident memory (the queue counts {stats.queue_bytes / 2**20:.1f} MiB for "
        f"{stats.queue_records:,}); target at most {TARGET_MIB:g} MiB: {verdict}"
    )
    return 0 if cost <= TARGET_MIB else 1


def resident_mib() -> float:
    """Return the resident memory of this process in MiB, after all garbage is gone."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main())
