"""The counts of the requests of one route and method."""

from __future__ import annotations

from ..filters import FIRST_FAILURE
from .histogram import (
    Buckets,
    add_buckets,
    add_packed,
    check_packed,
    find_bucket,
    percentile,
    unpack,
)

__all__ = ["Counts", "is_failure"]

FAILED = ("error", "stream_error")
"""The outcomes of requests whose exception escaped, before the response or while it was sent."""


def is_failure(status_code: int | None, outcome: str) -> bool:
    """Return True if the response was a 5xx or an exception escaped, even while the body was sent."""
    return (status_code or 0) >= FIRST_FAILURE or outcome in FAILED


class Counts:
    """Sums of requests. All are integers, so that the order of adding does not matter."""

    __slots__ = (
        "_durations",
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
        self._durations: tuple[Buckets, list[bytes]] = {}, []
        """The durations in buckets, and more as they are packed: few are ever asked for."""

    @property
    def buckets(self) -> Buckets:
        """The durations."""
        buckets, packed = self._durations
        if packed:
            if len(packed) == 1 and not buckets:
                buckets = unpack(packed[0])
            else:
                buckets = dict(buckets)
                add_packed(buckets, packed)
            # In one step, because several threads may read the same counts.
            self._durations = buckets, []
        return buckets

    @buckets.setter
    def buckets(self, buckets: Buckets) -> None:
        self._durations = buckets, []

    def add_packed_durations(self, packed: bytes) -> None:
        """Add durations to the buckets, as `histogram.pack` has packed them.

        Raises:
            ValueError: the data was packed by something else.
        """
        check_packed(packed)
        if packed:
            self._durations[1].append(packed)

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
        duration_us, buckets = round(duration_ms * 1000), self._durations[0]
        self.statuses[status] = self.statuses.get(status, 0) + 1
        buckets[bucket] = buckets.get(bucket, 0) + 1
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
        buckets, packed = other._durations
        if len(packed) == 1 and not buckets:
            self._durations[1].append(packed[0])
        else:  # a sum, which is unpacked once and not in each sum that includes it
            add_buckets(self._durations[0], other.buckets)
        self.failed += other.failed
        self.duration_us += other.duration_us
        self.max_us = max(self.max_us, other.max_us)
        self.request_bytes += other.request_bytes
        self.response_bytes += other.response_bytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counts) and all(
            getattr(self, name) == getattr(other, name) for name in _COMPARED
        )

    def __repr__(self) -> str:
        return f"<Counts of {self.requests} requests>"


_COMPARED = ("buckets", *(name for name in Counts.__slots__ if not name.startswith("_")))
