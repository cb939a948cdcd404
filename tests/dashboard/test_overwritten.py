"""Lists without records of requests that rollups still count."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone

import pytest
from bson import ObjectId
from flask.testing import FlaskClient

from flask_tracking import MemoryExporter, Record
from flask_tracking.exporters.rollup_table import align
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.histogram import find_bucket
from flask_tracking.rollups.rollup import BUCKETS_PER_EXAMPLE, Example, Rollup, RouteKey

from ..captures import make_record
from .conftest import Make
from .test_pages import check

REQUESTS = "/_tracking/requests"
ENDED = datetime.now(timezone.utc) - timedelta(minutes=20)
RANGE = {"from": f"{ENDED:%Y-%m-%dT%H:%M}", "to": f"{ENDED + timedelta(minutes=1):%Y-%m-%dT%H:%M}"}
TOOK_MS = 90_000.0


@pytest.fixture
def client(make: Make, memory: MemoryExporter) -> FlaskClient:
    """A client of an app whose requests of one minute were overwritten, but for a very slow one."""
    counts, quick = Counts(), Counts()
    counts.add_request(200, False, TOOK_MS, 0, 0)
    for _ in range(30):
        quick.add_request(200, False, 20.0, 0, 0)
    slow = make_slow()
    memory.export([slow])
    examples = {
        find_bucket(TOOK_MS / 1000) // BUCKETS_PER_EXAMPLE: Example(True, slow.id),
        find_bucket(0.02) // BUCKETS_PER_EXAMPLE: Example(False, ObjectId()),
    }
    rollup = Rollup(width_s=60, start=align(ENDED, 60), source="a", examples=examples)
    rollup.routes = {RouteKey("/slow", "GET"): counts, RouteKey("/quick", "GET"): quick}
    memory.rollups.store([rollup])
    return make().test_client()


def make_slow() -> Record:
    """Make a request that ended in the minute, and arrived before it."""
    return dataclasses.replace(
        make_record(),
        id=ObjectId(),
        date_created=ENDED - timedelta(milliseconds=TOOK_MS),
        method="GET",
        path="/slow/1",
        url_rule="/slow",
        execution_time=TOOK_MS,
    )


def read(client: FlaskClient, q: str) -> str:
    """Return the page of the minute under a filter."""
    return check(client.get(REQUESTS, query_string={"q": q, **RANGE}).text)


@pytest.mark.parametrize("q", ["slow:60s slow:<120s", "route:/slow slow:60s", "route:/slow"])
def test_request_that_ended_in_the_range(client: FlaskClient, q: str) -> None:
    """A cell counts requests when they end; the example leads to one that arrived before it."""
    page = read(client, q)
    assert "Rollups count 1 such request in this range." in page
    assert "GET /slow/1</a> took 1\u00a0min\u00a030\u00a0s" in page


@pytest.mark.parametrize("q", ["slow:10ms slow:<40ms", "route:/quick", "method:GET slow:<1s"])
def test_overwritten(client: FlaskClient, q: str) -> None:
    """What is gone is counted still, and nothing that is gone is linked to."""
    page = read(client, q)
    assert "Rollups count 30 such requests in this range." in page
    assert "One is stored" not in page


@pytest.mark.parametrize("q", ["slow:1h", "user:ada", "not slow:1s", "route:/none", "status:200"])
def test_nothing_is_known(client: FlaskClient, q: str) -> None:
    """Nothing is said of filters that rollups cannot answer, or of requests that there were not."""
    page = read(client, q)
    assert "No records match" in page and "Rollups count" not in page
