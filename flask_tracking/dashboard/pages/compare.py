"""Two versions, two periods or two requests, side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flask import Response

from ...errors import FilterError, StoreTimeoutError
from ...queries import Group, Statistics
from ...rollups.rollup import FailureKey
from ..comparison.request_pairs import compare_requests
from ..comparison.sides import ComparisonSide, read_sides
from ..messages import show_message
from ..page import Page
from ..record.waterfall import make_waterfall
from ..statistics.change import compare_percentiles, compare_rates, compare_shares
from ..statistics.columns import choose_column, read_columns
from ..statistics.failures import make_id
from ..statistics.interval_text import write_failed, write_percentile
from ..statistics.periods import count_groups
from ..statistics.verdict import compare_groups
from ..tables.error_rows import name_place
from ..tables.route_rows import link_to_route
from ..templating import html, render
from ..text.numbers import count, duration, per_minute, share

MAX_ROUTES = 50
MAX_ERRORS = 50
ERRORS = "the errors"


class NumberRow(NamedTuple):
    """A key figure of both sides, with intervals at 3.3 standard errors."""

    title: str
    one: str
    other: str
    tone: str
    """``bad`` or ``good`` if the second side differs significantly."""


class RoutePair(NamedTuple):
    """A route on both sides."""

    name: str
    address: str
    requests: tuple[str, str]
    failed: tuple[str, str]
    p95: tuple[str, str]
    tone: str
    harm: float
    number: int
    """The requests of both sides together."""


class ErrorPair(NamedTuple):
    """A group of failures on both sides."""

    error: str
    place: str
    route: str
    address: str
    times: tuple[int, int]
    only: str
    """``A`` or ``B`` if it is on one side only, else empty."""


def show_compare(page: Page) -> Response:
    """Show the comparison of the two sides given in the URL."""
    try:
        one, other = read_sides(page)
    except FilterError as error:
        is_named = page.request.args.get("a") or page.request.args.get("b")
        title = "Nothing to compare" if is_named else "Mark two requests first"
        return show_message(page, title, [str(error)], _lead_back(page), 400)
    if one.kind == "request":
        return _compare_requests(page, one, other)
    before, now = (_measure(page, side, name) for side, name in ((one, "A"), (other, "B")))
    if before is None and now is None:
        raise StoreTimeoutError("neither side could be read in time")
    return html(
        render(
            "compare.html",
            page=page,
            one=one,
            other=other,
            numbers=_make_numbers(before, now, with_rate=one.kind == "period"),
            routes=_make_routes(page, before, now),
            errors=_make_errors(page, one, other),
            sources=_name_sources(before, now),
            requests=[_link_to_requests(page, side) for side in (one, other)],
            turned=page.link_to("compare", a=other.text, b=one.text),
        )
    )


def _lead_back(page: Page) -> list[tuple[str, str]]:
    return [("The newest requests", page.link_to("requests"))]


def _measure(page: Page, side: ComparisonSide, name: str) -> Statistics | None:
    """Return the statistics of a side; None after a timeout."""
    wanted = page.wanted_at_any_time & side.wanted
    return page.share(
        ("compared", side.text, name),
        lambda: page.attempt(
            f"the numbers of {name}",
            lambda: count_groups(page, wanted, "route", side.since, side.until),
            None,
        ),
    )


def _name_sources(*sides: Statistics | None) -> list[str]:
    return sorted(
        {
            one.source if one.is_complete else f"the newest {one.source} only"
            for one in sides
            if one is not None
        }
    )


def _link_to_requests(page: Page, side: ComparisonSide) -> str:
    times = {"from": f"{side.since:%Y-%m-%dT%H:%M:%S}", "to": f"{side.until:%Y-%m-%dT%H:%M:%S}"}
    return page.link_to("requests", q=str(page.wanted_at_any_time & side.wanted), **times)


def _make_numbers(
    before: Statistics | None, now: Statistics | None, *, with_rate: bool
) -> list[NumberRow]:
    """Return the key figures of both sides; no rate for versions, which ran for a part of the range."""
    one, other = (None if side is None else side.total for side in (before, now))
    rate = failing = 0
    if one is not None and other is not None:
        rate = compare_rates(other.requests, other.seconds, one.requests, one.seconds)
        failing = compare_shares(other.failed, other.requests, one.failed, one.requests)

    def make(title: str, text_of: Callable[[Group], str], tone: str = "") -> NumberRow:
        return NumberRow(title, _tell(one, text_of), _tell(other, text_of), tone)

    less = "bad" if rate < 0 else ""
    rates = [make("Per minute", lambda side: per_minute(side.rate * 60), less)] if with_rate else []
    return [
        make("Requests", lambda side: count(side.requests)),
        *rates,
        make("Failed", write_failed, _name_tone(failing)),
        _make_percentile("Typical, p50", one, other, 0.5),
        _make_percentile("Slow, p95", one, other, 0.95),
        _make_percentile("Slowest, p99", one, other, 0.99),
    ]


def _make_percentile(title: str, one: Group | None, other: Group | None, part: float) -> NumberRow:
    moved = None
    if one is not None and other is not None:
        moved = compare_percentiles(one.counts.buckets, other.counts.buckets, part)
    change = 0 if moved is None else 1 if moved[1].middle > moved[0].middle else -1
    was, is_now = (_tell(side, lambda group: write_percentile(group, part)) for side in (one, other))
    return NumberRow(title, was, is_now, _name_tone(change))


def _name_tone(change: int) -> str:
    return {1: "bad", -1: "good"}.get(change, "")


def _make_routes(page: Page, before: Statistics | None, now: Statistics | None) -> list[RoutePair]:
    """Return the routes of both sides, the most harmful changes first."""
    earlier, later = (
        {} if side is None else {group.key: group for group in side.groups} for side in (before, now)
    )
    rows = [
        _make_route(page, name or "", earlier.get(name), later.get(name))
        for name in dict.fromkeys([*later, *earlier])
    ]
    return sorted(rows, key=lambda row: (-row.harm, not row.tone, -row.number))[:MAX_ROUTES]


def _make_route(page: Page, name: str, was: Group | None, is_now: Group | None) -> RoutePair:
    change = None if was is None or is_now is None else compare_groups(is_now, was)

    def write(text_of: Callable[[Group], str]) -> tuple[str, str]:
        return _tell(was, text_of), _tell(is_now, text_of)

    return RoutePair(
        name,
        link_to_route(page, name),
        write(lambda one: count(one.requests)),
        write(lambda one: share(one.error_rate)),
        write(_write_p95),
        "" if change is None else "good" if change.is_better else "bad",
        0.0 if change is None else change.harm,
        sum(side.requests for side in (was, is_now) if side is not None),
    )


def _tell(group: Group | None, text_of: Callable[[Group], str]) -> str:
    return "–" if group is None else text_of(group)


def _write_p95(group: Group) -> str:
    return duration(group.percentile_ms(0.95) if group.counts.buckets else None)


def _make_errors(page: Page, one: ComparisonSide, other: ComparisonSide) -> list[ErrorPair]:
    """Return the failures of both sides, those on one side only first."""
    nothing: list[dict[FailureKey, int]] = [{}, {}]
    before, now = page.attempt(
        ERRORS, lambda: [_count_failures(page, side) for side in (one, other)], nothing
    )
    rows = [
        ErrorPair(
            key.error.rpartition(".")[2],
            name_place(key.file, key.function),
            key.url_rule or "(no route)",
            page.link_to("error", group=make_id(key)),
            (before.get(key, 0), now.get(key, 0)),
            "B" if key not in before else "A" if key not in now else "",
        )
        for key in dict.fromkeys([*now, *before])
    ]
    return sorted(rows, key=lambda row: ("BA".find(row.only) if row.only else 2, -sum(row.times)))[
        :MAX_ERRORS
    ]


def _count_failures(page: Page, side: ComparisonSide) -> dict[FailureKey, int]:
    """Return the number of failures by group, from rollups; empty without them."""
    table = page.store.rollups
    if table is None:
        return {}
    seconds = choose_column(table, side.until - side.since, side.since, page.now)
    found: dict[FailureKey, int] = {}
    for column in read_columns(table, side.since, side.until, page.now, seconds):
        for key, by_version in column.failures.items():
            times = by_version.total() if side.version is None else by_version[side.version]
            if times:
                found[key] = found.get(key, 0) + times
    return found


def _compare_requests(page: Page, one: ComparisonSide, other: ComparisonSide) -> Response:
    first, second = (page.get_record(side.text) for side in (one, other))
    if first is None or second is None:
        missing = one.text if first is None else other.text
        lines = [f"The record {missing} is not stored any more, or never was."]
        return show_message(page, "Record not found", lines, _lead_back(page), 404)
    only_differences = "all" not in page.request.args
    scale_ms = max(first.execution_time or 0.0, second.execution_time or 0.0) or None
    return html(
        render(
            "compare_requests.html",
            page=page,
            records=(first, second),
            waterfalls=[make_waterfall(record, scale_ms) for record in (first, second)],
            parts=compare_requests(first, second, only_differences=only_differences),
            only_differences=only_differences,
            other_view=page.with_(all="1" if only_differences else None),
            turned=page.link_to("compare", a=other.text, b=one.text),
        )
    )
