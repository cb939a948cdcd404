"""The five key figures of a page, each with its value before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from ..page import Page
from ..sparkline import draw_sparkline
from ..text import filter_text
from ..text.numbers import duration, per_minute, share
from .change import (
    MIN_POINTS,
    MIN_REQUESTS,
    MIN_SHIFT,
    compare_percentiles,
    compare_rates,
    compare_shares,
)
from .columns import Column
from .periods import Columns, Periods

WRITTEN_AFTER = timedelta(seconds=15)
"""Processes write their rollups every ten seconds."""


class Number(NamedTuple):
    """One of the key figures."""

    title: str
    value: str
    change: str
    tone: str = ""
    """``bad`` or ``good`` if it changed significantly."""
    address: str = ""
    """The URL of the requests that it counts."""
    trend: tuple[str, ...] = ()
    """The number over the range, from `draw_sparkline`; empty if not all requests were read."""


def make_numbers(page: Page, periods: Periods, columns: Columns, within: str = "") -> list[Number]:
    """Return the five key figures.

    Args:
        page: the page.
        periods: the statistics.
        columns: the same requests in columns, for trends.
        within: the terms that restrict the statistics, in addition to the filter of the page.
    """
    numbers = _make_numbers(page, periods, within)
    if not columns.is_whole:
        return numbers
    # A column that is not over, or not written, has few requests yet, which would look like a fall.
    length, written = timedelta(seconds=columns.seconds), page.now - WRITTEN_AFTER
    over = [one for one in columns.now if one.start + length <= min(periods.until, written)]
    return [
        one._replace(trend=draw_sparkline(list(map(read, over))))
        for one, read in zip(numbers, TRENDS, strict=True)
    ]


def _percentile(part: float) -> Callable[[Column], float | None]:
    return lambda one: one.counts.percentile_ms(part) if one.counts.buckets else None


TRENDS: tuple[Callable[[Column], float | None], ...] = (
    lambda one: float(one.counts.requests),
    lambda one: one.counts.failed / one.counts.requests if one.counts.requests else None,
    _percentile(0.5),
    _percentile(0.95),
    _percentile(0.99),
)
"""The five numbers of a column; None where it has none."""


def _make_numbers(page: Page, periods: Periods, within: str) -> list[Number]:
    counted = filter_text.join(page.q, within) if within else page.q

    def lead(term: str = "") -> str:
        return page.link_to("requests", q=filter_text.join(counted, term) if term else counted)

    now, before = periods.now.total, periods.before.total
    rate = compare_rates(now.requests, now.seconds, before.requests, before.seconds)
    failing = compare_shares(now.failed, now.requests, before.failed, before.requests)
    slow_ms = page.tracked.settings.slow_ms
    return [
        Number(
            "Requests",
            f"{per_minute(now.rate * 60)}/min",
            _say(
                periods,
                bool(rate) or _differs(now.rate, before.rate),
                f"{per_minute(before.rate * 60)}/min",
            ),
            "bad" if rate < 0 else "",
            lead(),
        ),
        Number(
            "Failed",
            share(now.error_rate),
            _say(
                periods,
                bool(failing) or _differs(now.error_rate, before.error_rate, MIN_POINTS),
                share(before.error_rate),
            ),
            {1: "bad", -1: "good"}.get(failing, ""),
            lead("is:error"),
        ),
        _make_percentile(periods, "Typical, p50", 0.5, lead()),
        _make_percentile(periods, "Slow, p95", 0.95, lead(f"slow:{slow_ms:g}ms")),
        _make_percentile(periods, "Slowest, p99", 0.99, lead(f"slow:{slow_ms:g}ms")),
    ]


def _say(periods: Periods, is_different: bool, value: str) -> str:
    """Describe the value before; empty if nothing is compared."""
    if not periods.words:
        return ""
    if not periods.before.total.requests:
        return "nothing to compare"
    if min(periods.now.total.requests, periods.before.total.requests) < MIN_REQUESTS:
        return "too few to compare"
    return f"{value} {periods.words}" if is_different else f"as {periods.words}"


def _differs(now: float, before: float, least: float = 0.0) -> bool:
    """Tell whether two values are too far apart to be called equal, significant or not."""
    return abs(now - before) > max(MIN_SHIFT * before, least)


def _make_percentile(periods: Periods, title: str, part: float, address: str) -> Number:
    now, before = (
        one.total.percentile_ms(part) if one.total.counts.buckets else None
        for one in (periods.now, periods.before)
    )
    totals = periods.before.total, periods.now.total
    moved = compare_percentiles(totals[0].counts.buckets, totals[1].counts.buckets, part)
    is_different = moved is not None or _differs(now or 0.0, before or 0.0)
    tone = "" if moved is None else "bad" if moved[1].middle > moved[0].middle else "good"
    return Number(title, duration(now), _say(periods, is_different, duration(before)), tone, address)
