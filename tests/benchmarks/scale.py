"""Whether storing costs the same with more writers: ``python -m tests.benchmarks.scale``.

Processes export ready records of the demo's mix into one server, each over a client of its own, for a
few seconds: 1, 2, 4 and 8 of them. The arithmetic of the scaling page says that a record takes the same
CPU of the server and the same bytes however many write; on one machine the records per second grow
until its cores are busy. The exit status is 1 when a record takes half as much again with most writers.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from multiprocessing.synchronize import Barrier
from typing import Any, NamedTuple

from pymongo import MongoClient

from flask_tracking import Record, Settings
from flask_tracking.exporters.mongo import MongoExporter
from tests.benchmarks.mix import describe, make_mix, multiply
from tests.servers import MongoServer, mongo_server

TOLERANCE = 1.5
BATCH = 100
START_TIMEOUT_S = 120.0


class Step(NamedTuple):
    """What so many writers did."""

    writers: int
    per_second: float
    server_us: float
    """CPU of the server for each record."""
    writer_us: float
    """CPU of the writers for each record."""
    record_bytes: float
    index_bytes: float
    """Of each record."""


def write(uri: str, mix: Sequence[Record], duration_s: float, barrier: Barrier, results: Any) -> None:
    """Export batches for a time, in a process of one's own; puts records and seconds of CPU."""
    exporter = MongoExporter(_settings(uri))
    exporter.open()
    barrier.wait(START_TIMEOUT_S)
    records, spent_s, began = 0, 0.0, time.perf_counter()
    while time.perf_counter() - began < duration_s:
        now = datetime.now(timezone.utc).replace(microsecond=0)
        (batch,) = multiply(mix, BATCH, now, timedelta(milliseconds=1), BATCH)
        cpu_began = time.process_time()
        exporter.export(batch)
        spent_s += time.process_time() - cpu_began
        records += BATCH
    barrier.wait(START_TIMEOUT_S)
    results.put((records, spent_s))
    exporter.close()


def _settings(uri: str) -> Settings:
    return Settings(
        mongodb_uri=uri, retention="ttl", kept_size_bytes=0, export_timeout_s=START_TIMEOUT_S
    )


def run(server: MongoServer, mix: Sequence[Record], writers: int, duration_s: float) -> Step:
    """Let so many processes write, and return what that took."""
    uri = f"{server.uri}scale{writers}"
    MongoExporter(_settings(uri)).prepare()
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(writers + 1), context.Queue()
    processes = [
        context.Process(target=write, args=(uri, mix, duration_s, barrier, results), daemon=True)
        for _ in range(writers)
    ]
    for process in processes:
        process.start()
    barrier.wait(START_TIMEOUT_S)
    cpu_began, began = server.cpu_s, time.perf_counter()
    barrier.wait(START_TIMEOUT_S)
    cpu_s, took_s = server.cpu_s - cpu_began, time.perf_counter() - began
    stored = [results.get(timeout=START_TIMEOUT_S) for _ in processes]
    for process in processes:
        process.join(START_TIMEOUT_S)
    records, spent_s = (sum(column) for column in zip(*stored, strict=True))
    client: MongoClient[dict[str, Any]] = MongoClient(uri)
    stats = client.get_default_database().command("collStats", "tracking")
    client.close()
    if stats["count"] != records:
        raise SystemExit(f"{records:,} records were exported, {stats['count']:,} are stored")
    return Step(
        writers,
        records / took_s,
        cpu_s / records * 1e6,
        spent_s / records * 1e6,
        stats["size"] / records,
        stats["totalIndexSize"] / records,
    )


def main() -> int:
    """Measure, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    mix = make_mix()
    print(f"{describe(mix)}; {os.cpu_count()} cores; batches of {BATCH}, expiring, three indexes")
    titles = "".join(f"{one:>11}" for one in ("records/s", "server µs", "writer µs"))
    print(f"{'writers':>8}{titles}{'bytes':>8}{'of index':>10}")
    steps = []
    with mongo_server() as server:
        for writers in arguments.writers:
            step = run(server, mix, writers, arguments.seconds)
            steps.append(step)
            costs = f"{step.server_us:11.0f}{step.writer_us:11.0f}"
            sizes = f"{step.record_bytes:8.0f}{step.index_bytes:10.0f}"
            print(f"{step.writers:8}{step.per_second:11,.0f}{costs}{sizes}", flush=True)
    slope = steps[-1].server_us / steps[0].server_us if steps[0].server_us else 1.0
    verdict = "met" if slope <= TOLERANCE else "MISSED"
    print(f"server µs per record, most writers to fewest: {slope:.2f}   target {TOLERANCE}: {verdict}")
    return 0 if slope <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
