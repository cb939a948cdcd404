"""Which routine requests are stored, if not all of them are.

Decided by the trace's id alone: every process, every service and OpenTelemetry's ``TraceIdRatioBased``
of the same rate pick the same traces, so a trace is stored as a whole or not at all.
"""

from __future__ import annotations

from ..record import Summary
from ..runtime.ids import read_sampled, sampling_bits

__all__ = ["Sampler"]

LIMIT = 1 << 64
"""The lower 64 bits of a trace's id decide: they are random in ids of every kind."""


class Sampler:
    """Picks a share of the traces."""

    def __init__(self, rate: float, *, honours_parent: bool = False) -> None:
        """Pick `rate` of all.

        Args:
            rate: from 0, which picks none, to 1, which picks all.
            honours_parent: a valid ``traceparent`` header decides instead, by its sampled flag. Whoever
                sends the request can set it.
        """
        self._bound = round(rate * LIMIT)
        self._honours_parent = honours_parent

    def picks(self, summary: Summary) -> bool:
        """Tell whether the trace of a request is picked."""
        if self._honours_parent and summary.traceparent is not None:
            is_sampled = read_sampled(summary.traceparent)
            if is_sampled is not None:
                return is_sampled
        if summary.trace is None:
            return sampling_bits(summary.drawn_trace) < self._bound
        return self.picks_trace(summary.trace.trace_id)

    def picks_trace(self, trace_id: str) -> bool:
        """Tell whether a trace is picked by its id.

        Args:
            trace_id: 32 hex digits.
        """
        return int(trace_id[-16:], 16) < self._bound
