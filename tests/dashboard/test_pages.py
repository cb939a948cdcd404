"""The pages, through the app's own client."""

from __future__ import annotations

import dataclasses
import html
import re
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import pytest
from bson import ObjectId
from flask import Flask
from flask.testing import FlaskClient

from flask_tracking import ExportError, MemoryExporter
from flask_tracking.dashboard.pages import related
from flask_tracking.dashboard.tables.keyset import Cursor
from flask_tracking.dashboard.text.numbers import iso

from ..captures import make_record
from .conftest import Make
from .hostile import FIELDS, HOSTILE

LIST = "/_tracking/requests"


class Checker(HTMLParser):
    """Finds what no page of ours may have: scripts in it, styles, handlers, an id twice."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "hr", "path", "rect", "circle", "line"})

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.open: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "script" and "src" not in names:
            self.problems.append("a script in the page")
        self.problems += [f"{tag} {name}" for name in names if name.startswith("on") or name == "style"]
        if str(names.get("href", "")).lower().startswith(("javascript:", "data:", "//", "http")):
            self.problems.append(f"a link to {names['href']}")
        if "id" in names:
            if names["id"] in self.ids:
                self.problems.append(f"id {names['id']} twice")
            self.ids.add(str(names["id"]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes something else")


def check(page: str) -> str:
    """Return a page of which nothing is wrong."""
    checker = Checker()
    checker.feed(page)
    assert (checker.problems, checker.open) == ([], [])
    return page


@pytest.fixture
def client(make: Make) -> FlaskClient:
    """A client of an app with the dashboard."""
    return make().test_client()


def rows_of(page: str) -> list[str]:
    """Return the paths of the rows of a list."""
    return re.findall(r'<a data-row href="[^"]+">(.*?)</a>', page)


def main_of(page: str) -> str:
    """Return what a page has between its head and the help."""
    return page.partition("<main")[2].partition("</main>")[0]


def test_no_record_yet(client: FlaskClient) -> None:
    """An empty store says how to make a record."""
    page = check(client.get(LIST).text)
    assert "No request is recorded yet" in page and "curl -i http://localhost/" in page


def test_list(client: FlaskClient) -> None:
    """The newest requests stand on top, failures are marked."""
    client.get("/tea/green?cup=2")
    client.get("/broken")
    page = check(client.get(LIST).text)
    assert rows_of(page) == ["/broken", "/tea/green?cup=2"]
    assert '<tr class="hot">' in page and "ZeroDivisionError" in page
    assert "2 in this range" in page


def test_filter(client: FlaskClient) -> None:
    """The filter of the address is applied, and stays in the box."""
    client.get("/tea/green")
    client.get("/broken")
    page = check(client.get(LIST, query_string={"q": "status:5xx"}).text)
    assert rows_of(page) == ["/broken"]
    assert 'value="status:5xx"' in page


@pytest.mark.parametrize(
    ("times", "has_date"), [("24h", False), ("25h", True), ("7d", True), ("all", True)]
)
def test_dates(client: FlaskClient, times: str, *, has_date: bool) -> None:
    """In a list whose range is longer than a day each time has its date."""
    client.get("/tea/green")
    page = check(client.get(LIST, query_string={"from": times}).text)
    (shown,) = re.findall(r'data-id="[^"]+"><time [^>]+>([^<]+)</time>', page)
    assert bool(re.fullmatch(r"\d{4}-\d\d-\d\d [\d:.]+", shown)) is has_date


def test_wrong_filter(client: FlaskClient) -> None:
    """A wrong filter is marked at the spot, and nothing is shown that could be taken for its answer."""
    client.get("/tea/green")
    for query in ({}, {"live": "1"}):
        page = check(client.get(LIST, query_string={"q": "status:9", **query}).text)
        assert "Invalid status &#39;9&#39;" in page and 'aria-invalid="true"' in page
        assert rows_of(page) == [] and "No records match" not in page
        assert "none: the filter is wrong" in page
        assert not re.search(r'>Export<|id="marks"|data-live-new', page)
    export = client.get("/_tracking/export/json", query_string={"q": "status:9"})
    assert export.status_code == 400 and "Invalid status '9'" in export.text
    rows = client.get("/_tracking/data/rows", query_string={"q": "status:9", "since": "1h"})
    assert rows.get_json()["rows"] == []


COUNTING = (
    "",
    "routes",
    "errors",
    "route?rule=/tea/<name>&method=GET",
    "compare?a=2h/1h&b=1h/0s",
    "shared?of=slow",
    "shared?of=filter",
)


@pytest.mark.parametrize("name", COUNTING)
def test_wrong_filter_on_pages_that_count(client: FlaskClient, name: str) -> None:
    """They mark the spot and count nothing: numbers of all requests would be taken for its own."""
    client.get("/tea/green")
    address, _, query = name.partition("?")
    response = client.get(f"/_tracking/{address}?{query}&q=status:9")
    page = check(response.text)
    assert response.status_code == 200
    assert 'aria-invalid="true"' in page and "Invalid status &#39;9&#39;" in page
    assert "Nothing is counted" in page and "Without the filter" in page
    assert not re.search("<dl|<table|<h2|<svg|data-panel", main_of(page))


def test_wrong_filter_on_the_page_of_an_error(client: FlaskClient) -> None:
    """So does the page of a group."""
    client.get("/broken")
    address = re.findall(r'data-row href="([^"]+)"', client.get("/_tracking/errors").text)[0]
    page = check(client.get(f"{html.unescape(address)}?q=status:9").text)
    assert "Nothing is counted" in page and "<table" not in main_of(page)


def test_wrong_filter_on_the_page_of_a_request(client: FlaskClient, memory: MemoryExporter) -> None:
    """The request is shown all the same, with the filter marked."""
    client.get("/tea/green")
    response = client.get(f"{LIST}/{memory.records[0].id}", query_string={"q": "status:9"})
    assert response.status_code == 200
    assert 'aria-invalid="true"' in check(response.text)


@pytest.mark.parametrize("name", ["", "requests", "routes", "errors"])
@pytest.mark.parametrize("times", ["from=2026-01-02&to=2026-01-01", "from=2999-01-01"])
def test_range_that_ends_before_it_begins(client: FlaskClient, name: str, times: str) -> None:
    """Nothing is in it, and the page says why."""
    client.get("/tea/green")
    response = client.get(f"/_tracking/{name}?{times}")
    assert response.status_code == 200
    assert "The range ends before it begins." in check(response.text)


@pytest.mark.parametrize("name", ["", "requests", "routes", "errors"])
@pytest.mark.parametrize("times", ["since:10m", "until:10m", "since:1m until:5m"])
def test_times_in_the_filter(client: FlaskClient, name: str, times: str) -> None:
    """They may exclude the range, or the one before it."""
    client.get("/tea/green")
    response = client.get(f"/_tracking/{name}", query_string={"q": times, "from": "5m"})
    assert response.status_code == 200
    check(response.text)


@pytest.mark.repeats
@pytest.mark.parametrize(
    "name",
    [
        "",
        "requests",
        "routes",
        "errors",
        "route?rule=/tea/<name>&method=GET",
        "compare?a=version:1&b=version:2",
        "compare?a=0001-01-01/1d&b=700000d/9999-12-31",
        "shared",
        "data/rows",
    ],
)
@pytest.mark.parametrize(
    "times",
    [
        {"from": "700000d"},
        {"from": "0001-01-01", "vs": "week"},
        {"to": "0001-01-01"},
        {"from": "9999-12-31", "to": "9999-12-31T23:59:59"},
        {"from": "0001-01-01", "to": "9999-12-31"},
        {"q": "until:0001-01-01"},
        {"q": "since:9999-12-31"},
    ],
    ids=str,
)
def test_times_at_the_ends_of_the_calendar(
    client: FlaskClient, name: str, times: dict[str, str]
) -> None:
    """They are beyond the arithmetic of dates, and no reason to fail."""
    client.get("/tea/green")
    path, _, own = name.partition("?")
    address = f"/_tracking/{path}?{own}&{urlencode(times)}"
    assert client.get(address).status_code == 200


def test_group_of_errors_at_the_beginning_of_the_calendar(client: FlaskClient) -> None:
    """The thirty days before it are none, and there is no group."""
    assert client.get("/_tracking/errors/0000?to=0001-01-01").status_code == 404


@pytest.mark.parametrize("text", ["yesterday", "-1h", "9" * 40 + "d", "<b>"])
def test_wrong_time(client: FlaskClient, text: str) -> None:
    """So is a wrong time."""
    page = check(client.get(LIST, query_string={"from": text}).text)
    assert "Invalid time" in page


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("from=2h", "Since 2h ago"),
        ("from=2h&to=1h", "2h ago to 1h ago"),
        ("from=2026-11-30T10:00:00.000Z", "Since 2026-11-30 10:00:00 UTC"),
        (
            "from=2026-11-30T10:00Z&to=2026-11-30T11:00Z",
            "2026-11-30 10:00:00 UTC to 2026-11-30 11:00:00 UTC",
        ),
        ("from=all&to=1h", "Until 1h ago"),
        ("from=nonsense", "Since nonsense"),
    ],
)
def test_range_of_its_own(client: FlaskClient, query: str, title: str) -> None:
    """A range that is not in the menu is written as people write it."""
    page = check(client.get(f"{LIST}?{query}").text)
    assert f"selected data-utc>{title}</option>" in page


def test_nothing_matches(client: FlaskClient, memory: MemoryExporter) -> None:
    """The page says which part of the filter is in the way, and when the last one came."""
    old = datetime.now(timezone.utc) - timedelta(days=2)
    memory.export([dataclasses.replace(make_record(), date_created=old, status_code=404)])
    client.get("/tea/green")
    page = check(client.get(LIST, query_string={"q": "status:404 method:GET"}).text)
    assert "No records match" in page
    assert "The newest before this range came at" in page
    assert re.findall(r"without <code>(.*?)</code>", page) == ["status:404"]


@pytest.mark.parametrize("count", [1, 49, 50, 300])
def test_first_after(client: FlaskClient, memory: MemoryExporter, count: int) -> None:
    """A range before the first record says when that came, however many came soon after."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    arrived = [now - timedelta(hours=3) + timedelta(seconds=at**2 / 100) for at in range(count)]
    records = [
        dataclasses.replace(make_record(), id=ObjectId(), date_created=one, status_code=404)
        for one in arrived
    ]
    memory.export(records)
    times = {"from": f"{now - timedelta(days=2):%Y-%m-%d}", "to": iso(now - timedelta(hours=9))}
    page = check(client.get(LIST, query_string={"q": "status:404", **times}).text)
    found = re.search(r'The first after this range came at <a href="[^"]*/([0-9a-f]{24})', page)
    assert found is not None and found[1] == str(records[0].id)
    page = check(client.get(LIST, query_string={"q": "status:418", **times}).text)
    assert "The first after this range" not in page


@pytest.mark.repeats
def test_first_after_years(
    client: FlaskClient, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first record is found by few reads of ranges with many records: these take their time."""
    now = datetime.now(timezone.utc)
    arrived = [now - timedelta(hours=2) + timedelta(seconds=at) for at in range(3_000)]
    memory.export(
        [dataclasses.replace(make_record(), id=ObjectId(), date_created=at) for at in arrived]
    )
    full, find = [], memory.find

    def count(*args: Any, **options: Any) -> Any:
        found = find(*args, **options)
        full.extend([1] * (len(found) == options["limit"] > 1))
        return found

    monkeypatch.setattr(memory, "find", count)
    times = {"from": "2020-01-01", "to": "2020-01-02"}
    page = check(client.get(LIST, query_string=times).text)
    assert "The first after this range came at" in page
    assert sum(full) <= 8


def test_way_on_from_a_record_that_is_gone(client: FlaskClient, memory: MemoryExporter) -> None:
    """Its page says how far records reach back, and leads to the numbers of its hour."""
    old = datetime(2026, 11, 24, 12, 30, tzinfo=timezone.utc)
    gone = ObjectId.from_datetime(old)
    assert "Records reach back" not in check(client.get(f"{LIST}/{gone}").text)
    memory.export([dataclasses.replace(make_record(), date_created=old + timedelta(hours=3))])
    page = check(client.get(f"{LIST}/{gone}").text)
    shown = '<time datetime="2026-11-24T15:30:00Z" data-second>2026-11-24 15:30:00 UTC</time>'
    assert f"Records reach back to {shown}." in page
    (address,) = re.findall(r'href="([^"]+)"[^>]*>The overview of its hour', page)
    assert "from=2026-11-24T12:00:00.000Z" in address and "to=2026-11-24T13:00:00.000Z" in address
    assert client.get(address.replace("&amp;", "&")).status_code == 200


def test_pages_of_the_list(client: FlaskClient, memory: MemoryExporter) -> None:
    """Every record is on exactly one page, also where many came in one millisecond."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    records = [
        dataclasses.replace(
            make_record(), path=f"/{n}", query_params="", date_created=now - timedelta(seconds=n // 70)
        )
        for n in range(180)
    ]
    memory.export(records)
    found, address = [], f"{LIST}?from=1h"
    for _ in range(10):
        page = check(client.get(address).text)
        found += rows_of(page)
        following = re.search(r'data-next href="([^"]+)"', page)
        if following is None:
            break
        address = following[1].replace("&amp;", "&")
    expected = sorted(records, key=lambda one: (one.date_created, one.id), reverse=True)
    assert found == [record.path for record in expected]


def test_request_page(client: FlaskClient, memory: MemoryExporter) -> None:
    """All of a request is on one page."""
    client.post(
        "/tea/green?cup=2",
        json={"sort": "sencha", "password": "hunter2hunter2"},
        headers={"Authorization": "Bearer abcdef0123456789abcdef", "User-Agent": "Firefox/120.0"},
    )
    page = check(client.get(f"{LIST}/{memory.records[0].id}").text)
    for text in (
        "?cup=2",
        "Authorization",
        "removed: header",
        "/tea/&lt;name&gt;",
        "Copy as cURL",
    ):
        assert text in page
    assert "hunter2" not in page and "abcdef0123456789" not in page


def test_exception(client: FlaskClient, memory: MemoryExporter) -> None:
    """The app's own frames stand in full, the framework's are folded."""
    client.get("/broken")
    page = check(client.get(f"{LIST}/{memory.records[0].id}").text)
    assert re.search(r"frames? of flask", page)
    assert "ZeroDivisionError: division by zero" in page
    assert 'href="/_tracking/requests?q=error:ZeroDivisionError"' in page


def go(client: FlaskClient, page: str, which: str) -> str:
    """Follow the link of a page to the next request in one direction; return the page there."""
    address = re.search(rf'data-{which} href="([^"]+)"', page)
    assert address is not None
    return check(client.get(html.unescape(address[1]), follow_redirects=True).text)


def test_neighbours(client: FlaskClient, memory: MemoryExporter) -> None:
    """The next newer and older requests are one key away, each where the other one was."""
    for name in ("one", "two", "three"):
        client.get(f"/tea/{name}")
    page = check(client.get(f"{LIST}/{memory.records[1].id}").text)
    for which, name in (("newer", "three"), ("older", "two"), ("older", "one"), ("newer", "two")):
        page = go(client, page, which)
        assert f"<title>GET /tea/{name} 200" in page


def test_neighbours_of_a_filter(client: FlaskClient, memory: MemoryExporter) -> None:
    """Only requests that the filter selects are next, however long ago, and the filter stays."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    for ago, method in ((3600, "PUT"), (20, "GET"), (10, "PUT"), (5, "GET")):
        arrived = now - timedelta(seconds=ago)
        memory.export([dataclasses.replace(make_record(), method=method, date_created=arrived)])
    oldest, _, newest, _ = (record.id for record in memory.records)
    page = go(client, client.get(f"{LIST}/{newest}?q=method:PUT").text, "older")
    assert f'<span class="mono id">{oldest}</span>' in page
    page = go(client, page, "newer")
    assert f'<span class="mono id">{newest}</span>' in page
    for which in ("newer", "newer", "older"):
        there = client.get(f"{LIST}/{newest if which == 'newer' else oldest}?q=method:PUT").text
        page = go(client, there, which)
        assert f"There is no {which} request<" in page and "of those that the filter selects." in page
    assert f'href="{LIST}/{oldest}?q=method:PUT">Back to the request' in page
    assert "The filter is wrong" in go(client, client.get(f"{LIST}/{newest}?q=status:x").text, "older")


@pytest.mark.parametrize("count", [1, 49, 50, 51, 120])
@pytest.mark.parametrize("gap_ms", [1, 1000, 30_000])
def test_neighbours_of_one_millisecond(
    client: FlaskClient, memory: MemoryExporter, count: int, gap_ms: int
) -> None:
    """Of requests that came at once none is passed over, and behind them come those of later."""
    now = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(minutes=1)
    later = dataclasses.replace(make_record(), date_created=now + timedelta(milliseconds=gap_ms))
    at_once = [
        dataclasses.replace(make_record(), id=ObjectId(), date_created=now) for _ in range(count)
    ]
    memory.export([*at_once, later])
    for one, following in zip(at_once, [*at_once[1:], later], strict=True):
        address = f"/_tracking/newer/{Cursor.of(one)}"
        assert client.get(address).headers["Location"] == f"{LIST}/{following.id}"


def test_neighbours_of_a_clock_that_is_ahead(client: FlaskClient, memory: MemoryExporter) -> None:
    """Requests of the future, and those at the end of all times, are passed through like others."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    times = [
        now,
        now + timedelta(hours=1),
        datetime.max.replace(tzinfo=timezone.utc, microsecond=999000),
    ]
    records = [dataclasses.replace(make_record(), id=ObjectId(), date_created=one) for one in times]
    memory.export(records)
    for which, way in (("newer", records), ("older", records[::-1])):
        for one, following in pairwise(way):
            response = client.get(f"/_tracking/{which}/{Cursor.of(one)}")
            assert response.headers["Location"] == f"{LIST}/{following.id}"
        end = client.get(f"/_tracking/{which}/{Cursor.of(way[-1])}")
        assert end.status_code == 200 and f"There is no {which} request<" in end.text


@pytest.mark.parametrize("text", ["x", "1-2", f"{'9' * 15}-{'0' * 24}", "<b>"])
@pytest.mark.parametrize("which", ["newer", "older"])
def test_position_that_is_none(client: FlaskClient, which: str, text: str) -> None:
    """Is said to be none."""
    response = client.get(f"/_tracking/{which}/{text}")
    assert response.status_code == 404
    assert f"{html.escape(text)} is not a position in the list." in check(response.text)


def load_panels(client: FlaskClient, page: str) -> str:
    """Return what a page loads after itself."""
    addresses = re.findall('data-panel="([^"]+)"', page)
    return "".join(check(client.get(html.unescape(one)).text) for one in addresses)


def test_related_requests(client: FlaskClient, memory: MemoryExporter) -> None:
    """Those of the same trace come after the page, and stand on a page of their own."""
    trace = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    for name in ("one", "two", "three"):
        client.get(f"/tea/{name}", headers=trace)
    address = f"{LIST}/{memory.records[1].id}"
    page = check(client.get(address).text)
    for text in (load_panels(client, page), check(client.get(f"{address}/related").text)):
        assert "Same trace" in text and text.count('aria-current="true"') == 1
        assert all(f"/tea/{name}<" in text for name in ("one", "two", "three"))
        assert "Same user" not in text
    assert "Same trace<" not in page and f'href="{address}/related"' in page


def test_no_related_requests(client: FlaskClient, memory: MemoryExporter) -> None:
    """Where there are no others the panel says so; a request of nobody and no trace has none."""
    record = dataclasses.replace(make_record(), user_id="ann", user_repr=None, trace_id=None)
    alone = dataclasses.replace(record, id=ObjectId(), user_id=None)
    memory.export([record, alone])
    assert "There are no others" in load_panels(client, client.get(f"{LIST}/{record.id}").text)
    assert "data-panel" not in client.get(f"{LIST}/{alone.id}").text
    gone = "6b0b2833420c3ba6703982aa"
    assert "not stored any more" in check(client.get(f"/_tracking/data/requests/{gone}/related").text)
    assert client.get(f"{LIST}/{gone}/related").status_code == 404


def test_related_requests_of_a_very_long_user_id(client: FlaskClient, memory: MemoryExporter) -> None:
    """No filter can name the user: those of the trace are shown."""
    trace, user = "4bf92f3577b34da6a3ce929d0e0e4736", "u" * 10_000
    for _ in range(2):
        one = dataclasses.replace(make_record(), id=ObjectId(), user_id=user, trace_id=trace)
        memory.export([one])
    response = client.get(f"/_tracking/data/requests/{memory.records[0].id}/related")
    assert response.status_code == 200
    assert "Same trace" in response.text and "Same user" not in response.text


def test_related_requests_in_much_traffic(
    client: FlaskClient, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Related requests are looked for among so many others, however few minutes they are from."""
    monkeypatch.setattr(related, "MAX_READ", 40)
    began = datetime.now(timezone.utc) - timedelta(hours=1)
    records = [
        dataclasses.replace(
            make_record(), date_created=began + timedelta(seconds=at), user_id="ann", trace_id="a" * 32
        )
        for at in range(120)
    ]
    memory.export(records)
    with mock.patch.object(
        MemoryExporter, "find", autospec=True, side_effect=MemoryExporter.find
    ) as find:
        page = load_panels(client, client.get(f"{LIST}/{records[60].id}").text)
    ranges = [call.kwargs["between"] for call in find.call_args_list if "between" in call.kwargs]
    # Ten arrived within five seconds of it: forty did within twenty.
    assert records[60].date_created - timedelta(seconds=20) in [since for since, _ in ranges]
    assert "Same user, around it" in page and "Same trace" in page


def test_record_that_is_gone(client: FlaskClient) -> None:
    """A record that is not there any more says when it came; what is no id is told plainly."""
    response = client.get(f"{LIST}/6b0b2833420c3ba6703982aa")
    assert response.status_code == 404
    assert 'arrived about <time datetime="2026-11-28T' in check(response.text)
    assert "There is no record x&lt;b&gt;." in check(client.get(f"{LIST}/x<b>").text)


def test_database_away(make: Make, memory: MemoryExporter) -> None:
    """A store that does not answer is said on a page of its own, with 503."""
    client = make().test_client()
    error = ExportError("MongoDB at db.example cannot be reached")
    with mock.patch.object(memory, "_find_summaries", side_effect=error):
        response = client.get(LIST)
    assert response.status_code == 503
    assert "MongoDB at db.example cannot be reached" in check(response.text)


@pytest.mark.parametrize("language", ["curl", "pytest", "python", "httpie", "powershell", "har"])
def test_reproduce(client: FlaskClient, memory: MemoryExporter, language: str) -> None:
    """Each button has a text behind it."""
    client.get("/tea/green")
    address = f"{LIST}/{memory.records[0].id}"
    assert f'href="{address}/as/{language}"' in client.get(address).text
    response = client.get(f"{address}/as/{language}")
    assert (response.status_code, response.content_type) == (200, "text/plain; charset=utf-8")
    assert "/tea/green" in response.text
    assert client.get(f"{address}/as/cobol").status_code == 404


def test_task_cannot_be_reproduced(client: FlaskClient, memory: MemoryExporter) -> None:
    """A record without a request says why there is no cURL of it."""
    record = dataclasses.replace(
        make_record(), kind="task", name="mail", method=None, path=None, host=None, status_code=None
    )
    memory.export([record])
    check(client.get(f"{LIST}/{record.id}").text)
    response = client.get(f"{LIST}/{record.id}/as/curl")
    assert response.status_code == 422


@pytest.mark.parametrize("field", FIELDS)
def test_hostile_fields(client: FlaskClient, memory: MemoryExporter, field: str) -> None:
    """Whatever stands in a field is text: nothing of it is an element, and nothing is invisible."""
    record = dataclasses.replace(
        make_record(), kept=field == "kept_reason", **{field: FIELDS[field](HOSTILE)}
    )
    memory.export([record])
    for address in (f"{LIST}/{record.id}", f"{LIST}?from=all"):
        response = client.get(address)
        page = check(response.text)
        assert response.status_code == 200
        assert "<script>alert" not in page and "<img" not in page
        assert not {"\u202e", "\x00"} & set(page)
    assert client.get(f"{LIST}/{record.id}/body/request").data == record.request_body


@pytest.mark.parametrize(
    "q", ["{$where: 1}", '{"$gt": ""}', "(" * 5000, "status:", HOSTILE, "a " * 9999]
)
def test_hostile_filters(client: FlaskClient, q: str) -> None:
    """Any filter is answered by a page."""
    client.get("/tea/green")
    response = client.get(LIST, query_string={"q": q})
    assert response.status_code == 200
    check(response.text)


def test_huge_fields(client: FlaskClient, memory: MemoryExporter) -> None:
    """A field of 10 MB makes no page of 10 MB."""
    huge = "x" * 10_000_000
    record = dataclasses.replace(
        make_record(), path="/" + huge, request_body=huge.encode(), user_id=huge
    )
    memory.export([record])
    for address in (f"{LIST}/{record.id}", f"{LIST}?from=all"):
        assert len(client.get(address).data) < 1_000_000


def test_links_keep_filter_and_range(make: Make) -> None:
    """Filter and range go from page to page; what is the default is left out."""
    app: Flask = make()
    client = app.test_client()
    client.get("/tea/green")
    page = client.get(LIST, query_string={"q": "method:GET", "from": "24h"}).text
    assert re.search(r'data-row href="/_tracking/requests/\w+\?q=method:GET&amp;from=24h"', page)
    page = client.get(LIST, query_string={"from": "1h"}).text
    assert re.search(r'data-row href="/_tracking/requests/\w+"', page)


@pytest.mark.parametrize(
    "parameter",
    ["endpoint=x", "_external=1&_scheme=https", "_anchor=x", "_method=POST", "_scheme=http", "self=1"],
)
def test_parameters_that_the_framework_would_obey(client: FlaskClient, parameter: str) -> None:
    """Links are made of what the address holds: nothing in it decides where they lead."""
    for path in range(60):
        client.get(f"/tea/{path}")
    page = client.get(f"{LIST}?{parameter}")
    assert page.status_code == 200
    assert not re.findall(r'href="(?!/_tracking/)[^"]*after=|href="[^"]*#x', page.text)
    assert 'href="/_tracking/requests?' in page.text
