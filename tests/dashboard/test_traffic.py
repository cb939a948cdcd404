"""The bars above the list: how many requests there are, and when they came."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime, timedelta, timezone
from unittest import mock

import pytest
from bson import ObjectId
from flask.testing import FlaskClient

from flask_tracking import MemoryExporter, StoreTimeoutError
from flask_tracking.exporters.rollup_table import align
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Rollup, RouteKey

from ..captures import make_record
from .conftest import Make
from .test_pages import check

LIST = "/_tracking/requests"


@pytest.fixture
def client(make: Make, memory: MemoryExporter) -> FlaskClient:
    """A client of an app with 10 requests to each of two routes in each of 50 minutes, some failed."""
    now = datetime.now(timezone.utc)  # not that of the module: a long run makes it an hour old
    for minute in range(50):
        start = align(now - timedelta(minutes=minute), 60)
        record = dataclasses.replace(make_record(), id=ObjectId(), date_created=start, url_rule="/a")
        memory.export([record])
        routes = {RouteKey("/a", "GET"): make_counts(0), RouteKey("/b", "POST"): make_counts(2)}
        memory.rollups.store([Rollup(width_s=60, start=start, source="a", routes=routes)])
    return make().test_client()


def make_counts(failed: int) -> Counts:
    """Make counts of ten requests."""
    counts = Counts()
    for number in range(10):
        counts.add_request(500 if number < failed else 200, number < failed, 20.0, 0, 0)
    return counts


def read(client: FlaskClient, **parameters: str) -> str:
    """Return the list."""
    return check(client.get(LIST, query_string=parameters).text)


def read_titles(page: str) -> list[str]:
    """Return what each bar says."""
    figure = page.partition('class="chart traffic"')[2].partition("</figure>")[0]
    return re.findall("<title data-utc>(.*?)</title>", figure)


def test_bars(client: FlaskClient) -> None:
    """All requests are counted, stored or not; each bar leads to the list of its time."""
    page = read(client)
    assert "1,000 requests, 100 failed (below), from rollups" in page
    numbers = [re.findall(r"UTC: (\d+) requests, (\d+) failed", one) for one in read_titles(page)]
    assert 10 <= len(numbers) <= 12
    assert [sum(int(one[0][at]) for one in numbers) for at in (0, 1)] == [1000, 100]
    figure = page.partition('class="chart traffic"')[2].partition("</figure>")[0]
    address = re.findall('href="([^"]+)"', figure)[1].replace("&amp;", "&")
    part = check(client.get(address).text)
    assert "100 requests, 10 failed" in part and len(read_titles(part)) == 5


def test_bars_of_a_filter(client: FlaskClient) -> None:
    """A filter by route counts only that; one that rollups cannot answer has no bars."""
    assert "500 requests, 0 failed" in read(client, q="route:/a")
    for q in ("path:/*", "since:1h", "is:error"):
        assert read_titles(read(client, q=q)) == []


def test_lists_without_bars(client: FlaskClient, memory: MemoryExporter) -> None:
    """A live list has none, nor has one without rollups, or whose time is over."""
    assert read_titles(read(client, live="1")) == []
    with mock.patch.object(memory, "rollups", None):
        assert read_titles(read(client)) == []
    with mock.patch.object(memory.rollups, "_find", return_value=[]):
        assert read_titles(read(client)) == []
    with mock.patch.object(memory.rollups, "_find", side_effect=StoreTimeoutError("over")):
        page = read(client)
    assert read_titles(page) == [] and "Not read in time: how many there are." in page
