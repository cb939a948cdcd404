"""What a worker's memory does while its database is away: ``python -m tests.benchmarks.outage``.

One process gets requests at a steady rate and has a spool of the default size; its database refuses
connections. Prints by how much the resident memory grows. The exit status is 1 past the target.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time

from flask import Flask, request

from flask_tracking import Tracking
from flask_tracking.config import Settings

from ..servers import free_port
from .memory import read_resident_mib, resident_mib, verdict
from .traffic import BODY, Client

TARGET_MIB = 2 * Settings().queue_bytes / 2**20
WARM_UP = 1000
CLOSE_S = 60.0
LOOK_EVERY = 250


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description="Measure a worker's memory during an outage.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=500.0, help="requests per second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flask-tracking-") as spool:
        app = Flask("shop")
        app.config.update(
            TRACKING_MONGODB_URI=f"mongodb://127.0.0.1:{free_port()}/shop", TRACKING_SPOOL_DIR=spool
        )
        tracking = Tracking(app)
        app.add_url_rule(
            "/<path:path>", "view", lambda path: str(len(request.get_data())), methods=["POST"]
        )
        client = Client(app)
        for _ in range(WARM_UP):
            client.send("POST", BODY)
        before = resident_mib()
        most, took_s = send(client, options.seconds, options.rate)
        stats = tracking.stats
        tracking.close(CLOSE_S)
    cost = most - before
    print(
        f"{stats.received:,} requests in {took_s:.0f} s of an outage, {stats.spooled:,} spooled, lost "
        f"{stats.dropped}: at most {cost:.1f} MiB of resident memory beyond the {before:.1f} before; "
        f"target at most {TARGET_MIB:g} MiB: {verdict(cost <= TARGET_MIB)}"
    )
    return 0 if cost <= TARGET_MIB else 1


def send(client: Client, seconds: float, rate: float) -> tuple[float, float]:
    """Send requests; return the greatest memory that was seen, and how long it took."""
    most, began = 0.0, time.monotonic()
    for number in range(int(seconds * rate)):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        client.send("POST", BODY)
        if number % LOOK_EVERY == 0:  # without collecting garbage, which a worker does not do either
            most = max(most, read_resident_mib())
    return max(most, read_resident_mib()), time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
