"""Counts of all requests, stored or not: what rollups are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..record import Summary

__all__ = ["OTHER", "Key", "RequestTotals", "Totals"]

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


class RequestTotals:
    """Counts summaries by route, method and status. Not thread-safe."""

    def __init__(self) -> None:
        """Start empty."""
        self._sums: dict[tuple[str | None, str, int | None], list[Any]] = {}
        """By key what `Totals` has, to be changed in its place."""

    def add(self, summary: Summary) -> None:
        """Count one request."""
        method = summary.method if summary.method in METHODS else OTHER_METHOD
        key = (summary.url_rule, method, summary.status_code)
        sums = self._sums.get(key)
        if sums is None:
            sums = self._begin(key)
        duration_ms = summary.duration_ms
        sums[0] += 1
        sums[1] += duration_ms
        if duration_ms > sums[2]:
            sums[2] = duration_ms
        sums[3] += summary.request_size
        sums[4] += summary.response_size

    def _begin(self, key: tuple[str | None, str, int | None]) -> list[Any]:
        if len(self._sums) >= MAX_KEYS:
            key = (OTHER, OTHER_METHOD, None)
        return self._sums.setdefault(key, list(Totals()))

    def total(self) -> int:
        """Return how many requests were counted."""
        return sum(requests for requests, *_ in self._sums.values())

    def totals(self) -> Mapping[Key, Totals]:
        """Return a copy of the sums."""
        return {Key(*key): Totals(*sums) for key, sums in self._sums.items()}
