"""The page of one route: what changed, its durations, versions, errors and users."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import NamedTuple

from flask import Response

from ...filters import Filter
from ...queries import Group, find_newest
from ...queries.statistics import name_route
from ...record_summary import RecordSummary
from ...rollups.counts import is_failure
from ..charts.chart import make_chart
from ..charts.histogram import draw_histogram
from ..messages import show_message
from ..page import Page
from ..statistics.failures import group_route
from ..statistics.five_numbers import make_numbers
from ..statistics.interval_text import write_failed, write_percentile
from ..statistics.periods import Periods, count_groups, read_drawing, read_periods
from ..statistics.verdict import make_verdict
from ..tables.error_rows import make_error_rows
from ..tables.request_rows import make_rows
from ..templating import html, render
from ..text import filter_text
from ..text.numbers import count, duration

LISTED = 10
MAX_SUMMARIES = 1_000
MAX_KEPT = 100
MAX_USERS = 8


class VersionRow(NamedTuple):
    """The figures of a version, with intervals at 3.3 standard errors."""

    version: str
    address: str
    requests: str
    failed: str
    p50: str
    p95: str


class StatusRow(NamedTuple):
    """The requests with a status code; 0 for requests without one."""

    code: int
    requests: str
    address: str
    percent: float


class UserRow(NamedTuple):
    """The requests of a user among the newest."""

    user: str
    address: str
    requests: int
    failed: int
    median: str


def show_route(page: Page) -> Response:
    """Show the route given by the parameters ``rule`` and ``method``."""
    rule, method = (page.request.args.get(name, "").strip() for name in ("rule", "method"))
    if not rule:
        lines = ["The address names no route: it takes rule=/orders/<int:id> and method=GET."]
        return show_message(page, "No route", lines, [("All routes", page.link_to("routes"))], 404)
    name = name_route(method, rule)
    terms = filter_text.route_terms(name)
    wanted = page.wanted_at_any_time & Filter.parse(terms)
    periods = read_periods(page, wanted)
    columns = read_drawing(page, periods, name)
    verdict = make_verdict(page, _leave(periods, name))
    newest = _read_newest(page, wanted)
    counts, before = periods.now.total.counts, periods.before.total.counts
    return html(
        render(
            "route.html",
            page=page,
            name=name,
            terms=terms,
            rule=rule,
            method=method,
            verdict=verdict,
            buttons=[
                ("Show its requests", page.link_to("requests", q=filter_text.join(page.q, terms)))
            ],
            numbers=make_numbers(page, periods, columns, terms),
            chart=make_chart(page, columns, terms, newest),
            histogram=draw_histogram(counts.buckets, before.buckets),
            words=periods.words,
            versions=_make_versions(page, wanted, terms),
            statuses=_make_statuses(page, terms, counts.statuses),
            slowest=make_rows(page, _find_slowest(page, wanted, newest)),
            newest=make_rows(page, newest[:LISTED]),
            read=len(newest),
            errors=make_error_rows(page, group_route(page, periods, columns, rule)),
            users=_make_users(page, terms, newest),
        )
    )


def _leave(periods: Periods, name: str) -> Periods:
    """Return the periods with the groups of one route: a filter may select others of the same rule."""
    now, before = (
        dataclasses.replace(one, groups=[group for group in one.groups if group.key == name])
        for one in (periods.now, periods.before)
    )
    return periods._replace(now=now, before=before)


def _read_newest(page: Page, wanted: Filter) -> list[RecordSummary]:
    return page.attempt(
        "the newest requests",
        lambda: find_newest(page.store, wanted.narrowed(*page.bounds), MAX_SUMMARIES, fields="summary"),
        [],
    )


def _find_slowest(page: Page, wanted: Filter, newest: list[RecordSummary]) -> list[RecordSummary]:
    """Return the slowest of the newest and of the kept requests: slow ones are kept."""
    kept: list[RecordSummary] = []
    if page.tracked.settings.kept_size_bytes:
        slow = Filter.parse(f"is:kept slow:>={page.tracked.settings.slow_ms:g}ms")
        asked = (wanted & slow).narrowed(*page.bounds)
        kept = page.attempt(
            "the slowest requests",
            lambda: find_newest(page.store, asked, MAX_KEPT, fields="summary"),
            [],
        )
    found = {one.id: one for one in (*newest, *kept) if one.execution_time is not None}
    return sorted(found.values(), key=lambda one: -(one.execution_time or 0))[:LISTED]


def _make_versions(page: Page, wanted: Filter, terms: str) -> list[VersionRow]:
    since, until = page.bounds
    nothing: list[Group] = []
    groups = page.attempt(
        "its versions",
        lambda: count_groups(page, wanted, "version", since, until).groups,
        nothing,
    )
    return [
        VersionRow(
            group.key or "none",
            page.add(f"{terms} {filter_text.find_term('version', group.key or '')}".strip()),
            count(group.requests),
            write_failed(group),
            write_percentile(group, 0.5),
            write_percentile(group, 0.95),
        )
        for group in groups
    ]


def _make_statuses(page: Page, terms: str, statuses: dict[int, int]) -> list[StatusRow]:
    total = sum(statuses.values()) or 1
    return [
        StatusRow(
            code,
            count(number),
            page.add(f"{terms} {filter_text.find_term('status', str(code))}".strip()),
            round(100 * number / total, 1),
        )
        for code, number in sorted(statuses.items())
    ]


def _make_users(page: Page, terms: str, newest: list[RecordSummary]) -> list[UserRow]:
    """Return the users with the most requests among the newest."""
    requests = Counter(one.user for one in newest if one.user)
    rows = []
    for user, number in requests.most_common(MAX_USERS):
        mine = [one for one in newest if one.user == user]
        took = sorted(one.execution_time for one in mine if one.execution_time is not None)
        rows.append(
            UserRow(
                user,
                page.add(f"{terms} {filter_text.find_term('user', user)}".strip()),
                number,
                sum(is_failure(one.status_code, one.outcome) for one in mine),
                duration(took[len(took) // 2] if took else None),
            )
        )
    return rows
