"""Counts of all requests, stored or not: what rollups are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..record import Summary

__all__ = ["OTHER", "Key", "Tally", "Totals"]

MAX_KEYS = 2000
"""More combinations of a route, a method and a status than apps have."""
OTHER = "(other)"
"""Stands for every route past `MAX_KEYS`."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
OTHER_METHOD = "_OTHER"
"""OpenTelemetry's word for every other method: a client may send any."""


class Key(NamedTuple):
    """What is counted together."""

    url_rule: str | None
    """None for requests that no route matched."""
    method: str
    status_code: int | None


class Totals(NamedTuple):
    """The sums of the requests of one key."""

    requests: int = 0
    duration_ms: float = 0.0
    max_duration_ms: float = 0.0
    request_bytes: int = 0
    response_bytes: int = 0


class Tally:
    """Counts summaries by route, method and status. Not thread-safe."""

    def __init__(self) -> None:
        """Start empty."""
        self._totals: dict[Key, Totals] = {}

    def add(self, summary: Summary) -> None:
        """Count one request."""
        method = summary.method if summary.method in METHODS else OTHER_METHOD
        key = Key(summary.url_rule, method, summary.status_code)
        totals = self._totals.get(key)
        if totals is None:
            if len(self._totals) >= MAX_KEYS:
                key = Key(OTHER, OTHER_METHOD, None)
            totals = self._totals.get(key, Totals())
        duration_ms = summary.duration_ms
        self._totals[key] = Totals(
            totals.requests + 1,
            totals.duration_ms + duration_ms,
            max(totals.max_duration_ms, duration_ms),
            totals.request_bytes + summary.request_size,
            totals.response_bytes + summary.response_size,
        )

    def total(self) -> int:
        """Return how many requests were counted."""
        return sum(totals.requests for totals in self._totals.values())

    def totals(self) -> Mapping[Key, Totals]:
        """Return a copy of the sums."""
        return dict(self._totals)
