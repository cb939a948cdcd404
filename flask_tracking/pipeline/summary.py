"""What a request was, in a few plain values: rules, sampling and counts need no more of it.

Made of a capture in about two microseconds, so that a record is assembled only where it is kept.
"""

from __future__ import annotations

from collections.abc import Callable

from ..record import Capture, Summary
from ..runtime.cache import BoundedCache, make_pick
from ..runtime.ids import begin_trace

__all__ = ["UNREADABLE", "read_status", "summarise"]

_KEYS = ("REQUEST_METHOD", "HTTP_TRACEPARENT")

UNREADABLE = Summary(
    method=None,
    url_rule=None,
    status_code=None,
    duration_ms=0.0,
    outcome="ok",
    trace=begin_trace(None),
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
    outcome = capture.outcome
    return Summary(
        method.upper() if method else None,
        capture.url_rule,
        read_status(capture.status, outcome),
        capture.duration_ns / 1e6,
        outcome,
        capture.trace or begin_trace(traceparent),
        traceparent,
        capture.request_size,
        capture.response_size,
        capture.keep_reason,
        capture.discarded,
    )


def read_status(status: str | None, outcome: str) -> int | None:
    """Return the code of a status line; 500 where an exception escaped before an answer began."""
    if status is None:
        return 500 if outcome == "error" else None
    return int(status[:3]) if status[:3].isdecimal() else None


def _make_pick(keys: tuple[str, ...]) -> Callable[[tuple[str | None, ...]], tuple[str | None, ...]]:
    return make_pick(tuple(keys.index(key) if key in keys else -1 for key in _KEYS))


_picks = BoundedCache(_make_pick)
