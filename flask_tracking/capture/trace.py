"""What of a trace only the running request can tell: whether OpenTelemetry traces it."""

from __future__ import annotations

import sys

from ..ids import TraceContext, child_of

OPENTELEMETRY = "opentelemetry.trace"
"""The module that is looked up and not imported: who does not use it does not pay for it."""


def continue_opentelemetry() -> TraceContext | None:
    """Continue the trace of the active OpenTelemetry span, if there is one."""
    module = sys.modules.get(OPENTELEMETRY)
    if module is None:
        return None
    context = module.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return child_of(f"{context.trace_id:032x}", f"{context.span_id:016x}")
