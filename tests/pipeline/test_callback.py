"""``on_record``: the app's last word on each record."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_tracking import MemoryExporter, Record, Tracking
from flask_tracking.pipeline.callback import OnRecord
from flask_tracking.runtime import guard

Track = Callable[..., Tracking]


@pytest.fixture
def track(app: Flask, memory: MemoryExporter) -> Track:
    """Track `app` with a callback; it has a view that echoes."""

    def track_app(on_record: Any, **config: Any) -> Tracking:
        app.config.update(config)
        tracking = Tracking(app, exporter=memory, on_record=on_record)
        app.post("/<path:path>")(lambda path: ({"api_key": "s3cr3t-value"}, 200))
        return tracking

    return track_app


def ask(app: Flask, path: str = "/orders") -> None:
    """Send a request, and see that its answer is not touched."""
    response = app.test_client().post(path, json={"password": "hunter2hunter2"})
    assert (response.status_code, response.json) == (200, {"api_key": "s3cr3t-value"})


def test_changed_record_is_stored(app: Flask, memory: MemoryExporter, track: Track) -> None:
    """What it returns is stored in the record's place."""
    track(lambda record: dataclasses.replace(record, custom_data={"tenant": "acme"}, user_id="7"))
    ask(app)
    (record,) = memory.records
    assert (record.custom_data, record.user_id, record.path) == ({"tenant": "acme"}, "7", "/orders")


def test_none_drops_the_record(app: Flask, memory: MemoryExporter, track: Track) -> None:
    """A record that it drops is not lost: like those that the rules do not keep."""
    tracking = track(lambda record: None if record.path == "/noise" else record)
    ask(app, "/noise")
    ask(app, "/orders")
    assert [record.path for record in memory.records] == ["/orders"]
    stats = tracking.stats
    assert (stats.received, stats.accepted, stats.exported, stats.dropped) == (2, 1, 1, {})


def test_it_sees_what_would_be_stored(app: Flask, memory: MemoryExporter, track: Track) -> None:
    """The secrets are gone, the rules have judged, and no exporter has seen the record yet."""
    seen: list[Record] = []

    def look(record: Record) -> Record:
        assert memory.records == []
        seen.append(record)
        return record

    track(look, TRACKING_EXCLUDE_METHODS=["GET"], TRACKING_SLOW_MS=0.000001)
    app.test_client().get("/absent")
    ask(app)
    (record,) = seen
    assert b"hunter2" not in record.request_body
    assert b"s3cr3t" not in record.response_body
    assert (record.kept, record.kept_reason) == (True, "slow")
    assert memory.records == [record]
    assert guard.failures.total() == 0


def raise_an_error(record: Record) -> Record:
    raise RuntimeError(record.ip)


@pytest.mark.parametrize(
    ("on_record", "error"),
    [
        (raise_an_error, "RuntimeError"),
        (lambda record: "stored", "TypeError"),
        (lambda record: vars(record), "TypeError"),
        (lambda record: True, "TypeError"),
    ],
)
def test_callback_that_fails(
    app: Flask,
    memory: MemoryExporter,
    track: Track,
    caplog: pytest.LogCaptureFixture,
    on_record: Any,
    error: str,
) -> None:
    """The record is stored as it was, the failure is said once and counted, and no client notices."""
    tracking = track(on_record)
    with caplog.at_level(logging.WARNING, "flask_tracking"):
        for _ in range(3):
            ask(app)
    assert [record.path for record in memory.records] == ["/orders"] * 3
    assert [record.getMessage() for record in caplog.records] == [f"on_record failed with {error}"]
    assert "127.0.0.1" not in caplog.text
    assert tracking.stats.failed == 3
    assert tracking.stats.dropped == {}


def test_record_keeps_its_id(app: Flask, memory: MemoryExporter, track: Track) -> None:
    """A callback that returns the same record again costs none: each is stored under its own id."""
    first: list[Record] = []

    def remember(record: Record) -> Record:
        first.append(record)
        return dataclasses.replace(first[0], user_id="7")

    track(remember)
    for _ in range(3):
        ask(app)
    assert [record.id for record in memory.records] == [record.id for record in first]
    assert [record.user_id for record in memory.records] == ["7"] * 3


def test_it_runs_on_the_workers_thread(app: Flask, memory: MemoryExporter, track: Track) -> None:
    """No request waits for it."""
    threads: list[str] = []

    def note(record: Record) -> Record:
        threads.append(threading.current_thread().name)
        return record

    tracking = track(note, TRACKING_WORKER="batch")
    ask(app)
    assert tracking.flush(20)
    assert threads == ["flask-tracking worker"]
    assert len(memory.records) == 1
    assert tracking.close(20)


def test_gap_is_told_by_the_next_record(app: Flask, memory: MemoryExporter) -> None:
    """A record that tells of a gap and is dropped leaves that to the next one."""
    on_record: OnRecord = lambda record: None if record.path == "/noise" else record  # noqa: E731
    tracking = Tracking(app, exporter=memory, on_record=on_record)
    worker = app.extensions["tracking"].worker
    worker._counters.drop("queue_full", 5)
    app.test_client().get("/noise")
    app.test_client().get("/orders")
    assert [record.dropped_before for record in memory.records] == [5]
    assert tracking.stats.dropped == {"queue_full": 5}


def test_without_a_callback(app: Flask, memory: MemoryExporter, track: Track) -> None:
    """Without one records are stored as they are."""
    track(None)
    ask(app)
    assert len(memory.records) == 1
