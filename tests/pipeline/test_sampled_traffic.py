"""10,000 requests at a rate of one in a hundred: every failure is there, and OpenTelemetry's share."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

import pytest
from flask import Flask, abort

from flask_tracking import MemoryExporter, Tracking
from flask_tracking.capture import clock

from ..opentelemetry_sampler import ask

COUNT, ERRORS, SLOW = 10_000, 37, 12
RATE = 0.01
TIMEOUT_S = 60.0


class Delays:
    """A clock that a view can put forward, as if it had taken that time."""

    def __init__(self) -> None:
        self.delayed_ns = 0

    def now_ns(self) -> int:
        return time.perf_counter_ns() + self.delayed_ns


def make_app(delays: Delays) -> Flask:
    """Make an app whose views answer, fail in each way, or take a second."""
    app = Flask("shop")
    app.logger.disabled = True

    @app.get("/routine/<int:number>")
    def routine(number: int) -> str:
        return str(number)

    @app.get("/error/<int:number>")
    def fail(number: int) -> str:
        if number % 2:
            abort(503)
        raise RuntimeError

    @app.get("/slow/<int:number>")
    def wait(number: int) -> str:
        delays.delayed_ns += 1_000_000_000
        return str(number)

    return app


@pytest.mark.integration
@pytest.mark.thorough
def test_every_failure_and_opentelemetrys_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """All 49 failures and slow ones are kept, and of the rest exactly what the sampler picks."""
    randomness = random.Random(6)
    kinds = ["error"] * ERRORS + ["slow"] * SLOW + ["routine"] * (COUNT - ERRORS - SLOW)
    randomness.shuffle(kinds)
    trace_ids = [f"{randomness.getrandbits(128) or 1:032x}" for _ in kinds]
    delays, memory = Delays(), MemoryExporter(max_records=COUNT)
    monkeypatch.setattr(clock, "now_ns", delays.now_ns)
    app = make_app(delays)
    # Nothing but what a view says takes long: a pause of this machine is no slow request.
    app.config.update(TRACKING_SAMPLE_RATE=RATE, TRACKING_SLOW_MS=1000)
    tracking = Tracking(app, exporter=memory)
    statuses: Counter[int] = Counter()
    client = app.test_client()
    for number, (kind, trace_id) in enumerate(zip(kinds, trace_ids, strict=True)):
        headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-{number % 2:02d}"}
        statuses[client.get(f"/{kind}/{number}", headers=headers).status_code] += 1
    assert tracking.flush(TIMEOUT_S)

    assert statuses[200] == COUNT - ERRORS
    assert statuses[500] + statuses[503] == ERRORS
    kept = {record.trace_id: record for record in memory.records}
    picked = ask([(RATE, trace_id, None) for trace_id in trace_ids])
    expected: dict[str, Any] = {
        trace_id: kind
        for kind, trace_id, is_picked in zip(kinds, trace_ids, picked, strict=True)
        if kind != "routine" or is_picked
    }
    assert {trace_id: record.kept_reason or "routine" for trace_id, record in kept.items()} == expected
    assert Counter(expected.values())["error"] == ERRORS
    assert Counter(expected.values())["slow"] == SLOW
    assert 60 < Counter(expected.values())["routine"] < 140
    stats = tracking.stats
    assert (stats.received, stats.accepted, stats.dropped) == (COUNT, len(expected), {})
    assert tracking.close(TIMEOUT_S)
