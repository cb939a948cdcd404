"""One variant of the app in a fresh interpreter, measured: prints what it cost as JSON.

Started by `overhead`, once for each variant and round.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request

from tests.benchmarks.traffic import BODY, KINDS, Client, arrival_times_ns, send_at

WARM_UP = 500
"""Requests before the first that is measured: threads run, connections are open, caches are full."""
WINDOW = 1000
"""Requests sent back to back before all is exported. No database keeps up with an app that does nothing
else, and with many thousands in the queue one would measure memory that is taken the first time."""
CALM = 10
"""The scheduled arrivals of the calm run are this many of bare's requests apart."""
FLUSH_TIMEOUT_S = 60.0

Flush = Callable[[], object]


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one request costs, in µs."""

    cpu_us: float
    """Of the whole process, all threads, until all is exported."""
    thread_us: float
    """Of the thread that handles the request."""
    wall_us: float
    """Between two requests when each is sent as soon as the one before is answered."""
    half_median_us: float
    """From the planned arrival to the end, when requests arrive independently of each other, at half of
    the rate that bare could take."""
    half_p99_us: float
    calm_median_us: float
    """The same at a rate that every variant can take."""
    calm_p99_us: float


@dataclasses.dataclass(frozen=True)
class Result:
    """What one interpreter measured."""

    costs: dict[str, Cost]
    """By kind of request."""
    sent: int
    """How many requests were answered, warm-up included."""


def make_app() -> Flask:
    """Make the app: a page of JSON, and one that echoes what it gets."""
    app = Flask("shop")

    @app.get("/orders/<int:order_id>")
    def show_order(order_id: int) -> dict[str, Any]:
        return {"id": order_id, "state": "packed", "lines": [{"article": "A-00017", "count": 2}] * 3}

    @app.post("/orders/<int:order_id>")
    def echo_order(order_id: int) -> Response:
        return Response(request.get_data(), mimetype="application/json")

    return app


def nothing_to_flush() -> None:
    """Stand in for a flush where nothing records."""


def make_bare(uri: str) -> tuple[Flask, Flush]:
    """Make the app without anything."""
    return make_app(), nothing_to_flush


def make_ours(uri: str) -> tuple[Flask, Flush]:
    """Make the app as users do: one line, and where the database is."""
    from flask_tracking import Tracking

    app = make_app()
    app.config["TRACKING_MONGODB_URI"] = uri
    app.config["TRACKING_TABLE_SIZE"] = 2**31  # so that no record is pushed out before it is counted
    tracking = Tracking(app)

    def flush() -> None:
        if not tracking.flush(FLUSH_TIMEOUT_S):
            raise TimeoutError("not all records were stored in time")
        if tracking.stats.dropped:
            raise RuntimeError(f"the database is too slow for so many requests: {tracking.stats}")

    return app, flush


def make_otel(uri: str) -> tuple[Flask, Flush]:
    """Make the app with OpenTelemetry: all headers of both sides, OTLP over HTTP in batches.

    All is as its documentation says but the length of the queue, which is as long as ours: with the
    default of 2,048 spans it drops some here, and what is dropped costs less.
    """
    os.environ["OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST"] = ".*"
    os.environ["OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE"] = ".*"
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    app = make_app()
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    exporter = OTLPSpanExporter(endpoint=f"{uri}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=10_000))
    trace.set_tracer_provider(provider)
    FlaskInstrumentor().instrument_app(app)

    def flush() -> None:
        if not provider.force_flush(int(FLUSH_TIMEOUT_S * 1000)):
            raise TimeoutError("not all spans were exported in time")

    return app, flush


MAKERS = {"bare": make_bare, "ours": make_ours, "otel": make_otel}


def measure(app: Flask, flush: Flush, requests: int, bare_us: dict[str, float]) -> Result:
    """Measure both kinds of request.

    Args:
        app: what is measured; called as a WSGI server calls it.
        flush: returns when all that was recorded is exported.
        requests: how many of each kind are sent, back to back and then by schedule.
        bare_us: what bare takes for a request by kind: sets the rate of the schedule. Without it, what
            this app takes.
    """
    client = Client(app)
    costs = {}
    for kind in KINDS:
        body = BODY if kind == "POST" else b""
        expected_size = len(BODY) if kind == "POST" else None

        def send(
            kind: str = kind, body: bytes = body, expected_size: int | None = expected_size
        ) -> None:
            client.send(kind, body, expected_size)

        for _ in range(WARM_UP):
            send()
        flush()
        # Once in a run all that was imported is searched for garbage, which takes 10 ms here and would
        # alone decide the 99th percentile. As servers do that fork, leave it out; what comes, stays in.
        gc.collect()
        gc.freeze()
        cpu_us, thread_us, wall_us = _send_back_to_back(requests, send, flush)
        unit_us = bare_us.get(kind, wall_us)
        half = _send_by_schedule(requests, 2 * unit_us, send, flush)
        calm = _send_by_schedule(requests // 2, CALM * unit_us, send, flush)
        costs[kind] = Cost(cpu_us, thread_us, wall_us, *half, *calm)
    return Result(costs, client.sent)


def _send_back_to_back(
    requests: int, send: Callable[[], None], flush: Flush
) -> tuple[float, float, float]:
    """Return the µs of CPU of the process, CPU of this thread, and wall time of one request."""
    windows = []
    for _ in range(max(1, requests // WINDOW)):
        started_ns, cpu_ns, thread_ns = (
            time.perf_counter_ns(),
            time.process_time_ns(),
            time.thread_time_ns(),
        )
        for _ in range(WINDOW):
            send()
        thread_ns = time.thread_time_ns() - thread_ns
        wall_ns = time.perf_counter_ns() - started_ns
        flush()
        cpu_ns = time.process_time_ns() - cpu_ns
        windows.append((cpu_ns, thread_ns, wall_ns))
    cpu_us, thread_us, wall_us = (
        statistics.median(each) / (WINDOW * 1000) for each in zip(*windows, strict=True)
    )
    return cpu_us, thread_us, wall_us


def _send_by_schedule(
    requests: int, gap_us: float, send: Callable[[], None], flush: Flush
) -> tuple[float, float]:
    """Return the median and the 99th percentile of the latency, in µs."""
    latencies_us = send_at(arrival_times_ns(requests, gap_us), send)
    flush()
    percentiles = statistics.quantiles(latencies_us, n=100)
    return percentiles[49], percentiles[98]


def main() -> None:
    """Measure one variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variant", choices=MAKERS)
    parser.add_argument("--uri", default="", help="where records or spans go")
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--bare-us", type=json.loads, default={}, help="by kind, as JSON")
    options = parser.parse_args()
    app, flush = MAKERS[options.variant](options.uri)
    result = measure(app, flush, options.requests, options.bare_us)
    print(json.dumps(dataclasses.asdict(result)))


if __name__ == "__main__":
    main()
