"""How ``tail`` keeps up with 1,000 records a second: ``python tests/benchmarks/tail.py``.

A process of its own stores them in batches, as workers do, and the command follows them. The delay of a
record is the time from its insertion to its line. The exit status is 1 if a record is missing, or if
the median delay of the last second is beyond the target: then the command fell behind.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from threading import Timer

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for those who run this file by its path

from flask_tracking import Settings
from flask_tracking.exporters.mongo import MongoExporter
from tests.captures import make_record
from tests.servers import ROOT, MongoServer, mongo_server

BATCHES_PER_S = 10
TARGETS_S = {"mongod": 0.3, "secantusd-py": 1.0}
"""The delay of a record, by the kind of server."""
PATIENCE = 10
"""Times the seconds in which the records are stored: after that, missing ones are lost."""
TAIL = [sys.executable, "-m", "flask", "--app", "tests.benchmarks.commands_app", "tracking", "tail"]

Stored = SimpleQueue["dict[str, float]"]
"""Passes on when each record was stored, by its id."""


def store_records(uri: str, rate: int, seconds: int, stored: Stored) -> None:
    """Store records evenly."""
    exporter = MongoExporter(Settings(mongodb_uri=uri))
    batches = [
        [make_record(path=f"/orders/{at}") for at in range(rate // BATCHES_PER_S)]
        for _ in range(seconds * BATCHES_PER_S)
    ]
    times: dict[str, float] = {}
    began = time.monotonic()
    for number, batch in enumerate(batches):
        time.sleep(max(0.0, began + number / BATCHES_PER_S - time.monotonic()))
        exporter.export(batch)
        times |= dict.fromkeys((str(record.id) for record in batch), time.time())
    exporter.close()
    stored.put(times)


def follow(uri: str, rate: int, seconds: int) -> list[tuple[float, float]]:
    """Return when each record was stored, and its delay, in seconds; a lost one has an infinite one."""
    spawned = multiprocessing.get_context("spawn")
    stored: Stored = spawned.SimpleQueue()
    storing = spawned.Process(target=store_records, args=(uri, rate, seconds, stored))
    environ = {**os.environ, "TRACKING_MONGODB_URI": uri, "PYTHONPATH": str(ROOT)}
    command = [*TAIL, "--json"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as tail:
        assert tail.stdout is not None and tail.stderr is not None
        assert tail.stderr.readline().startswith("Waiting for records")
        storing.start()
        given_up = Timer(PATIENCE * seconds, tail.kill)
        given_up.start()
        printed: dict[str, float] = {}
        for line in tail.stdout:
            printed[json.loads(line)["id"]] = time.time()
            if len(printed) == rate * seconds:
                break
        given_up.cancel()
        tail.terminate()
    times = stored.get()
    storing.join()
    return sorted((at, printed.get(one, math.inf) - at) for one, at in times.items())


def main() -> int:
    """Print the delays, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=1000, help="records a second")
    parser.add_argument("--seconds", type=int, default=10)
    given = parser.parse_args()
    with mongo_server() as server:
        found = follow(f"{server.uri}tail", given.rate, given.seconds)
    took_s = found[-1][0] - found[0][0]
    delays = [delay for _, delay in found]
    last = statistics.median(delays[-given.rate :])
    target_s = TARGETS_S[MongoServer.kind() or ""]
    lost = delays.count(math.inf)
    is_met = last <= target_s and not lost
    print(f"{len(found):,} records stored in {took_s:.1f} s, {lost:,} of them not printed by tail")
    print(f"delay     median {statistics.median(delays):.3f} s, longest {max(delays):.3f} s")
    print(f"at the end       {last:.3f} s   target {target_s:g}: {'met' if is_met else 'MISSED'}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
