"""Summaries of captures: the few values that rules, sampling and counters need.

Making one takes about two microseconds, so that a record is assembled only if it is stored.
"""

from __future__ import annotations

from ..record import Capture, Summary
from ..runtime.cache import BoundedCache
from ..runtime.ids import draw_trace, parse_traceparent

__all__ = ["UNREADABLE", "summarise"]

_KEYS = ("REQUEST_METHOD", "HTTP_TRACEPARENT")

UNREADABLE = Summary(
    method=None,
    url_rule=None,
    status_code=None,
    duration_ms=0.0,
    outcome="ok",
    trace=None,
    drawn_trace=1,
    traceparent=None,
    request_size=0,
    response_size=0,
    keep_reason=None,
    is_discarded=False,
)
"""The summary of a capture that cannot be read."""


def summarise(capture: Capture) -> Summary:
    """Return the summary of `capture`. The record made of it later has the same trace."""
    method_at, traceparent_at = _places[capture.environ_keys]
    values = capture.environ_values
    method = None if method_at is None else values[method_at]
    traceparent = None if traceparent_at is None else values[traceparent_at]
    outcome, status, trace = capture.outcome, capture.status, capture.trace
    if trace is None and traceparent:
        trace = parse_traceparent(traceparent)
    return Summary(
        method.upper() if method else None,
        capture.url_rule,
        # An exception that escapes before the response began is a 500 for the client.
        _codes[status] if status else 500 if outcome == "error" else None,
        capture.duration_ns / 1e6,
        outcome,
        trace,
        draw_trace() if trace is None else 0,
        traceparent,
        capture.request_size,
        capture.response_size,
        capture.keep_reason,
        capture.discarded,
    )


def _read_code(status: str) -> int | None:
    return int(status[:3]) if status[:3].isdecimal() else None


_codes = BoundedCache(_read_code)


def _find_places(keys: tuple[str, ...]) -> tuple[int | None, ...]:
    return tuple(keys.index(key) if key in keys else None for key in _KEYS)


_places = BoundedCache(_find_places)
