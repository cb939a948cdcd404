"""Statistics of requests: their number, durations and failures, from rollups or else from records.

Rollups count every request, stored or not, and answer for a year. What they do not know, like paths
and users, is asked of the newest records, up to `MAX_RECORDS`. Each answer says which it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Literal, TypeVar

from ..config.overrides import utc_now
from ..errors import FilterError, TrackingError
from ..exporters.rollup_table import RollupQuery, RollupTable
from ..exporters.store import Store, find_store
from ..filters import FIRST_FAILURE, Filter
from ..record_summary import RecordSummary
from ..registry import find_tracked
from ..rollups.counts import Counts, is_failure
from ..rollups.rollup import Example, FailureKey, Failures, Rollup, RouteKey, merge
from .newest import find_newest
from .rollup_filter import Selects, find_unknown, make_route_filter
from .spans import Span, choose_spans

__all__ = [
    "Answer",
    "Group",
    "Statistics",
    "error_rates",
    "measure",
    "percentiles",
    "rates",
    "top_routes",
    "top_users",
    "versions",
]

Time = datetime | timedelta | str | None
"""A point in time: a datetime, the age of one, or a text like ``2h`` or ``2026-11-24T12:00``."""
Wanted = Filter | str | None
"""A filter or its text; None selects all requests."""
Range = tuple[datetime, datetime]
Source = Literal["rollups", "records"]
V = TypeVar("V")

MAX_RECORDS = 20_000
"""Maximum number of records to read if rollups cannot answer."""
DEFAULT_RANGE = timedelta(hours=24)
MILLISECOND = timedelta(milliseconds=1)
"""The resolution of times in every store."""
SHARES = (0.5, 0.95, 0.99)
NO_ROUTE = "(no route)"


@dataclass(frozen=True, slots=True)
class Group:
    """The requests of one route, user, version or the like.

    .. versionadded:: 2.0
    """

    key: str | None
    """The value that its requests share; None if they have none, like requests without a route."""
    counts: Counts
    seconds: float
    """The length of the range."""

    @property
    def requests(self) -> int:
        """The number of requests."""
        return self.counts.requests

    @property
    def failed(self) -> int:
        """The number of requests with a 5xx or an exception, also in mid-stream."""
        return self.counts.failed

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def error_rate(self) -> float:
        """The share that failed, from 0 to 1."""
        return self.failed / self.requests if self.requests else 0.0

    @property
    def mean_ms(self) -> float | None:
        """The mean duration; None where durations are not known."""
        return self.counts.mean_ms

    @property
    def max_ms(self) -> float | None:
        """The longest duration."""
        return self.counts.max_us / 1000 if self.counts.buckets else None

    @property
    def request_bytes(self) -> int | None:
        """The sum of the sizes of the request bodies; None where it is not known, as by status."""
        return self._read_size(self.counts.request_bytes)

    @property
    def response_bytes(self) -> int | None:
        """The same of the response bodies."""
        return self._read_size(self.counts.response_bytes)

    def _read_size(self, size: int) -> int | None:
        return size if size or self.counts.buckets else None

    def percentile_ms(self, share: float) -> float | None:
        """Return the duration that a share of the requests do not exceed, within 1.1 %.

        Args:
            share: from 0 to 1, like 0.95.
        """
        return self.counts.percentile_ms(share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The requests of a range of time, by groups.

    .. versionadded:: 2.0
    """

    since: datetime
    """The start of the range. Rollups may extend a range at both ends."""
    until: datetime
    """The end of the range, never in the future."""
    source: Source
    reason: str = ""
    """The reason for reading records; empty for rollups."""
    is_complete: bool = True
    """False where only the newest records of the range were read, from `since` on."""
    groups: list[Group] = field(default_factory=list)
    """Those with the most requests first."""
    total: Group
    failures: list[tuple[FailureKey, Failures]] = field(default_factory=list)
    """The largest groups of failures first."""
    stored: int | None = None
    """The number of records stored in the range; None if records were read or a filter chose routes.

    Rollups count what became of records without their routes.
    """
    not_stored: int | None = None
    """The number of requests that the rules did not store; None where `stored` is."""
    dropped: dict[str, int] = field(default_factory=dict)
    """The number of lost records, by reason; empty where `stored` is None."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[V]):
    """One number, or a few, for each group.

    .. versionadded:: 2.0
    """

    values: dict[str | None, V]
    """By key; those with the most requests first."""
    source: Source
    reason: str
    """The reason for reading records; empty for rollups."""
    since: datetime
    until: datetime
    is_complete: bool
    """False where only the newest records of the range were read, from `since` on."""


def measure(
    store: Store | None = None,
    wanted: Wanted = None,
    *,
    by: str | None = "route",
    since: Time = None,
    until: Time = None,
) -> Statistics:
    """Count and measure requests.

    Args:
        store: which store; by default that of the current app, or of the only one.
        wanted: which requests, as a filter or its text. Rollups know their time, method, route and
            version; anything else is asked of records.
        by: what groups have in common: ``route`` (method and route), ``url_rule``, ``method``,
            ``status``, ``version``, ``user``, ``host``, ``hostname``, or None for one group.
        since: a time, or an age as a timedelta or a text like ``2h``; by default 24 hours ago.
        until: the same; by default now.

    Raises:
        FilterError: the filter, a time or `by` is invalid, or the range ends before it begins.
        ExportError: the store cannot be reached, or refuses.
        TrackingError: there is no store, or the app to read is ambiguous.
    """
    if by not in _RECORD_KEYS:
        known = ", ".join(filter(None, _RECORD_KEYS))
        raise FilterError(f"Invalid group {by!r}: expected one of {known}.")
    store = store or _get_store()
    now = utc_now()
    chosen = _bound(_bound(_read_filter(wanted), "since", since, now), "until", until, now)
    first, last = chosen.arrival(now)
    end = min(last or now, now)
    between = _check_range(first or end - DEFAULT_RANGE, end)
    reason = _find_reason(store, chosen, by)
    if store.rollups is None or reason:
        return _measure_records(store, chosen, between, by, reason)
    selects = make_route_filter(chosen)
    with_routes = bool(selects) or by in _NEED_ROUTES
    found = list(_find_rollups(store.rollups, between, now, with_routes=with_routes))
    answer = _measure_rollups(found, selects, between, by, now)
    if any(rollups for _, rollups in found):
        return answer
    # As with TRACKING_ROLLUP_DAYS = 0, or before the first ones were written.
    records = _measure_records(store, chosen, between, by, "there are no rollups of this range")
    return records if records.total.requests else answer


def percentiles(
    store: Store | None = None,
    wanted: Wanted = None,
    *,
    by: str | None = "url_rule",
    since: Time = None,
    until: Time = None,
    shares: Sequence[float] = SHARES,
) -> Answer[dict[float, float | None]]:
    """Return percentiles of the duration, in milliseconds, by group and share.

    Args:
        store: as for `measure`, and so all others but `shares`.
        wanted: which requests.
        by: what groups have in common.
        since: a time or an age.
        until: the same.
        shares: which percentiles, from 0 to 1: 0.95 is the 95th.

    Raises:
        FilterError: as for `measure`, or a share is not from 0 to 1.
    """
    for share in shares:
        if not 0 <= share <= 1:
            raise FilterError(
                f"Invalid share {share!r}: expected 0 to 1, like 0.95 for the 95th percentile."
            )
    found = measure(store, wanted, by=by, since=since, until=until)
    return _answer(found, lambda group: {share: group.percentile_ms(share) for share in shares})


def rates(
    store: Store | None = None,
    wanted: Wanted = None,
    *,
    by: str | None = "url_rule",
    since: Time = None,
    until: Time = None,
) -> Answer[float]:
    """Return requests per second by group; the arguments are those of `measure`."""
    return _answer(measure(store, wanted, by=by, since=since, until=until), lambda group: group.rate)


def error_rates(
    store: Store | None = None,
    wanted: Wanted = None,
    *,
    by: str | None = "url_rule",
    since: Time = None,
    until: Time = None,
) -> Answer[float]:
    """Return the share of failures by group, from 0 to 1; the arguments are those of `measure`."""
    found = measure(store, wanted, by=by, since=since, until=until)
    return _answer(found, lambda group: group.error_rate)


def top_routes(
    store: Store | None = None, *, since: Time = None, until: Time = None, limit: int = 10
) -> Answer[int]:
    """Return the routes with the most requests, and how many these are."""
    return _top(measure(store, by="route", since=since, until=until), limit)


def top_users(
    store: Store | None = None,
    wanted: Wanted = None,
    *,
    since: Time = None,
    until: Time = None,
    limit: int = 10,
) -> Answer[int]:
    """Return the users with the most records, and how many these are. Only records know users."""
    found = measure(store, wanted, by="user", since=since, until=until)
    return _top(dataclasses.replace(found, groups=[one for one in found.groups if one.key]), limit)


def versions(store: Store | None = None, *, since: Time = None, until: Time = None) -> Answer[int]:
    """Return how many requests each value of ``TRACKING_APP_VERSION`` has served."""
    return _answer(measure(store, by="version", since=since, until=until), lambda one: one.requests)


def _answer(found: Statistics, read: Callable[[Group], V]) -> Answer[V]:
    values = {group.key: read(group) for group in found.groups}
    return Answer(values, found.source, found.reason, found.since, found.until, found.is_complete)


def _top(found: Statistics, limit: int) -> Answer[int]:
    return _answer(dataclasses.replace(found, groups=found.groups[:limit]), lambda one: one.requests)


def _get_store() -> Store:
    tracked = find_tracked()
    store = None if tracked is None else find_store(tracked.exporter)
    if store is None:
        raise TrackingError("No store found: pass one, or ask inside the context of a tracked app.")
    return store.reader()


def _read_filter(wanted: Wanted) -> Filter:
    return Filter.parse(wanted) if isinstance(wanted, str) else wanted or Filter()


def _bound(wanted: Filter, key: str, time: Time, now: datetime) -> Filter:
    if time is None:
        return wanted
    if isinstance(time, timedelta):
        time = now - time
    if isinstance(time, datetime):
        time = time.isoformat()
    if not isinstance(time, str):
        raise FilterError(
            f"Invalid {key} {time!r}: expected a datetime, a timedelta, or a text like '2h'."
        )
    return wanted & Filter.term(key, time)


def _check_range(since: datetime, until: datetime) -> Range:
    if since > until:
        raise FilterError(
            f"Invalid range: it begins at {since:%Y-%m-%d %H:%M:%S}, after its end at "
            f"{until:%Y-%m-%d %H:%M:%S} (UTC)."
        )
    return since, until


def _find_reason(store: Store, wanted: Filter, by: str | None) -> str:
    """Say why rollups cannot answer; empty where they can."""
    if store.rollups is None:
        return "the store has no rollups"
    if by not in _ROLLUP_KEYS:
        return f"rollups do not know the {by}"
    unknown = find_unknown(wanted)
    return f"rollups cannot filter by {' and '.join(unknown)}" if unknown else ""


def _make_groups(sums: dict[str | None, Counts], seconds: float) -> list[Group]:
    groups = [Group(key, counts, seconds) for key, counts in sums.items() if counts.requests]
    return sorted(groups, key=lambda group: (-group.requests, group.key or ""))


def _make_total(sums: Iterable[Counts], seconds: float) -> Group:
    total = Counts()
    for counts in sums:
        total.add(counts)
    return Group(None, total, seconds)


# Rollups

Parts = Iterator[tuple[str | None, Counts]]
Split = Callable[[Rollup, Selects | None], Parts]


def _by_key(read: Callable[[RouteKey], str | None]) -> Split:
    def split(rollup: Rollup, selects: Selects | None) -> Parts:
        for key, counts in rollup.routes.items():
            if selects is None or selects(key.method, key.url_rule, rollup.version):
                yield read(key), counts

    return split


def _by_status(rollup: Rollup, selects: Selects | None) -> Parts:
    """Count by status; how long the requests of each took is not known."""
    for _, counts in _as_one(rollup, selects):
        for status, count in counts.statuses.items():
            one = Counts()
            one.statuses = {status: count}
            one.failed = count if is_failure(status, "ok") else 0
            yield str(status) if status else None, one


def _by_version(rollup: Rollup, selects: Selects | None) -> Parts:
    return ((rollup.version, counts) for _, counts in _as_one(rollup, selects))


def _as_one(rollup: Rollup, selects: Selects | None) -> Parts:
    return iter([(None, rollup.total)]) if selects is None else _by_nothing(rollup, selects)


_by_nothing = _by_key(lambda key: None)

_ROLLUP_KEYS: dict[str | None, Split] = {
    "route": _by_key(lambda key: name_route(key.method, key.url_rule)),
    "url_rule": _by_key(lambda key: key.url_rule),
    "method": _by_key(lambda key: key.method),
    "status": _by_status,
    "version": _by_version,
    None: _as_one,
}
_NEED_ROUTES = ("route", "url_rule", "method")


def name_route(method: str | None, url_rule: str | None) -> str:
    """Return a route with its method, as people write it."""
    return f"{method or '-'} {url_rule or NO_ROUTE}"


def parse_route(name: str) -> RouteKey:
    """Return the route that `name_route` has named."""
    method, _, rule = name.partition(" ")
    return RouteKey(None if rule == NO_ROUTE else rule, method)


def _measure_rollups(
    found: Sequence[tuple[Span, list[Rollup]]],
    selects: Selects | None,
    between: Range,
    by: str | None,
    now: datetime,
) -> Statistics:
    # Of an empty range nothing is read.
    since = min([span.since for span, _ in found], default=between[0])
    until = min(max([span.until for span, _ in found], default=between[1]), now)
    sums: dict[str | None, Counts] = {}
    totals: list[Counts] = []
    rest: list[Rollup] = []
    for _, rollups in found:
        for rollup in rollups:
            rest.append(dataclasses.replace(rollup, routes={}, overall=None))
            if by == "status":  # the durations are only known of all together
                totals += [counts for _, counts in _as_one(rollup, selects)]
            for key, counts in _ROLLUP_KEYS[by](rollup, selects):
                sums.setdefault(key, Counts()).add(counts)
    seconds = (until - since).total_seconds()
    merged = merge(rest, width_s=1, start=since, source="", version=None)
    return Statistics(
        since=since,
        until=until,
        source="rollups",
        groups=_make_groups(sums, seconds),
        total=_make_total(totals or sums.values(), seconds),
        failures=_sort_failures(merged.failures) if selects is None else [],
        stored=merged.stored if selects is None else None,
        not_stored=merged.not_stored if selects is None else None,
        dropped=dict(merged.dropped) if selects is None else {},
    )


def _find_rollups(
    table: RollupTable, between: Range, now: datetime, *, with_routes: bool
) -> Iterator[tuple[Span, list[Rollup]]]:
    for span in choose_spans(table, *between, now):
        query = RollupQuery(span.width_s, span.since, span.until, with_routes=with_routes)
        yield span, table.find(query._replace(with_examples=False))


def _sort_failures(failures: dict[FailureKey, Failures]) -> list[tuple[FailureKey, Failures]]:
    return sorted(failures.items(), key=lambda pair: (-pair[1].count, repr(pair[0])))


# Records

_RECORD_KEYS: dict[str | None, Callable[[RecordSummary], str | None]] = {
    "route": lambda record: name_route(record.method, record.url_rule),
    "url_rule": lambda record: record.url_rule,
    "method": lambda record: record.method,
    "status": lambda record: str(record.status_code) if record.status_code else None,
    "version": lambda record: record.version,
    "user": lambda record: record.user or None,
    "host": lambda record: record.host,
    "hostname": lambda record: record.hostname,
    None: lambda record: None,
}


def _measure_records(
    store: Store, wanted: Filter, between: Range, by: str | None, reason: str
) -> Statistics:
    since, until = between
    # What arrived in the millisecond of the question counts. An end that was asked for is in `wanted`.
    narrowed = wanted.narrowed(since, until + MILLISECOND)
    found = find_newest(store, narrowed, MAX_RECORDS + 1, fields="summary")
    is_complete = len(found) <= MAX_RECORDS
    records = found[:MAX_RECORDS]
    if not is_complete:
        since = records[-1].date_created
    read, sums = _RECORD_KEYS[by], dict[str | None, Counts]()
    failures: dict[FailureKey, Failures] = {}
    for record in records:
        failed = is_failure(record.status_code, record.outcome)
        count_record(sums.setdefault(read(record), Counts()), record, failed)
        if failed:
            example = Example(record.kept, record.id)
            failures.setdefault(_name_failure(record), Failures()).add(1, example)
    seconds = (until - since).total_seconds()
    return Statistics(
        since=since,
        until=until,
        source="records",
        reason=reason,
        is_complete=is_complete,
        groups=_make_groups(sums, seconds),
        total=_make_total(sums.values(), seconds),
        failures=_sort_failures(failures),
    )


def count_record(counts: Counts, record: RecordSummary, failed: bool) -> None:
    """Count the request of a record, also where its duration is not known."""
    took, sizes = record.execution_time, (record.request_body_size, record.response_body_size)
    if took is None:  # as in records of the first flask-tracking that another program wrote
        counts.add_unmeasured(record.status_code, failed, *sizes)
    else:
        counts.add_request(record.status_code, failed, took, *sizes)


def _name_failure(record: RecordSummary) -> FailureKey:
    status = record.status_code or 0
    error = record.exception_type or (f"status {status}" if status >= FIRST_FAILURE else record.outcome)
    return FailureKey(error, "", "", record.url_rule)
