"""The verdict of a page: what changed against the period before, the most harmful first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ...queries import Group, Statistics
from ...rollups.counts import Counts
from ...rollups.histogram import BUCKETS_PER_DOUBLING
from ..page import Page
from ..text.filter_text import route_terms
from ..text.numbers import duration, per_minute, share
from .change import MIN_REQUESTS, compare_percentiles, compare_rates, compare_shares, find_cut
from .columns import Column, sum_columns
from .periods import Columns, Periods, read_both

MAX_ROUTES = 2
SLOW_SHARE = 0.95


class Change(NamedTuple):
    """A significant change of one route, or of all requests."""

    route: str | None
    """None for all requests."""
    is_failing: bool
    is_slower: bool
    is_better: bool
    words: str
    """Like ``p95 389 ms → 1.81 s, failed 0.4 % → 4.8 %``."""
    harm: float
    """The additional failures plus the additional seconds of waiting in the period."""
    limit_ms: float
    """The threshold of slow requests: the p95 of before, rounded to two digits."""


class Detail(NamedTuple):
    """A sentence below the headline."""

    words: str
    since: datetime | None = None
    """When that change began, if not at the time of the headline."""


class Verdict(NamedTuple):
    """The headline of a page and its details."""

    tone: str
    """``bad``, ``good``, ``quiet`` for no change, or ``neutral`` for no statement."""
    headline: str
    details: tuple[Detail, ...] = ()
    since: datetime | None = None
    """When the first route changed, if that can be determined."""
    version: str | None = None
    """The version that appeared at that time."""
    version_before: str | None = None
    """The version before it."""
    routes: tuple[str, ...] = ()
    """The routes named by the details, like ``POST /checkout``."""
    terms: str = ""
    """A filter for the slow or failed requests of the first detail."""
    shared: str = "slow"
    """Which requests the shared panel should explain: ``slow`` or ``failed``."""


def make_verdict(page: Page, periods: Periods) -> Verdict:
    """Return the verdict on the statistics of a page."""
    if page.vs == "none":
        total = periods.now.total
        words = f"{total.requests:,} requests, {share(total.error_rate)} failed"
        return Verdict("neutral", words, (Detail("They are compared with nothing."),))
    now, before = periods.now, periods.before
    if periods.when and now.total.requests and not before.total.requests and not now.dropped:
        detail = f"No requests {periods.when}, so nothing is compared."
        return Verdict("neutral", "Nothing to compare", (Detail(detail),))
    return judge(now, before, lambda route: read_both(page, periods, route))


ReadColumns = Callable[[str | None], Columns]
"""Returns both periods in columns, of one route or, for None, of all routes together."""


def judge(now: Statistics, before: Statistics, read: ReadColumns) -> Verdict:
    """Compare two periods.

    Args:
        now: the statistics of the period, by route.
        before: those of the period that it is compared with.
        read: called for the routes named in the verdict, to find out when they changed.
    """
    lost = sum(now.dropped.values())
    if lost:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(now.dropped.items()))
        detail = f"{lost:,} records of this period were lost: {reasons}. All requests are counted."
        return Verdict("bad", "The recorder lost records", (Detail(detail),))
    if min(now.total.requests, before.total.requests) < MIN_REQUESTS:
        return _judge_few(now, before)
    changes = list(_find_changes(now, before))
    harmful = sorted((one for one in changes if one.harm > 0), key=lambda one: -one.harm)
    if harmful:
        return _judge_harm(harmful, now, read)
    rate = compare_rates(
        now.total.requests, now.total.seconds, before.total.requests, before.total.seconds
    )
    if rate < 0:
        rates = [per_minute(one.total.rate * 60) for one in (now, before)]
        words = f"{rates[0]} requests a minute, {rates[1]} before."
        return Verdict("bad", "Less traffic than before", (Detail(words),))
    better = [one for one in changes if one.is_better]
    if better:
        return Verdict(
            "good", "Better than before", tuple(Detail(_tell(one)) for one in better[:MAX_ROUTES])
        )
    detail = "There is more traffic." if rate else "Durations, failures and traffic are as before."
    return Verdict("quiet", "As before", (Detail(detail),))


def _judge_few(now: Statistics, before: Statistics) -> Verdict:
    if not now.total.requests:
        return Verdict("neutral", "No requests in this period")
    detail = f"{now.total.requests:,} requests in this period, {before.total.requests:,} before it."
    return Verdict("neutral", "Too few requests to compare", (Detail(detail),))


def _find_changes(now: Statistics, before: Statistics) -> Iterator[Change]:
    earlier = {group.key: group for group in before.groups}
    named = False
    for group in now.groups:
        was = earlier.get(group.key)
        change = None if was is None else compare_groups(group, was)
        if change is not None:
            named = True
            yield change
    overall = None if named else compare_groups(now.total, before.total)
    if overall is not None:
        yield overall


def compare_groups(now: Group, before: Group) -> Change | None:
    """Return the significant change between two groups; None if there is none."""
    moved = compare_percentiles(before.counts.buckets, now.counts.buckets, SLOW_SHARE)
    failing = compare_shares(now.failed, now.requests, before.failed, before.requests)
    if moved is None and not failing:
        return None
    words = []
    if moved is not None:
        words.append(f"p95 {duration(moved[0].middle)} → {duration(moved[1].middle)}")
    if failing:
        words.append(f"failed {share(before.error_rate)} → {share(now.error_rate)}")
    is_slower = moved is not None and moved[1].middle > moved[0].middle
    waited = ((now.mean_ms or 0) - (before.mean_ms or 0)) / 1000 * now.requests if is_slower else 0.0
    failed = (now.error_rate - before.error_rate) * now.requests if failing > 0 else 0.0
    return Change(
        now.key,
        failing > 0,
        is_slower,
        not is_slower and failing <= 0,
        ", ".join(words),
        max(waited, 0.001 if is_slower else 0.0) + failed,
        0.0 if moved is None else float(f"{moved[0].middle:.2g}"),
    )


def _judge_harm(harmful: Sequence[Change], now: Statistics, read: ReadColumns) -> Verdict:
    named = harmful[:MAX_ROUTES]
    what = []
    if any(one.is_slower for one in named):
        what.append("slower")
    if any(one.is_failing for one in named):
        what.append("failing more")
    columns = [read(one.route) for one in named]
    moments = [find_moment(*one) for one in zip(columns, named, strict=True)]
    first = moments[0]
    details = [Detail(_tell(named[0]))]
    for one, moment in zip(named[1:], moments[1:], strict=True):
        is_other = moment is not None and (first is None or abs(moment - first) > _two_of(columns[0]))
        details.append(Detail(_tell(one), moment if is_other else None))
    if len(harmful) > len(named):
        details.append(Detail(f"{len(harmful) - len(named)} more routes changed."))
    elif len(now.groups) > len(named) and named[0].route is not None:
        details.append(Detail("Other routes are as before."))
    versions: tuple[str | None, str | None] = (None, None)
    if first is not None:
        versions = find_versions(first, [*columns[0].before, *columns[0].now])
    return Verdict(
        "bad",
        " and ".join(what).capitalize(),
        tuple(details),
        first,
        *versions,
        tuple(one.route for one in named if one.route is not None),
        _make_terms(named[0]),
        "slow" if any(one.is_slower for one in named) else "failed",
    )


def _tell(change: Change) -> str:
    return f"{change.route}: {change.words}." if change.route else f"All requests: {change.words}."


def _make_terms(change: Change) -> str:
    bad = [f"slow:>{change.limit_ms:g}ms"] if change.is_slower else []
    bad += ["is:error"] if change.is_failing else []
    which = bad[0] if len(bad) == 1 else f"({' or '.join(bad)})"
    return f"{route_terms(change.route or '')} {which}".strip()


def find_moment(read: Columns, change: Change) -> datetime | None:
    """Return when requests began to take longer, or to fail; None if that cannot be determined."""
    columns = [*read.before, *read.now]
    limit_ms = sum_columns(read.before).percentile_ms(SLOW_SHARE)
    if limit_ms is None:
        return None
    parts = [
        (
            column.counts.requests,
            _count_longer(column.counts, limit_ms) if change.is_slower else column.counts.failed,
        )
        for column in columns
    ]
    at = find_cut(parts)
    # If the periods are apart, the change may lie in the gap between them.
    is_between = at == len(read.before) and _is_apart(read)
    return None if at is None or is_between else columns[at].start


def _is_apart(read: Columns) -> bool:
    return read.now[0].start - read.before[-1].start > timedelta(seconds=read.seconds)


def _two_of(read: Columns) -> timedelta:
    return timedelta(seconds=2 * read.seconds)


def _count_longer(counts: Counts, limit_ms: float) -> int:
    return sum(
        count
        for bucket, count in counts.buckets.items()
        if 2 ** (bucket / BUCKETS_PER_DOUBLING) * 1000 > limit_ms
    )


def find_versions(since: datetime, columns: Sequence[Column]) -> tuple[str | None, str | None]:
    """Return the version that appeared within one column of a time, and the version before it."""
    seen: dict[str, int] = {}
    moment = next(at for at, column in enumerate(columns) if column.start == since)
    for at, column in enumerate(columns):
        for version in column.versions:
            seen.setdefault(version, at)
    near = [version for version, at in seen.items() if at and abs(at - moment) <= 1]
    if len(near) != 1:
        return None, None
    known = sorted((-at, version) for version, at in seen.items() if at < seen[near[0]])
    return near[0], known[0][1] if known else None
