"""The overview's first sentence: what changed against the period before, in order of harm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from ..queries import Group, Statistics
from ..rollups.counts import Counts
from ..rollups.histogram import BUCKETS_PER_DOUBLING
from .change import LEAST_REQUESTS, compare_percentiles, compare_rates, compare_shares, find_cut
from .numbers import duration, share
from .period import Column, sum_columns

MAX_ROUTES = 2
SLOW_SHARE = 0.95


class Change(NamedTuple):
    """What changed for the requests of one route, or for all."""

    route: str | None
    """None for all of them."""
    is_failing: bool
    is_slower: bool
    is_better: bool
    words: str
    """Like ``p95 389 ms → 1.81 s, failed 0.4 % → 4.8 %``."""
    harm: float
    """Extra failures and extra seconds of waiting, in the whole period."""


class Verdict(NamedTuple):
    """What the page says first."""

    tone: str
    """``bad``, ``good`` or ``quiet``: the colour and the sign."""
    headline: str
    details: tuple[str, ...] = ()
    since: datetime | None = None
    """When it began, where that is beyond doubt."""
    version: str | None = None
    """The version that was first seen at that moment."""
    routes: tuple[str, ...] = ()
    """The routes that the details name, as ``POST /checkout``."""
    shared: str = "slow"
    """What to ask next: what the ``slow`` or the ``failed`` ones share."""


def judge(
    now: Statistics, before: Statistics, columns: Sequence[Column], columns_before: Sequence[Column]
) -> Verdict:
    """Compare two periods.

    Args:
        now: the requests of the period, by route.
        before: those of the period before it.
        columns: the period in columns.
        columns_before: the period before it, in columns of the same length.
    """
    lost = sum(now.dropped.values())
    if lost:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(now.dropped.items()))
        detail = f"{lost:,} records of this period were lost: {reasons}. All requests are counted."
        return Verdict("bad", "The recorder lost records", (detail,))
    if min(now.total.requests, before.total.requests) < LEAST_REQUESTS:
        return _judge_few(now, before)
    changes = list(_find_changes(now, before))
    harmful = sorted((one for one in changes if one.harm > 0), key=lambda one: -one.harm)
    if harmful:
        return _judge_harm(harmful, now, columns, columns_before)
    rate = compare_rates(
        now.total.requests, now.total.seconds, before.total.requests, before.total.seconds
    )
    if rate < 0:
        words = f"{now.total.rate * 60:,.0f} requests a minute, {before.total.rate * 60:,.0f} before."
        return Verdict("bad", "Less traffic than before", (words,))
    better = [one for one in changes if one.is_better]
    if better:
        return Verdict("good", "Better than before", tuple(_tell(one) for one in better[:MAX_ROUTES]))
    detail = "Durations, failures and traffic are as in the period before."
    return Verdict("quiet", "As before", (detail,) if not rate else ("There is more traffic.",))


def _judge_few(now: Statistics, before: Statistics) -> Verdict:
    if not now.total.requests:
        return Verdict("quiet", "No requests in this period")
    detail = f"{now.total.requests:,} requests in this period, {before.total.requests:,} before it."
    return Verdict("quiet", "Too few requests to compare", (detail,))


def _find_changes(now: Statistics, before: Statistics) -> Iterator[Change]:
    earlier = {group.key: group for group in before.groups}
    named = False
    for group in now.groups:
        was = earlier.get(group.key)
        change = None if was is None else _compare(group, was)
        if change is not None:
            named = True
            yield change
    overall = None if named else _compare(now.total, before.total)
    if overall is not None:
        yield overall


def _compare(now: Group, before: Group) -> Change | None:
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
    )


def _judge_harm(
    harmful: Sequence[Change],
    now: Statistics,
    columns: Sequence[Column],
    columns_before: Sequence[Column],
) -> Verdict:
    named = harmful[:MAX_ROUTES]
    what = []
    if any(one.is_slower for one in named):
        what.append("slower")
    if any(one.is_failing for one in named):
        what.append("failing more")
    since = _find_moment([*columns_before, *columns], is_slower=any(one.is_slower for one in named))
    version = None if since is None else _find_version(since, [*columns_before, *columns])
    details = [_tell(one) for one in named]
    if len(harmful) > len(named):
        details.append(f"{len(harmful) - len(named)} more routes changed.")
    elif len(now.groups) > len(named) and named[0].route is not None:
        details.append("Other routes are as before.")
    headline = " and ".join(what).capitalize()
    routes = tuple(one.route for one in named if one.route is not None)
    shared = "slow" if any(one.is_slower for one in named) else "failed"
    return Verdict("bad", headline, tuple(details), since, version, routes, shared)


def _tell(change: Change) -> str:
    return f"{change.route}: {change.words}." if change.route else f"All requests: {change.words}."


def _find_moment(columns: Sequence[Column], *, is_slower: bool) -> datetime | None:
    """Return when requests began to take longer, or to fail; None where that is in doubt."""
    half = columns[: len(columns) // 2]
    limit_ms = sum_columns(half).percentile_ms(SLOW_SHARE)
    if limit_ms is None:
        return None
    parts = [
        (
            column.counts.requests,
            _count_longer(column.counts, limit_ms) if is_slower else column.counts.failed,
        )
        for column in columns
    ]
    at = find_cut(parts)
    return None if at is None else columns[at].start


def _count_longer(counts: Counts, limit_ms: float) -> int:
    return sum(
        count
        for bucket, count in counts.buckets.items()
        if 2 ** (bucket / BUCKETS_PER_DOUBLING) * 1000 > limit_ms
    )


def _find_version(since: datetime, columns: Sequence[Column]) -> str | None:
    """Return the version that was first seen within one column of a moment."""
    seen: dict[str, int] = {}
    moment = next(at for at, column in enumerate(columns) if column.start == since)
    for at, column in enumerate(columns):
        for version in column.versions:
            seen.setdefault(version, at)
    near = [version for version, at in seen.items() if at and abs(at - moment) <= 1]
    return near[0] if len(near) == 1 else None
