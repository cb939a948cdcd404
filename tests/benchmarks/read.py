"""How long queries take among 250,000 records of the demo's mix: ``python -m tests.benchmarks.read``.

Each query is asked as the commands ask it, over a client of its own, at the moment of the last record:
storing takes minutes, and a search would begin with a gap as long. The table shows the median of the
whole call and of the CPU that this process and the server used, the time that the server says its
commands took, how many these were, and the plans that it explains. The exit status is 1 when a query
with a selective index takes longer than the target, or when its plan is a scan of the collection. On a
machine that is busy with something else the CPU must keep within the target.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from pymongo import MongoClient, WriteConcern, monitoring
from pymongo.database import Database
from pymongo.errors import PyMongoError

from flask_tracking import Filter, Record, Settings
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.exporters.mongo.codec import to_document
from flask_tracking.exporters.mongo.collection import create, plan_collections
from flask_tracking.queries import find_newest
from flask_tracking.storable import CODEC
from tests.benchmarks.mix import describe, make_mix, multiply
from tests.servers import MongoServer, mongo_server

Document = dict[str, Any]

TARGET_MS = 300.0
PERIOD = timedelta(days=1)
"""The records arrive evenly over so long, the last one now."""
BATCH = 1000
RETENTION = "ttl"
"""The same reads as with ``capped``. SecantusDB reads a whole capped collection at each insert."""
ROOMY = ("--cache-size", "8G")
"""MongoDB takes half of the machine's memory by default; SecantusDB 1 GB."""
LIMIT = 50


class Query(NamedTuple):
    """One question, as a command asks it."""

    name: str
    text: str
    """The filter."""
    limit: int = LIMIT
    is_selective: bool = True
    """Whether an index leads to what is wanted, and to little else."""


def make_queries(now: datetime) -> list[Query]:
    """Return what is asked."""
    noon = now - PERIOD / 2
    window = f"since:{noon:%Y-%m-%dT%H:%M} until:{noon + timedelta(minutes=5):%Y-%m-%dT%H:%M}"
    return [
        Query("list --limit 50", ""),
        Query("--status 5xx", "status:5xx"),
        Query("--user ada", "user:ada"),
        Query("a 5-minute window, all of it", window, 10_000),
        Query("--user nobody", "user:nobody", is_selective=False),
        Query("--path '*guide*'", "path:*guide*", is_selective=False),
    ]


class Heard(monitoring.CommandListener):
    """Notes the commands that read, and how long the server takes for them."""

    def __init__(self) -> None:
        self.commands: list[Mapping[str, Any]] = []
        self.server_ms = 0.0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Note a command."""
        if event.command_name in ("find", "aggregate"):
            self.commands.append(event.command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Add up what commands took, and to fetch what they found."""
        if event.command_name in ("find", "aggregate", "getMore"):
            self.server_ms += event.duration_micros / 1000

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Say nothing: the query itself fails."""

    def clear(self) -> None:
        """Begin anew."""
        self.commands, self.server_ms = [], 0.0


def store(uri: str, settings: Settings, mix: Sequence[Record], records: int, now: datetime) -> None:
    """Fill the collections, then create the indexes: that takes less than the other way round."""
    client: MongoClient[Document] = MongoClient(uri)
    database = client.get_default_database()
    for plan in plan_collections(settings):
        create(database, plan)
    concern = WriteConcern(w=1)
    everything = database[settings.collection].with_options(CODEC, write_concern=concern)
    kept = database[settings.kept_collection].with_options(CODEC, write_concern=concern)
    for batch in multiply(mix, records, now - PERIOD, PERIOD / records, BATCH):
        documents = [to_document(one, one.date_created) for one in batch]
        everything.insert_many(documents, ordered=False)
        kept.insert_many([one for one in documents if one.get("kept")], ordered=False)
    client.close()


def explain(database: Database[Document], commands: Sequence[Mapping[str, Any]]) -> str:
    """Return the stages that the server plans for commands, each once."""
    plans = []
    for command in commands:
        known = {key: value for key, value in command.items() if not key.startswith(("$", "lsid"))}
        known.pop("maxTimeMS", None)
        try:
            answer = database.command({"explain": known, "verbosity": "queryPlanner"})
        except PyMongoError as error:
            plans.append(type(error).__name__)
            continue
        plans.append(" < ".join(_stages(answer["queryPlanner"]["winningPlan"])))
    return "; ".join(sorted(set(plans)))


def _stages(plan: Mapping[str, Any]) -> Iterator[str]:
    yield str(plan.get("indexName") or plan.get("stage"))
    if "inputStage" in plan:
        yield from _stages(plan["inputStage"])


class Took(NamedTuple):
    """What one call took, in milliseconds."""

    wall_ms: float
    cpu_ms: float
    """Of this process and the server."""
    server_ms: float
    """As the server says."""

    @property
    def is_fast(self) -> bool:
        """Whether the target is met, but for the time in which others had the processor."""
        return min(self.wall_ms, self.cpu_ms) <= TARGET_MS


def ask(
    exporter: MongoExporter, heard: Heard, server: MongoServer, query: Query, now: datetime, rounds: int
) -> tuple[int, Took]:
    """Return how many are found, and the medians."""
    wanted = Filter.parse(query.text)
    taken = []
    for _ in range(rounds):
        heard.clear()
        began, cpu_began = time.perf_counter(), time.process_time() + server.cpu_s
        found = find_newest(exporter, wanted, query.limit, now=now, fields="summary")
        wall_s = time.perf_counter() - began
        cpu_s = time.process_time() + server.cpu_s - cpu_began
        taken.append(Took(wall_s * 1000, cpu_s * 1000, heard.server_ms))
    return len(found), Took(*(statistics.median(column) for column in zip(*taken, strict=True)))


def measure(
    server: MongoServer, settings: Settings, now: datetime, rounds: int, say: Callable[[str], None]
) -> bool:
    """Ask everything, print the table, and tell whether all targets are met."""
    heard = Heard()
    monitoring.register(heard)
    exporter = MongoExporter(settings)
    began = time.perf_counter()
    exporter.open()
    say(f"indexes and connection: {time.perf_counter() - began:.1f} s")
    client: MongoClient[Document] = MongoClient(settings.mongodb_uri)
    is_met = True
    # SecantusDB says COLLSCAN where it reads the range of the first field: its time tells.
    judges_plans = "secantusVersion" not in client.admin.command("buildInfo")
    say(f"\n{'query':32}{'found':>8}{'ms':>8}{'CPU':>8}{'server':>8}{'commands':>10}  target  plans")
    for query in make_queries(now):
        found, took = ask(exporter, heard, server, query, now, rounds)
        plans = explain(client.get_default_database(), heard.commands)
        is_scan = judges_plans and "COLLSCAN" in plans
        is_good = not query.is_selective or (took.is_fast and not is_scan)
        is_met &= is_good
        verdict = ("met" if is_good else "MISSED") if query.is_selective else "-"
        line = f"{query.name:32}{found:8,}" + "".join(f"{one:8.0f}" for one in took)
        say(f"{line}{len(heard.commands):10}  {verdict:6}  {plans}")
    client.close()
    exporter.close()
    return is_met


def main() -> int:
    """Store, ask, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=250_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    mix = make_mix()
    print(describe(mix))
    now = datetime.now(timezone.utc).replace(microsecond=0)
    with mongo_server(*ROOMY) as server:
        uri = f"{server.uri}read"
        settings = Settings(
            mongodb_uri=uri, retention=RETENTION, kept_size_bytes=2**28, export_timeout_s=1800.0
        )
        began = time.perf_counter()
        store(uri, settings, mix, arguments.records, now)
        print(
            f"{arguments.records:,} records stored in {time.perf_counter() - began:.0f} s", flush=True
        )
        is_met = measure(server, settings, now, arguments.rounds, print)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
