"""What a request was, in a few plain values: rules, sampling and counts need no more of it.

Made of a capture in about two microseconds, so that a record is assembled only where it is kept.
"""

from __future__ import annotations

from collections.abc import Callable

from ..record import Capture, Summary
from ..runtime.cache import BoundedCache, make_pick
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
"""Stands in for the summary of a capture that cannot be read."""


def summarise(capture: Capture) -> Summary:
    """Return the summary of `capture`; its trace is that of the record that may be made of it."""
    method, traceparent = _picks[capture.environ_keys]((*capture.environ_values, None))
    outcome, status, trace = capture.outcome, capture.status, capture.trace
    if trace is None and traceparent:
        trace = parse_traceparent(traceparent)
    return Summary(
        method.upper() if method else None,
        capture.url_rule,
        # An exception that escapes before an answer began is a 500 for the client.
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


def _make_pick(keys: tuple[str, ...]) -> Callable[[tuple[str | None, ...]], tuple[str | None, ...]]:
    return make_pick(tuple(keys.index(key) if key in keys else -1 for key in _KEYS))


_picks = BoundedCache(_make_pick)
