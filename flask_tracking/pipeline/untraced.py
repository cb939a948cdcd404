"""Keep OpenTelemetry from tracing the worker's own calls to the store."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from ..runtime.guard import call_foreign

__all__ = ["untraced"]

CONTEXT = "opentelemetry.context"
"""Looked up instead of imported: apps without OpenTelemetry pay nothing."""
SUPPRESSED = "suppress_instrumentation"
"""The key of older instrumentations; newer ones check another one, too."""


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """Suppress the instrumentation of database drivers and HTTP clients in this thread or greenlet.

    Otherwise each batch would become a trace of its own.
    """
    context = sys.modules.get(CONTEXT)
    if context is None:
        yield
        return
    token = call_foreign("suppressing OpenTelemetry", _attach, context, default=None)
    try:
        yield
    finally:
        if token is not None:
            call_foreign("suppressing OpenTelemetry", context.detach, token, default=None)


def _attach(context: Any) -> object:
    key = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", SUPPRESSED)
    return context.attach(context.set_value(key, True, context.set_value(SUPPRESSED, True)))
