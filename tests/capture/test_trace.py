"""OpenTelemetry's active span is continued, where there is one."""

from __future__ import annotations

import re
import sys
import types
from typing import Any, NamedTuple

import pytest

from flask_tracking.capture.trace import continue_opentelemetry
from flask_tracking.runtime.ids import TraceContext

from ..opentelemetry_traces import CASES, WAYS, run_all

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
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


@pytest.fixture(scope="module")
def traced() -> dict[tuple[str, str], dict[str, Any]]:
    """What requests under OpenTelemetry's own instrumentations gave, by way and case."""
    return {(result["way"], result["case"]): result for result in run_all()}


@pytest.mark.integration
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES)
def test_record_continues_the_span_of_the_request(
    traced: dict[tuple[str, str], dict[str, Any]], way: str, case: str
) -> None:
    """However a request ends, its record has the trace id of OpenTelemetry's span, and is below it."""
    result = traced[way, case]
    assert result["got"] == CASES[case]
    assert len(result["spans"]) == 1
    assert result["records"] == result["spans"]
