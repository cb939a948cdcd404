"""How much of the interpreter the worker gets: ``python -m tests.benchmarks.share``.

Closed loop: threads send one request after the other, and the share of them that is stored at the end
of that time is shown. Open loop: one thread gets requests at independent times, and the latency from
the planned arrival is shown beside bare's. The store takes everything and does nothing.

Slow store: threads send to a store that takes so many records a second, and one request in a hundred
fails. The exit status is 1 unless every failure is stored and nothing is lost uncounted.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence

from flask import Flask

from flask_tracking import Exporter, Record, Tracking
from tests.benchmarks.traffic import arrival_times_ns, call, make_environ, send_at

WARM_UP = 500
FLUSH_TIMEOUT_S = 60.0


class Taking(Exporter):
    """A store that takes everything."""

    def _store(self, records: Sequence[Record]) -> int:
        return 0


class Slow(Exporter):
    """A store that takes so many records a second, and counts the failures among them."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self.failures = 0

    def _store(self, records: Sequence[Record]) -> int:
        time.sleep(len(records) / self._per_second)
        self.failures += sum(record.status_code == 500 for record in records)
        return 0


def sleep_us(duration_us: float) -> None:
    """Wait without the interpreter."""
    time.sleep(duration_us / 1e6)


def compute_us(duration_us: float) -> None:
    """Keep the interpreter busy."""
    until = time.perf_counter_ns() + duration_us * 1000
    while time.perf_counter_ns() < until:
        pass


WORK: dict[str, Callable[[float], None]] = {"sleep": sleep_us, "compute": compute_us}


def make_app(work: Callable[[float], None], duration_us: float) -> Flask:
    """Make an app whose view works for a time."""
    app = Flask("share")

    @app.get("/orders/<int:number>")
    def order(number: int) -> dict[str, int]:
        work(duration_us)
        return {"number": number}

    @app.get("/fail")
    def fail() -> tuple[str, int]:
        work(duration_us)
        return "failed", 500

    return app


def send(app: Flask, number: int) -> None:
    """Make one request."""
    call(app, make_environ("GET", number))


def measure_closed_loop(app: Flask, tracking: Tracking, threads: int, seconds: float) -> None:
    """Print the share of the requests of a time that is stored at its end."""
    for number in range(WARM_UP):
        send(app, number)
    tracking.flush(FLUSH_TIMEOUT_S)
    before, until = tracking.stats, time.perf_counter() + seconds

    def run(number: int) -> None:
        while time.perf_counter() < until:
            send(app, number := number + 1)

    running = [threading.Thread(target=run, args=(17 * one,)) for one in range(threads)]
    cpu_s = time.process_time()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    stats = tracking.stats
    received = stats.received - before.received
    stored = stats.exported - before.exported
    tracking.flush(FLUSH_TIMEOUT_S)
    cpu_us = (time.process_time() - cpu_s) / received * 1e6
    print(
        f"{threads} threads: {received / seconds:6.0f} requests/s, {stored / received:4.0%} stored, "
        f"{cpu_us:4.0f} us CPU each, dropped {tracking.stats.dropped}"
    )


def measure_open_loop(make: Callable[[], Flask], seconds: float) -> None:
    """Print latencies at a quarter and at half of bare's capacity, for bare and for us."""
    bare, tracked = make(), make()
    tracking = Tracking(tracked, exporter=Taking())
    for number in range(WARM_UP):
        send(bare, number)
        send(tracked, number)
    began = time.perf_counter()
    for number in range(WARM_UP):
        send(bare, number)
    bare_us = (time.perf_counter() - began) / WARM_UP * 1e6
    for share in (0.25, 0.5):
        gap_us = bare_us / share
        arrivals = arrival_times_ns(int(seconds * 1e6 / gap_us), gap_us)
        for name, app in (("bare", bare), ("tracked", tracked)):
            numbers = iter(range(len(arrivals)))
            latencies_us = send_at(arrivals, lambda app=app, at=numbers: send(app, next(at)))  # type: ignore[misc]
            deciles = statistics.quantiles(latencies_us, n=100)
            print(
                f"{share:4.0%} of bare's capacity, {name:8}: median {deciles[49] / 1000:5.2f} ms, "
                f"p90 {deciles[89] / 1000:5.2f} ms, p99 {deciles[98] / 1000:6.2f} ms"
            )
    tracking.close(FLUSH_TIMEOUT_S)


def measure_slow_store(app: Flask, per_second: float, threads: int, seconds: float) -> bool:
    """Print what became of failures and routine requests; return whether it is as it should be."""
    store = Slow(per_second)
    tracking = Tracking(app, exporter=store)
    until = time.perf_counter() + seconds
    failed: list[int] = []

    def run(number: int) -> None:
        while time.perf_counter() < until:
            number += 1
            if number % 100:
                send(app, number)
            else:
                app.test_client().get("/fail")
                failed.append(number)

    running = [threading.Thread(target=run, args=(17 * one,)) for one in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    tracking.flush(FLUSH_TIMEOUT_S)
    tracking.close(FLUSH_TIMEOUT_S)
    stats = tracking.stats
    dropped = sum(stats.dropped.values())
    print(
        f"{threads} threads, a store of {per_second:g}/s: {stats.received} requests, {stats.exported} "
        f"stored, {dropped} dropped; of {len(failed)} failures {store.failures} stored, "
        f"{sum(stats.dropped_kept.values())} dropped"
    )
    return store.failures == len(failed) and stats.received == stats.exported + dropped


def main() -> None:
    """Read the options and do what they say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="*", default=[8, 1])
    parser.add_argument("--work", choices=WORK, default="sleep")
    parser.add_argument("--us", type=float, default=100, help="how long a view works")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--store", type=float, help="records a second that a slow store takes")
    options = parser.parse_args()
    if options.store:
        app = make_app(WORK[options.work], options.us)
        sys.exit(not measure_slow_store(app, options.store, options.threads[0], options.seconds))
    for threads in options.threads:
        app = make_app(WORK[options.work], options.us)
        tracking = Tracking(app, exporter=Taking())
        measure_closed_loop(app, tracking, threads, options.seconds)
        tracking.close(FLUSH_TIMEOUT_S)
    measure_open_loop(lambda: make_app(WORK[options.work], options.us), options.seconds)


if __name__ == "__main__":
    main()
