"""Batches to a store: what is tried again, and what becomes of a record that no exporter takes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from flask_tracking import Exporter, ExportError, MemoryExporter, NoDatabaseError, Record, Settings
from flask_tracking.pipeline import delivery as delivery_module
from flask_tracking.pipeline.batch import BatchWorker
from flask_tracking.pipeline.counters import Counters
from flask_tracking.pipeline.delivery import Delivery, Undelivered
from flask_tracking.pipeline.worker import SyncWorker

from ..captures import make_capture, make_record

POISON = "/poison"


class Breaking(MemoryExporter):
    """A store that breaks with records of one path, and is away when it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.tries: list[int] = []
        self.before_try: Callable[[int], object] = lambda number: None

    def export(self, records: Sequence[Record]) -> int:
        self.tries.append(len(records))
        self.before_try(len(self.tries))
        if any(record.path == POISON for record in records):
            raise ValueError(f"cannot encode {POISON}")
        return super().export(records)


@pytest.fixture
def store() -> Breaking:
    return Breaking()


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def delivery(store: Breaking, counters: Counters, monkeypatch: pytest.MonkeyPatch) -> Delivery:
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 0.0)
    return Delivery(store, counters, lambda: None)


def make_batch(count: int, *poisoned: int, **parts: Any) -> list[Record]:
    """Make records, of which some break the store."""
    return [
        make_record(path=POISON if number in poisoned else "/orders/7", **parts)
        for number in range(count)
    ]


@pytest.mark.parametrize("poisoned", [(0,), (499,), (250,), (17, 18), (3, 200, 499)])
def test_poisoned_record_costs_itself(
    delivery: Delivery,
    store: Breaking,
    counters: Counters,
    caplog: pytest.LogCaptureFixture,
    poisoned: tuple[int, ...],
) -> None:
    """Of 500 records all others are stored whole, and it as a stub that says why."""
    batch = make_batch(500, *poisoned)
    assert delivery.deliver(batch, threading.Event()) is None
    stored = {record.id: record for record in store.records}
    assert stored.keys() == {record.id for record in batch}
    assert (counters.exported, dict(counters.dropped)) == (500, {})
    for number, record in enumerate(batch):
        found = stored[record.id]
        if number not in poisoned:
            assert found == record
            continue
        assert found.notes == ("stored without its content: ValueError while storing it",)
        assert (found.status_code, found.url_rule) == (200, "/orders/<int:number>")
        assert (found.path, found.request_headers, found.response_body) == (None, (), b"")
    assert len(store.tries) < 22 * len(poisoned)
    assert POISON not in caplog.text


def test_poisoned_record_of_a_failure_stays_kept(delivery: Delivery, store: Breaking) -> None:
    """A stub is kept as long as its record was to be, and tells the losses before it."""
    (record,) = make_batch(1, 0)
    record = Record.from_values({**vars(record), "kept": True, "kept_reason": "error"})
    record = Record.from_values({**vars(record), "dropped_before": 3})
    assert delivery.deliver([record], threading.Event()) is None
    (stub,) = store.records
    assert (stub.kept, stub.kept_reason, stub.dropped_before) == (True, "error", 3)


def test_store_that_is_away_is_not_bisected(delivery: Delivery, store: Breaking) -> None:
    """An exporter that says so is tried again with the whole batch."""
    failing = [ExportError("away")] * 3

    def fail(number: int) -> None:
        if failing:
            raise failing.pop()

    store.before_try = fail
    assert delivery.deliver(make_batch(8), threading.Event()) is None
    assert store.tries == [8, 8, 8, 8]


def test_error_that_passes_costs_no_record(delivery: Delivery, store: Breaking) -> None:
    """An exporter that broke once, by whatever, gets the same batch again."""

    def fail(number: int) -> None:
        if number == 1:
            raise OSError(17)

    store.before_try = fail
    batch = make_batch(8)
    assert delivery.deliver(batch, threading.Event()) is None
    assert (store.records, store.tries) == (batch, [8, 8])


def test_store_that_breaks_with_everything(delivery: Delivery, store: Breaking) -> None:
    """Where not even a stub can be stored no record is given up for one: all are tried again."""

    def fail(number: int) -> None:
        if number <= 21:  # four rounds, down to one record and its stub
            raise OSError(17)

    store.before_try = fail
    batch = make_batch(8)
    assert delivery.deliver(batch, threading.Event()) is None
    assert sorted(store.records, key=batch.index) == batch


def test_store_that_goes_away_while_it_is_bisected(delivery: Delivery, store: Breaking) -> None:
    """What was not stored by then is tried again, and the poisoned one is found all the same."""

    def fail(number: int) -> None:
        if number in (4, 5):
            raise ExportError("away")

    store.before_try = fail
    batch = make_batch(16, 9)
    assert delivery.deliver(batch, threading.Event()) is None
    notes = [record.notes for record in store.records if record.notes]
    assert (len(store.records), len(notes)) == (16, 1)


def test_last_try_finds_the_poisoned_one(delivery: Delivery, store: Breaking) -> None:
    """When the process ends there is no second try: the others are stored in the first."""
    closing = threading.Event()
    closing.set()
    assert delivery.deliver(make_batch(16, 9), closing) is None
    assert len(store.records) == 16


@pytest.mark.parametrize(
    ("error", "reason"), [(ExportError("away"), "shutdown"), (OSError(17), "shutdown")]
)
def test_last_try_that_fails(
    delivery: Delivery, store: Breaking, error: Exception, reason: str
) -> None:
    """What is not stored by the last try is given back, once."""
    closing = threading.Event()
    closing.set()

    def fail(number: int) -> None:
        if number > 1:
            raise error

    store.before_try = fail
    batch = make_batch(8, 7)
    left = delivery.deliver(batch, closing)
    assert left is not None
    assert (sorted(left.records, key=batch.index), left.reason) == (batch, reason)


def test_no_database_is_not_tried_again(delivery: Delivery, store: Breaking) -> None:
    """Without a database records are given up at once."""

    def fail(number: int) -> None:
        raise NoDatabaseError("none")

    store.before_try = fail
    batch = make_batch(2)
    assert delivery.deliver(batch, threading.Event()) == Undelivered(batch, "not_configured")
    assert store.tries == [2]


def test_processes_retry_apart(
    delivery: Delivery, store: Breaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pauses are shortened at random, by up to a half."""
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 0.25)
    closing = threading.Event()
    pauses: list[float] = []
    failing = [ExportError("away")] * 200

    def fail(number: int) -> None:
        if failing:
            raise failing.pop()

    store.before_try = fail
    monkeypatch.setattr(closing, "wait", pauses.append)
    assert delivery.deliver(make_batch(1), closing) is None
    assert 0.125 <= pauses[0] <= 0.25
    late = pauses[10:]
    assert 2.5 <= min(late) < 3 < 4.5 < max(late) <= 5


@pytest.mark.parametrize("answer", ["2", 2.0, True, -1, 6, 10**30, [], object(), b"1"])
def test_nonsense_for_an_answer(
    counters: Counters, caplog: pytest.LogCaptureFixture, answer: object
) -> None:
    """An answer that is no number of rejected records is said, and all count as stored."""

    class Odd(Exporter):
        def export(self, records: Sequence[Record]) -> Any:
            return answer

        def _store(self, records: Sequence[Record]) -> int:
            raise AssertionError

    delivery = Delivery(Odd(), counters, lambda: None)
    assert delivery.deliver(make_batch(5), threading.Event()) is None
    assert (counters.exported, dict(counters.dropped)) == (5, {})
    assert [record.getMessage() for record in caplog.records] == [
        f"The exporter returned an invalid {type(answer).__name__}; "
        "expected the number of rejected records or None."
    ]


def test_exporter_that_answers_nothing(counters: Counters, caplog: pytest.LogCaptureFixture) -> None:
    """None means that nothing was rejected."""

    class Silent(Exporter):
        def export(self, records: Sequence[Record]) -> Any:
            return None

        def _store(self, records: Sequence[Record]) -> int:
            raise AssertionError

    caplog.set_level(logging.INFO)
    assert Delivery(Silent(), counters, lambda: None).deliver(make_batch(5), threading.Event()) is None
    assert (counters.exported, caplog.records) == (5, [])


class Fussy(Breaking):
    """A store that breaks with records of one status, and with their stubs as well."""

    def export(self, records: Sequence[Record]) -> int:
        if any(record.status_code is None for record in records):
            self.tries.append(len(records))
            raise TypeError
        return super().export(records)


def make_odd(*odd: int, count: int = 500) -> list[Record]:
    """Make records, of which some are not stored even as a stub."""
    return [
        Record.from_values({**vars(record), "status_code": None, "kept": True}) if at in odd else record
        for at, record in enumerate(make_batch(count))
    ]


@pytest.mark.parametrize("odd", [(0,), (499,), (250,), (17, 18), (0, 1, 2, 3), (3, 200, 496, 498, 499)])
def test_record_that_cannot_be_a_stub_costs_itself(
    counters: Counters, monkeypatch: pytest.MonkeyPatch, caplog: Any, odd: tuple[int, ...]
) -> None:
    """Of 500 records all others are stored, and it is lost; nothing waits for it for ever."""
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 0.0)
    delivery = Delivery(store := Fussy(), counters, lambda: None)
    batch, asked = make_odd(*odd), []

    def get_company(already: int) -> list[Record]:
        asked.append(already)
        return make_batch(1)

    assert delivery.deliver(batch, threading.Event(), get_company) is None
    others = {record.id for number, record in enumerate(batch) if number not in odd}
    assert others <= {record.id for record in store.records}
    assert (counters.exported, dict(counters.dropped)) == (
        500 - len(odd) + len(asked),
        {"export_failed": len(odd)},
    )
    assert dict(counters.dropped_kept) == {"export_failed": len(odd)}
    assert all(number <= len(odd) for number in asked) and len(asked) <= 2 * len(odd) + 2
    assert "is lost: the exporter fails with it but stores others" in caplog.text


def test_nothing_is_lost_while_no_other_is_stored(
    counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as an exporter takes nothing else, it may be the exporter; at the end all are told."""
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 0.001)
    closing, tries = threading.Event(), []
    delivery = Delivery(store := Fussy(), counters, lambda: None)

    def get_company(already: int) -> list[Record]:
        tries.append(already)
        if len(tries) == 5:
            closing.set()
        return []

    batch = make_odd(0, 1, count=2)
    left = delivery.deliver(batch, closing, get_company)
    assert left is not None and sorted(left.records, key=batch.index) == batch
    assert (left.reason, dict(counters.dropped), store.records) == ("shutdown", {}, [])


def test_worker_fetches_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """One record after another, so that each waits alone at first: the odd one costs itself."""
    monkeypatch.setattr(delivery_module, "FIRST_RETRY_S", 0.01)
    worker = BatchWorker(Settings(batch_records=1), store := Fussy())
    worker.submit(make_capture(status=None, outcome="disconnected"))
    for _ in range(3):
        worker.submit(make_capture())
    worker.flush(1.0)
    for _ in range(3):
        worker.submit(make_capture())
    assert worker.flush(20.0)
    stats = worker.stats
    assert worker.close(20.0)
    assert len(store.records) == 6
    assert (stats.exported, stats.dropped, stats.queue_bytes) == (6, {"export_failed": 1}, 0)


def test_sync_worker_stores_a_stub(store: Breaking) -> None:
    """A record that breaks the exporter inside the request is a stub as well."""
    worker = SyncWorker(Settings(), store)
    worker.submit(make_capture(path=POISON))
    worker.submit(make_capture())
    assert [bool(record.notes) for record in store.records] == [True, False]
    assert (worker.stats.exported, worker.stats.dropped) == (2, {})
