"""The pages that count: overview, routes and errors, from rollups where these can answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from flask import Response

from ..queries import Group, Statistics, measure
from ..rollups.rollup import FailureKey, Failures
from . import filtering
from .change import compare_percentiles, compare_rates, compare_shares
from .heatmap import Heatmap, draw
from .numbers import count, duration, share
from .page import Page
from .period import Column, choose_column, read_columns
from .templating import html, render
from .verdict import judge

TOP_ROUTES, TOP_ERRORS = 10, 5
LONGEST = timedelta(days=30)
"""What "all there is" means on these pages."""
MAX_TABLE_ROWS = 60


class Number(NamedTuple):
    """One of the five numbers, with what it was before."""

    title: str
    value: str
    change: str
    tone: str = ""
    """``bad`` or ``good`` where it changed beyond doubt."""
    address: str = ""
    """The requests that it counts."""


class RouteRow(NamedTuple):
    """A route, beside all others."""

    name: str
    address: str
    time_share: float
    per_minute: float
    failed: str
    is_failing: bool
    p50: str
    p95: str
    p95_width: float
    """In percent of the longest."""
    before_at: float | None
    """Where p95 was before, in the same percent."""
    is_slower: bool


class ErrorRow(NamedTuple):
    """A group of failures."""

    error: str
    place: str
    route: str
    times: int
    is_new: bool
    address: str
    example: str | None
    """The address of a request."""


class Periods(NamedTuple):
    """The range of the page, and the one before it of the same length."""

    now: Statistics
    before: Statistics
    since: datetime
    until: datetime


class Columns(NamedTuple):
    """Both periods in columns; none where rollups do not answer."""

    now: Sequence[Column] = ()
    before: Sequence[Column] = ()
    seconds: int = 0
    """The length of a column."""


def read_periods(page: Page) -> Periods:
    """Count the requests of the range, and of the one before it."""
    until = min(page.until or page.now, page.now)
    since = page.since or until - LONGEST
    wanted = page.wanted_at_any_time
    now = measure(page.store, wanted, by="route", since=since, until=until)
    before = measure(page.store, wanted, by="route", since=since - (until - since), until=since)
    return Periods(now, before, since, until)


def read_chart(page: Page, periods: Periods) -> Columns:
    """Read the same in columns, which only the overview shows."""
    table = page.store.rollups
    if table is None or periods.now.source != "rollups":
        return Columns()
    since, until = periods.since, periods.until
    length = until - since
    seconds = choose_column(table, length, since - length, page.now)
    columns = read_columns(table, since, until, page.now, seconds)
    earlier = read_columns(table, since - length, since, page.now, seconds)
    return Columns(columns, earlier[: len(columns)], seconds)


def show_overview(page: Page) -> Response:
    """Say whether it is all right, and if not, since when and for which routes."""
    periods = read_periods(page)
    columns = read_chart(page, periods)
    verdict = judge(periods.now, periods.before, columns.now, columns.before)
    heatmap = draw(columns.now) if columns.now and not page.q else None
    return html(
        render(
            "overview.html",
            page=page,
            verdict=verdict,
            show_address=_find_harmed(page, verdict.routes),
            numbers=_make_numbers(page, periods),
            heatmap=heatmap,
            heatmap_rows=_make_table(columns.now) if heatmap else (),
            heatmap_titles=_make_titles(page, heatmap, columns.seconds),
            routes=_make_routes(page, periods)[:TOP_ROUTES],
            route_count=len(periods.now.groups),
            errors=_make_errors(page, periods)[:TOP_ERRORS],
            error_count=len(periods.now.failures),
            statistics=periods.now,
            recorder=_describe_recorder(periods.now),
        )
    )


def show_routes(page: Page) -> Response:
    """Show all routes by their share of all time."""
    periods = read_periods(page)
    routes = _make_routes(page, periods)
    return html(render("routes.html", page=page, routes=routes, statistics=periods.now))


def show_errors(page: Page) -> Response:
    """Show the groups of failures, the largest first."""
    periods = read_periods(page)
    errors = _make_errors(page, periods)
    return html(render("errors.html", page=page, errors=errors, statistics=periods.now))


def _find_harmed(page: Page, routes: Sequence[str]) -> str:
    """Return the address of the requests of the first route that a verdict names."""
    if not routes:
        return page.link_to("requests")
    return page.narrow_to(filtering.route_terms(routes[0]))


def _make_numbers(page: Page, periods: Periods) -> list[Number]:
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


def _make_routes(page: Page, periods: Periods) -> list[RouteRow]:
    earlier = {group.key: group for group in periods.before.groups}
    total_us = sum(group.counts.duration_us for group in periods.now.groups) or 1
    groups = sorted(periods.now.groups, key=lambda group: -group.counts.duration_us)
    longest = max((_p95(group) for group in groups), default=0.0) or 1.0
    return [_make_route(page, group, earlier.get(group.key), total_us, longest) for group in groups]


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
        page.narrow_to(filtering.route_terms(group.key or "")),
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


def _make_errors(page: Page, periods: Periods) -> list[ErrorRow]:
    known = {key for key, _ in periods.before.failures}
    is_comparable = periods.before.total.requests > 0
    return [
        _make_error(page, key, failures, is_new=is_comparable and key not in known)
        for key, failures in periods.now.failures
    ]


def _make_error(page: Page, key: FailureKey, failures: Failures, *, is_new: bool) -> ErrorRow:
    if key.error.startswith("status "):
        terms = [filtering.term("status", key.error.removeprefix("status "))]
    else:
        terms = [filtering.term("error", key.error)]
    if key.url_rule is not None:
        terms.append(filtering.term("route", key.url_rule))
    example = failures.example
    return ErrorRow(
        key.error.rpartition(".")[2],
        f"{key.file.rpartition('/')[2]} in {key.function}" if key.file else "",
        key.url_rule or "(no route)",
        failures.count,
        is_new,
        page.narrow_to(" ".join(terms)),
        None if example is None else page.link_to("request", id=example.record_id),
    )


def _make_table(columns: Sequence[Column]) -> list[tuple[object, ...]]:
    """Return the chart as rows: time, requests, failed, p50, p95, p99."""
    return [
        (
            column.start,
            column.counts.requests,
            column.counts.failed,
            *(
                duration(column.counts.percentile_ms(part) if column.counts.buckets else None)
                for part in (0.5, 0.95, 0.99)
            ),
        )
        for column in columns
        if column.counts.requests
    ][-MAX_TABLE_ROWS:]


def _make_titles(page: Page, heatmap: Heatmap | None, seconds: int) -> dict[int, tuple[str, str]]:
    """Return for each cell what it says, and the address of its requests."""
    titles = {}
    for at, cell in enumerate(heatmap.cells if heatmap is not None else ()):
        end = cell.start + timedelta(seconds=seconds)
        terms = f"slow:{cell.low_ms:.4g}ms slow:<{cell.high_ms:.4g}ms"
        times = {"from": f"{cell.start:%Y-%m-%dT%H:%M}", "to": f"{end:%Y-%m-%dT%H:%M}"}
        address = page.link_to("requests", q=terms, **times)
        words = f"{cell.requests:,} from {duration(cell.low_ms)} to {duration(cell.high_ms)}"
        titles[at] = (f"{words}, {cell.start:%H:%M} UTC", address)
    return titles


def _describe_recorder(found: Statistics) -> str:
    if found.source != "rollups":
        how = "" if found.is_complete else ", of the newest records only"
        return f"Counted from records{how}: {found.reason}."
    stored, left = found.stored or 0, found.not_stored or 0
    parts = [f"{stored:,} records stored"]
    if left:
        parts.append(f"{left:,} requests not stored by the rules")
    lost = sum(found.dropped.values())
    parts.append(f"{lost:,} lost" if lost else "nothing lost")
    return f"Counted from rollups: {', '.join(parts)}."
