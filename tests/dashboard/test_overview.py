"""The overview, over rollups of two hours in which something may have happened."""

from __future__ import annotations

import dataclasses
import functools
import html
import json
import math
import random
import re
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
from bson import ObjectId
from flask.testing import FlaskClient

from flask_tracking import Filter, MemoryExporter
from flask_tracking.dashboard.charts.heatmap import draw_heatmap
from flask_tracking.dashboard.sparkline import draw_sparkline
from flask_tracking.dashboard.statistics import five_numbers, record_columns
from flask_tracking.dashboard.statistics.columns import MAX_COLUMNS, Column, choose_column, read_columns
from flask_tracking.dashboard.statistics.five_numbers import _make_percentile
from flask_tracking.dashboard.statistics.periods import Periods
from flask_tracking.dashboard.text.numbers import duration, tick
from flask_tracking.exporters.rollup_table import align
from flask_tracking.queries import Group, Statistics
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import OTHER_METHOD, Example, FailureKey, Failures, Rollup, RouteKey

from ..captures import make_record
from .conftest import Make
from .hostile import HOSTILE
from .test_pages import check

ROUTES = (
    ("POST", "/checkout", 24, 120.0),
    ("GET", "/items/<int:id>", 120, 30.0),
    ("GET", "/a", 30, 90.0),
)
EPOCH = datetime.fromtimestamp(0, timezone.utc)
OVERVIEW = "/_tracking/"


def make_rollups(**happens: Any) -> list[Rollup]:
    """Return two hours by minute, until now, in which happens what `draw_rollups` takes."""
    now = datetime.now(timezone.utc).replace(second=0, microsecond=0)
    return [
        dataclasses.replace(one, start=now - timedelta(minutes=ago), routes=dict(one.routes))
        for ago, one in enumerate(draw_rollups(**happens), 1)
    ]


@functools.cache
def draw_rollups(
    *,
    slower: float = 1.0,
    failing: float = 0.004,
    traffic: float = 1.0,
    minutes: int = 28,
    dropped: int = 0,
    second_minutes: int = 0,
) -> list[Rollup]:
    """Return 120 rollups of a minute, the last first.

    In the last `minutes` something happens to the first route; in the last `second_minutes` the last
    route takes five times as long.
    """
    rng = random.Random(7)
    rollups = []
    for ago in range(1, 121):
        is_after = ago <= minutes
        rollup = Rollup(
            width_s=60,
            start=EPOCH,
            source="host:1:a",
            version="2.4.1" if is_after and (slower, failing) != (1.0, 0.004) else "2.4.0",
            stored=100,
        )
        half_octaves = set()
        for method, rule, count, median_ms in ROUTES:
            is_first = rule == "/checkout"
            counts = rollup.routes.setdefault(RouteKey(rule, method), Counts())
            for _ in range(round(count * (traffic if is_after else 1.0))):
                failed = rng.random() < (failing if is_first and is_after else 0.004)
                took = rng.lognormvariate(math.log(median_ms), 0.6)
                took *= slower if is_first and is_after else 1
                took *= 5 if rule == "/a" and ago <= second_minutes else 1
                bucket = counts.add_request(500 if failed else 200, failed, took, 9, 99)
                half_octaves.add(bucket // 16)
                if failed:
                    name = "shop.pay.CardDeclined" if is_first and is_after else "KeyError"
                    key = FailureKey(name, "/srv/shop/pay.py", "charge", rule)
                    example = Example(True, ObjectId())
                    rollup.failures.setdefault(key, Failures()).add(1, example)
        rollup.examples = {one: Example(False, ObjectId()) for one in half_octaves}
        if is_after and dropped:
            rollup.dropped = Counter(queue=dropped)
        rollups.append(rollup)
    return rollups


@pytest.fixture
def client(make: Make) -> FlaskClient:
    """A client of an app with the dashboard."""
    return make().test_client()


def read(client: FlaskClient, memory: MemoryExporter, **happens: float) -> str:
    """Return the overview after something happened."""
    assert memory.rollups is not None
    memory.rollups.store(make_rollups(**happens))
    return check(client.get(OVERVIEW).text)


def headline(page: str) -> str:
    """Return what the page says first."""
    return page.partition("<h1>")[2].partition("</h1>")[0].partition(" since")[0]


def test_nothing_happened(client: FlaskClient, memory: MemoryExporter) -> None:
    """An hour like the one before is said to be."""
    page = read(client, memory)
    assert headline(page) == "As before"
    assert page.count('class="dim">as before<') == 5
    assert '<tr class="hot">' not in page


def test_slower(client: FlaskClient, memory: MemoryExporter) -> None:
    """The sentence names the route, the moment and the version, and leads to the requests."""
    page = read(client, memory, slower=4.0)
    assert headline(page) == "Slower"
    moment = datetime.now(timezone.utc).replace(second=0, microsecond=0) - timedelta(minutes=28)
    said = page.partition('<time datetime="')[2][:16]
    assert abs(datetime.fromisoformat(said + "+00:00") - moment) <= timedelta(minutes=2)
    assert "POST /checkout: p95" in page and "Other routes are as before." in page
    assert 'Version <b class="mono">2.4.1</b> was first seen then.' in page
    assert page.count('<tr class="hot">') == 1


def make_periods(now_ms: float, before_ms: float | None) -> Periods:
    """Make two periods in which one request of ten takes as long; none where the time is None."""
    now = datetime.now(timezone.utc)
    sides = []
    for took_ms in (now_ms, before_ms):
        counts = Counts()
        for number in range(0 if took_ms is None else 80):
            counts.add_request(200, False, 1.0 if number % 10 else took_ms or 0.0, 0, 0)
        total = Group(None, counts, 3_600.0)
        sides.append(Statistics(since=now, until=now, source="rollups", total=total))
    return Periods(sides[0], sides[1], now, now)


@pytest.mark.parametrize(
    ("now", "before", "is_other"), [(100, 74, True), (74, 100, True), (100, 90, False)]
)
def test_value_before(now: float, before: float, is_other: bool) -> None:
    """A percentile that is more than 20 % away, but in doubt, is shown in a neutral tone."""
    periods = make_periods(now, before)
    number = _make_percentile(periods, "Slow, p95", 0.95, "")
    assert number.tone == ""
    shown = duration(periods.before.total.percentile_ms(0.95))
    assert number.change == (f"{shown} before" if is_other else "as before")


BAD = {
    "slower": ({"slower": 4.0}, r"slow:>\d+ms"),
    "failing": ({"failing": 0.3}, "is:error"),
    "both": ({"slower": 4.0, "failing": 0.3}, r"\(slow:>\d+ms or is:error\)"),
}


def read_query(page: str) -> dict[str, list[str]]:
    """Return what the address of the first button asks for."""
    found = re.search('href="([^"]+)">Show these requests', page)
    assert found is not None
    return parse_qs(urlsplit(found[1].replace("&amp;", "&")).query)


@pytest.mark.parametrize("name", BAD)
def test_these_requests(client: FlaskClient, memory: MemoryExporter, name: str) -> None:
    """The button leads to the requests that the sentence is about: slow or failed ones, since then."""
    happens, terms = BAD[name]
    page = read(client, memory, **happens)
    moment = page.partition('<time datetime="')[2].partition('"')[0]
    query = read_query(page)
    assert query["from"] == [moment]
    assert re.fullmatch(f"method:POST route:/checkout {terms}", query["q"][0])
    Filter.parse(query["q"][0])


def test_these_requests_of_a_filter(client: FlaskClient, memory: MemoryExporter) -> None:
    """The button keeps the filter of the page."""
    memory.rollups.store(make_rollups(failing=0.3))
    page = check(client.get(OVERVIEW, query_string={"q": "method:POST or method:GET"}).text)
    expected = "(method:POST or method:GET) method:POST route:/checkout is:error"
    assert read_query(page)["q"] == [expected]


def minutes_ago(count: int) -> datetime:
    """Return the minute that began so long ago."""
    now = datetime.now(timezone.utc).replace(second=0, microsecond=0)
    return now - timedelta(minutes=count)


def test_since_is_of_the_route(client: FlaskClient, memory: MemoryExporter) -> None:
    """Each route that is named has its own moment, whatever happens to the others."""
    page = read(client, memory, slower=8.0, minutes=40, second_minutes=12)
    verdict = page.partition('aria-label="Verdict"')[2].partition("</section>")[0]
    moments = [
        datetime.fromisoformat(one + "+00:00") for one in re.findall(r'datetime="(.{16})', verdict)
    ]
    assert re.findall(r"([A-Z]+ \S+): p95", verdict) == ["POST /checkout", "GET /a"]
    for moment, expected in zip(moments, (40, 12), strict=True):
        assert abs(moment - minutes_ago(expected)) <= timedelta(minutes=2)


VS = [("day", "a day before"), ("week", "a week before"), ("version:2.4.0", "with 2.4.0")]


@pytest.mark.parametrize(("vs", "words"), VS)
def test_against(client: FlaskClient, memory: MemoryExporter, vs: str, words: str) -> None:
    """The range can be compared with another day, week or version."""
    table = memory.rollups
    table.store(make_rollups(slower=4.0))
    for days, width_s in ((1, 300), (7, 3_600)):
        earlier = [
            dataclasses.replace(
                one,
                width_s=width_s,
                start=align(one.start - timedelta(days=days), width_s),
                source=f"{days}.{at}",
            )
            for at, one in enumerate(make_rollups())
        ]
        table.store(earlier)
    page = check(client.get(OVERVIEW, query_string={"vs": vs}).text)
    assert headline(page) == "Slower" and words in page
    assert "POST /checkout: p95" in page
    assert f'<option value="{vs}" selected>' in page
    links = re.findall(r'<a href="(/_tracking/routes[^"]*)"', page)
    assert links and all("vs=" in one for one in links)


def test_against_nothing(client: FlaskClient, memory: MemoryExporter) -> None:
    """Without a comparison there are only the numbers."""
    memory.rollups.store(make_rollups(slower=4.0))
    page = check(client.get(OVERVIEW, query_string={"vs": "none"}).text)
    assert re.search("<h1>[0-9,]+ requests, ", page) and "before</dd>" not in page


@pytest.mark.parametrize("vs", ["nonsense", "version:", HOSTILE])
def test_against_nonsense(client: FlaskClient, vs: str) -> None:
    """A comparison that is none is named, beside its field."""
    page = check(client.get(OVERVIEW, query_string={"vs": vs}).text)
    assert "Invalid comparison" in page and "expected before, day, week, none or version:NAME" in page


def test_failing(client: FlaskClient, memory: MemoryExporter) -> None:
    """Failures count as harm, and a new kind of them is marked."""
    page = read(client, memory, failing=0.3)
    assert headline(page) == "Failing more"
    assert "POST /checkout: failed" in page
    assert page.count('<span class="tag new">new in 2.4.1</span>') == 1
    assert "CardDeclined" in page and "pay.py in charge" in page


def test_less_traffic(client: FlaskClient, memory: MemoryExporter) -> None:
    """So does traffic that stays away."""
    page = read(client, memory, traffic=0.2, minutes=59)
    assert headline(page) == "Less traffic than before"


def test_better(client: FlaskClient, memory: MemoryExporter) -> None:
    """What got better is said, too."""
    assert headline(read(client, memory, slower=0.2, minutes=59)) == "Better than before"


def test_recorder_in_trouble(client: FlaskClient, memory: MemoryExporter) -> None:
    """Lost records come first, and their minutes are hatched."""
    page = read(client, memory, slower=4.0, dropped=7)
    assert headline(page) == "The recorder lost records"
    assert "196 records of this period were lost: 196 queue." in page
    recorder = page.partition('class="recorder"')[2]
    assert "196 records lost." in recorder.partition('<li class="bad">')[2].partition("</li>")[0]
    assert page.partition("on-narrow")[0].count('class="lost"') == 28


def test_few_requests(client: FlaskClient) -> None:
    """Small numbers are shown, and nothing is claimed of them."""
    page = check(client.get(OVERVIEW).text)
    assert headline(page) == "No requests in this period"
    client.get("/tea/green")
    client.application.extensions["tracking"].worker.flush(20)
    assert headline(check(client.get(OVERVIEW).text)) == "Nothing to compare"


@pytest.mark.parametrize(
    ("query", "when"),
    [
        ({}, "in the hour before"),
        ({"from": "15m"}, "in the 15 minutes before"),
        ({"from": "3h"}, "in the time before"),
        ({"vs": "day"}, "a day before"),
        ({"vs": "version:1"}, "with 1"),
    ],
)
def test_nothing_before(
    client: FlaskClient, memory: MemoryExporter, query: dict[str, str], when: str
) -> None:
    """Without requests before, neither the sentence nor the numbers claim anything."""
    memory.rollups.store([one for one in make_rollups() if one.start >= minutes_ago(10)])
    page = check(client.get(OVERVIEW, query_string=query).text)
    assert headline(page) == "Nothing to compare"
    assert f"No requests {when}, so nothing is compared." in page
    assert 'class="wide verdict neutral"' in page and "✓" not in page
    assert page.count('class="dim">nothing to compare<') == 5


def test_few_before(client: FlaskClient, memory: MemoryExporter) -> None:
    """Too few requests before are not called the same."""
    rollups = [one for one in make_rollups() if one.start >= minutes_ago(50)]
    few = make_rollups()[70]
    few.routes = {key: counts for key, counts in few.routes.items() if key.url_rule == "/checkout"}
    memory.rollups.store([*rollups, few])
    page = check(client.get(OVERVIEW).text)
    assert headline(page) == "Too few requests to compare" and "✓" not in page
    assert page.count('class="dim">too few to compare<') == 5


def test_filter_that_rollups_do_not_know(client: FlaskClient, memory: MemoryExporter) -> None:
    """Then records are counted, and the page says why."""
    client.get("/tea/green")
    page = check(client.get(OVERVIEW, query_string={"q": "path:/tea/*"}).text)
    assert "Counted from records: rollups cannot filter by path." in page
    assert '<span class="dim">from records</span>' in page and 'class="heat-' in page


def cells_of(page: str) -> int:
    """Return how many requests the cells of the chart for a wide screen count."""
    figure = page.partition("on-wide")[2].partition("</figure>")[0]
    return sum(map(int, re.findall(r'data-n="(\d+)"', figure)))


def count_requests(rollups: list[Rollup], since: datetime, rule: str | None, version: str) -> int:
    """Return how many requests rollups since the minute of a time count."""
    return sum(
        counts.requests
        for one in rollups
        if one.start >= align(since, 60) and version in (one.version, "")
        for key, counts in one.routes.items()
        if rule in (key.url_rule, None)
    )


@pytest.mark.parametrize(
    ("q", "rule", "version"),
    [
        ("", None, ""),
        ("route:/checkout", "/checkout", ""),
        ("version:2.4.1", None, "2.4.1"),
        ("version:2.4.0 method:GET route:/a", "/a", "2.4.0"),
        ("since:15m route:/a", "/a", ""),
    ],
)
def test_chart_under_a_filter(
    client: FlaskClient, memory: MemoryExporter, q: str, rule: str | None, version: str
) -> None:
    """It shows what the filter selects, and its cells lead to that."""
    rollups = make_rollups(slower=4.0)
    memory.rollups.store(rollups)
    since = minutes_ago(15 if "since" in q else 60)
    page = check(client.get(OVERVIEW, query_string={"q": q}).text)
    known = [
        count_requests(rollups, one, rule, version) for one in (since, since + timedelta(minutes=1))
    ]
    assert cells_of(page) in known  # a minute may end meanwhile
    (grid, *_) = re.findall(r'data-grid="([^"]+)"', page)
    assert json.loads(html.unescape(grid))["within"] == q
    (address, *_) = re.findall(r'<a href="/_tracking/requests\?([^"]+)" tabindex="-1">', page)
    assert q in parse_qs(html.unescape(address))["q"][0]


def test_chart_of_many_records(
    client: FlaskClient, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column of more than are read shows how they are spread, and no number that it does not know."""
    monkeypatch.setattr(record_columns, "NEWEST", 2)
    monkeypatch.setattr(record_columns, "PER_COLUMN", 3)
    for ago in range(1, 41):
        for number in range(ago % 5):
            arrived = minutes_ago(ago) + timedelta(seconds=number)
            memory.export([dataclasses.replace(make_record(), date_created=arrived)])
    page = check(client.get(OVERVIEW, query_string={"q": "path:/orders/*"}).text)
    assert "from records, of older columns the newest" in page
    assert cells_of(page) == 8 * (1 + 2 + 3 + 3) and 'class="all"' not in page
    table = page.partition("Durations as a table")[2].partition("</table>")[0]
    assert table.count('<td class="num">3+</td>') == 8


def test_chart_on_a_phone(client: FlaskClient, memory: MemoryExporter) -> None:
    """It has half the columns, and counts the same; a style sheet shows one of the two."""
    page = read(client, memory)
    wide, narrow = (json.loads(html.unescape(one)) for one in re.findall(r'data-grid="([^"]+)"', page))
    assert narrow["columns"] <= 32 < wide["columns"] and narrow["seconds"] == 2 * wide["seconds"]
    figure = page.partition("on-narrow")[2].partition("</figure>")[0]
    assert sum(map(int, re.findall(r'data-n="(\d+)"', figure))) == cells_of(page)


def test_errors_under_a_filter(client: FlaskClient, memory: MemoryExporter) -> None:
    """The trend of all failures is that of the filter."""
    for _ in range(3):
        client.get("/broken")
    page = check(client.get(f"{OVERVIEW}errors", query_string={"q": "path:/broken"}).text)
    assert "All failures of the filter; the highest column has" in page


@pytest.mark.parametrize("name", ["routes", "errors"])
@pytest.mark.parametrize("q", ["", "method:POST", "path:/x", "status:9", "user:ada"])
def test_other_pages(client: FlaskClient, memory: MemoryExporter, name: str, q: str) -> None:
    """Routes and errors have a page of their own, for any filter."""
    assert memory.rollups is not None
    memory.rollups.store(make_rollups())
    response = client.get(f"/_tracking/{name}", query_string={"q": q})
    assert response.status_code == 200
    check(response.text)


@pytest.mark.parametrize("text", ["15m", "1h", "6h", "24h", "7d", "30d", "all", "800d"])
def test_ranges(client: FlaskClient, memory: MemoryExporter, text: str) -> None:
    """Every range has a page, and no more columns than a screen shows."""
    assert memory.rollups is not None
    memory.rollups.store(make_rollups())
    assert client.get(OVERVIEW, query_string={"from": text}).status_code == 200


@pytest.mark.parametrize("hours", [0.25, 1, 6, 24, 168, 720, 8000])
def test_columns(memory: MemoryExporter, hours: float) -> None:
    """Columns cover the range without a gap, and count each request once."""
    table = memory.rollups
    assert table is not None
    now = datetime.now(timezone.utc)
    rollups = make_rollups()
    table.store(rollups)
    table.merge("test", now)
    length = timedelta(hours=hours)
    seconds = choose_column(table, length, now - length, now)
    columns = read_columns(table, now - length, now, now, seconds)
    assert 1 <= len(columns) <= MAX_COLUMNS + 1
    gaps = {after.start - before.start for before, after in zip(columns, columns[1:], strict=False)}
    assert gaps <= {timedelta(seconds=seconds)}
    start = columns[0].start
    expected = sum(one.total.requests for one in rollups if one.start >= start)
    assert sum(column.counts.requests for column in columns) == expected


def test_heatmap(client: FlaskClient, memory: MemoryExporter) -> None:
    """Every cell leads to its requests; the fullest has the darkest shade."""
    page = read(client, memory, slower=4.0)
    assert 'class="heat-7"' in page and 'class="heat-1"' in page
    found = re.search(r'<a href="/_tracking/requests\?([^"]+)" tabindex="-1">', page)
    assert found is not None
    address = found[1]
    assert "slow:" in address.replace("%3A", ":") and "from=" in address and "to=" in address
    assert client.get(f"/_tracking/requests?{address.replace('&amp;', '&')}").status_code == 200


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.3, 2.0])
def test_names_of_lines(spread: float) -> None:
    """The names of the percentiles are never written over each other, however close the lines are."""
    counts, dice = Counts(), random.Random(5)
    for _ in range(200):
        counts.add_request(200, False, dice.lognormvariate(math.log(50), spread), 0, 0)
    now = datetime.now(timezone.utc)
    drawn = draw_heatmap([Column(now, counts, 0, frozenset(), {})])
    assert drawn is not None
    p50, p95, p99 = (line.end[1] for line in drawn.lines if line.end is not None)
    assert p50 - p95 >= 20 and p95 - p99 >= 20


def test_ends_of_lines(client: FlaskClient, memory: MemoryExporter) -> None:
    """Each line has its last value beside its name where there is room for it."""
    wide, narrow = read(client, memory).split('on-narrow"', 2)[:2]
    for name in ("p50", "p95", "p99"):
        found = re.search(f'<text class="{name}"[^>]*>{name} ([^<]+)</text>', wide)
        assert found is not None and found[1].endswith("\u00a0ms")
        assert f">{name}</text>" in narrow


def test_sparklines(client: FlaskClient, memory: MemoryExporter) -> None:
    """Each of the five numbers has its course beside it, red where it became worse."""
    page = read(client, memory, slower=4.0)
    numbers = page.partition('class="numbers"')[2].partition("</dl>")[0].split("</div>")[:5]
    assert all(one.count("<svg") == 1 and "<polyline" in one for one in numbers)
    assert 'class="trend-line bad"' in numbers[3] and 'class="trend-line "' in numbers[0]
    (points,) = re.findall('points="([^"]+)"', numbers[0])
    assert float(points.rpartition(",")[2]) < 10, "the minute that is not over looks like a fall"


def read_trends(client: FlaskClient, query: str = "") -> dict[str, tuple[str, list[list[float]]]]:
    """Return by route how its p95 went: the class of the line, and the heights of its parts."""
    page = check(client.get(f"/_tracking/routes{query}").text)
    found = {}
    for row in page.split("<tr")[2:]:
        name = re.search(r'<a data-row href="[^"]+">(\S+ \S+)</a>', row)
        drawn = re.search(r'<svg class="trend-line ([^"]*)".*?</svg>', row)
        assert name is not None
        lines = re.findall('points="([^"]+)"', drawn[0]) if drawn else []
        heights = [[float(one.partition(",")[2]) for one in line.split()] for line in lines]
        found[name[1]] = (drawn[1].strip() if drawn else "", heights)
    return found


@pytest.mark.parametrize("query", ["", "?q=method:POST"])
def test_trends_of_routes(client: FlaskClient, memory: MemoryExporter, query: str) -> None:
    """The table of routes shows since when one is slower, also under a filter that rollups know."""
    assert memory.rollups is not None
    memory.rollups.store(make_rollups(slower=4.0))
    trends = read_trends(client, query)
    tone, (line,) = trends["POST /checkout"]
    assert tone == "bad" and 12 <= len(line) <= 14
    assert max(line[-4:]) < min(line[:6])  # a greater p95 stands higher
    assert len(trends) == (1 if query else 3)
    if not query:
        tone, (line,) = trends["GET /items/&lt;int:id&gt;"]
        assert tone == "" and max(line) - min(line) < 10


def test_trends_that_nobody_knows(client: FlaskClient, memory: MemoryExporter) -> None:
    """A table of records has no column for them; an interval without requests is a gap."""
    assert memory.rollups is not None
    memory.rollups.store([one for ago, one in enumerate(make_rollups()) if not 20 <= ago < 40])
    _, lines = read_trends(client)["POST /checkout"]
    assert len(lines) == 2
    client.get("/tea/green")
    page = check(client.get("/_tracking/routes?q=path:/tea/*").text)
    assert "GET /tea/" in page and "over time" not in page


def test_sparklines_of_what_is_not_written(
    client: FlaskClient, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute that is over, but which not all processes have written, is no fall either."""
    monkeypatch.setattr(five_numbers, "WRITTEN_AFTER", timedelta(minutes=1))
    newest, *others = make_rollups()
    memory.rollups.store(
        [dataclasses.replace(newest, routes=dict(list(newest.routes.items())[:1])), *others]
    )
    page = check(client.get(OVERVIEW).text)
    points = re.findall('points="([^"]+)"', page.partition('class="numbers"')[2])[0]
    assert float(points.rpartition(",")[2]) < 10


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ([], ()),
        ([None, 1.0, None], ()),
        ([0.0, 0.0], ("0,20 72,20",)),
        ([1.0, 2.0, None, 4.0, 0.0], ("0,15 18,10", "54,0 72,20")),
    ],
)
def test_sparkline(values: list[float | None], parts: tuple[str, ...]) -> None:
    """A line begins at zero, and is interrupted where nothing is known."""
    assert draw_sparkline(values) == parts


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0.0, "0 ms"), (2.5, "2.5 ms"), (15.625, "15.6 ms"), (1000.0, "1 s"), (1e5, "100 s")],
)
def test_tick(ms: float, text: str) -> None:
    """The numbers of an axis have no digits that say nothing."""
    assert tick(ms) == text.replace(" ", "\u00a0")


def test_heatmap_of_nothing() -> None:
    """Without durations there is no drawing."""
    assert draw_heatmap([]) is None


@pytest.mark.parametrize("name", ["", "routes", "errors"])
def test_any_method(client: FlaskClient, memory: MemoryExporter, name: str) -> None:
    """A method that no filter can name, which any client may send, breaks no page."""
    assert memory.rollups is not None
    rollups = make_rollups(slower=4.0)
    for rollup in rollups:
        counts = rollup.routes.pop(RouteKey("/checkout", "POST"))
        rollup.routes[RouteKey("/checkout", OTHER_METHOD)] = counts
    memory.rollups.store(rollups)
    response = client.get(OVERVIEW + name)
    assert response.status_code == 200
    check(response.text)


def test_numbers_of_a_filter_lead_to_its_requests(client: FlaskClient, memory: MemoryExporter) -> None:
    """A row of the table counts what the filter selects, and leads to no more than that."""
    for page in (OVERVIEW, f"{OVERVIEW}routes"):
        memory.rollups.store(make_rollups())
        text = client.get(page, query_string={"q": "version:2.4.0"}).text
        assert 'data-label="per min"><a href="/_tracking/requests?q=version:2.4.0+method:GET' in text


def test_nothing_is_read_twice(client: FlaskClient, memory: MemoryExporter) -> None:
    """The parts of a page ask each question once, also where answers are too quick to be shared."""
    memory.rollups.store(make_rollups(slower=4.0))
    with mock.patch.object(memory.rollups, "_find", wraps=memory.rollups._find) as find:
        assert "POST /checkout" in client.get(OVERVIEW).text
    asked = [call.args[0] for call in find.call_args_list]
    assert [one for one in set(asked) if asked.count(one) > 1] == []
