"""What rollups cost: CPU for each request, memory of all widths, and the time to read a month of them.

    python -m tests.benchmarks.rollups [--uri mongodb://127.0.0.1:27017/]

Without a URI a server is started.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import bson
from pymongo import MongoClient

from flask_tracking import Filter, Settings, queries
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.exporters.rollup_table import RollupQuery, align
from flask_tracking.pipeline.counters import Counters
from flask_tracking.pipeline.judged import Judged, judge
from flask_tracking.pipeline.minute_rollups import MinuteRollups
from flask_tracking.pipeline.rollup_delivery import INTERVAL_S, RollupDelivery
from flask_tracking.pipeline.rules import Rules
from flask_tracking.rollups.codec import rollup_to_dict
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Example, FailureKey, Failures, Rollup, RouteKey, merge
from flask_tracking.rollups.widths import Width, make_widths
from tests.captures import make_capture
from tests.servers import mongo_server

PROCESSES = 8
ROUTES = 50
PER_MINUTE = 20
"""Requests of a busy route in a minute of one process."""
RATE = 200
"""Requests per second of one process, for what writing costs each."""
DAYS = 400
NOW = datetime.now(timezone.utc)
GETS = Filter.parse("method:get")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uri", help="of a MongoDB, without a database")
    uri = parser.parse_args().uri
    if uri is not None:
        run(uri)
        return
    with mongo_server() as server:
        run(server.uri)


def run(uri: str) -> None:
    """Measure against one server, and leave nothing there."""
    name = f"rollups_{uuid.uuid4().hex[:8]}"
    store = MongoExporter(Settings(mongodb_uri=f"{uri}{name}", export_timeout_s=60.0))
    try:
        show_cost(store)
        show_size()
        show_reading(store)
    finally:
        store.close()
        client: MongoClient[dict[str, Any]] = MongoClient(uri)
        with client:
            client.drop_database(name)


# CPU


def show_cost(store: MongoExporter) -> None:
    """Print what a request costs the worker: counting it, and its share of writing the minute."""
    judged = list(make_judged(RATE * int(INTERVAL_S)))
    counting, writing = [], []
    for _ in range(10):
        counters = Counters(rollups=MinuteRollups("1.0"))
        assert store.rollups is not None and counters.rollups is not None
        delivery = RollupDelivery(store.rollups, counters, counters.rollups)
        began = time.thread_time()
        counters.add_to_rollups(judged)
        counted = time.thread_time()
        delivery.tend(is_forced=True)
        counting.append((counted - began) / len(judged) * 1e6)
        writing.append((time.thread_time() - counted) / len(judged) * 1e6)
    print(f"worker, µs of CPU per request, {ROUTES} routes")
    print(f"  counting                                   {statistics.median(counting):6.2f}")
    print(f"  writing, at {RATE} requests per second        {statistics.median(writing):6.2f}")
    print("request thread: nothing of it\n")


def make_judged(count: int) -> Iterator[Judged]:
    """Yield judged captures of the busy routes."""
    chance = random.Random(1)
    rules = Rules(Settings())
    for number in range(count):
        capture = make_capture(
            url_rule=f"/api/things/{number % ROUTES}/<int:id>",
            duration_ns=int(chance.lognormvariate(16, 0.8)),
            status="500 X" if number % 100 == 0 else "200 OK",
        )
        yield judge(rules.judge, capture)


# Bytes


def make_rollup(chance: random.Random, width_s: int, start: datetime, source: str) -> Rollup:
    """Make a rollup of the busy routes, whose durations spread as those of real routes do."""
    rollup = Rollup(width_s=width_s, start=start, source=source, version="1.0")
    processes = 1 if width_s == 60 else PROCESSES
    requests = PER_MINUTE * width_s // 60 * processes
    for number in range(ROUTES):
        counts = rollup.routes[RouteKey(f"/api/things/{number}/<int:id>", "GET")] = Counts()
        # Past a thousand the histogram has nearly all the buckets that it will ever have.
        for _ in range(min(requests, 1000)):
            duration_ms = chance.lognormvariate(2 + number / 25, 0.7)
            counts.add_request(chance.choice([200, 200, 404, 500]), False, duration_ms, 100, 2000)
        weight = max(1, requests // 1000)
        counts.buckets = {bucket: count * weight for bucket, count in counts.buckets.items()}
        counts.statuses = {status: count * weight for status, count in counts.statuses.items()}
    for number in range(10):
        key = FailureKey("shop.OutOfStock", "shop/views.py", f"order_{number}", f"/api/{number}")
        rollup.failures[key] = Failures(3, Example(True, bson.ObjectId()))
    rollup.examples = {octave: Example(False, bson.ObjectId()) for octave in range(30)}
    rollup.stored, rollup.dropped = requests * ROUTES, Counter({"queue_full": 3})
    return rollup


def count_rollups(width: Width) -> int:
    """Return how many of a width are there at a time."""
    spans = int(width.lifetime.total_seconds()) // width.seconds
    return spans * (PROCESSES if width.seconds == 60 else 1)


def show_size() -> None:
    """Print the BSON of all rollups of a busy service."""
    chance = random.Random(2)
    total = 0
    print(f"{PROCESSES} processes, {ROUTES} busy routes    rollups   bytes each      MB")
    for width in make_widths(DAYS):
        sizes = [
            len(bson.encode(rollup_to_dict(make_rollup(chance, width.seconds, NOW, "host:1:ff"))))
            for _ in range(5)
        ]
        size, count = int(statistics.mean(sizes)), count_rollups(width)
        total += size * count
        megabytes = size * count / 1e6
        print(f"  of {width.seconds:6} s                     {count:8,} {size:12,} {megabytes:7.1f}")
    print(f"  all                                                   {total / 1e6:7.1f}\n")


# Reading


def show_reading(store: MongoExporter) -> None:
    """Print the time of queries over a month of rollups, and the bytes that they read."""
    fill(store)
    questions: dict[str, Callable[[], queries.Statistics]] = {
        "percentiles of 1 hour by route": lambda: queries.measure(store, by="route", since="1h"),
        "percentiles of 24 hours by route": lambda: queries.measure(store, by="route", since="24h"),
        "percentiles of 30 days by route": lambda: queries.measure(store, by="route", since="30d"),
        "percentiles of 30 days by version": lambda: queries.measure(store, by="version", since="30d"),
        "one method over 30 days": lambda: queries.measure(
            store, Filter.parse("method:get"), since="30d"
        ),
    }
    print("reading                                   ms   requests")
    for name, ask in questions.items():
        took = []
        for _ in range(5):
            began = time.perf_counter()
            found = ask()
            took.append((time.perf_counter() - began) * 1000)
        print(f"  {name:36}{statistics.median(took):6.0f} {found.total.requests:10,}")
    read = sum(
        len(bson.encode(rollup_to_dict(one))) for one in find_read(store, NOW - timedelta(days=30))
    )
    print(f"  bytes read for 30 days by route: {read / 1e6:.1f} MB")


def find_read(store: MongoExporter, since: datetime) -> Iterator[Rollup]:
    """Yield what a query reads."""
    table = store.rollups
    assert table is not None
    for span in queries.spans.choose_spans(table, since, NOW, NOW):
        yield from table.find(RollupQuery(span.width_s, span.since, span.until))


def fill(store: MongoExporter) -> None:
    """Store all widths as they are after a month, each marked as merged into the next."""
    chance = random.Random(3)
    table = store.rollups
    assert table is not None
    coarser_starts = [align(NOW, width.seconds) for width in table.widths[1:]] + [NOW]
    for width, coarser_start in zip(table.widths, coarser_starts, strict=True):
        sources = range(PROCESSES) if width.seconds == 60 else [0]
        patterns = [make_rollup(chance, width.seconds, NOW, "") for _ in range(3)]
        start = align(NOW, width.seconds)
        if width.seconds > 60:
            start -= timedelta(seconds=width.seconds)
        while start > NOW - min(width.lifetime, timedelta(days=35)):
            rollups = []
            for source in sources:
                pattern = chance.choice(patterns)
                one = merge(
                    [pattern], width_s=width.seconds, start=start, source=str(source), version="1.0"
                )
                one.etag = bson.ObjectId()
                one.is_merged = start < coarser_start
                rollups.append(one)
            store_as_they_are(store, rollups)
            start -= timedelta(seconds=width.seconds)


def store_as_they_are(store: MongoExporter, rollups: list[Rollup]) -> None:
    """Store rollups with their marks."""
    store.rollup_collection().insert_many(map(rollup_to_dict, rollups))


if __name__ == "__main__":
    main()
