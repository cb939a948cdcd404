"""`Rollup`: all requests of a span of time, counted by route and method with bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from bson import ObjectId

from .counts import Counts
from .histogram import BUCKETS_PER_DOUBLING

__all__ = [
    "MAX_FAILURES",
    "MAX_ROUTES",
    "MERGED",
    "OTHER",
    "OTHER_METHOD",
    "Example",
    "Failures",
    "FailureKey",
    "Rollup",
    "RouteKey",
    "merge",
]

MAX_ROUTES = 500
"""The number of routes that are counted separately; the rest share `OTHER`."""
MAX_FAILURES = 50
"""The number of groups of failures that are counted separately; the rest share one count."""
OTHER = "(other)"
"""The route for all requests beyond `MAX_ROUTES`."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
OTHER_METHOD = "_OTHER"
"""OpenTelemetry's word for all other methods, because clients may send any."""
MERGED = "merged"
"""The source of a merged rollup, followed by a slash and the version."""
BUCKETS_PER_EXAMPLE = BUCKETS_PER_DOUBLING // 2
"""One example is stored per half octave of durations."""


class RouteKey(NamedTuple):
    """The key by which requests are counted."""

    url_rule: str | None
    """None if no route matched."""
    method: str


class FailureKey(NamedTuple):
    """The key by which failures are grouped, without line numbers and messages, because these vary."""

    error: str
    """The type of the exception; like ``status 503`` without one."""
    file: str
    """From the innermost frame of the app, or of a library; empty without a traceback."""
    function: str
    url_rule: str | None


class Example(NamedTuple):
    """A stored record as an example of others. When rollups are merged, the greatest one is taken."""

    kept: bool
    """Kept records outlast routine ones, which are overwritten."""
    record_id: ObjectId


@dataclass(slots=True)
class Failures:
    """A group of failures."""

    count: int = 0
    example: Example | None = None

    def add(self, count: int, example: Example | None) -> None:
        """Add to the count and update the example."""
        self.count += count
        self.example = max(filter(None, (self.example, example)), default=None)


@dataclass(slots=True, kw_only=True)
class Rollup:
    """The requests of one process, or of all, that ended in a span of time.

    .. versionadded:: 2.0
    """

    width_s: int
    """The span, in seconds."""
    start: datetime
    """The begin of the span: a multiple of the width, in UTC."""
    source: str
    """The origin: a process and its number for the rollup, or ``merged`` and the version."""
    version: str | None = None
    """``TRACKING_APP_VERSION`` of the processes."""
    routes: dict[RouteKey, Counts] = field(default_factory=dict)
    overall: Counts | None = None
    """The sum over all routes if the routes were not read; else None."""
    failures: dict[FailureKey, Failures] = field(default_factory=dict)
    other_failures: int = 0
    """The number of failures beyond the groups."""
    examples: dict[int, Example] = field(default_factory=dict)
    """By half octave of the duration: bucket // 16."""
    stored: int = 0
    """The number of records stored in the span."""
    not_stored: int = 0
    """The number of requests without a record because of the rules: sampled away or excluded."""
    dropped: Counter[str] = field(default_factory=Counter)
    """The number of records lost in the span, by reason."""
    waiting: int = 0
    """The largest number of records that waited in the memory of one process."""
    lag_ms: int = 0
    """The longest time from the end of a request until its record was stored, spooled or lost, or until
    now if it still waits; in milliseconds."""
    etag: ObjectId | None = None
    """Changes each time the rollup is stored; None before."""
    is_merged: bool = False
    """True once a coarser rollup includes it."""
    is_final: bool = False
    """True once finer rollups of its span may be deleted, so that it cannot be recomputed."""
    revision: int = 0
    """Raised each time its process counts more: an older rollup never replaces a newer one."""
    is_open: bool = False
    """True while it may change: its process may write it again, or it is not final."""

    @property
    def id(self) -> str:
        """The id, which depends on span, source and width only: storing twice replaces."""
        return f"{self.width_s}/{int(self.start.timestamp())}/{self.source}"

    @property
    def process(self) -> str | None:
        """The process that counted, like ``host:pid:random``; None for a merged rollup."""
        # Followed by the number of the rollup, and by its minute if that was moved.
        source = self.source.partition("/")[0]
        return None if source == MERGED else source.rpartition(".")[0] or source

    @property
    def end(self) -> datetime:
        """The end of the span."""
        return self.start + timedelta(seconds=self.width_s)

    @property
    def total(self) -> Counts:
        """The sum over all routes."""
        if self.overall is not None:
            return self.overall
        total = Counts()
        for counts in self.routes.values():
            total.add(counts)
        return total

    def get_counts(self, url_rule: str | None, method: str) -> Counts:
        """Return the counts of a route and method, or those of `OTHER` beyond the bound."""
        counts = self.routes.get(RouteKey(url_rule, method))
        if counts is not None:
            return counts
        rules = {key.url_rule for key in self.routes} - {None, OTHER}
        if len(rules) >= MAX_ROUTES and url_rule is not None and url_rule not in rules:
            url_rule = OTHER
        return self.routes.setdefault(RouteKey(url_rule, method), Counts())

    def add_failure(self, key: FailureKey, count: int = 1, example: Example | None = None) -> None:
        """Count failures of a group, or as part of the rest if there are too many groups."""
        group = self.failures.get(key)
        if group is None:
            if len(self.failures) >= MAX_FAILURES:
                self.other_failures += count
                return
            group = self.failures[key] = Failures()
        group.add(count, example)


K = TypeVar("K")


def merge(
    rollups: Iterable[Rollup], *, width_s: int, start: datetime, source: str, version: str | None
) -> Rollup:
    """Return the sum of `rollups` in any order, and the maximum of `waiting` and `lag_ms`.

    Beyond the bounds, the routes with the fewest requests and the smallest groups of failures are
    counted together.
    """
    merged = Rollup(width_s=width_s, start=start, source=source, version=version)
    for one in rollups:
        for key, counts in one.routes.items():
            merged.routes.setdefault(key, Counts()).add(counts)
        for failure, group in one.failures.items():
            merged.failures.setdefault(failure, Failures()).add(group.count, group.example)
        for octave, example in one.examples.items():
            merged.examples[octave] = max(example, merged.examples.get(octave, example))
        merged.other_failures += one.other_failures
        merged.stored += one.stored
        merged.not_stored += one.not_stored
        merged.dropped.update(one.dropped)
        merged.waiting = max(merged.waiting, one.waiting)
        merged.lag_ms = max(merged.lag_ms, one.lag_ms)
    _bound_routes(merged)
    _bound_failures(merged)
    return merged


def _bound_routes(merged: Rollup) -> None:
    requests: Counter[str] = Counter()
    for key, counts in merged.routes.items():
        if key.url_rule not in (None, OTHER):
            requests[str(key.url_rule)] += counts.requests
    if len(requests) <= MAX_ROUTES:
        return
    apart = {None, OTHER, *_largest(requests, MAX_ROUTES, requests.__getitem__)}
    for key in [key for key in merged.routes if key.url_rule not in apart]:
        others = merged.routes.setdefault(RouteKey(OTHER, key.method), Counts())
        others.add(merged.routes.pop(key))


def _bound_failures(merged: Rollup) -> None:
    if len(merged.failures) <= MAX_FAILURES:
        return
    groups = merged.failures
    apart = _largest(groups, MAX_FAILURES, lambda key: groups[key].count)
    merged.failures = {key: groups[key] for key in apart}
    merged.other_failures += sum(group.count for key, group in groups.items() if key not in apart)


def _largest(keys: Mapping[K, object], count: int, size: Callable[[K], int]) -> set[K]:
    """Return the `count` largest keys. The result does not depend on the order of equal ones."""
    return set(sorted(keys, key=lambda key: (-size(key), repr(key)))[:count])
