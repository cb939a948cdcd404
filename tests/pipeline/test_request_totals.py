"""Counts of all requests: by route, method and status, within a bound."""

from __future__ import annotations

from typing import Any

import pytest

from flask_tracking.pipeline import request_totals
from flask_tracking.pipeline.request_totals import OTHER, OTHER_METHOD, Key, RequestTotals, Totals
from flask_tracking.pipeline.summary import summarise
from flask_tracking.record import Summary

from ..captures import make_capture


def summary(**changes: Any) -> Summary:
    """Make the summary of a small, good request, with `changes`."""
    return summarise(make_capture())._replace(**changes)


def test_sums() -> None:
    """Requests of one route, method and status are one entry: how many, how long, how much."""
    totals = RequestTotals()
    totals.add(summary(duration_ms=2.0, request_size=10, response_size=100))
    totals.add(summary(duration_ms=5.0, request_size=20, response_size=0))
    totals.add(summary(duration_ms=3.0, request_size=0, response_size=1))
    totals.add(summary(status_code=500, duration_ms=7.0, request_size=0, response_size=0))
    rule = "/orders/<int:number>"
    assert totals.totals() == {
        Key(rule, "GET", 200): Totals(3, 10.0, 5.0, 30, 101),
        Key(rule, "GET", 500): Totals(1, 7.0, 7.0, 0, 0),
    }
    assert totals.total() == 4


@pytest.mark.parametrize("method", ["FOO", "get", None, ""])
def test_methods_are_a_closed_set(method: str | None) -> None:
    """What a client makes up as a method makes no entry of its own."""
    totals = RequestTotals()
    totals.add(summary(method=method, url_rule=None))
    assert list(totals.totals()) == [Key(None, OTHER_METHOD, 200)]


def test_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound the rest is counted together, and what is known goes on."""
    monkeypatch.setattr(request_totals, "MAX_KEYS", 3)
    totals = RequestTotals()
    for _ in range(2):
        for number in range(6):
            totals.add(summary(url_rule=f"/{number}"))
    found = {key.url_rule: totals.requests for key, totals in totals.totals().items()}
    assert found == {"/0": 2, "/1": 2, "/2": 2, OTHER: 6}
    assert totals.total() == 12


def test_totals_are_a_copy() -> None:
    """What was read stays as it was read."""
    totals = RequestTotals()
    before = totals.totals()
    totals.add(summary())
    assert before == {}
