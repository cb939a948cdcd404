"""A part of the chart that leads to its requests: what the script gets, and the cells without it."""

from __future__ import annotations

import html
import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from flask_tracking import Filter, MemoryExporter
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Rollup, RouteKey

from .conftest import Make
from .test_overview import make_rollups
from .test_pages import check

OVERVIEW = "/_tracking/"


@pytest.fixture
def client(make: Make) -> FlaskClient:
    """A client of an app with the dashboard."""
    return make().test_client()


def charts_of(page: str) -> list[str]:
    """Return the chart for a screen, and that for a phone; a style sheet shows one of them."""
    return re.findall(r'<figure class="chart on-.*?</figure>', page, re.DOTALL)


def read_grid(page: str) -> dict[str, Any]:
    """Return what a page says of its chart."""
    found = re.search(r'data-grid="([^"]+)"', page)
    assert found is not None
    grid: dict[str, Any] = json.loads(html.unescape(found[1]))
    return grid


@pytest.mark.parametrize(("chart", "size"), [(0, (60, 12.0, 960.0)), (1, (120, 12.0, 248.0))])
def test_grid(
    client: FlaskClient, memory: MemoryExporter, chart: int, size: tuple[int, float, float]
) -> None:
    """Each cell lies where the grid says, in time and in duration, and says how many it counts."""
    memory.rollups.store(make_rollups(slower=4.0))
    page = charts_of(check(client.get(OVERVIEW).text))[chart]
    grid = read_grid(page)
    assert (grid["seconds"], grid["row"], grid["width"]) == size
    assert grid["height"] == grid["rows"] * grid["row"]
    cells = re.findall(
        r'<a href="([^"]+)" tabindex="-1"><rect [^>]*x="([^"]+)" y="([^"]+)"[^>]* data-n="(\d+)"', page
    )
    column = grid["width"] / grid["columns"]
    for address, x, y, _ in cells:
        query = parse_qs(urlsplit(html.unescape(address)).query)
        at = round(float(x) / column)
        begin = datetime.fromtimestamp(grid["start"] / 1000 + size[0] * at, timezone.utc)
        assert query["from"] == [f"{begin:%Y-%m-%dT%H:%M}"]
        row = round((grid["height"] - float(y)) / grid["row"]) - 1
        low_ms = float(re.findall(r"slow:([\d.]+)ms", query["q"][0])[0])
        assert low_ms == pytest.approx(grid["low_ms"] * 2 ** (row / 2), rel=0.001)
    total = sum(int(requests) for *_, requests in cells)
    assert 0 < total <= sum(one.total.requests for one in make_rollups(slower=4.0))


@pytest.mark.parametrize("took_ms", [0.01, 3.0, 900.0, 12_345.0, 999_999.0, 90_000_000.0])
def test_cell_leads_to_its_requests(
    client: FlaskClient, memory: MemoryExporter, took_ms: float
) -> None:
    """Its filter is one that can be parsed, whatever the duration is."""
    start = datetime.now(timezone.utc).replace(second=0, microsecond=0) - timedelta(minutes=5)
    counts = Counts()
    counts.add_request(200, False, took_ms, 0, 0)
    rollup = Rollup(width_s=60, start=start, source="a")
    rollup.routes[RouteKey("/", "GET")] = counts
    memory.rollups.store([rollup])
    page = charts_of(client.get(OVERVIEW).text)[0]
    (address,) = re.findall(r'<a href="([^"]+)" tabindex="-1">', page)
    (text,) = parse_qs(urlsplit(html.unescape(address)).query)["q"]
    low, high = re.findall(r"slow:<?([\d.]+)ms", text)
    assert Filter.parse(text).terms()
    assert float(low) <= took_ms * 1.02 and float(high) >= took_ms * 0.98


def test_tools(client: FlaskClient, memory: MemoryExporter) -> None:
    """What a selection can do waits until there is one, and is not there without a chart."""
    assert "data-box" not in client.get(OVERVIEW).text
    memory.rollups.store(make_rollups())
    page = check(client.get(OVERVIEW).text)
    assert "box.js" in page
    for chart in charts_of(page):
        assert '<div class="box-tools" data-box hidden' in chart
        assert 'action="/_tracking/requests"' in chart and chart.count('name="from"') == 2


def test_lost_records_are_hatched(client: FlaskClient, memory: MemoryExporter) -> None:
    """Minutes with lost records are told apart by more than their colour."""
    memory.rollups.store(make_rollups())
    assert "url(#hatch" not in client.get(OVERVIEW).text
    memory.rollups.store(make_rollups(dropped=3))
    page = check(client.get(OVERVIEW).text)
    for at, columns in enumerate((28, 14)):
        chart = charts_of(page)[at]
        drawn = chart.count(f'class="lost" fill="url(#hatch-{at})"')
        assert (
            drawn == columns or at and drawn == columns + 1
        )  # a column of two minutes may begin before
        assert chart.count(f'<pattern id="hatch-{at}"') == 1
