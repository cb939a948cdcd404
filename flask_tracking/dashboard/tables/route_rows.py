"""Rows of the table of routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ...queries import Group
from ..page import Page
from ..sparkline import draw_sparkline
from ..statistics.change import compare_percentiles, compare_shares
from ..statistics.periods import Periods
from ..text import filter_text
from ..text.numbers import duration, share

NO_TRENDS: Mapping[str, Sequence[float | None]] = MappingProxyType({})


class RouteRow(NamedTuple):
    """A row of the table."""

    name: str
    address: str
    """The URL of its page."""
    requests: str
    """The URL of its requests."""
    time_share: float
    per_minute: float
    failed: str
    is_failing: bool
    p50: str
    p95: str
    p95_width: float
    """In percent of the longest p95."""
    before_at: float | None
    """The p95 before, on the same scale."""
    is_slower: bool
    trend: tuple[str, ...] = ()
    """The p95 over the range, from `draw_sparkline`; empty where it is not known."""


def make_route_rows(
    page: Page, periods: Periods, trends: Mapping[str, Sequence[float | None]] = NO_TRENDS
) -> list[RouteRow]:
    """Return the routes by their share of total time.

    Args:
        page: makes the links.
        periods: what was counted by route.
        trends: the p95 over the range, by name.
    """
    earlier = {group.key: group for group in periods.before.groups}
    total_us = sum(group.counts.duration_us for group in periods.now.groups) or 1
    groups = sorted(periods.now.groups, key=lambda group: -group.counts.duration_us)
    longest = max((_p95(group) for group in groups), default=0.0) or 1.0
    rows = [_make_route(page, group, earlier.get(group.key), total_us, longest) for group in groups]
    return [one._replace(trend=draw_sparkline(trends.get(one.name, ()))) for one in rows]


def link_to_route(page: Page, name: str) -> str:
    """Return the URL of the page of a route named like ``GET /orders/<int:id>``."""
    method, _, rule = name.partition(" ")
    return page.link_to("route", method=method, rule=rule)


def _p95(group: Group) -> float:
    return (group.percentile_ms(0.95) or 0.0) if group.counts.buckets else 0.0


def _make_route(page: Page, group: Group, was: Group | None, total_us: int, longest: float) -> RouteRow:
    moved = failing = None
    if was is not None:
        moved = compare_percentiles(was.counts.buckets, group.counts.buckets, 0.95)
        failing = compare_shares(group.failed, group.requests, was.failed, was.requests)
    before = _p95(was) if was is not None else 0.0
    return RouteRow(
        group.key or "",
        link_to_route(page, group.key or ""),
        page.add(filter_text.route_terms(group.key or "")),
        group.counts.duration_us / total_us,
        group.rate * 60,
        share(group.error_rate),
        bool(failing and failing > 0),
        duration(group.percentile_ms(0.5) if group.counts.buckets else None),
        duration(_p95(group) or None),
        round(100 * _p95(group) / longest, 1),
        round(min(100.0, 100 * before / longest), 1) if before else None,
        bool(moved and moved[1].middle > moved[0].middle),
    )
