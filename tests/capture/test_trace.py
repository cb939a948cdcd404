"""W3C trace context and OpenTelemetry: continued where valid, begun anew otherwise."""

from __future__ import annotations

import random
import re
import sys
import types
from typing import NamedTuple

import pytest

from flask_tracking.capture.trace import (
    TraceContext,
    child_of,
    continue_opentelemetry,
    new_trace_context,
    parse_traceparent,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")


class FakeSpanContext(NamedTuple):
    """What OpenTelemetry says of a span."""

    trace_id: int
    span_id: int
    is_valid: bool


def activate(monkeypatch: pytest.MonkeyPatch, context: FakeSpanContext) -> None:
    """Make a span of this context OpenTelemetry's active one."""

    class FakeSpan:
        def get_span_context(self) -> FakeSpanContext:
            return context

    module = types.ModuleType("opentelemetry.trace")
    monkeypatch.setattr(module, "get_current_span", FakeSpan, raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)


def assert_continues(context: TraceContext | None, trace_id: str, parent_span_id: str) -> None:
    """Assert that `context` is a new span of the trace below the parent."""
    assert context is not None
    assert (context.trace_id, context.parent_span_id) == (trace_id, parent_span_id)
    assert SPAN_ID.fullmatch(context.span_id)
    assert context.span_id != parent_span_id


@pytest.mark.parametrize(
    "header",
    [
        f"00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-00",
        f"00-{TRACE}-{PARENT}-ff",
        f"01-{TRACE}-{PARENT}-01",
        f"01-{TRACE}-{PARENT}-01-",
        f"01-{TRACE}-{PARENT}-01-what-comes-later",
        f"cc-{TRACE}-{PARENT}-01-{'x' * 1000}",
        f"fe-{TRACE}-{PARENT}-01",
    ],
)
def test_valid_traceparent_is_continued(header: str) -> None:
    """A valid header is continued; of a version that is not known yet, what version 00 has is read."""
    assert_continues(parse_traceparent(header), TRACE, PARENT)


@pytest.mark.parametrize(
    ("trace_id", "span_id"),
    [("0" * 31 + "1", "0" * 15 + "1"), ("f" * 32, "f" * 16), ("1" + "0" * 31, "1" + "0" * 15)],
)
def test_ids_at_the_bounds_are_valid(trace_id: str, span_id: str) -> None:
    """Ids are valid when one digit is not zero, wherever it stands."""
    assert_continues(parse_traceparent(f"00-{trace_id}-{span_id}-01"), trace_id, span_id)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT.upper()}-01",
        f"00-{TRACE}-{PARENT}-0A",
        f"0A-{TRACE}-{PARENT}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"ff-{TRACE}-{PARENT}-01-more",
        f"FF-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01more",
        f"01-{TRACE}-{PARENT}-01more",
        f"01-{TRACE}-{PARENT}-01.more",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE}-{PARENT[:-1]}-01",
        f"00-{TRACE}-{PARENT}0-01",
        f"0-{TRACE}-{PARENT}-01",
        f"000-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-001",
        f"00-{TRACE}-{PARENT}",
        f"{TRACE}-{PARENT}-01",
        f"00_{TRACE}_{PARENT}_01",
        f"00-{TRACE[:-1]}g-{PARENT}-01",
        f"00-{TRACE[:-1]}٣-{PARENT}-01",
        f" 00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01 ",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01",
    ],
)
def test_invalid_traceparent_is_ignored(header: str) -> None:
    """A header that is not valid in every part continues nothing."""
    assert parse_traceparent(header) is None


def test_each_span_has_an_id_of_its_own() -> None:
    """Requests with one and the same parent are spans of their own."""
    spans = [parse_traceparent(f"00-{TRACE}-{PARENT}-01") for _ in range(100)]

    assert len({span.span_id for span in spans if span}) == 100


def test_child_continues_a_trace() -> None:
    """A child is a new span of the same trace."""
    assert_continues(child_of(TRACE, PARENT), TRACE, PARENT)


def test_new_trace_has_no_parent() -> None:
    """A trace that begins here has well-formed ids and no parent."""
    context = new_trace_context()

    assert TRACE_ID.fullmatch(context.trace_id)
    assert SPAN_ID.fullmatch(context.span_id)
    assert context.parent_span_id is None


def test_new_traces_differ_though_the_app_seeds_random() -> None:
    """An app that seeds ``random`` in every worker does not make all workers' ids the same."""
    contexts = set()
    state = random.getstate()
    try:
        for _ in range(100):
            random.seed(0)
            contexts.add(new_trace_context())
            contexts.add(child_of(TRACE, PARENT))
    finally:
        random.setstate(state)

    assert len({context.span_id for context in contexts}) == 200
    assert len({context.trace_id for context in contexts}) == 101


def test_active_opentelemetry_span_is_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an OpenTelemetry span active the request is a span below it."""
    activate(monkeypatch, FakeSpanContext(int(TRACE, 16), int(PARENT, 16), True))

    assert_continues(continue_opentelemetry(), TRACE, PARENT)


def test_opentelemetry_ids_are_padded(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry's small numbers become ids of full length."""
    activate(monkeypatch, FakeSpanContext(0xABC, 0x1, True))

    assert_continues(continue_opentelemetry(), "0" * 29 + "abc", "0" * 15 + "1")


def test_invalid_opentelemetry_span_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an active span OpenTelemetry gives one that is not valid: it continues nothing."""
    activate(monkeypatch, FakeSpanContext(0, 0, False))

    assert continue_opentelemetry() is None


@pytest.mark.parametrize("is_blocked", [False, True])
def test_without_opentelemetry(monkeypatch: pytest.MonkeyPatch, is_blocked: bool) -> None:
    """An app that does not use OpenTelemetry continues nothing, and does not import it."""
    monkeypatch.delitem(sys.modules, "opentelemetry.trace", raising=False)
    if is_blocked:
        monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    before = set(sys.modules)

    assert continue_opentelemetry() is None
    assert set(sys.modules) == before
