"""The five numbers of a page, with what they were before."""

from __future__ import annotations

from typing import NamedTuple

from . import filtering
from .change import compare_percentiles, compare_rates, compare_shares
from .measured import Periods
from .numbers import duration, per_minute, share
from .page import Page


class Number(NamedTuple):
    """One of the five numbers, with what it was before."""

    title: str
    value: str
    change: str
    tone: str = ""
    """``bad`` or ``good`` where it changed beyond doubt."""
    address: str = ""
    """The requests that it counts."""


def make_numbers(page: Page, periods: Periods, within: str = "") -> list[Number]:
    """Return the numbers, each with the address of the requests that it counts.

    Args:
        page: the page.
        periods: what was counted.
        within: the terms of what was counted, besides the filter of the page.
    """
    counted = filtering.join(page.q, within) if within else page.q

    def lead(term: str = "") -> str:
        return page.link_to("requests", q=filtering.join(counted, term) if term else counted)

    now, before = periods.now.total, periods.before.total
    rate = compare_rates(now.requests, now.seconds, before.requests, before.seconds)
    failing = compare_shares(now.failed, now.requests, before.failed, before.requests)
    slow_ms = page.tracked.settings.slow_ms
    return [
        Number(
            "Requests",
            f"{per_minute(now.rate * 60)}/min",
            _say(periods, rate, f"{per_minute(before.rate * 60)}/min"),
            "bad" if rate < 0 else "",
            lead(),
        ),
        Number(
            "Failed",
            share(now.error_rate),
            _say(periods, failing, share(before.error_rate)),
            {1: "bad", -1: "good"}.get(failing, ""),
            lead("is:error"),
        ),
        _make_percentile(periods, "Typical, p50", 0.5, lead()),
        _make_percentile(periods, "Slow, p95", 0.95, lead(f"slow:{slow_ms:g}ms")),
        _make_percentile(periods, "Slowest, p99", 0.99, lead(f"slow:{slow_ms:g}ms")),
    ]


def _say(periods: Periods, change: int, value: str) -> str:
    if not periods.words:
        return ""
    return f"{value} {periods.words}" if change else f"as {periods.words}"


def _make_percentile(periods: Periods, title: str, part: float, address: str) -> Number:
    now, before = periods.now.total, periods.before.total
    value = now.percentile_ms(part) if now.counts.buckets else None
    moved = compare_percentiles(before.counts.buckets, now.counts.buckets, part)
    if moved is None:
        return Number(title, duration(value), _say(periods, 0, ""), "", address)
    tone = "bad" if moved[1].middle > moved[0].middle else "good"
    return Number(title, duration(value), _say(periods, 1, duration(moved[0].middle)), tone, address)
