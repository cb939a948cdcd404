"""The place of a request among the others of its route."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime, timedelta, timezone
from unittest import mock

import pytest
from bson import ObjectId
from flask.testing import FlaskClient

from flask_tracking import MemoryExporter, Record
from flask_tracking.exporters.rollup_table import align
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Rollup, RouteKey

from ..captures import make_record
from .conftest import Make
from .test_pages import check

RULE = "/orders/<int:id>"


@pytest.fixture
def client(make: Make) -> FlaskClient:
    """A client of an app."""
    return make().test_client()


def add(memory: MemoryExporter, ago: timedelta, took_ms: float | None, method: str = "GET") -> Record:
    """Store a request, and the rollup of 100 of its route that took 1 to 100 ms, and others."""
    record = dataclasses.replace(
        make_record(),
        id=ObjectId(),
        date_created=datetime.now(timezone.utc) - ago,
        method=method,
        url_rule=RULE,
        execution_time=took_ms,
    )
    memory.export([record])
    mine, others = Counts(), Counts()
    for number in range(100):
        mine.add_request(200, False, 1.0 + number, 0, 0)
        others.add_request(200, False, 5_000.0, 0, 0)
    width_s = 60 if ago < timedelta(hours=3) else 3_600
    rollup = Rollup(width_s=width_s, start=align(record.date_created, width_s), source="a")
    key = method if method == "GET" else "_OTHER"
    rollup.routes = {RouteKey(RULE, key): mine, RouteKey("/slow", key): others}
    memory.rollups.store([rollup])
    return record


def read(client: FlaskClient, record: Record) -> str:
    """Return the page of a request."""
    return check(client.get(f"/_tracking/requests/{record.id}").text)


@pytest.mark.parametrize("method", ["GET", "PURGE"])
@pytest.mark.parametrize("ago", [timedelta(minutes=1), timedelta(hours=2), timedelta(days=9)])
def test_place(client: FlaskClient, memory: MemoryExporter, ago: timedelta, method: str) -> None:
    """It says what share of the route took less time, at any age that rollups have."""
    page = read(client, add(memory, ago, 90.0, method))
    found = re.search(r"Slower than (\d+)\u00a0% of", page)
    assert found is not None and 85 <= int(found[1]) <= 90
    assert "100 requests around it" in page and "this one" in page
    assert f"/_tracking/route?method={method}&amp;rule=/orders/%3Cint:id%3E" in page


@pytest.mark.parametrize(("took_ms", "share", "x"), [(0.0, "0", 0.0), (1e7, "100", 600.0)])
def test_place_beyond_all_others(
    client: FlaskClient, memory: MemoryExporter, took_ms: float, share: str, x: float
) -> None:
    """A request that is not in the rollups yet is drawn at the end that it is nearest to."""
    page = read(client, add(memory, timedelta(minutes=1), took_ms))
    assert f"Slower than {share}\u00a0% of" in page
    assert f'class="first-byte" x1="{x}"' in page


def test_no_place(client: FlaskClient, memory: MemoryExporter) -> None:
    """Nothing is said without a duration, without rollups, or of a few requests."""
    assert "Among its route" not in read(client, add(memory, timedelta(minutes=1), None))
    record = add(memory, timedelta(minutes=1), 90.0)
    assert "Among its route" in read(client, record)
    with mock.patch.object(memory, "rollups", None):
        assert "Among its route" not in read(client, record)
    alone = dataclasses.replace(record, id=ObjectId(), url_rule="/alone")
    memory.export([alone])
    assert "Among its route" not in read(client, alone)
