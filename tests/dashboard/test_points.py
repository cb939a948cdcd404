"""Single requests in the chart of durations, while these are few."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime, timedelta, timezone

import pytest
from flask.testing import FlaskClient

from flask_tracking import MemoryExporter, Record
from flask_tracking.dashboard.charts import points
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Rollup, RouteKey

from ..captures import make_record
from .conftest import Make
from .hostile import HOSTILE
from .test_pages import check

OVERVIEW = "/_tracking/"
ROUTE = "/_tracking/route?rule=/tea&method=GET"
POINT = re.compile(
    r'<a href="/_tracking/requests/([0-9a-f]{24})" tabindex="-1"><(?:circle|path) class="point (\w+)"'
)

UNSEEN = 'class="no-cell"'


@pytest.fixture
def client(make: Make) -> FlaskClient:
    """A client of an app with the dashboard."""
    return make().test_client()


def make_requests(statuses: list[int | None], ago: timedelta = timedelta(minutes=5)) -> list[Record]:
    """Return requests of one route, a second apart."""
    end = datetime.now(timezone.utc) - ago
    return [
        dataclasses.replace(
            make_record(),
            method="GET",
            url_rule="/tea",
            exception=None,
            status_code=status,
            execution_time=10.0 * (at + 1),
            date_created=end - timedelta(seconds=at),
        )
        for at, status in enumerate(statuses)
    ]


def store(memory: MemoryExporter, records: list[Record], counted: list[Record] | None = None) -> None:
    """Store records, and count them, or others, in rollups."""
    rollups: dict[datetime, Rollup] = {}
    for record in records if counted is None else counted:
        start = record.date_created.replace(second=0, microsecond=0)
        rollup = rollups.setdefault(start, Rollup(width_s=60, start=start, source="a:1:b", stored=1))
        counts = rollup.routes.setdefault(RouteKey("/tea", "GET"), Counts())
        is_failed = (record.status_code or 0) >= 500
        counts.add_request(record.status_code, is_failed, record.execution_time or 0.0, 0, 0)
    assert memory.rollups is not None
    memory.rollups.store(list(rollups.values()))
    memory.export(records)


@pytest.mark.parametrize("address", [OVERVIEW, ROUTE])
def test_few_requests(client: FlaskClient, memory: MemoryExporter, address: str) -> None:
    """Each is a point in the shape of its status, and leads to its page; a phone shows cells."""
    records = make_requests([200, 301, 404, 500, None])
    store(memory, records)
    page = check(client.get(address).text)
    kinds = ["ok", "redirect", "client", "server", "none"]
    found = zip((str(record.id) for record in records), kinds, strict=True)
    assert POINT.findall(page) == list(found)
    assert "<title>404, 30" in page and UNSEEN in page
    assert sum(map(int, re.findall(r'class="no-cell"[^>]* data-n="(\d+)"', page))) == len(records)


@pytest.mark.parametrize("address", [OVERVIEW, ROUTE])
def test_many_requests(
    client: FlaskClient, memory: MemoryExporter, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More requests are cells."""
    monkeypatch.setattr(points, "MAX_POINTS", 4)
    store(memory, make_requests([200] * 5))
    page = check(client.get(address).text)
    assert POINT.findall(page) == [] and UNSEEN not in page


@pytest.mark.parametrize("address", [OVERVIEW, ROUTE])
def test_requests_that_are_not_stored(
    client: FlaskClient, memory: MemoryExporter, address: str
) -> None:
    """Where rules have left some out, cells show all that were counted."""
    records = make_requests([200] * 5)
    store(memory, records[:4], records)
    page = check(client.get(address).text)
    assert POINT.findall(page) == [] and UNSEEN not in page


def test_odd_requests(client: FlaskClient, memory: MemoryExporter) -> None:
    """One beyond the chart is put at its edge, one without a duration is left out."""
    slow, unknown, *rest = make_requests([200] * 5)
    slow = dataclasses.replace(slow, execution_time=1e9, path=f"/{HOSTILE}")
    store(memory, [slow, dataclasses.replace(unknown, execution_time=None), *rest], rest)
    page = check(client.get(OVERVIEW).text)
    assert [record_id for record_id, _ in POINT.findall(page)] == [str(one.id) for one in (slow, *rest)]
    assert all(float(y) >= 0 for y in re.findall(r'class="point ok" cx="[\d.]+" cy="([\d.-]+)"', page))
