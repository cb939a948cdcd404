"""What of a trace only the running request can tell: whether OpenTelemetry traces it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ..runtime.ids import TraceContext, child_of

OPENTELEMETRY = "opentelemetry.trace"
"""The module that is looked up and not imported: who does not use it does not pay for it."""


FLASK_SPAN = "opentelemetry-flask.span_key"
"""Where OpenTelemetry's instrumentation of Flask puts its span in the environ, and leaves it."""


def active_span() -> Any:
    """Return the active span of OpenTelemetry; None without one."""
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
        environ: the request's; the span that Flask's instrumentation left there comes first.
        earlier: a span that was active before, for where none is active any more.
    """
    if sys.modules.get(OPENTELEMETRY) is None:
        return None
    span = (environ or {}).get(FLASK_SPAN) or active_span() or earlier
    context = None if span is None else span.get_span_context()
    if context is None or not context.is_valid:
        return None
    return child_of(f"{context.trace_id:032x}", f"{context.span_id:016x}")
