"""Trace data that only the running request has: the span of OpenTelemetry."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ..runtime.ids import TraceContext, child_of

OPENTELEMETRY = "opentelemetry.trace"
"""The module is looked up, not imported: an app that does not use it pays nothing."""


FLASK_SPAN = "opentelemetry-flask.span_key"
"""The environ key under which OpenTelemetry's Flask instrumentation stores its span."""


def active_span() -> Any:
    """Return OpenTelemetry's active span; None without one."""
    module = sys.modules.get(OPENTELEMETRY)
    if module is None:
        return None
    span = module.get_current_span()
    return span if span.get_span_context().is_valid else None


def continue_opentelemetry(
    environ: Mapping[str, Any] | None = None, earlier: Any = None
) -> TraceContext | None:
    """Continue the trace of OpenTelemetry's span of the request, if there is one.

    Args:
        environ: the request's environ; a span of Flask's instrumentation in it takes precedence.
        earlier: a span that was active before, used if none is active any more.
    """
    if sys.modules.get(OPENTELEMETRY) is None:
        return None
    span = (environ or {}).get(FLASK_SPAN) or active_span() or earlier
    context = None if span is None else span.get_span_context()
    if context is None or not context.is_valid:
        return None
    return child_of(f"{context.trace_id:032x}", f"{context.span_id:016x}")
