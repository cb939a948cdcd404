"""W3C trace context: where a request stands in a trace that began elsewhere."""

from __future__ import annotations

import random
import re
import sys
from typing import NamedTuple

from ..forks import after_fork_in_child

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?"
)


class TraceContext(NamedTuple):
    """The ids of one span."""

    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""
    parent_span_id: str | None


# Our own generator: an app may seed that of `random`, and its workers would all make the same ids. And
# not os.urandom: a system call slows down what comes after it as well.
_random = random.Random()  # noqa: S311 - ids are no secrets
after_fork_in_child(_random.seed)


def new_trace_context() -> TraceContext:
    """Begin a trace."""
    ids = f"{_random.getrandbits(192) or 1:048x}"
    return TraceContext(ids[:32], ids[32:], None)


def child_of(trace_id: str, parent_span_id: str) -> TraceContext:
    """Continue a trace below one of its spans."""
    return TraceContext(trace_id, f"{_random.getrandbits(64) or 1:016x}", parent_span_id)


def parse_traceparent(header: str) -> TraceContext | None:
    """Continue the trace of a ``traceparent`` header; None when the header is not valid.

    As the specification demands, a version that is not known is read as far as version 00 goes, and
    version 00 with anything behind it is not valid.
    """
    match = _TRACEPARENT.fullmatch(header)
    if match is None or (match[3] and header.startswith("00")):
        return None
    return child_of(match[1], match[2])


def continue_opentelemetry() -> TraceContext | None:
    """Continue the trace of the active OpenTelemetry span, if there is one."""
    # Looked up and not imported: who does not use OpenTelemetry does not pay for it.
    module = sys.modules.get("opentelemetry.trace")
    if module is None:
        return None
    context = module.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return child_of(f"{context.trace_id:032x}", f"{context.span_id:016x}")
