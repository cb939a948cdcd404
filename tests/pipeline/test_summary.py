"""The summary of a capture says what its record will say, and is made of nothing else."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from flask_tracking import Settings
from flask_tracking.pipeline.assemble import Assembler
from flask_tracking.pipeline.judged import judge
from flask_tracking.pipeline.rules import Rules
from flask_tracking.pipeline.summary import UNREADABLE, summarise
from flask_tracking.runtime.ids import TraceContext

from ..captures import make_capture

PARENT = f"00-{'4' * 32}-{'5' * 16}-01"


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"method": "post", "request_size": 17, "response_size": 4711},
        {"method": "", "url_rule": None, "endpoint": None},
        {"environ": {"HTTP_TRACEPARENT": PARENT}, "trace": None},
        {"environ": {"HTTP_TRACEPARENT": "nonsense"}, "trace": None},
        {"trace": None},
        {"status": None, "outcome": "error"},
        {"status": None, "outcome": "disconnected"},
        {"status": "4O4 NOT FOUND"},
        {"status": "503", "duration_ns": 12_345_678},
        {"status": "", "outcome": "ok"},
    ],
)
def test_summary_is_that_of_the_record(parts: dict[str, Any]) -> None:
    """Every value is the one that is stored if a record is made."""
    capture = make_capture(**parts)
    summary = summarise(capture)
    record = Assembler(Settings()).assemble(capture, summary)
    assert (summary.method, summary.url_rule, summary.status_code, summary.duration_ms) == (
        record.method,
        record.url_rule,
        record.status_code,
        record.execution_time,
    )
    assert (summary.outcome, summary.request_size, summary.response_size) == (
        record.outcome,
        record.request_body_size,
        record.response_body_size,
    )
    if summary.trace is not None:
        assert summary.trace.trace_id == record.trace_id


@pytest.mark.parametrize("rate", [0.1, 0.9])
def test_new_trace_is_sampled_by_the_id_that_is_stored(rate: float) -> None:
    """A trace that begins here gets its id after it was judged, and the one that it was judged by."""
    settings = Settings(sample_rate=rate)
    rules, assembler = Rules(settings), Assembler(settings)
    verdicts = set()
    for _ in range(200):
        capture = make_capture(trace=None)
        summary = summarise(capture)
        verdicts.add(rules.judge(summary).is_stored)
        trace_id = assembler.assemble(capture, summary).trace_id or ""
        known = summary._replace(trace=TraceContext(trace_id, "0" * 16, None))
        assert rules.judge(known) == rules.judge(summary)
    assert verdicts == {True, False}


def test_what_code_asked_for() -> None:
    """A reason to keep and a wish to discard are told."""
    assert summarise(make_capture(keep_reason="vip")).keep_reason == "vip"
    assert summarise(make_capture(discarded=True)).is_discarded is True


def test_judged_capture_is_plain() -> None:
    """What the processor gets can be sent to another process as it is."""
    judged = judge(Rules(Settings()).judge, make_capture())
    assert pickle.loads(pickle.dumps(judged)) == judged


def test_capture_that_cannot_be_read() -> None:
    """It is neither taken for routine that may be sampled away, nor lost uncounted."""
    judged = judge(Rules(Settings(sample_rate=0.0)).judge, make_capture(environ_keys=None))
    assert (judged.is_stored, judged.is_readable, judged.summary) == (True, False, UNREADABLE)
