"""What the worker asks of the store is not traced; what the app does is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import pytest
from opentelemetry import context

from flask_tracking import MemoryExporter, Record, Settings
from flask_tracking.config.overrides import Override
from flask_tracking.pipeline.batch import BatchWorker
from flask_tracking.pipeline.callback import Hooks
from flask_tracking.pipeline.untraced import untraced
from flask_tracking.pipeline.worker import SyncWorker
from flask_tracking.runtime import guard

from ..captures import make_capture

TIMEOUT_S = 20.0
KEYS = ("suppress_instrumentation", context._SUPPRESS_INSTRUMENTATION_KEY)
"""What instrumentations ask for, older ones and newer ones."""


def is_suppressed() -> bool:
    """Tell whether a call made here and now is left alone by instrumentations."""
    found = {context.get_value(key) for key in KEYS}
    assert len(found) == 1
    return found == {True}


class Asking(MemoryExporter):
    """An exporter that looks, like an instrumentation, whether it is to be traced."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, bool] = {}

    def open(self) -> None:
        self.found["open"] = is_suppressed()

    def _store(self, records: Sequence[Record]) -> int:
        self.found["store"] = is_suppressed()
        return super()._store(records)

    def _load_overrides(self) -> Sequence[Override]:
        self.found["load rules"] = is_suppressed()
        return super()._load_overrides()

    def close(self, timeout_s: float = 2.0) -> None:
        self.found["close"] = is_suppressed()


def run_worker(make: Callable[..., Any], exporter: Asking) -> Any:
    """Let a worker store one record, and end; return whether its callback was traced."""
    traced = []

    def on_record(record: Record) -> Record:
        traced.append(not is_suppressed())
        return record

    worker = make(Settings(), exporter, Hooks(on_record=on_record))
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert worker.close(TIMEOUT_S)
    assert len(exporter.records) == 1
    return traced


@pytest.mark.parametrize(
    ("make", "calls"),
    [
        (BatchWorker, {"open", "store", "load rules", "close"}),
        (SyncWorker, {"store", "load rules", "close"}),
    ],
)
def test_calls_to_the_store_are_not_traced(make: Callable[..., Any], calls: set[str]) -> None:
    """Every call to the exporter is suppressed; the app's callback and what comes after are not."""
    exporter = Asking()
    assert run_worker(make, exporter) == [True]
    assert exporter.found == dict.fromkeys(calls, True)
    assert not is_suppressed()


def test_suppression_of_the_app_stays() -> None:
    """What the app has in its context is there again afterwards."""
    token = context.attach(context.set_value("mine", 1))
    try:
        with untraced():
            assert (is_suppressed(), context.get_value("mine")) == (True, 1)
        assert (is_suppressed(), context.get_value("mine")) == (False, 1)
    finally:
        context.detach(token)


@pytest.mark.parametrize("make", [BatchWorker, SyncWorker])
def test_opentelemetry_that_cannot_be_used(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that works otherwise costs no record."""
    monkeypatch.setitem(sys.modules, "opentelemetry.context", ModuleType("opentelemetry.context"))
    exporter = Asking()
    run_worker(make, exporter)
    assert not any(exporter.found.values())
    assert set(guard.failures) == {"suppressing OpenTelemetry"}


def test_opentelemetry_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it was not imported nothing is."""
    monkeypatch.delitem(sys.modules, "opentelemetry.context")
    with untraced():
        assert "opentelemetry.context" not in sys.modules
    assert not guard.failures


def test_opentelemetry_comes_after_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is imported later it counts from the next batch."""
    exporter = Asking()
    worker = BatchWorker(Settings(), exporter)
    found = []
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "opentelemetry.context")
        worker.submit(make_capture())
        assert worker.flush(TIMEOUT_S)
        found.append(exporter.found["store"])
    worker.submit(make_capture())
    assert worker.flush(TIMEOUT_S)
    assert [*found, exporter.found["store"]] == [False, True]
    assert worker.close(TIMEOUT_S)
