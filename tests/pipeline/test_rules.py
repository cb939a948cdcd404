"""Which records are kept: what code asked for, the classic exclusions, and samples of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from flask_tracking import Settings
from flask_tracking.filters.summaries import FIELDS
from flask_tracking.pipeline.rules import Rules, Verdict
from flask_tracking.pipeline.summary import summarise
from flask_tracking.record import Capture
from flask_tracking.runtime.ids import TraceContext

from ..captures import make_capture


def judge(config: dict[str, Any], capture: Capture | None = None, **changes: Any) -> Verdict:
    """Ask the rules of these settings about a request."""
    summary = summarise(capture or make_capture())
    parts: dict[str, Any] = {"method": "GET", "status_code": 200, "duration_ms": 10.0}
    return Rules(Settings.from_mapping(config)).judge(summary._replace(**parts | changes))


def is_stored(config: dict[str, Any], capture: Capture | None = None, **changes: Any) -> bool:
    """Ask only whether it is kept."""
    return judge(config, capture, **changes).is_stored


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"status_code": 404}, None),
        ({"status_code": 500}, "error"),
        ({"status_code": 599, "duration_ms": 60_000.0}, "error"),
        ({"outcome": "error"}, "error"),
        ({"outcome": "stream_error"}, "error"),
        ({"outcome": "disconnected"}, None),
        ({"duration_ms": 199.9}, None),
        ({"duration_ms": 200.0}, "slow"),
        ({"status_code": 101, "duration_ms": 60_000.0}, None),
        ({"status_code": 101, "duration_ms": 60_000.0, "outcome": "error"}, "error"),
        ({"status_code": None, "outcome": "disconnected"}, None),
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
    assert is_stored({}, method=method, status_code=status_code) is True


@pytest.mark.parametrize(
    ("method", "kept"),
    [("OPTIONS", False), ("HEAD", False), ("GET", True), ("POST", True), (None, True)],
)
def test_excluded_methods_are_not_kept(method: str | None, kept: bool) -> None:
    """Requests of an excluded method are not kept, however they are written in the setting."""
    assert is_stored({"TRACKING_EXCLUDE_METHODS": ["options", "HEAD"]}, method=method) is kept


def test_slow_request_of_an_excluded_method_is_not_kept() -> None:
    """How long a request took is no reason to keep an excluded method, only an excluded status."""
    config = {"TRACKING_EXCLUDE_METHODS": ["HEAD"], "TRACKING_MIN_EXECUTION_TIME": 1}

    assert is_stored(config, method="HEAD", duration_ms=5000.0) is False


@pytest.mark.parametrize(
    ("status_code", "kept"), [(304, False), (404, False), (200, True), (500, True), (None, True)]
)
def test_excluded_status_codes_are_not_kept(status_code: int | None, kept: bool) -> None:
    """Answers of an excluded status are not kept, whatever time they took."""
    config = {"TRACKING_EXCLUDE_STATUS_CODES": [304, 404]}

    for duration_ms in (0.0, 10.0, 100_000.0):
        assert is_stored(config, status_code=status_code, duration_ms=duration_ms) is kept


@pytest.mark.parametrize(
    ("duration_ms", "kept"),
    [(0.0, False), (999.999, False), (1000.0, True), (1000.001, True), (1e9, True)],
)
def test_slow_answer_of_an_excluded_status_is_kept(duration_ms: float, kept: bool) -> None:
    """From the minimal time on an answer of an excluded status is kept all the same."""
    config = {"TRACKING_EXCLUDE_STATUS_CODES": [304], "TRACKING_MIN_EXECUTION_TIME": 1000}

    assert is_stored(config, status_code=304, duration_ms=duration_ms) is kept


def test_upgraded_connection_is_not_slow() -> None:
    """How long a websocket was open is no reason to keep it, whatever the settings."""
    websocket: dict[str, Any] = {"status_code": 101, "duration_ms": 60_000.0}
    excluded = {"TRACKING_EXCLUDE_STATUS_CODES": [101], "TRACKING_MIN_EXECUTION_TIME": 1000}

    assert is_stored(excluded, **websocket) is False
    assert is_stored({**SAMPLED, "TRACKING_SLOW_MS": 200}, trace=UNPICKED, **websocket) is False


def test_minimal_time_alone_excludes_nothing() -> None:
    """The minimal time matters for excluded statuses only: other fast requests are kept."""
    config = {"TRACKING_MIN_EXECUTION_TIME": 1000}

    assert is_stored(config, duration_ms=0.1) is True
    assert is_stored({**config, "TRACKING_EXCLUDE_STATUS_CODES": [304]}, duration_ms=0.1) is True


EXCLUDED = {
    "TRACKING_EXCLUDE_METHODS": ["GET"],
    "TRACKING_EXCLUDE_STATUS_CODES": [200],
    "TRACKING_MIN_EXECUTION_TIME": 1000,
}


@pytest.mark.parametrize("reason", ["vip customer", ""])
def test_keep_wins_over_every_exclusion(reason: str) -> None:
    """A record that the app asked to keep is kept whatever the settings say."""
    capture = make_capture(keep_reason=reason)

    assert is_stored(EXCLUDED) is False
    assert is_stored(EXCLUDED, capture) is True


def test_discard_wins_over_every_reason_to_keep() -> None:
    """A record that the app asked to discard is not kept, not even a slow failure."""
    capture = make_capture(discarded=True)

    assert is_stored({}, capture) is False
    assert is_stored({}, capture, status_code=500, duration_ms=60_000.0) is False
    assert is_stored(EXCLUDED, capture, status_code=404, duration_ms=60_000.0) is False


def test_discard_wins_over_keep() -> None:
    """A capture that carries both, which the span never makes, is discarded."""
    assert is_stored({}, make_capture(discarded=True, keep_reason="vip customer")) is False


def trace_of(trace_id: str) -> TraceContext:
    """Return a trace with that id."""
    return TraceContext(trace_id, "00f067aa0ba902b7", None)


UNPICKED, PICKED = trace_of("f" * 32), trace_of("f" * 16 + "0" * 16)
"""Traces of which every rate below 1 picks the second, and none the first."""
SAMPLED = {"TRACKING_SAMPLE_RATE": 0.01, "TRACKING_SLOW_MS": 200}


@pytest.mark.parametrize(
    ("trace", "rate", "kept"),
    [
        (UNPICKED, 0.01, False),
        (UNPICKED, 1, True),
        (PICKED, 0.01, True),
        (PICKED, 0, False),
    ],
)
def test_routine_requests_are_sampled(trace: TraceContext, rate: float, kept: bool) -> None:
    """Of what nothing else keeps the trace's id decides."""
    assert is_stored({"TRACKING_SAMPLE_RATE": rate}, trace=trace) is kept


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status_code": 500}, "error"),
        ({"outcome": "error"}, "error"),
        ({"outcome": "stream_error"}, "error"),
        ({"outcome": "disconnected"}, None),
        ({"duration_ms": 200.0}, "slow"),
    ],
)
def test_what_is_not_routine_is_not_sampled(changes: dict[str, Any], reason: str | None) -> None:
    """Failures, slow and disconnected requests are kept at a rate of nothing."""
    config = {**SAMPLED, "TRACKING_SAMPLE_RATE": 0}
    assert judge(config, trace=UNPICKED, **changes) == Verdict(True, reason)


@pytest.mark.parametrize(
    "changes",
    [{"status_code": 404}, {"outcome": "unread"}, {"duration_ms": 199.9}, {"status_code": None}],
)
def test_all_else_is_routine(changes: dict[str, Any]) -> None:
    """A 404, or what is just not slow, is sampled like any other."""
    assert is_stored(SAMPLED, trace=UNPICKED, **changes) is False
    assert is_stored(SAMPLED, trace=PICKED, **changes) is True


def test_code_wins_over_sampling() -> None:
    """What the app asked to keep is not sampled, what it asked to discard is not picked."""
    assert judge(SAMPLED, make_capture(keep_reason="vip"), trace=UNPICKED) == Verdict(True, "vip")
    assert is_stored(SAMPLED, make_capture(discarded=True), trace=PICKED) is False


def test_exclusions_win_over_what_is_always_kept() -> None:
    """An excluded method or status is not kept because it failed or the trace was picked."""
    config = {**SAMPLED, "TRACKING_EXCLUDE_METHODS": ["HEAD"], "TRACKING_EXCLUDE_STATUS_CODES": [503]}
    assert is_stored(config, trace=PICKED, method="HEAD", duration_ms=5000.0) is False
    assert is_stored(config, trace=PICKED, status_code=503) is False


def test_excluded_status_that_was_slow_enough_is_not_sampled() -> None:
    """The minimal time promises that such a record is kept, so no sample is taken of them."""
    config = {
        **SAMPLED,
        "TRACKING_EXCLUDE_STATUS_CODES": [304],
        "TRACKING_MIN_EXECUTION_TIME": 50,
    }
    assert is_stored(config, trace=UNPICKED, status_code=304, duration_ms=60.0) is True
    assert is_stored(config, trace=UNPICKED, status_code=200, duration_ms=60.0) is False


@pytest.mark.parametrize(("flags", "kept"), [("00", False), ("01", True)])
def test_parent_decides_where_the_settings_say_so(flags: str, kept: bool) -> None:
    """With the setting the sampled flag of the caller decides, against the rate."""
    header = f"00-{(UNPICKED if kept else PICKED).trace_id}-00f067aa0ba902b7-{flags}"
    capture = make_capture(environ={"HTTP_TRACEPARENT": header})
    config = {**SAMPLED, "TRACKING_SAMPLE_PARENT": True}
    assert is_stored(config, capture, trace=trace_of(header[3:35])) is kept
    assert is_stored(SAMPLED, capture, trace=trace_of(header[3:35])) is not kept


@pytest.mark.parametrize(
    ("config", "changes", "expected"),
    [
        ({"DROP": ["status:404"]}, {"status_code": 404}, (False, None)),
        ({"DROP": ["status:404"]}, {"status_code": 403}, (True, None)),
        ({"DROP": ["method:head", "route:/poll"]}, {"url_rule": "/poll"}, (False, None)),
        ({"DROP": ["method:head", "route:/poll"]}, {"method": "HEAD"}, (False, None)),
        ({"DROP": ["slow:<5ms"]}, {"duration_ms": 4.9}, (False, None)),
        ({"DROP": ["is:error"]}, {"status_code": 500}, (False, None)),
        ({"DROP": ["status:4xx"], "KEEP": ["status:404"]}, {"status_code": 404}, (False, None)),
        ({"DROP": ["status:4xx"]}, {"status_code": 404, "keep_reason": "vip"}, (True, "vip")),
        ({"KEEP": ["status:404"]}, {"status_code": 404}, (True, "status:404")),
        ({"KEEP": ["status:404"]}, {"status_code": 404, "is_discarded": True}, (False, None)),
        ({"KEEP": ["status:404"], "SAMPLE_RATE": 0}, {"status_code": 404}, (True, "status:404")),
        ({"KEEP": ["status:404"], "SAMPLE_RATE": 0}, {}, (False, None)),
        ({"KEEP": ["not outcome:ok"]}, {"status_code": 500}, (True, "error")),
        (
            {"KEEP": ["outcome:disconnected"]},
            {"outcome": "disconnected"},
            (True, "outcome:disconnected"),
        ),
        ({"KEEP": ["slow:>=1m"], "SLOW_MS": 100}, {"duration_ms": 60_000.0}, (True, "slow")),
        (
            {"KEEP": ["route:/pay/*"], "EXCLUDE_STATUS_CODES": [304]},
            {"url_rule": "/pay/1", "status_code": 304},
            (False, None),
        ),
    ],
)
def test_filters_drop_and_keep(
    config: dict[str, Any], changes: dict[str, Any], expected: tuple[bool, str | None]
) -> None:
    """A filter drops or keeps requests; to drop comes before all reasons to keep but those of code."""
    settings = {f"TRACKING_{key}": value for key, value in config.items()}
    assert judge(settings, **{"outcome": "ok", **changes}) == expected


def test_every_field_of_a_rule_is_in_the_summary() -> None:
    """What a rule may ask for is in a summary, with the meaning that it has in a record."""
    summary = summarise(make_capture())
    for name in FIELDS:
        assert hasattr(summary, name)
    assert summary.execution_time == summary.duration_ms


def test_long_rule_is_a_short_reason() -> None:
    """The reason is the filter, cut at 1,000 characters."""
    rule = " or ".join([f"route:/{'a' * 90}"] * 50)
    (verdict,) = {judge({"TRACKING_KEEP": [rule]}, url_rule="/" + "a" * 90)}
    assert verdict.kept_reason == rule[:1000]
