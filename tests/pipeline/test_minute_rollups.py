"""Counts of all requests: by minute, route, method and status, within bounds."""

from __future__ import annotations

from typing import Any

import pytest

from flask_tracking.pipeline import minute_rollups
from flask_tracking.pipeline.judged import Judged
from flask_tracking.pipeline.minute_rollups import MinuteRollups
from flask_tracking.pipeline.summary import UNREADABLE, summarise
from flask_tracking.record import Capture, ExceptionInfo, Summary
from flask_tracking.rollups import rollup as rollups
from flask_tracking.rollups.rollup import OTHER, OTHER_METHOD, Example, FailureKey, Rollup, RouteKey

from ..captures import make_capture

NOON = 1_764_504_000.0


def judged(capture: Capture | None = None, **changes: Any) -> Judged:
    """Make a small, good request of noon that is stored, with `changes` of its summary."""
    capture = capture or make_capture(arrived_at=NOON)
    summary: Summary = summarise(capture)._replace(**changes)
    kept = "error" if (summary.status_code or 0) >= 500 else None
    return Judged(capture, summary, True, kept)


@pytest.fixture
def counted() -> MinuteRollups:
    """Nothing counted yet."""
    return MinuteRollups("1.0")


def take(counted: MinuteRollups) -> Rollup:
    """Return the only minute."""
    (rollup,) = counted.take().values()
    return rollup


def test_sums(counted: MinuteRollups) -> None:
    """Requests of one route and method are one entry: how many, how long, how much."""
    counted.add(judged(duration_ms=2.0, request_size=10, response_size=100))
    counted.add(judged(duration_ms=5.5, request_size=20, response_size=0))
    counted.add(judged(status_code=500, duration_ms=3.0, request_size=0, response_size=1))
    assert counted.total() == 3
    rollup = take(counted)
    (counts,) = rollup.routes.values()
    assert list(rollup.routes) == [RouteKey("/orders/<int:number>", "GET")]
    assert (counts.statuses, counts.failed) == ({200: 2, 500: 1}, 1)
    assert (counts.duration_us, counts.max_us) == (10_500, 5_500)
    assert (counts.request_bytes, counts.response_bytes) == (30, 101)
    assert (rollup.version, rollup.start.timestamp()) == ("1.0", NOON)
    assert counted.total() == 0


def test_minute_of_the_end(counted: MinuteRollups) -> None:
    """A request counts in the minute in which it ended, however long ago it arrived."""
    counted.add(judged(duration_ms=59_000.0))
    counted.add(judged(duration_ms=60_000.0))
    counted.add(judged(duration_ms=150_000.0))
    assert [one.start.timestamp() - NOON for one in counted.take().values()] == [0, 60, 120]


def test_minute_that_is_begun_again(counted: MinuteRollups) -> None:
    """What is counted after a minute was taken is another rollup, which replaces nothing."""
    ids = set()
    for _ in range(2):
        counted.add(judged())
        ids.add(take(counted).id)
    ids.add(MinuteRollups("1.0").make_rollup(int(NOON // 60)).id)
    assert len(ids) == 3


@pytest.mark.parametrize("method", ["FOO", "get", None, ""])
def test_methods_are_a_closed_set(counted: MinuteRollups, method: str | None) -> None:
    """What a client makes up as a method makes no entry of its own."""
    counted.add(judged(method=method, url_rule=None))
    assert list(take(counted).routes) == [RouteKey(None, OTHER_METHOD)]


def test_bound_of_routes(counted: MinuteRollups, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound the rest is counted together; what is known, and what is unmatched, goes on."""
    monkeypatch.setattr(rollups, "MAX_ROUTES", 3)
    for _ in range(2):
        for rule in (*(f"/{number}" for number in range(6)), None):
            counted.add(judged(url_rule=rule))
            counted.add(judged(url_rule=rule, method="POST"))
    found = {(key.url_rule, key.method): one.requests for key, one in take(counted).routes.items()}
    apart = {(rule, method): 2 for rule in ("/0", "/1", "/2", None) for method in ("GET", "POST")}
    assert found == {**apart, (OTHER, "GET"): 6, (OTHER, "POST"): 6}


def test_bound_of_minutes(counted: MinuteRollups, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nobody takes them, the oldest minutes are dropped, and their requests count as lost."""
    monkeypatch.setattr(minute_rollups, "MAX_MINUTES", 2)
    for minute in range(5):
        for _ in range(minute + 1):
            counted.add(judged(duration_ms=60_000.0 * minute))
    assert [one.total.requests for one in counted.take().values()] == [4, 5]
    assert (counted.take_lost(), counted.take_lost()) == (6, 0)


def test_unreadable_capture(counted: MinuteRollups) -> None:
    """What cannot be read counts all the same, in the minute of now."""
    broken: Any = None
    counted.add(Judged(broken, UNREADABLE, True, None, is_readable=False))
    rollup = take(counted)
    assert (rollup.total.requests, rollup.examples) == (1, {})


def test_examples(counted: MinuteRollups) -> None:
    """Half an octave has one stored record: the newest kept one, else the newest."""
    captures = [make_capture(arrived_at=NOON, duration_ns=ns) for ns in (10**6, 10**6, 10**9, 10**9)]
    failed = judged(captures[2], status_code=500)
    for one in (judged(captures[1]), judged(captures[0]), failed, judged(captures[3])):
        counted.add(one)
    counted.add(judged(make_capture(arrived_at=NOON, duration_ns=10**7))._replace(is_stored=False))
    fast, slow = (example for _, example in sorted(take(counted).examples.items()))
    assert (fast, slow) == (Example(False, captures[1].id), Example(True, captures[2].id))


def test_failures(counted: MinuteRollups) -> None:
    """Failures are counted by exception, place and route; without an exception by status."""
    error = ExceptionInfo("shop.OutOfStock", "no tea", "Traceback")
    raised = make_capture(
        arrived_at=NOON, exception=error, raised_in=("shop/app.py", "order"), status="500 X"
    )
    answered = make_capture(arrived_at=NOON, status="503 X")
    broken = make_capture(arrived_at=NOON, outcome="stream_error")
    for capture in (raised, raised, answered, broken, make_capture(arrived_at=NOON)):
        counted.add(judged(capture))
    rule = "/orders/<int:number>"
    groups = take(counted).failures
    assert {key: group.count for key, group in groups.items()} == {
        FailureKey("shop.OutOfStock", "shop/app.py", "order", rule): 2,
        FailureKey("status 503", "", "", rule): 1,
        FailureKey("stream_error", "", "", rule): 1,
    }
    assert groups[FailureKey("status 503", "", "", rule)].example == Example(True, answered.id)


def test_bound_of_failures(counted: MinuteRollups, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound failures are one number."""
    monkeypatch.setattr(rollups, "MAX_FAILURES", 2)
    for status in (500, 501, 502, 503, 501):
        counted.add(judged(make_capture(arrived_at=NOON, status=f"{status} X")))
    rollup = take(counted)
    assert {key.error: one.count for key, one in rollup.failures.items()} == {
        "status 500": 1,
        "status 501": 2,
    }
    assert rollup.other_failures == 2
