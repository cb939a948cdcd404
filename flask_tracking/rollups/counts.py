"""The counts of the requests of one route and method."""

from __future__ import annotations

from ..filters import FIRST_FAILURE
from .histogram import Buckets, add_buckets, find_bucket, percentile

__all__ = ["Counts", "is_failure"]

FAILED = ("error", "stream_error")
"""The outcomes of requests whose exception escaped, before the response or while it was sent."""


def is_failure(status_code: int | None, outcome: str) -> bool:
    """Return True if the response was a 5xx or an exception escaped, even while the body was sent."""
    return (status_code or 0) >= FIRST_FAILURE or outcome in FAILED


class Counts:
    """Sums of requests. All are integers, so that the order of adding does not matter."""

    __slots__ = (
        "buckets",
        "duration_us",
        "failed",
        "max_us",
        "request_bytes",
        "response_bytes",
        "statuses",
    )

    def __init__(self) -> None:
        """Start with no requests."""
        self.statuses: dict[int, int] = {}
        """The number of requests by status; requests without a status have the key 0."""
        self.failed = 0
        self.duration_us = 0
        """The sum of the durations, in microseconds."""
        self.max_us = 0
        self.request_bytes = 0
        self.response_bytes = 0
        self.buckets: Buckets = {}

    @property
    def mean_ms(self) -> float | None:
        """The mean of the known durations; None if there are none."""
        measured = sum(self.buckets.values())
        return self.duration_us / 1000 / measured if measured else None

    @property
    def requests(self) -> int:
        """The number of requests."""
        return sum(self.statuses.values())

    def add_request(
        self,
        status_code: int | None,
        failed: bool,
        duration_ms: float,
        request_bytes: int,
        response_bytes: int,
    ) -> int:
        """Count one request, and return the bucket of its duration."""
        status, bucket = status_code or 0, find_bucket(duration_ms / 1000)
        duration_us = round(duration_ms * 1000)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.failed += failed
        self.duration_us += duration_us
        if duration_us > self.max_us:
            self.max_us = duration_us
        self.request_bytes += request_bytes
        self.response_bytes += response_bytes
        return bucket

    def add_unmeasured(
        self, status_code: int | None, failed: bool, request_bytes: int, response_bytes: int
    ) -> None:
        """Count one request of unknown duration, which changes no percentile."""
        status = status_code or 0
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.failed += failed
        self.request_bytes += request_bytes
        self.response_bytes += response_bytes

    def percentile_ms(self, share: float) -> float | None:
        """Return the percentile of the durations for `share`, from 0 to 1; None without requests."""
        seconds = percentile(self.buckets, share)
        # The maximum is known exactly; its bucket extends beyond it.
        return None if seconds is None else min(seconds * 1000, self.max_us / 1000)

    def add(self, other: Counts) -> None:
        """Add the requests of `other`, which is not changed."""
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        add_buckets(self.buckets, other.buckets)
        self.failed += other.failed
        self.duration_us += other.duration_us
        self.max_us = max(self.max_us, other.max_us)
        self.request_bytes += other.request_bytes
        self.response_bytes += other.response_bytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counts) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    def __repr__(self) -> str:
        return f"<Counts of {self.requests} requests>"
