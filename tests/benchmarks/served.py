"""What tracking costs under gunicorn, over real HTTP: ``python tests/benchmarks/served.py``.

Bare, tracked, and tracked while nothing listens where the database should be; a server of its own for
each in every round, the rounds interleaved. What counts is the ratio within a round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for those who run this file by its path

from tests.benchmarks.load import Load
from tests.benchmarks.overhead import ROOT, new_database, running_mongodb
from tests.servers import free_port, gunicorn

VARIANTS = ("bare", "up", "down")


class Setting(NamedTuple):
    """A server, and what is asked of it."""

    name: str
    options: tuple[str, ...]
    path: str
    clients: int
    share: float | None
    """Of the rate that bare can take; None for as fast as it goes."""


class Target(NamedTuple):
    """A ratio of two variants that has a bound."""

    setting: str
    label: str
    of: str
    to: str
    limit: float
    is_rate: bool = False
    """True for answers per second, which have a lower bound; else the 99th percentile."""


GTHREAD = ("--worker-class", "gthread", "--threads", "8")
GEVENT = ("--worker-class", "gevent")
SETTINGS = (
    Setting("gthread, 8 threads, 1 ms of CPU", GTHREAD, "/", 8, None),
    Setting("gthread, the same at half load", GTHREAD, "/", 8, 0.5),
    Setting("gthread, stream of 10,000 chunks", GTHREAD, "/stream", 1, None),
    Setting("gevent, 64 clients", GEVENT, "/", 64, None),
    Setting("gevent, 64 clients at half load", GEVENT, "/", 64, 0.5),
)
TARGETS = (
    Target("gthread, 8 threads, 1 ms of CPU", "answers per second", "up", "bare", 0.92, True),
    Target("gthread, 8 threads, 1 ms of CPU", "p99, database down to up", "down", "up", 1.10),
    Target("gthread, the same at half load", "p99, database down to up", "down", "up", 1.10),
    Target("gthread, stream of 10,000 chunks", "answers per second", "up", "bare", 1 / 1.10, True),
    Target("gevent, 64 clients at half load", "p99", "up", "bare", 1.20),
)

Round = dict[str, dict[str, Load]]
"""What was measured, by setting and variant."""


def run_load(variant: str, setting: Setting, mongodb: str, rate: float | None, seconds: float) -> Load:
    """Start one server, put the load on it, and return what the clients saw.

    Raises:
        RuntimeError: not every answer became a record, though the database was up.
    """
    command = [sys.executable, "-m", "tests.benchmarks.load", "--path", setting.path]
    command += ["--clients", str(setting.clients), "--seconds", str(seconds)]
    command += ["--rate", str(rate)] if rate else []
    with new_database(mongodb) as (uri, count_records):
        uri = {"bare": "", "up": uri, "down": f"mongodb://127.0.0.1:{free_port()}/nowhere"}[variant]
        options = (*setting.options, "--keep-alive", "75", "--log-level", "critical")
        env = {"BENCH_MONGODB_URI": uri}
        with gunicorn("tests.benchmarks.served_app:app", *options, env=env) as url:
            command += ["--port", str(urlsplit(url).port)]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        load = Load(**json.loads(done.stdout))
        if variant == "up" and count_records() < load.requests:
            raise RuntimeError(f"{load.requests} requests were answered, {count_records()} recorded")
    return load


def run_round(mongodb: str, seconds: float) -> Round:
    """Measure every setting with every variant."""
    measured: Round = {}
    rate = 0.0
    for setting in SETTINGS:
        loads = {}
        for variant in VARIANTS:
            wanted = setting.share * rate if setting.share else None
            loads[variant] = run_load(variant, setting, mongodb, wanted, seconds)
        measured[setting.name] = loads
        rate = rate if setting.share else loads["bare"].rate
    return measured


def format_table(rounds: Sequence[Round]) -> Iterator[str]:
    """Yield the lines of the table of medians."""
    yield f"{'medians':36}" + "".join(f"{variant:>28}" for variant in VARIANTS)
    yield f"{'':36}" + "".join(f"{'per s':>10}{'p50 ms':>9}{'p99 ms':>9}" for _ in VARIANTS)
    for setting in SETTINGS:
        row = f"{setting.name:36}"
        for variant in VARIANTS:
            loads = [one[setting.name][variant] for one in rounds]
            row += f"{statistics.median(load.rate for load in loads):10.1f}"
            row += f"{statistics.median(load.p50_ms for load in loads):9.2f}"
            row += f"{statistics.median(load.p99_ms for load in loads):9.2f}"
        yield row


def judge(target: Target, rounds: Sequence[Round]) -> tuple[float, bool]:
    """Return the median ratio of a target, and whether it is met."""

    def read(loads: Mapping[str, Load], variant: str) -> float:
        return loads[variant].rate if target.is_rate else loads[variant].p99_ms

    ratio = statistics.median(
        read(one[target.setting], target.of) / read(one[target.setting], target.to) for one in rounds
    )
    return ratio, ratio >= target.limit if target.is_rate else ratio <= target.limit


def compare(rounds_count: int, seconds: float) -> int:
    """Run the rounds, print the tables, and return how many targets are missed."""
    with running_mongodb() as mongodb:
        rounds = []
        for number in range(rounds_count):
            print(f"round {number + 1} of {rounds_count}", file=sys.stderr, flush=True)
            rounds.append(run_round(mongodb, seconds))
    print("\n".join(format_table(rounds)) + "\n")
    missed = 0
    for target in TARGETS:
        ratio, is_met = judge(target, rounds)
        bound = "at least" if target.is_rate else "at most"
        print(
            f"{target.setting}: {target.label}: {ratio:.2f}, {bound} {target.limit:.2f}: "
            f"{'met' if is_met else 'MISSED'}"
        )
        missed += not is_met
    return missed


def main() -> int:
    """Read the options and do what they say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each measurement")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    options = parser.parse_args()
    missed = compare(options.rounds, options.seconds)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
