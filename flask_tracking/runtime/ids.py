"""Ids of records and traces, made without system calls, which would also slow the code after them.

An id that the request does not need is made later, from a number drawn during the request.
"""

from __future__ import annotations

import itertools
import os
import random
import re
from typing import NamedTuple

from bson import ObjectId

from .lifecycle import after_fork_in_child

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_SAMPLED = 0x01
"""The flag of a ``traceparent`` header: the caller records the trace."""


class TraceContext(NamedTuple):
    """The ids of one span."""

    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""
    parent_span_id: str | None


# A separate generator: an app may seed `random`, and its processes would all make the same ids.
_random = random.Random()  # noqa: S311 - ids are no secrets
_process = int.from_bytes(os.urandom(5), "big")


def _begin_process() -> None:
    global _process
    _random.seed()
    _process = int.from_bytes(os.urandom(5), "big")


after_fork_in_child(_begin_process)


next_number = itertools.count(_random.getrandbits(24)).__next__
"""Returns the number of the next request."""


def make_record_id(arrived_at: float, number: int) -> ObjectId:
    """Return the id of the record of a request. Within a process, equal arguments give equal ids.

    Args:
        arrived_at: Unix time, in seconds.
        number: the request's number from `next_number`, of which the id contains the lower 24 bits.
    """
    seconds, count = int(arrived_at) & 0xFFFFFFFF, number & 0xFFFFFF
    return ObjectId((seconds << 64 | _process << 24 | count).to_bytes(12, "big"))


def begin_trace(traceparent: str | None) -> TraceContext:
    """Continue the trace of a ``traceparent`` header, or begin one without a valid header."""
    continued = parse_traceparent(traceparent) if traceparent else None
    return new_trace(draw_trace()) if continued is None else continued


def draw_trace() -> int:
    """Draw the ids of a new trace, as a number of 192 bits."""
    return _random.getrandbits(192) or 1


def new_trace(drawn: int) -> TraceContext:
    """Begin the trace drawn by `draw_trace`, which consists of its id and that of the span."""
    ids = drawn.to_bytes(24, "big").hex()  # takes half the time of formatting the number
    return TraceContext(ids[:32], ids[32:], None)


def sampling_bits(drawn: int) -> int:
    """Return the lower 64 bits of the id of a drawn trace, without making the id."""
    return drawn >> 64 & (1 << 64) - 1


def child_of(trace_id: str, parent_span_id: str) -> TraceContext:
    """Continue a trace as a child of one of its spans."""
    return TraceContext(trace_id, f"{_random.getrandbits(64) or 1:016x}", parent_span_id)


def parse_traceparent(header: str) -> TraceContext | None:
    """Continue the trace of a ``traceparent`` header; None if the header is invalid.

    As the specification demands, unknown versions are parsed like version 00, and trailing characters
    are invalid in version 00.
    """
    match = _match_traceparent(header)
    return None if match is None else child_of(match[1], match[2])


def read_sampled(header: str) -> bool | None:
    """Return the sampled flag of a ``traceparent`` header; None if the header is invalid."""
    match = _match_traceparent(header)
    return None if match is None else bool(int(match[3], 16) & _SAMPLED)


def _match_traceparent(header: str) -> re.Match[str] | None:
    match = _TRACEPARENT.fullmatch(header)
    return None if match is None or (match[4] and header.startswith("00")) else match
