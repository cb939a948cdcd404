"""Sampling of routine requests.

Only the trace id decides: every process, every service and OpenTelemetry's ``TraceIdRatioBased`` of the
same rate pick the same traces, so a trace is stored completely or not at all.
"""

from __future__ import annotations

from ..record import Summary
from ..runtime.ids import read_sampled, sampling_bits

__all__ = ["Sampler"]

LIMIT = 1 << 64
"""The lower 64 bits of a trace id decide: they are random in every kind of id."""


class Sampler:
    """Picks a share of the traces."""

    def __init__(self, rate: float, *, honours_parent: bool = False) -> None:
        """Set the rate.

        Args:
            rate: the share of traces to pick, from 0 to 1.
            honours_parent: let the sampled flag of a valid ``traceparent`` header decide instead.
                Clients can set that header.
        """
        self._bound = round(rate * LIMIT)
        self._honours_parent = honours_parent

    def picks(self, summary: Summary) -> bool:
        """Return True if the trace of a request is picked."""
        if self._honours_parent and summary.traceparent is not None:
            is_sampled = read_sampled(summary.traceparent)
            if is_sampled is not None:
                return is_sampled
        if summary.trace is None:
            return sampling_bits(summary.drawn_trace) < self._bound
        return self.picks_trace(summary.trace.trace_id)

    def picks_trace(self, trace_id: str) -> bool:
        """Return True if the trace with this id is picked.

        Args:
            trace_id: 32 hex digits.
        """
        return int(trace_id[-16:], 16) < self._bound
