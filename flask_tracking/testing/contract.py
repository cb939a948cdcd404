"""The contract of exporters and stores, as assertions for any of them, including yours."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from time import monotonic
from typing import Any

from bson import ObjectId

from ..config.overrides import parse_overrides
from ..exporters.base import Exporter
from ..exporters.rollup_table import RollupQuery, align
from ..exporters.store import Store, leave_facts
from ..filters import Filter
from ..queries import find_newest
from ..record import ChildTiming, ExceptionInfo, Record, Remark, UserAgent
from ..record_summary import summarize
from ..rollups.counts import Counts
from ..rollups.rollup import Rollup, RouteKey

__all__ = ["assert_exporter", "assert_store"]

__tracebackhide__ = True  # of pytest: a failure shows the test that asserts, not how that is done

CLOSE_S = 1.0
SLACK_S = 1.0
"""Time that the machine may add to that of the exporter."""


def assert_exporter(make: Callable[[], Exporter]) -> None:
    """Assert that an exporter keeps what `flask_tracking.Exporter` promises.

    It is opened, given batches of ordinary and of strange records, closed and used again. What has
    become of the records only you can see; of a store use `assert_store`.

    Args:
        make: returns a new exporter at each call.

    Raises:
        AssertionError: a promise is broken; the message says which.

    .. versionadded:: 2.0
    """
    _assert_batches(make())
    _assert_strange_records(make())
    _assert_closing(make())


def assert_store(make: Callable[[], Store]) -> None:
    """Assert that a store keeps what `flask_tracking.Store` promises.

    Args:
        make: returns a new store at each call, with no records in it.

    Raises:
        AssertionError: a promise is broken; the message says which.

    .. versionadded:: 2.0
    """
    for check in (_assert_batches, _assert_strange_records, _assert_closing, *_STORE_CHECKS):
        store = make()
        check(store)
        store.close(CLOSE_S)


def _make_record(**parts: Any) -> Record:
    now = datetime.now(timezone.utc)
    arrived = now.replace(microsecond=now.microsecond // 1000 * 1000)
    values = {"method": "GET", "path": "/orders/7", "status_code": 200, "execution_time": 2.5}
    return Record(**{"id": ObjectId(), "date_created": arrived, **values, **parts})


def _make_records(count: int, **parts: Any) -> list[Record]:
    """Make records that arrived a second apart, the last one now."""
    made = [_make_record(**parts) for _ in range(count)]
    return [
        dataclasses.replace(one, date_created=one.date_created - timedelta(seconds=count - at))
        for at, one in enumerate(made)
    ]


def _assert(is_kept: bool, promise: str, *details: object) -> None:
    if not is_kept:
        raise AssertionError(" ".join([promise, *map(repr, details)]))


def _export(exporter: Exporter, records: Sequence[Record], *, most_rejected: int = 0) -> None:
    answer: object = exporter.export(records)
    rejected = 0 if answer is None else answer  # as the worker takes it
    if type(rejected) is not int:
        raise AssertionError(f"export() must return a number or None: {rejected!r}")
    is_stored = 0 <= rejected <= most_rejected
    _assert(is_stored, "export() must store all of these records, and it rejected", rejected)


# Exporters


def _assert_batches(exporter: Exporter) -> None:
    exporter.open()
    exporter.open()  # a worker whose thread died opens it again
    _export(exporter, [])
    for count in (1, 500):
        _export(exporter, _make_records(count))
    exporter.close(CLOSE_S)


def _assert_strange_records(exporter: Exporter) -> None:
    """Give it what clients and apps put into records; it need not store it, and must count it then."""
    strange = [
        _make_record(method=None, path=None, status_code=None, execution_time=None),
        _make_record(path="/\udcff\0\x1b[2J", user_id="\ud800", query_params="é" * 5000),
        _make_record(request_body=bytes(range(256)) * 256, response_body=b"\xff" * 65_536),
        _make_record(custom_data={"": 2**80, "a.b": {"$c": [float("nan"), {1}, object()]}}),
        _make_record(custom_data=_nest(30), kept=True, kept_reason="error", status_code=500),
    ]
    _export(exporter, strange, most_rejected=len(strange))
    exporter.close(CLOSE_S)


def _nest(depth: int) -> Any:
    return [_nest(depth - 1)] if depth else "deep"


def _assert_closing(exporter: Exporter) -> None:
    exporter.close(CLOSE_S)  # one that was never opened
    _export(exporter, _make_records(1))
    began = monotonic()
    exporter.close(CLOSE_S)
    exporter.close(CLOSE_S)
    took_s = monotonic() - began
    _assert(took_s <= 2 * CLOSE_S + SLACK_S, "close(timeout_s) must end in time, and took", took_s)
    _export(exporter, _make_records(1))
    exporter.abandon()
    exporter.close(CLOSE_S)


# Stores


def _assert_records_come_back(store: Store) -> None:
    record = _make_record(
        user_id="42",
        user_agent=UserAgent("firefox", "120.0", "linux", None, "Mozilla/5.0", "Firefox", "Linux"),
        request_headers=(("Accept", "*/*"), ("Accept", "text/html")),
        request_body=b"\x00\xff",
        exception=ExceptionInfo("ValueError", "no", "Traceback"),
        custom_data={"n": 1, "deep": [{"a": None}]},
        children=(ChildTiming("charge", 1.5, None, "ValueError"),),
        notes=("one", "two"),
        redacted=(Remark("request_body", "name", 3, 7),),
    )
    for _ in range(2):
        _export(store, [record])
    _assert(store.get(record.id) == record, "get() must return a record as it was stored")
    found = store.find(Filter(), limit=10)
    _assert(found == [record], "a record that is exported twice must be found once:", found)
    _assert(store.get(ObjectId()) is None, "get() must return None for a record that is not there")


def _assert_finding(store: Store) -> None:
    records = _make_records(9)
    records[4] = dataclasses.replace(records[4], status_code=503)
    _export(store, records)
    newest = records[::-1]
    for limit in (0, 3, 100):
        found = store.find(Filter(), limit=limit)
        _assert(found == newest[:limit], "find() must return the newest first, up to", limit)
    between = (records[2].date_created, records[6].date_created)
    found = store.find(Filter(), limit=100, between=between)
    _assert(found == records[5:1:-1], "find(between=...) must include its first time and not its last")
    found = store.find(Filter.parse("status:5xx"), limit=100)
    _assert(found == [records[4]], "find() must return what the filter means:", found)
    rows = find_newest(store, Filter(), 5, fields="summary")
    _assert(rows == [summarize(one) for one in newest[:5]], "summaries must be those of the records")
    facts = find_newest(store, Filter(), 5, fields="facts")
    expected = [leave_facts(one) for one in newest[:5]]
    _assert(facts == expected, "facts must be the records without bodies and tracebacks:", facts)


def _assert_keeping(store: Store) -> None:
    by_rule, by_hand = _make_records(2, kept=True, kept_reason="error")
    by_hand = dataclasses.replace(by_hand, kept=False, kept_reason=None)
    _export(store, [by_rule, by_hand])
    _assert(store.find(Filter.parse("is:kept"), limit=9) == [by_rule], "kept records must be found")
    _assert(store.keep(by_hand.id, "for the talk"), "keep() must return True for what is stored")
    kept = dataclasses.replace(by_hand, kept=True, kept_reason="for the talk")
    _assert(store.get(by_hand.id) == kept, "a record must say why it is kept")
    _assert(store.unkeep(by_hand.id), "unkeep() must return True for what is kept")
    _assert(store.get(by_hand.id) == by_hand, "a record that is kept no longer must say so")
    is_wrong = store.unkeep(by_hand.id) or store.keep(ObjectId(), "why") or store.unkeep(ObjectId())
    _assert(not is_wrong, "keep() and unkeep() must return False where there is nothing to do")


def _assert_tail(store: Store) -> None:
    store.open()
    _export(store, _make_records(2))
    begun = store.tail(Filter())
    _assert(begun.records == [], "the first tail() must return no records:", begun.records)
    records = _make_records(5)
    _export(store, records)
    first = store.tail(Filter(), begun.position, limit=3)
    second = store.tail(Filter(), first.position)
    third = store.tail(Filter(), second.position)
    found = [one.id for tail in (first, second, third) for one in tail.records]
    _assert(len(first.records) == 3, "tail() must return no more than its limit:", first.records)
    _assert(found == [one.id for one in records], "tail() must return each record once, in its order")


def _assert_overrides(store: Store) -> None:
    rules = sorted(parse_overrides(["slow_ms=200", "exclude_status_codes=304"], "10m"))
    store.store_overrides(rules)
    _assert(store.load_overrides() == rules, "load_overrides() must return what was stored")
    store.clear_overrides(["slow_ms", "sample_rate"])
    left = store.load_overrides()
    _assert(left == rules[:1], "clear_overrides() must remove the named ones, and no other:", left)


def _assert_rewriting(store: Store) -> None:
    def revise(records: Sequence[Record]) -> list[Record]:
        return [dataclasses.replace(one, user_id=None, redaction_version="2") for one in records]

    secret, plain = _make_records(2, user_id="hunter2")
    plain = dataclasses.replace(plain, user_id=None, redaction_version="2")
    _export(store, [secret, plain])
    *_, dry = (one for one in store.rewrite(revise, "2", is_dry_run=True) if one.stored)
    _assert(store.get(secret.id) == secret, "a dry run of rewrite() must change nothing")
    *_, done = (one for one in store.rewrite(revise, "2") if one.stored)
    (revised,) = revise([secret])
    _assert(store.get(secret.id) == revised, "rewrite() must store what it is given back")
    _assert((done.changed, done.current) == (1, 1), "rewrite() must count what it changes:", done)
    _assert(dry == done, "a dry run of rewrite() must count the same:", dry, done)


def _assert_rollups(store: Store) -> None:
    table = store.rollups
    if table is None:
        return
    fine, coarse = table.widths[:2]
    now = datetime.now(timezone.utc)
    start = align(now - timedelta(hours=1), coarse.seconds)
    for at, requests in ((0, 1), (0, 2), (1, 3)):
        counts = Counts()
        for _ in range(requests):
            counts.add_request(200, False, 2.5, 10, 100)
        begins = start + at * timedelta(seconds=fine.seconds)
        routes = {RouteKey("/orders", "GET"): counts}
        table.store([Rollup(width_s=fine.seconds, start=begins, source="web", routes=routes)])
    found = [one.total.requests for one in table.find(RollupQuery(fine.seconds, until=now))]
    _assert(sorted(found) == [2, 3], "a rollup must replace the one of the same id:", found)
    for _ in range(2):
        table.merge("contract", now)
        (merged,) = table.find(RollupQuery(coarse.seconds, since=start))
        _assert(merged.total.requests == 5, "merge() must count each request once:", merged.total)
    _assert(table.merge("another", now) == 0, "merge() must do nothing while another one merges")


def _assert_checks(store: Store) -> None:
    for place in store.prepare():
        _assert(bool(place.name), "a place must have a name:", place)
    for usage in store.measure():
        _assert(usage.records == 0, "measure() must count what is stored, and that is nothing:", usage)
    for line in store.describe():
        _assert(line == " ".join(line.split()), "describe() must return single lines:", line)
    for problem in store.check():
        _assert(bool(problem.what), "a problem must say what is wrong:", problem)


_STORE_CHECKS: Sequence[Callable[[Store], None]] = (
    _assert_records_come_back,
    _assert_finding,
    _assert_keeping,
    _assert_tail,
    _assert_overrides,
    _assert_rewriting,
    _assert_rollups,
    _assert_checks,
)
