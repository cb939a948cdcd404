"""What redaction costs: three apps in one interpreter, bare, tracked without it and with it, in turns.

Started by `overhead`. What redaction adds is a few µs: in interpreters of their own, one would see the
differences between interpreters.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from flask import Flask

from flask_tracking import Tracking
from tests.benchmarks.subject import FLUSH_TIMEOUT_S, WARM_UP, Flush, make_app, nothing_to_flush
from tests.benchmarks.traffic import BODY, ORDER, Client

WINDOW = 500
SECRET_BODY = BODY.replace(ORDER, ORDER + b', "api_key": "k-4711-0815-nobody-knows-it"')
"""The same, with one secret in it; the answer has it as well."""
CASES = {"GET": b"", "POST, no secret": BODY, "POST, a secret": SECRET_BODY}
TARGETS = {"GET": 0.10, "POST, no secret": 0.15, "POST, a secret": 0.45}
"""What redaction may add to a request, as a share of the bare request."""
VARIANTS = ("bare", "unredacted", "redacted")
Window = Mapping[str, float]
"""The CPU of one window, in µs per request, by variant."""


class Cost(NamedTuple):
    """What redaction costs one kind of request."""

    case: str
    bare_us: float
    added_us: float
    """The median over the windows."""
    ratios: tuple[float, ...]
    """What is added, as a share of bare, of each window; sorted."""

    @property
    def ratio(self) -> float:
        """The median over the windows."""
        return statistics.median(self.ratios)

    @property
    def is_met(self) -> bool:
        """Tell whether the target is reached."""
        return self.ratio <= TARGETS[self.case]


def make_apps(uri: str) -> dict[str, tuple[Flask, Flush]]:
    """Make the three apps; the tracked ones store into collections of their own."""
    apps: dict[str, tuple[Flask, Flush]] = {"bare": (make_app(), nothing_to_flush)}
    for variant in VARIANTS[1:]:
        app = make_app()
        app.config.update(
            TRACKING_MONGODB_URI=uri,
            TRACKING_COLLECTION=variant,
            TRACKING_REDACT=variant == "redacted",
            TRACKING_TABLE_SIZE=2**28,
        )
        tracking = Tracking(app)

        def flush(tracking: Tracking = tracking, app: Flask = app) -> None:
            worker = app.extensions["tracking"].worker
            if not tracking.flush(FLUSH_TIMEOUT_S) or worker.stats.dropped:
                raise RuntimeError(f"not all records were stored: {worker.stats}")

        apps[variant] = app, flush
    return apps


def measure(uri: str, windows: int) -> dict[str, list[Window]]:
    """Return the windows of each case.

    Args:
        uri: an empty database.
        windows: how many for each case and variant.
    """
    apps = make_apps(uri)
    clients = {variant: Client(app) for variant, (app, _) in apps.items()}
    measured: dict[str, list[Window]] = {}
    for case, body in CASES.items():
        kind = "POST" if body else "GET"

        def run(variant: str, count: int, kind: str = kind, body: bytes = body) -> float:
            started_ns = time.process_time_ns()
            for _ in range(count):
                clients[variant].send(kind, body, len(body) or None)
            apps[variant][1]()
            return (time.process_time_ns() - started_ns) / (count * 1000)

        for variant in VARIANTS:
            run(variant, WARM_UP)
        gc.collect()
        gc.freeze()
        measured[case] = [
            {variant: run(variant, WINDOW) for variant in VARIANTS} for _ in range(windows)
        ]
    return measured


def make_costs(measured: Mapping[str, list[Window]]) -> list[Cost]:
    """Compute what redaction costs in each case."""
    costs = []
    for case, windows in measured.items():
        added = [window["redacted"] - window["unredacted"] for window in windows]
        bare_us = statistics.median(window["bare"] for window in windows)
        ratios = tuple(sorted(one / bare_us for one in added))
        costs.append(Cost(case, bare_us, statistics.median(added), ratios))
    return costs


def format_costs(costs: list[Cost]) -> Iterator[str]:
    """Yield the lines of the table; the ratios are the quartiles and the median."""
    title = "redaction, µs of CPU, all threads"
    yield f"{title:41}    bare   added   ratio:  1/4  median   3/4   target"
    for cost in costs:
        low, _, high = statistics.quantiles(cost.ratios, n=4)
        ratios = f"{low:13.2f}{cost.ratio:8.2f}{high:6.2f}"
        verdict = f"{TARGETS[cost.case]:9.2f} {'met' if cost.is_met else 'MISSED'}"
        yield f"{cost.case:41}{cost.bare_us:8.1f}{cost.added_us:8.1f}{ratios}{verdict}"


def main() -> None:
    """Measure, and print the windows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uri", required=True)
    parser.add_argument("--windows", type=int, required=True)
    options = parser.parse_args()
    print(json.dumps(measure(options.uri, options.windows)))


if __name__ == "__main__":
    main()
