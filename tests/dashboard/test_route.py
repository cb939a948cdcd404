"""The page of a route."""

from __future__ import annotations

import re
from typing import Any
from unittest import mock

import pytest
from flask.testing import FlaskClient

from flask_tracking import ExportError, MemoryExporter
from flask_tracking.dashboard.charts.histogram import draw_histogram
from flask_tracking.rollups.counts import Counts

from .conftest import Make
from .hostile import HOSTILE
from .test_overview import make_rollups
from .test_pages import check
from .test_shared import make_hour, store_all

ROUTE = "/_tracking/route"
CHECKOUT = {"rule": "/checkout", "method": "POST"}


@pytest.fixture
def client(make: Make) -> FlaskClient:
    """A client of an app with the dashboard."""
    return make().test_client()


def test_what_changed(client: FlaskClient, memory: MemoryExporter) -> None:
    """The verdict, the chart and the histogram are those of this route alone."""
    memory.rollups.store(make_rollups(slower=4.0))
    page = check(client.get(ROUTE, query_string=CHECKOUT).text)
    assert "<h1>Slower since" in page and "POST /checkout: p95" in page
    assert 'Version <b class="mono">2.4.1</b> was first seen then.' in page
    assert 'class="outline"' in page and 'class="heat-7"' in page
    cell = re.search(r'<a href="([^"]+)" tabindex="-1"><rect class="heat', page)
    assert cell is not None and "q=method:POST+route:/checkout+slow:" in cell[1]
    quiet = check(client.get(ROUTE, query_string={"rule": "/a", "method": "GET"}).text)
    assert "<h1>As before</h1>" in quiet


def test_versions(client: FlaskClient, memory: MemoryExporter) -> None:
    """Each version has its numbers with bounds, and leads to its requests."""
    memory.rollups.store(make_rollups(slower=4.0))
    page = client.get(ROUTE, query_string=CHECKOUT).text
    rows = re.findall(r'<td class="mono"><a href="([^"]+)">(2\.4\.\d)</a></td>(.*?)</tr>', page)
    assert sorted(name for _, name, _ in rows) == ["2.4.0", "2.4.1"]
    assert all("q=method:POST+route:/checkout+version:" in address for address, _, _ in rows)
    assert all(row.count(" to ") == 3 for _, _, row in rows)


def test_requests(client: FlaskClient, memory: MemoryExporter) -> None:
    """The slowest and the newest, the users, the status codes, and what the slow ones share."""
    store_all(memory, make_hour())
    page = check(client.get(ROUTE, query_string=CHECKOUT).text)
    slowest = page.partition("The slowest")[2].partition("The newest")[0]
    assert re.findall(r'<data value="([\d.]+)"', slowest) == ["1500.0"] * 10
    assert page.count("<a data-row ") >= 20
    panels = re.findall(r'data-panel="([^"]+)"', page)
    assert [re.findall("of=([a-z]+)", one) for one in panels] == [["slow"], ["failed"]]
    panel = check(client.get(panels[0].replace("&amp;", "&")).text)
    assert "custom.tenant" in panel and ">acme<" in panel and ">POST /checkout<" not in panel


def test_errors(client: FlaskClient, memory: MemoryExporter) -> None:
    """The errors of the route are listed, and those of no other."""
    memory.rollups.store(make_rollups(failing=0.3))
    page = check(client.get(ROUTE, query_string=CHECKOUT).text)
    assert "CardDeclined" in page and "new in 2.4.1" in page
    assert page.count("/_tracking/errors/") == 2  # the new one, and the KeyError of before


def test_links(client: FlaskClient, memory: MemoryExporter) -> None:
    """The tables of routes lead here, and the controls stay here."""
    memory.rollups.store(make_rollups())
    for address in ("/_tracking/", "/_tracking/routes"):
        page = client.get(address).text
        assert 'href="/_tracking/route?method=POST&amp;rule=/checkout">POST /checkout</a>' in page
    page = client.get(ROUTE, query_string=CHECKOUT).text
    assert 'action="/_tracking/route">' in page
    assert '<input type="hidden" name="rule" value="/checkout">' in page


@pytest.mark.repeats
@pytest.mark.parametrize(
    "query",
    [
        {"rule": "/nowhere", "method": "GET"},
        {"rule": HOSTILE, "method": HOSTILE},
        {"rule": "/checkout", "method": ""},
        {"rule": "(no route)", "method": "GET"},
        {"rule": "(other)", "method": "_OTHER"},
        {**CHECKOUT, "q": "status:9"},
        {**CHECKOUT, "q": "user:ada"},
        {**CHECKOUT, "vs": "none"},
        {**CHECKOUT, "vs": "version:2.4.0"},
        {**CHECKOUT, "from": "all"},
    ],
)
def test_odd_addresses(client: FlaskClient, memory: MemoryExporter, query: dict[str, Any]) -> None:
    """Any rule and method has a page."""
    memory.rollups.store(make_rollups())
    response = client.get(ROUTE, query_string=query)
    assert response.status_code == 200
    page = check(response.text)
    shown = re.sub(r'<input type="hidden"[^>]*>', "", page)  # what the address says, for the next one
    assert "<img" not in page and "\u202e" not in shown


def test_no_rule(client: FlaskClient) -> None:
    """Without a rule it says what the address takes."""
    response = client.get(ROUTE)
    assert response.status_code == 404 and "The address names no route" in check(response.text)


def test_without_rollups(client: FlaskClient, memory: MemoryExporter) -> None:
    """Records answer where there are no rollups."""
    store_all(memory, make_hour())
    with mock.patch.object(memory, "rollups", None):
        page = check(client.get(ROUTE, query_string=CHECKOUT).text)
    assert "How they are spread" in page and 'class="child"' in page


def test_store_away(client: FlaskClient, memory: MemoryExporter) -> None:
    """The page says that the store does not answer."""
    with mock.patch.object(memory, "find", side_effect=ExportError("gone")):
        assert client.get(ROUTE, query_string=CHECKOUT).status_code == 503


def test_histogram() -> None:
    """Both histograms are drawn as shares, so that a busy hour looks like an idle one."""
    now, before = Counts(), Counts()
    for count, counts in ((10, now), (1_000, before)):
        for _ in range(count):
            counts.add_request(200, False, 100.0, 0, 0)
        counts.add_request(200, False, 3_000.0, 0, 0)
    drawn = draw_histogram(now.buckets, before.buckets)
    assert drawn is not None
    assert [one.requests for one in drawn.columns] == [10, 1]
    assert max(one.height for one in drawn.columns) == pytest.approx(drawn.height, rel=0.1)
    assert drawn.before.startswith("0,120") and drawn.before.endswith("600.0,120.0")
    assert draw_histogram({}, before.buckets) is None
