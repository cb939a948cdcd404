"""Counts of all requests, stored or not, for rollups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..record import Summary

__all__ = ["OTHER", "Key", "RequestTotals", "Totals"]

MAX_KEYS = 2000
"""Maximum number of combinations of route, method and status: more than apps have."""
OTHER = "(other)"
"""Stands for every route beyond `MAX_KEYS`."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
OTHER_METHOD = "_OTHER"
"""OpenTelemetry's word for every other method, of which clients can invent any number."""


class Key(NamedTuple):
    """The key by which requests are counted."""

    url_rule: str | None
    """None for requests that matched no route."""
    method: str
    status_code: int | None


class Totals(NamedTuple):
    """The sums over the requests of one key."""

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
        """The fields of `Totals` by key, as lists to be changed in place."""

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
        """Return the number of counted requests."""
        return sum(requests for requests, *_ in self._sums.values())

    def totals(self) -> Mapping[Key, Totals]:
        """Return a copy of the sums."""
        return {Key(*key): Totals(*sums) for key, sums in self._sums.items()}
