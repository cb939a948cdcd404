"""`Rollup`: all requests of a span of time, counted by route and method within bounds."""

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
"""How many routes are counted apart; the rest share `OTHER`."""
MAX_FAILURES = 50
"""How many groups of failures are counted apart; the rest are one number."""
OTHER = "(other)"
"""Stands for every route past `MAX_ROUTES`."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
OTHER_METHOD = "_OTHER"
"""OpenTelemetry's word for every other method: a client may send any."""
MERGED = "merged"
"""The source of a merged rollup, with the version behind a slash."""
BUCKETS_PER_EXAMPLE = BUCKETS_PER_DOUBLING // 2
"""Half an octave of durations has one example."""


class RouteKey(NamedTuple):
    """What is counted together."""

    url_rule: str | None
    """None for requests that no route matched."""
    method: str


class FailureKey(NamedTuple):
    """What makes failures one group. Line numbers and messages are not in it: they change."""

    error: str
    """The type of the exception; ``status 503`` where there was none."""
    file: str
    """Of the innermost frame of the app, else of a library; empty without a traceback."""
    function: str
    url_rule: str | None


class Example(NamedTuple):
    """A stored record that stands for others. Of several the greatest one is taken."""

    kept: bool
    """Kept ones are still there when others are overwritten."""
    record_id: ObjectId


@dataclass(slots=True)
class Failures:
    """A group of failures."""

    count: int = 0
    example: Example | None = None

    def add(self, count: int, example: Example | None) -> None:
        """Count more of them."""
        self.count += count
        self.example = max(filter(None, (self.example, example)), default=None)


@dataclass(slots=True, kw_only=True)
class Rollup:
    """The requests that ended in a span of time, of one process or of all.

    .. versionadded:: 2.0
    """

    width_s: int
    """The span, in seconds."""
    start: datetime
    """Where it begins: a multiple of the width, in UTC."""
    source: str
    """Who counted: a process and the number of the rollup there, or ``merged`` and the version."""
    version: str | None = None
    """``TRACKING_APP_VERSION`` of the processes."""
    routes: dict[RouteKey, Counts] = field(default_factory=dict)
    overall: Counts | None = None
    """The sum over the routes where these were not read; else None."""
    failures: dict[FailureKey, Failures] = field(default_factory=dict)
    other_failures: int = 0
    """How many failures belong to none of the groups."""
    examples: dict[int, Example] = field(default_factory=dict)
    """By half octave of the duration: bucket // 16."""
    stored: int = 0
    """How many records were stored meanwhile."""
    not_stored: int = 0
    """How many requests the rules did not store: sampled away or excluded."""
    dropped: Counter[str] = field(default_factory=Counter)
    """How many records were lost meanwhile, by reason."""
    waiting: int = 0
    """How many records waited in the memory of one process, at most."""
    lag_ms: int = 0
    """How long a record took from the end of its request until it was stored, spooled or lost, at most,
    or waits by now; in milliseconds."""
    etag: ObjectId | None = None
    """New each time it is stored; None before."""
    is_merged: bool = False
    """True once a coarser rollup counts all of it."""
    is_final: bool = False
    """True once finer rollups of its span may be gone: it cannot be made anew."""

    @property
    def id(self) -> str:
        """The same for the same span, source and width: storing twice replaces."""
        return f"{self.width_s}/{int(self.start.timestamp())}/{self.source}"

    @property
    def process(self) -> str | None:
        """The process that counted, like ``host:pid:random``; None for a merged rollup."""
        # Behind it stands the number of the rollup, and where it moved up its minute.
        source = self.source.partition("/")[0]
        return None if source == MERGED else source.rpartition(".")[0] or source

    @property
    def end(self) -> datetime:
        """Where the span ends."""
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
        """Return the counts of a route and a method, or past the bound those of the rest."""
        counts = self.routes.get(RouteKey(url_rule, method))
        if counts is not None:
            return counts
        rules = {key.url_rule for key in self.routes} - {None, OTHER}
        if len(rules) >= MAX_ROUTES and url_rule is not None and url_rule not in rules:
            url_rule = OTHER
        return self.routes.setdefault(RouteKey(url_rule, method), Counts())

    def add_failure(self, key: FailureKey, count: int = 1, example: Example | None = None) -> None:
        """Count failures of one group, or with the rest where there are too many groups."""
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
    """Return the sum of `rollups`, whatever their order; of what waits, and how long, the greatest.

    Past the bounds it is the routes with the fewest requests, and the smallest groups of failures, that
    are counted together.
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
    """Return the `count` keys of the greatest size; of equal ones always the same."""
    return set(sorted(keys, key=lambda key: (-size(key), repr(key)))[:count])
