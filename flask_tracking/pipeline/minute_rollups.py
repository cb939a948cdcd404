"""Counts of all requests, stored or not, by the minute in which they ended."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import datetime, timezone
from time import time as wall_time

from ..filters import FIRST_FAILURE
from ..rollups.counts import Counts, is_failure
from ..rollups.rollup import (
    BUCKETS_PER_EXAMPLE,
    METHODS,
    OTHER_METHOD,
    Example,
    FailureKey,
    Rollup,
)
from ..rollups.widths import MINUTE
from ..runtime.ids import make_record_id
from .judged import Judged

__all__ = ["MAX_MINUTES", "MinuteRollups"]

MAX_MINUTES = 120
"""The maximum number of minutes in memory; beyond it the oldest are dropped."""
MAX_NAME = 200
"""Maximum characters of a name in a group of failures."""
ID_NUMBERS = 0xFFFFFF
"""The part of a request's number that is in its id."""
NO_EXAMPLE = (False, -1, -1)


class MinuteRollups:
    """The minutes of one process that are not taken yet. Not thread-safe."""

    def __init__(self, version: str | None) -> None:
        """Start empty.

        Args:
            version: ``TRACKING_APP_VERSION``.
        """
        self._version = version
        self._source = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(8).hex()}"
        self._minutes: dict[int, _Minute] = {}
        self._begun = 0
        """The number of minutes begun. A minute that is begun again becomes another rollup."""
        self._lost = 0

    def add(self, judged: Judged) -> None:
        """Count one request, in the minute in which it ended."""
        ended_at = wall_time()
        if judged.is_readable:
            ended_at = judged.capture.arrived_at + judged.summary.duration_ms / 1000
        number = int(ended_at // MINUTE)
        minute = self._minutes.get(number)
        if minute is None:
            minute = self._begin(number)
        minute.add(judged)

    def _begin(self, number: int) -> _Minute:
        while len(self._minutes) >= MAX_MINUTES:
            oldest = self._minutes.pop(min(self._minutes))
            self._lost += oldest.rollup.total.requests
        minute = self._minutes[number] = _Minute(self.make_rollup(number))
        return minute

    def make_rollup(self, number: int) -> Rollup:
        """Return an empty rollup of a minute of this process.

        Args:
            number: the minute, counted from 1970.
        """
        self._begun += 1
        return Rollup(
            width_s=MINUTE,
            start=datetime.fromtimestamp(number * MINUTE, timezone.utc),
            source=f"{self._source}.{self._begun}",
            version=self._version,
            is_open=True,
        )

    def total(self) -> int:
        """Return the number of counted requests."""
        return sum(minute.rollup.total.requests for minute in self._minutes.values())

    def take_lost(self) -> int:
        """Return the number of requests in minutes dropped since the last call."""
        lost, self._lost = self._lost, 0
        return lost

    def take(self) -> Mapping[int, Rollup]:
        """Remove and return the rollups, by the number of the minute."""
        minutes, self._minutes = self._minutes, {}
        return {number: minute.finish() for number, minute in minutes.items()}


class _Minute:
    """Adds requests to a rollup, in about two microseconds each."""

    def __init__(self, rollup: Rollup) -> None:
        self.rollup = rollup
        self._counts: dict[tuple[str | None, str], Counts] = {}
        """The counts by route and method: the app bounds the routes, `METHODS` the methods."""
        self._examples: dict[int, tuple[bool, int, int]] = {}
        """The greatest example of each half octave: whether it is kept, and the parts of its id."""

    def add(self, judged: Judged) -> None:
        """Count one request."""
        summary, capture = judged.summary, judged.capture
        method = summary.method if summary.method in METHODS else OTHER_METHOD
        counts = self._counts.get((summary.url_rule, method))
        if counts is None:
            counts = self.rollup.get_counts(summary.url_rule, method)
            self._counts[summary.url_rule, method] = counts
        failed = is_failure(summary.status_code, summary.outcome)
        bucket = counts.add_request(
            summary.status_code,
            failed,
            summary.duration_ms,
            summary.request_size,
            summary.response_size,
        )
        if judged.is_stored and judged.is_readable:
            octave = bucket // BUCKETS_PER_EXAMPLE
            example = (
                judged.kept_reason is not None,
                int(capture.arrived_at),
                capture.number & ID_NUMBERS,
            )
            if example > self._examples.get(octave, NO_EXAMPLE):
                self._examples[octave] = example
        if failed:
            self.rollup.add_failure(_name_failure(judged), 1, _make_example(judged))

    def finish(self) -> Rollup:
        """Return the rollup, with its examples."""
        for octave, (kept, arrived_at, number) in self._examples.items():
            self.rollup.examples[octave] = Example(kept, make_record_id(arrived_at, number))
        return self.rollup


def _name_failure(judged: Judged) -> FailureKey:
    capture, summary = judged.capture, judged.summary
    if capture.exception is not None:
        error = capture.exception.type
    elif (summary.status_code or 0) >= FIRST_FAILURE:
        error = f"status {summary.status_code}"
    else:
        error = summary.outcome
    file, function = capture.raised_in or ("", "")
    return FailureKey(error[:MAX_NAME], file[-MAX_NAME:], function[:MAX_NAME], summary.url_rule)


def _make_example(judged: Judged) -> Example | None:
    return Example(judged.kept_reason is not None, judged.capture.id) if judged.is_stored else None
