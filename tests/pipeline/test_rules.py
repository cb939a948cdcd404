"""Which records are kept: the classic exclusions, and what was asked for in code."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from bson import ObjectId

from flask_tracking import Record, Settings
from flask_tracking.pipeline.rules import Rules, Verdict
from flask_tracking.record import Capture

from ..captures import make_capture

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)


def judge(config: dict[str, Any], capture: Capture | None = None, **changes: Any) -> Verdict:
    """Ask the rules of these settings about a record."""
    parts: dict[str, Any] = {
        "id": ObjectId(),
        "date_created": NOON,
        "method": "GET",
        "status_code": 200,
        "execution_time": 10.0,
    }
    rules = Rules(Settings.from_mapping(config))
    return rules.judge(Record(**parts | changes), capture or make_capture())


def is_kept(config: dict[str, Any], capture: Capture | None = None, **changes: Any) -> bool:
    """Ask only whether it is kept."""
    return judge(config, capture, **changes).is_kept


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"status_code": 404}, None),
        ({"status_code": 500}, "error"),
        ({"status_code": 599, "execution_time": 60_000.0}, "error"),
        ({"outcome": "error"}, "error"),
        ({"outcome": "stream_error"}, "error"),
        ({"outcome": "disconnected"}, None),
        ({"execution_time": 199.9}, None),
        ({"execution_time": 200.0}, "slow"),
        ({"execution_time": None}, None),
    ],
)
def test_failures_and_slow_ones_are_kept_longest(changes: dict[str, Any], reason: str | None) -> None:
    """A failure and a slow answer say why they are kept longer than routine traffic."""
    assert judge({"TRACKING_SLOW_MS": 200}, **changes) == Verdict(True, reason)


def test_code_says_why_a_record_is_kept() -> None:
    """What the app gave as its reason wins over ours."""
    capture = make_capture(keep_reason="vip customer")
    assert judge({}, capture, status_code=500) == Verdict(True, "vip customer")


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PROPFIND", None])
@pytest.mark.parametrize("status_code", [101, 200, 304, 404, 500, None])
def test_everything_is_kept_by_default(method: str | None, status_code: int | None) -> None:
    """Without any exclusion every record is kept."""
    assert is_kept({}, method=method, status_code=status_code) is True


@pytest.mark.parametrize(
    ("method", "kept"),
    [("OPTIONS", False), ("HEAD", False), ("GET", True), ("POST", True), (None, True)],
)
def test_excluded_methods_are_not_kept(method: str | None, kept: bool) -> None:
    """Requests of an excluded method are not kept, however they are written in the setting."""
    assert is_kept({"TRACKING_EXCLUDE_METHODS": ["options", "HEAD"]}, method=method) is kept


def test_slow_request_of_an_excluded_method_is_not_kept() -> None:
    """How long a request took is no reason to keep an excluded method, only an excluded status."""
    config = {"TRACKING_EXCLUDE_METHODS": ["HEAD"], "TRACKING_MIN_EXECUTION_TIME": 1}

    assert is_kept(config, method="HEAD", execution_time=5000.0) is False


@pytest.mark.parametrize(
    ("status_code", "kept"), [(304, False), (404, False), (200, True), (500, True), (None, True)]
)
def test_excluded_status_codes_are_not_kept(status_code: int | None, kept: bool) -> None:
    """Answers of an excluded status are not kept, whatever time they took."""
    config = {"TRACKING_EXCLUDE_STATUS_CODES": [304, 404]}

    for execution_time in (0.0, 10.0, 100_000.0, None):
        assert is_kept(config, status_code=status_code, execution_time=execution_time) is kept


@pytest.mark.parametrize(
    ("execution_time", "kept"),
    [(None, False), (0.0, False), (999.999, False), (1000.0, True), (1000.001, True), (1e9, True)],
)
def test_slow_answer_of_an_excluded_status_is_kept(execution_time: float | None, kept: bool) -> None:
    """From the minimal time on an answer of an excluded status is kept all the same."""
    config = {"TRACKING_EXCLUDE_STATUS_CODES": [304], "TRACKING_MIN_EXECUTION_TIME": 1000}

    assert is_kept(config, status_code=304, execution_time=execution_time) is kept


def test_minimal_time_alone_excludes_nothing() -> None:
    """The minimal time matters for excluded statuses only: other fast requests are kept."""
    config = {"TRACKING_MIN_EXECUTION_TIME": 1000}

    assert is_kept(config, execution_time=0.1) is True
    assert is_kept({**config, "TRACKING_EXCLUDE_STATUS_CODES": [304]}, execution_time=0.1) is True


EXCLUDED = {
    "TRACKING_EXCLUDE_METHODS": ["GET"],
    "TRACKING_EXCLUDE_STATUS_CODES": [200],
    "TRACKING_MIN_EXECUTION_TIME": 1000,
}


@pytest.mark.parametrize("reason", ["vip customer", ""])
def test_keep_wins_over_every_exclusion(reason: str) -> None:
    """A record that the app asked to keep is kept whatever the settings say."""
    capture = make_capture(keep_reason=reason)

    assert is_kept(EXCLUDED) is False
    assert is_kept(EXCLUDED, capture) is True


def test_discard_wins_over_every_reason_to_keep() -> None:
    """A record that the app asked to discard is not kept, not even a slow failure."""
    capture = make_capture(discarded=True)

    assert is_kept({}, capture) is False
    assert is_kept({}, capture, status_code=500, execution_time=60_000.0) is False
    assert is_kept(EXCLUDED, capture, status_code=404, execution_time=60_000.0) is False


def test_discard_wins_over_keep() -> None:
    """A capture that carries both, which the span never makes, is discarded."""
    assert is_kept({}, make_capture(discarded=True, keep_reason="vip customer")) is False
