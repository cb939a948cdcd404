"""The five numbers of a page, with what they were before."""

from __future__ import annotations

from typing import NamedTuple

from ..queries import Group
from .change import compare_percentiles, compare_rates, compare_shares
from .measured import Periods
from .numbers import count, duration, share
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


def make_numbers(page: Page, periods: Periods) -> list[Number]:
    """Return the numbers, each with the address of the requests that it counts."""
    now, before = periods.now.total, periods.before.total
    rate = compare_rates(now.requests, now.seconds, before.requests, before.seconds)
    failing = compare_shares(now.failed, now.requests, before.failed, before.requests)
    slow_ms = page.tracked.settings.slow_ms
    return [
        Number(
            "Requests",
            f"{count(now.rate * 60)}/min",
            _say(rate, f"{count(before.rate * 60)}/min before"),
            "bad" if rate < 0 else "",
            page.link_to("requests"),
        ),
        Number(
            "Failed",
            share(now.error_rate),
            _say(failing, f"{share(before.error_rate)} before"),
            {1: "bad", -1: "good"}.get(failing, ""),
            page.add("is:error"),
        ),
        _make_percentile("Typical, p50", now, before, 0.5, page.link_to("requests")),
        _make_percentile("Slow, p95", now, before, 0.95, page.add(f"slow:{slow_ms:g}ms")),
        _make_percentile("Slowest, p99", now, before, 0.99, page.add(f"slow:{slow_ms:g}ms")),
    ]


def _say(change: int, words: str) -> str:
    return words if change else "as before"


def _make_percentile(title: str, now: Group, before: Group, part: float, address: str) -> Number:
    value = now.percentile_ms(part) if now.counts.buckets else None
    moved = compare_percentiles(before.counts.buckets, now.counts.buckets, part)
    if moved is None:
        return Number(title, duration(value), "as before", "", address)
    tone = "bad" if moved[1].middle > moved[0].middle else "good"
    return Number(title, duration(value), f"{duration(moved[0].middle)} before", tone, address)
