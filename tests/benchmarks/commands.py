"""How long commands take among 60,000 records: ``python tests/benchmarks/commands.py``.

Each is a whole process, from its start to its end, in turns with an interpreter that does nothing and
with ``flask --help`` of the same app, which is what Flask and the app itself take. The exit status is 1
when the median of a list takes more of that than the target: milliseconds would tell the machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for those who run this file by its path

from bson import ObjectId

from flask_tracking import Settings
from flask_tracking.exporters.mongo import MongoExporter
from tests.captures import make_record
from tests.servers import ROOT, mongo_server

RECORDS = 60_000
FAILURE_EACH = 100
BATCH = 500
TARGET_RATIO = 1.5
FLASK = [sys.executable, "-m", "flask", "--app", "tests.benchmarks.commands_app"]
NOTHING, HELP = "python -c 'print()'", "flask --help"
COMMANDS = {
    NOTHING: [sys.executable, "-c", "print()"],
    HELP: [*FLASK, "--help"],
    "list --limit 50": [*FLASK, "tracking", "list", "--limit", "50"],
    "list --status 5xx": [*FLASK, "tracking", "list", "--status", "5xx"],
}


def store_records(uri: str) -> None:
    """Store records that arrived a second apart, the last one now."""
    exporter = MongoExporter(Settings(mongodb_uri=uri, table_size_bytes=2**30))
    now = datetime.now(timezone.utc).replace(microsecond=0)
    model = make_record()
    for start in range(0, RECORDS, BATCH):
        exporter.export(
            [
                dataclasses.replace(
                    model,
                    id=ObjectId(),
                    date_created=now - timedelta(seconds=RECORDS - number),
                    status_code=200 if number % FAILURE_EACH else 500,
                )
                for number in range(start, start + BATCH)
            ]
        )
    exporter.close()


def run_ms(command: list[str], environ: Mapping[str, str]) -> float:
    """Run a command, and return how long its process was there."""
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environ, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def measure(rounds: int, environ: Mapping[str, str]) -> dict[str, float]:
    """Return the median of each command, run in turns."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for round_number in range(rounds + 1):
        for name, command in COMMANDS.items():
            took_ms = run_ms(command, environ)
            if round_number:  # the first one warms what later ones find
                taken[name].append(took_ms)
    return {name: statistics.median(values) for name, values in taken.items()}


def report(title: str, medians: Mapping[str, float]) -> bool:
    """Print a table, and tell whether the target is met."""
    nothing, helped = medians[NOTHING], medians[HELP]
    print(f"\n{title:24}{'ms':>8}{'beyond start':>14}{'of --help':>12}")
    is_met = True
    for name, median in medians.items():
        ratio, verdict = median / helped, ""
        if name.startswith("list"):
            is_met &= ratio <= TARGET_RATIO
            verdict = f"   target {TARGET_RATIO:g}: {'met' if ratio <= TARGET_RATIO else 'MISSED'}"
        print(f"{name:24}{median:8.0f}{median - nothing:14.0f}{ratio:12.2f}{verdict}")
    return is_met


def main() -> int:
    """Measure with and without bytecode, print the tables, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with mongo_server() as server, tempfile.TemporaryDirectory() as bytecode:
        uri = f"{server.uri}commands"
        store_records(uri)
        environ = {**os.environ, "TRACKING_MONGODB_URI": uri, "PYTHONPATH": str(ROOT)}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        installed = measure(rounds, {**environ, "PYTHONPYCACHEPREFIX": bytecode})
        sources = measure(rounds, {**environ, "PYTHONDONTWRITEBYTECODE": "1"})
    verdicts = [report("as it is installed", installed), report("without bytecode", sources)]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
