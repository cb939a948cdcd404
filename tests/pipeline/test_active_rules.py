"""Which rules hold in a process, while the store is asked, fails, and rules expire."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from flask_tracking import Exporter, ExportError, MemoryExporter, NoDatabaseError, Record, Settings
from flask_tracking.config import overrides
from flask_tracking.config.overrides import Override
from flask_tracking.pipeline.active_rules import FAILURE_PAUSE_S, ActiveRules
from flask_tracking.pipeline.rules import Verdict
from flask_tracking.pipeline.summary import summarise
from flask_tracking.runtime import guard

from ..captures import make_capture

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)


class Store(MemoryExporter):
    """A store that counts how often it is asked, and fails when it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.error: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None

    def _load_overrides(self) -> Sequence[Override]:
        self.asked += 1
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return super()._load_overrides()

    def set(self, lifetime: str = "10m", **values: Any) -> None:
        """Store rules as the command does."""
        self.store_overrides(
            overrides.parse_overrides([f"{name}={value}" for name, value in values.items()], lifetime)
        )


class Clock:
    """A clock for all: seconds since noon."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def utc_now(self) -> datetime:
        return NOON + timedelta(seconds=self.now_s)

    def monotonic(self) -> float:
        return 1000.0 + self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the test."""
    clock = Clock()
    monkeypatch.setattr(overrides, "utc_now", clock.utc_now)
    monkeypatch.setattr("flask_tracking.exporters.store.utc_now", clock.utc_now)
    monkeypatch.setattr("flask_tracking.pipeline.active_rules.monotonic", clock.monotonic)
    return clock


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def rules(store: Store, clock: Clock) -> ActiveRules:
    """Rules by which nothing is slow."""
    return ActiveRules(Settings(flush_interval_s=2.0), store)


def is_slow(rules: ActiveRules) -> bool:
    """Tell whether a request of 2.5 ms is slow now."""
    verdict = rules.judge(summarise(make_capture()))
    assert verdict in (Verdict(True), Verdict(True, "slow"))
    return verdict.kept_reason is not None


def test_store_is_asked_once_in_a_flush_interval(
    rules: ActiveRules, store: Store, clock: Clock
) -> None:
    """The first time at once, then not before the interval has passed; judging asks nothing."""
    store.set(slow_ms=1)
    assert is_slow(rules) is False
    assert store.asked == 0
    for now_s, asked in ((0, 1), (0, 1), (1.9, 1), (2.0, 2), (2.1, 2), (500, 3)):
        clock.now_s = now_s
        rules.refresh()
        assert store.asked == asked
        assert is_slow(rules) is True


def test_rule_is_taken_up_and_cleared(rules: ActiveRules, store: Store, clock: Clock) -> None:
    """What is set, changed and cleared holds from the next time that the store is asked."""
    rules.refresh()
    assert is_slow(rules) is False
    for now_s, change, expected in (
        (2, lambda: store.set(slow_ms=1), True),
        (4, lambda: store.set(slow_ms=500), False),
        (6, lambda: store.set(slow_ms=2), True),
        (8, lambda: store.clear_overrides(["slow_ms"]), False),
    ):
        change()
        assert is_slow(rules) is not expected
        clock.now_s = now_s
        rules.refresh()
        assert is_slow(rules) is expected


def test_rule_that_expires_in_two_threads(
    rules: ActiveRules, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes second finds the rule gone, and judges all the same."""
    store.set("10s", slow_ms=1)
    rules.refresh()
    clock.now_s = 10
    found: list[bool] = []

    def other_thread_first() -> datetime:
        monkeypatch.setattr(overrides, "utc_now", clock.utc_now)
        other = threading.Thread(target=lambda: found.append(is_slow(rules)))
        other.start()
        other.join(20)
        return clock.utc_now()

    monkeypatch.setattr(overrides, "utc_now", other_thread_first)
    found.append(is_slow(rules))
    assert found == [False, False]


def test_rule_expires_without_asking(rules: ActiveRules, store: Store, clock: Clock) -> None:
    """A rule ends by this process's clock, whatever became of the store; the next one goes on."""
    store.set("10s", slow_ms=1)
    store.set("20s", sample_rate=0)
    rules.refresh()
    store.error = ExportError("away")
    clock.now_s = 9.999
    assert is_slow(rules) is True
    clock.now_s = 10
    assert rules.judge(summarise(make_capture())) == Verdict(False)
    clock.now_s = 20
    assert is_slow(rules) is False
    assert rules.judge(summarise(make_capture())) == Verdict(True)
    assert store.asked == 1


@pytest.mark.parametrize("error", [ExportError("away"), NoDatabaseError("none"), RuntimeError("bug")])
def test_store_that_fails(rules: ActiveRules, store: Store, clock: Clock, error: Exception) -> None:
    """What is known holds on while the store is away, and a store that fails is asked less often."""
    store.set(slow_ms=1)
    rules.refresh()
    store.error = error
    clock.now_s = 5
    rules.refresh()
    assert is_slow(rules) is True
    clock.now_s = 5 + FAILURE_PAUSE_S - 0.1
    rules.refresh()
    assert store.asked == 2
    clock.now_s = 5 + FAILURE_PAUSE_S
    store.error = None
    store.clear_overrides(["slow_ms"])
    rules.refresh()
    assert (store.asked, is_slow(rules)) == (3, False)


@pytest.mark.parametrize("answer", ["all", 7, [None], [("slow_ms", 1)], {"slow_ms": 1}, object()])
def test_store_that_returns_nonsense(
    rules: ActiveRules, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    """It costs no record: what is known holds on, and the store is asked less often."""
    store.set(slow_ms=1)
    rules.refresh()
    with monkeypatch.context() as patch:
        patch.setattr(store, "load_overrides", lambda: answer)
        clock.now_s = 5
        rules.refresh()
        assert is_slow(rules) is True
        assert guard.failures.total() == 1
    clock.now_s = 5 + FAILURE_PAUSE_S - 0.1
    rules.refresh()
    assert store.asked == 1


def test_store_that_answers_again(rules: ActiveRules, store: Store, clock: Clock) -> None:
    """Once records are stored again the store is asked at once."""
    store.error = ExportError("away")
    rules.refresh()
    store.error = None
    store.set(slow_ms=1)
    rules.refresh()
    assert is_slow(rules) is False
    rules.refresh_soon()
    rules.refresh()
    assert is_slow(rules) is True


def test_failure_is_said(
    rules: ActiveRules, store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Why rules cannot be loaded is said; that there is no database the export says."""
    store.error = ExportError("MongoDB at db:27017 does not answer within 5 s")
    with caplog.at_level(logging.WARNING, "flask_tracking"):
        rules.refresh()
        store.error = NoDatabaseError("no MongoDB is configured")
        rules.refresh_soon()
        rules.refresh()
    assert [record.getMessage() for record in caplog.records] == [
        "Overrides cannot be loaded: MongoDB at db:27017 does not answer within 5 s"
    ]
    assert store.asked == 2
    assert guard.failures.total() == 0


def test_others_do_not_wait(rules: ActiveRules, store: Store) -> None:
    """While one thread asks the store, others judge by what is known and ask nothing."""
    is_asking, answer = threading.Event(), threading.Event()

    def meanwhile() -> None:
        is_asking.set()
        assert answer.wait(20)

    store.meanwhile = meanwhile
    store.set(slow_ms=1)
    asking = threading.Thread(target=rules.refresh)
    asking.start()
    assert is_asking.wait(20)
    rules.refresh()
    assert is_slow(rules) is False
    answer.set()
    asking.join(20)
    assert (store.asked, is_slow(rules)) == (1, True)


def test_rule_that_is_wrong_costs_only_itself(rules: ActiveRules, store: Store, clock: Clock) -> None:
    """A value that nobody can use leaves the other rules as they are."""
    store.store_overrides([Override("sample_rate", "much", NOON, NOON + timedelta(minutes=1))])
    store.set(slow_ms=1)
    rules.refresh()
    assert is_slow(rules) is True


def test_exporter_that_is_no_store(caplog: pytest.LogCaptureFixture) -> None:
    """An exporter that takes records and gives nothing back has no rules, and is not asked for any."""

    class Other(Exporter):
        def _store(self, records: Sequence[Record]) -> int:
            return 0

    ActiveRules(Settings(), Other()).refresh()
    assert caplog.records == []
    assert guard.failures == {}
