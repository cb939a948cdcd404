"""What tracking costs a request, beside OpenTelemetry: ``python tests/benchmarks/overhead.py``.

Three variants of one app are called as WSGI callables: bare, tracked by us with all that is recorded in
production, and instrumented by OpenTelemetry with all headers captured (it records no bodies). Each
exports over a socket into another process: ours into MongoDB, OpenTelemetry into a sink that takes OTLP
over HTTP and throws it away. A variant runs in a fresh interpreter in every round, the rounds are
interleaved, and what counts is the ratio of what is added to bare within a round.

The exit status is 1 when records or spans are missing, and with ``--check`` when a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for those who run this file by its path

from pymongo import MongoClient

from tests.benchmarks import redaction, stages
from tests.benchmarks.report import format_load, format_table, format_verdict, make_rows
from tests.benchmarks.sink import span_sink, take_span_count
from tests.benchmarks.subject import Cost, Result
from tests.servers import MongoServer, mongo_server

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = ("bare", "ours", "otel")


class CountError(Exception):
    """What was exported is not what was sent."""


class Bench:
    """Runs variants against the servers that they export to."""

    def __init__(self, mongodb: str, sink: str, requests: int) -> None:
        self._mongodb = mongodb
        self._sink = sink
        self._requests = requests

    def run_round(self) -> dict[str, dict[str, Cost]]:
        """Measure every variant once.

        Raises:
            CountError: records or spans are missing.
        """
        costs: dict[str, dict[str, Cost]] = {}
        bare_us: dict[str, float] = {}
        for variant in VARIANTS:
            result = self._run_counted(variant, bare_us)
            costs[variant] = result.costs
            if variant == "bare":
                bare_us = {kind: cost.wall_us for kind, cost in result.costs.items()}
        return costs

    def _run_counted(self, variant: str, bare_us: Mapping[str, float]) -> Result:
        if variant == "bare":
            return self._run(variant, "", bare_us)
        if variant == "otel":
            result = self._run(variant, self._sink, bare_us)
            found = take_span_count(self._sink)
        else:
            with new_database(self._mongodb) as (uri, count_records):
                result = self._run(variant, uri, bare_us)
                found = count_records()
        if found != result.sent:
            raise CountError(f"{variant}: {result.sent} requests were sent and {found} recorded")
        return result

    def _run(self, variant: str, uri: str, bare_us: Mapping[str, float]) -> Result:
        command = [sys.executable, "-m", "tests.benchmarks.subject", variant, "--uri", uri]
        command += ["--requests", str(self._requests), "--bare-us", json.dumps(bare_us)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        measured = json.loads(done.stdout)
        costs = {kind: Cost(**cost) for kind, cost in measured["costs"].items()}
        return Result(costs, measured["sent"])


@contextlib.contextmanager
def new_database(mongodb: str) -> Iterator[tuple[str, Any]]:
    """Yield the URI of a new database, and a function that counts the records in it."""
    name = f"bench_{uuid.uuid4().hex[:12]}"
    client: MongoClient[dict[str, Any]] = MongoClient(mongodb)
    with client:
        try:
            yield mongodb + name, lambda: client[name]["tracking"].count_documents({})
        finally:
            client.drop_database(name)


@contextlib.contextmanager
def running_mongodb() -> Iterator[str]:
    """Yield the URI of ``TRACKING_TEST_MONGODB_URI``, else of a server started for this run."""
    uri = os.environ.get("TRACKING_TEST_MONGODB_URI")
    if uri:
        yield uri.rstrip("/") + "/"
        return
    with mongo_server() as server:
        yield server.uri


def compare(options: argparse.Namespace) -> int:
    """Run the rounds and print the table; return the exit status."""
    rounds = []
    with running_mongodb() as mongodb, span_sink() as sink:
        bench = Bench(mongodb, sink, options.requests)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            try:
                rounds.append(bench.run_round())
            except CountError as error:
                print(error, file=sys.stderr)
                return 1
        costs = measure_redaction(mongodb, max(8, options.rounds * options.requests // 1000))
    rows = make_rows(rounds)
    server = os.environ.get("TRACKING_TEST_MONGODB_URI") or MongoServer.kind()
    print(
        f"{options.rounds} rounds, {options.requests} requests each, Python {sys.version.split()[0]}, ",
        end="",
    )
    print(f"{os.cpu_count()} CPUs, records into {server}; all that was sent was found there.\n")
    print("\n".join(format_table(rows)))
    print("\n" + "\n".join(format_load(rounds)))
    print("\n" + format_verdict(rows) + "\n")
    print("\n".join(redaction.format_costs(costs)))
    is_met = all(row.is_met for row in rows) and all(cost.is_met for cost in costs)
    return 1 if options.check and not is_met else 0


def measure_redaction(mongodb: str, windows: int) -> list[redaction.Cost]:
    """Measure what redaction adds, in an interpreter of its own."""
    print("redaction", file=sys.stderr, flush=True)
    with new_database(mongodb) as (uri, _):
        command = [sys.executable, "-m", "tests.benchmarks.redaction", "--uri", uri]
        command += ["--windows", str(windows)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return redaction.make_costs(json.loads(done.stdout))


def main() -> int:
    """Read the options and do what they say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=5000, help="for each measurement")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1,000 requests")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--profile", action="store_true", help="show where our own time goes instead")
    parser.add_argument("--redaction", action="store_true", help="measure only what redaction adds")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.requests = 2, 1000
    if options.redaction:
        with running_mongodb() as mongodb:
            print("\n".join(redaction.format_costs(measure_redaction(mongodb, options.rounds * 5))))
        return 0
    if options.profile:
        with running_mongodb() as mongodb, new_database(mongodb) as (uri, _):
            stages.show(uri, options.requests)
        return 0
    return compare(options)


if __name__ == "__main__":
    sys.exit(main())
