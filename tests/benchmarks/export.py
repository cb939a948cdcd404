"""How fast records are stored, beside a bare ``insert_many``: ``python -m tests.benchmarks.export``.

Both store equal documents into equal collections of one server, in turns, BSON encoding included. The
exit status is 1 when the exporter stores less than 0.8 of what ``insert_many`` does in the same run.

Then the whole worker: how much it stores of what its own CPU, or that of the server, allows. And how
much of its speed is left behind a server that keeps each batch waiting: 0.8 is asked, because the next
batch is made meanwhile.
Then the indexes: what each costs a document, and what one of the same size and two fields costs.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import bson
from bson import ObjectId
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database

from flask_tracking import Exporter, Record, Settings
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.exporters.mongo.codec import to_document, utc_now
from flask_tracking.exporters.mongo.collection import ensure_collections
from flask_tracking.pipeline.batch import BatchWorker
from flask_tracking.storable import CODEC
from tests.benchmarks.mix import describe, make_mix, multiply
from tests.captures import make_capture
from tests.servers import MongoServer, mongo_server

Document = dict[str, Any]

TARGET = 0.8
WAIT = 0.6
"""How long the server waits, as a share of the CPU with which a batch is made and encoded."""
SIZE_BYTES = 2**30
INDEX_BATCH = 500
FLUSH_TIMEOUT_S = 120.0
FAILURES = {"status_code": {"$gte": 500}}
INDEXES: dict[str, tuple[Any, Document]] = {
    "date_created": ("date_created", {}),
    "date_stored": ("date_stored", {}),
    "failures, partial": (
        [("status_code", 1), ("date_created", 1)],
        {"partialFilterExpression": FAILURES},
    ),
    "user_id (an example)": ("user_id", {}),
}
"""What is measured one by one: ours, and one that an app may wish for."""


def make_batches(mix: Sequence[Record], records: int, batch: int) -> list[list[Record]]:
    """Return batches of new records, ready to be stored."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    return list(multiply(mix, records, now, timedelta(milliseconds=1), batch))


def to_documents(records: Sequence[Record]) -> list[Document]:
    """Return what the exporter makes of them, with ids of their own."""
    return [to_document(dataclasses.replace(one, id=ObjectId()), utc_now()) for one in records]


def time_all(work: Callable[[Any], object], batches: Sequence[Any]) -> tuple[float, float]:
    """Return the seconds that all batches take, and the CPU of this thread for them."""
    began, cpu_began = time.perf_counter(), time.thread_time()
    for batch in batches:
        work(batch)
    return time.perf_counter() - began, time.thread_time() - cpu_began


class Bare:
    """`insert_many` into the collections that the exporter writes to."""

    def __init__(self, database: Database[Document], settings: Settings) -> None:
        ensure_collections(database, settings)
        concern = WriteConcern(j=True)
        names = (settings.collection, settings.kept_collection)
        self._all, self._kept = (
            database[name].with_options(CODEC, write_concern=concern) for name in names
        )

    def store(self, documents: list[Document]) -> None:
        """Insert a batch, its kept documents twice, as the exporter does."""
        kept = [one for one in documents if one.get("kept")]
        if kept:
            self._kept.insert_many(kept, ordered=False)
        self._all.insert_many(documents, ordered=False)


def compare(uri: str, mix: Sequence[Record], rounds: int, records: int, batch: int) -> bool:
    """Print what the exporter and `insert_many` store a second; tell whether the target is met."""
    ours = Settings(mongodb_uri=f"{uri}ours", table_size_bytes=SIZE_BYTES)
    exporter = MongoExporter(ours)
    exporter.open()
    client: MongoClient[Document] = MongoClient(uri)
    bare = Bare(client["bare"], ours)
    ratios, rates = [], []
    for number in range(rounds + 1):
        batches = make_batches(mix, records, batch)
        documents = [to_documents(one) for one in batches]
        turns: list[tuple[Callable[[Any], object], Sequence[Any]]]
        turns = [(exporter.export, batches), (bare.store, documents)]
        if number % 2:
            turns.reverse()
        taken = {work: time_all(work, given) for work, given in turns}
        if number:  # the first round warms up
            (ours_s, cpu_s), (bare_s, _) = taken[exporter.export], taken[bare.store]
            ratios.append(bare_s / ours_s)
            rates.append((records / ours_s, records / bare_s, cpu_s / records * 1e6))
    exporter.close()
    client.close()
    per_s, bare_per_s, cpu_us = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(ratios)
    verdict = "met" if ratio >= TARGET else "MISSED"
    print(f"\nbatches of {batch}, medians of {rounds} rounds of {records:,} records")
    print(f"insert_many      {bare_per_s:8,.0f} records per second")
    print(f"exporter.export  {per_s:8,.0f}, {cpu_us:.0f} µs of CPU here for each")
    print(f"ratio {min(ratios):.2f}  {ratio:.2f}  {max(ratios):.2f}   target {TARGET}: {verdict}")
    return ratio >= TARGET


class Waiting(Exporter):
    """Encodes as the exporter for MongoDB does, and then waits for a server that is not there."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s

    def _store(self, records: Sequence[Record]) -> int:
        for record in records:
            bson.encode(to_document(record, utc_now()), codec_options=CODEC)
        time.sleep(self._wait_s)
        return 0


def run_worker(server: MongoServer, rounds: int, records: int) -> None:
    """Print what the worker's thread stores a second of captures that wait, and what CPU allows."""
    settings = Settings(mongodb_uri=f"{server.uri}worker", table_size_bytes=SIZE_BYTES)
    rates = []
    for _ in range(rounds):
        server_began = server.cpu_s
        took_s, cpu_s = time_worker(MongoExporter(settings), settings, records)
        server_s = max(server.cpu_s - server_began, 1e-9)
        rates.append((records / took_s, records / cpu_s, records / server_s))
    per_s, allowed, served = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(one / min(others) for one, *others in rates)
    print(f"\nworker           {per_s:8,.0f} records per second")
    print(f"its CPU allows   {allowed:8,.0f}, that of the server {served:,.0f}; ratio {ratio:.2f}")


def keep_worker_waiting(rounds: int, records: int) -> bool:
    """Print how much of its speed the worker keeps; tell whether the target is met.

    The quickest rounds are compared, because what else runs on the machine only makes them slower.
    """
    swift_s, slow_s = [], []
    for _ in range(rounds):
        took_s, cpu_s = time_worker(Waiting(0.0), Settings(), records)
        swift_s.append(took_s)
        wait_s = WAIT * cpu_s / records * Settings().batch_records
        slow_s.append(time_worker(Waiting(wait_s), Settings(), records)[0])
    share = min(swift_s) / min(slow_s)
    verdict = "met" if share >= TARGET else "MISSED"
    print(f"\nbehind a server that waits {WAIT:.0%} of the CPU that a batch takes")
    print(f"{records / min(slow_s):,.0f} of {records / min(swift_s):,.0f} records per second")
    print(f"share {share:.2f}   target {TARGET}: {verdict}")
    return share >= TARGET


def time_worker(exporter: Exporter, settings: Settings, records: int) -> tuple[float, float]:
    """Return the seconds that a worker takes for captures that wait, and its CPU for them."""
    settings = dataclasses.replace(
        settings, queue_records=records + 1, queue_bytes=2**30, rollup_days=0
    )
    captures = [make_capture(response_chunks=(b"x" * 1500,)) for _ in range(records)]
    worker = BatchWorker(settings, exporter)
    worker.prepare()
    began, cpu_began = time.perf_counter(), time.process_time()
    for capture in captures:
        worker.submit(capture)
    worker.flush(FLUSH_TIMEOUT_S)
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    if worker.stats.exported != records:
        raise SystemExit(f"{worker.stats.exported:,} of {records:,} records were stored")
    worker.close(FLUSH_TIMEOUT_S)
    return took_s, cpu_s


def show_indexes(server: MongoServer, mix: Sequence[Record], rounds: int, records: int) -> None:
    """Print what a document costs without indexes and with each of them."""
    client: MongoClient[Document] = MongoClient(server.uri)
    kinds: dict[str, Document] = {"capped": {"capped": True, "size": SIZE_BYTES}, "ordinary": {}}
    costs: dict[tuple[str, str], list[Cost]] = {}
    for _ in range(rounds):  # in turns: the machine may be busy with something else for a while
        for name, indexes, is_flat in _variants():
            for kind, options in kinds.items():
                collection = _make_collection(client, options, indexes)
                batches = _make_documents(mix, records, is_flat=is_flat)
                cost = _time_inserts(server, collection, batches, records)
                costs.setdefault((name, kind), []).append(cost)
    client.close()
    print(f"\n{'µs per document: wall, server CPU':36}{'capped':>14}{'ordinary':>14}")
    for name, _, _ in _variants():
        cells = [_format_costs(costs[name, kind]) for kind in kinds]
        print(f"{name:36}{cells[0]:>14}{cells[1]:>14}")


class Cost(NamedTuple):
    """What a document takes, in microseconds."""

    wall_us: float
    server_us: float
    """CPU of the server."""


def _format_costs(costs: Sequence[Cost]) -> str:
    wall, server = (statistics.median(column) for column in zip(*costs, strict=True))
    return f"{wall:.0f}, {server:.0f}"


def _variants() -> Iterator[tuple[str, list[str], bool]]:
    yield "two fields of that size", [], True
    yield "no index but _id", [], False
    for name in INDEXES:
        yield f"  and {name}", [name], False
    yield "all of flask-tracking's", list(INDEXES)[:3], False


def _make_collection(
    client: MongoClient[Document], options: Document, indexes: Sequence[str]
) -> Collection[Document]:
    client.drop_database("indexes")
    collection = client["indexes"].create_collection("tracking", **options)
    for name in indexes:
        keys, more = INDEXES[name]
        collection.create_index(keys, **more)
    return collection.with_options(CODEC, write_concern=WriteConcern(j=True))


def _make_documents(mix: Sequence[Record], records: int, *, is_flat: bool) -> list[list[Document]]:
    batches = [to_documents(one) for one in make_batches(mix, records, INDEX_BATCH)]
    if not is_flat:
        return batches
    text = "x" * 2200
    return [[{"_id": one["_id"], "text": text} for one in documents] for documents in batches]


def _time_inserts(
    server: MongoServer,
    collection: Collection[Document],
    batches: Sequence[list[Document]],
    records: int,
) -> Cost:
    cpu_began = server.cpu_s
    took_s, _ = time_all(lambda one: collection.insert_many(one, ordered=False), batches)
    return Cost(took_s / records * 1e6, (server.cpu_s - cpu_began) / records * 1e6)


def main() -> int:
    """Measure, print the tables, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=5000, help="in each round")
    parser.add_argument("--batches", type=int, nargs="+", default=[100, 500])
    arguments = parser.parse_args()
    mix = make_mix()
    print(describe(mix))
    with mongo_server() as server:
        verdicts = [
            compare(server.uri, mix, arguments.rounds, arguments.records, batch)
            for batch in arguments.batches
        ]
        run_worker(server, arguments.rounds, arguments.records)
        verdicts.append(keep_worker_waiting(arguments.rounds, arguments.records))
        show_indexes(server, mix, arguments.rounds, arguments.records)
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
