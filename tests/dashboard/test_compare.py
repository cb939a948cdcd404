"""Two versions, two periods and two requests, side by side."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock

import pytest
from bson import ObjectId
from flask.testing import FlaskClient

from flask_tracking import ExportError, MemoryExporter, Record
from flask_tracking.record import ChildTiming, ExceptionInfo
from flask_tracking.rollups.rollup import Rollup

from ..captures import make_record
from .conftest import Make
from .hostile import HOSTILE
from .test_overview import make_rollups
from .test_pages import check
from .test_shared import make_hour, store_all

COMPARE = "/_tracking/compare"
VERSIONS = {"a": "version:2.4.0", "b": "version:2.4.1"}


@pytest.fixture
def client(make: Make) -> FlaskClient:
    """A client of an app with the dashboard."""
    return make().test_client()


def store_rollups(memory: MemoryExporter, rollups: list[Rollup]) -> None:
    """Store minutes, and merge them as a worker does: whole hours are read as such."""
    memory.rollups.store(rollups)
    memory.rollups.merge("test")


def make_pair(**parts: Any) -> list[Record]:
    """Make two records, of which the second has other parts."""
    json_type = (("Content-Type", "application/json"), ("Date", "Mon, 30 Nov 2026 03:00:00 GMT"))
    one = dataclasses.replace(
        make_record(method="POST", path="/checkout"),
        request_headers=(*json_type, ("X-Cart", "full")),
        request_body=json.dumps({"cart": {"items": [1, 2]}, "pay_by": "card"}).encode(),
        response_headers=json_type,
        response_body=json.dumps({"ok": True, "id": "6b0b2833420c3ba6703982aa"}).encode(),
        execution_time=40.0,
        children=(ChildTiming("charge", 5.0, 20.0, None),),
        custom_data={"tenant": "acme"},
    )
    return [one, dataclasses.replace(one, id=ObjectId(), **parts)]


def test_versions(client: FlaskClient, memory: MemoryExporter) -> None:
    """Both columns have numbers with bounds; the changed route stands first, the new error alone."""
    store_rollups(memory, make_rollups(slower=4.0, failing=0.3))
    page = check(client.get(COMPARE, query_string=VERSIONS).text)
    failed = re.search(r'Failed</th><td class="num">([^<]+)</td><td class="num bad">([^<]+)</td>', page)
    assert failed is not None and " to " in failed[1] and " to " in failed[2]
    assert re.search(r'p95</th><td class="num">[^<]+</td><td class="num', page)
    routes = re.findall(r'<td class="path"><a data-row href="([^"]+)">([^<]+)<', page)
    assert routes[0] == ("/_tracking/route?method=POST&amp;rule=/checkout", "POST /checkout")
    assert page.count('<tr class="hot">') == 1
    declined = next(row for row in page.split("<tr>") if "<b>CardDeclined</b>" in row)
    assert '<span class="tag new">only in B</span>' in declined and '<td class="num">0</td>' in declined
    known = next(row for row in page.split("<tr>") if "KeyError" in row and "/items" in row)
    assert "only in" not in known


@pytest.mark.parametrize(
    ("query", "has_rate"), [(VERSIONS, False), ({"a": "2h/1h", "b": "1h/1m"}, True)]
)
def test_rate(
    client: FlaskClient, memory: MemoryExporter, query: dict[str, str], has_rate: bool
) -> None:
    """Versions have no rate: each ran for a part of the range only."""
    store_rollups(memory, make_rollups())
    page = check(client.get(COMPARE, query_string=query).text)
    assert ("Per minute</th>" in page) is has_rate


def test_swapped(client: FlaskClient, memory: MemoryExporter) -> None:
    """The other way round the same is better."""
    store_rollups(memory, make_rollups(slower=4.0, failing=0.3))
    page = client.get(COMPARE, query_string=VERSIONS).text
    turned = re.search(r'href="([^"]+)">Swap A and B', page)
    assert turned is not None
    other = check(client.get(turned[1].replace("&amp;", "&")).text)
    assert '<td class="num good">' in other and "only in A" in other


def test_what_the_second_shares(client: FlaskClient, memory: MemoryExporter) -> None:
    """The panel compares B's requests with A's, without the version that tells them apart."""
    records = make_hour()
    records = [
        dataclasses.replace(one, host="new.example" if one.version == "2.4.1" else "old.example")
        for one in records
    ]
    store_all(memory, records)
    page = client.get(COMPARE, query_string=VERSIONS).text
    panel = re.search(r'data-panel="([^"]+)"', page)
    assert panel is not None
    shared = check(client.get(panel[1].replace("&amp;", "&")).text)
    assert "More common in B" in page and 'aria-current="page"' not in page
    assert "B compared with" in shared and "new.example" in shared
    assert '<span class="dim">version</span>' not in shared


def test_periods(client: FlaskClient, memory: MemoryExporter) -> None:
    """Two times are compared as they are given."""
    store_rollups(memory, make_rollups(slower=4.0))
    page = check(client.get(COMPARE, query_string={"a": "2h/1h", "b": "25m/1m"}).text)
    assert page.count('<tr class="hot">') == 1 and " UTC" in page
    now = datetime.now(timezone.utc)
    times = [f"{now - timedelta(minutes=ago):%Y-%m-%dT%H:%M}" for ago in (90, 60, 30, 0)]
    sides = {"a": "/".join(times[:2]), "b": "/".join(times[2:])}
    assert client.get(COMPARE, query_string=sides).status_code == 200


def test_buttons_of_the_overview(client: FlaskClient, memory: MemoryExporter) -> None:
    """The verdict leads to the comparison of its version with the one before."""
    store_rollups(memory, make_rollups(slower=4.0))
    page = client.get("/_tracking/").text
    found = re.search(r'href="([^"]+)">Compare 2.4.0 with 2.4.1</a>', page)
    assert found is not None and found[1].startswith(COMPARE)
    assert client.get(found[1].replace("&amp;", "&")).status_code == 200


def test_requests(client: FlaskClient, memory: MemoryExporter) -> None:
    """Only what differs is shown: by field, header and path in the JSON; times are on one scale."""
    pair = make_pair(
        status_code=500,
        execution_time=400.0,
        children=(ChildTiming("charge", 5.0, 380.0, "CardDeclined"),),
        exception=ExceptionInfo("shop.CardDeclined", "no", ""),
        custom_data={"tenant": "hotel"},
        request_body=json.dumps({"cart": {"items": [1, 3]}, "pay_by": "card"}).encode(),
        request_headers=(("Content-Type", "application/json"), ("Date", "later"), ("X-Cart", "full")),
        response_body=json.dumps({"ok": False, "id": "6b0b2833420c3ba6703982bb"}).encode(),
    )
    memory.export(pair)
    sides = {"a": str(pair[0].id), "b": str(pair[1].id)}
    page = check(client.get(COMPARE, query_string=sides).text)
    rows = dict(re.findall(r'<th scope="row">([^<]+)</th>(<td.*?)</tr>', page))
    rows = {name: re.sub(r' data-label="[AB]"', "", cells)[4:-5] for name, cells in rows.items()}
    assert rows["Status"] == "200</td><td>500" and rows["tenant"] == "acme</td><td>hotel"
    assert rows["$.cart.items[1]"] == "2</td><td>3" and rows["$.ok"] == "true</td><td>false"
    assert "$.pay_by" not in rows and "X-Cart" not in rows and "Method" not in rows
    assert re.search(r'<tr class="volatile"[^>]*><th scope="row">\$\.id<', page)
    assert re.search(r'<tr class="volatile"[^>]*><th scope="row">Date<', page)
    assert re.findall(r'class="whole" width="([\d.]+)%"', page) == ["10.0", "100.0"]
    everything = check(client.get(COMPARE, query_string={**sides, "all": "1"}).text)
    assert re.search(r'X-Cart</th><td data-label="A">full</td><td data-label="B">full</td>', everything)


def test_requests_that_are_the_same(client: FlaskClient, memory: MemoryExporter) -> None:
    """Two requests without a difference have a page that says so."""
    pair = make_pair()
    memory.export(pair)
    page = check(client.get(COMPARE, query_string={"a": str(pair[0].id), "b": str(pair[1].id)}).text)
    named = re.search(r"No difference in: ([^<]+)\.</p>", page)
    assert named is not None
    sections = {"custom data", "request headers", "request body", "response headers", "response body"}
    assert sections <= set(named[1].split(", "))
    assert 'side by side"' not in page


@pytest.mark.parametrize(
    "body", [b"\x00\xff", b"tea " * 5_000, b"[" * 5_000, b'{"a": 1', HOSTILE.encode()]
)
def test_odd_bodies(client: FlaskClient, memory: MemoryExporter, body: bytes) -> None:
    """A body that is no JSON is compared as a whole."""
    pair = make_pair(
        request_body=body, response_body=body, path=HOSTILE, custom_data={HOSTILE: HOSTILE}
    )
    memory.export(pair)
    page = check(client.get(COMPARE, query_string={"a": str(pair[0].id), "b": str(pair[1].id)}).text)
    assert "the whole" in page and "<img" not in page and "\u202e" not in page


def test_marks(client: FlaskClient, memory: MemoryExporter) -> None:
    """Two marked rows of the list are compared, by a form that needs no script."""
    pair = make_pair(execution_time=41.0)
    memory.export(pair)
    page = check(client.get("/_tracking/requests").text)
    assert page.count('<input type="checkbox" name="mark"') == 2
    assert f'<form id="marks" class="inline" method="get" action="{COMPARE}">' in page
    query = "&".join(f"mark={record.id}" for record in pair)
    assert "Two requests" in check(client.get(f"{COMPARE}?{query}").text)
    for wrong in ("", f"mark={pair[0].id}", f"{query}&mark={pair[0].id}"):
        response = client.get(f"{COMPARE}?{wrong}")
        assert response.status_code == 400 and "mark two to compare them" in check(response.text)
        assert "<h1>Mark two requests first</h1>" in response.text


def test_compare_with(client: FlaskClient, memory: MemoryExporter) -> None:
    """A request leads to the list of its route, where another one is marked."""
    pair = make_pair()
    memory.export(pair)
    page = client.get(f"/_tracking/requests/{pair[0].id}").text
    found = re.search(r'href="([^"]+)">Compare with…</a>', page)
    assert found is not None
    listed = check(client.get(found[1].replace("&amp;", "&")).text)
    assert f'<input type="hidden" name="mark" value="{pair[0].id}">' in listed
    assert "Mark one to compare it with" in listed


@pytest.mark.parametrize(
    "query",
    [
        {"a": "version:2.4.0"},
        {"a": "version:2.4.0", "b": "2h/1h"},
        {"a": "version:", "b": "version:1"},
        {"a": "1h/2h", "b": "2h/1h"},
        {"a": "tea/1h", "b": "2h/1h"},
        {"a": HOSTILE, "b": HOSTILE},
        {"a": "6b0b2833420c3ba6703982aa", "b": "version:1"},
    ],
)
def test_wrong_sides(client: FlaskClient, query: dict[str, str]) -> None:
    """What is wrong is said, and what is expected; the panel says it too."""
    response = client.get(COMPARE, query_string=query)
    assert response.status_code == 400
    assert "Nothing to compare" in check(response.text)
    data = client.get("/_tracking/data/shared", query_string={**query, "of": "compare"})
    assert data.status_code == 200
    check(data.text)


def test_missing_records(client: FlaskClient) -> None:
    """A record that is not there is named."""
    sides = {"a": "6b0b2833420c3ba6703982aa", "b": "6b0b2833420c3ba6703982ab"}
    response = client.get(COMPARE, query_string=sides)
    assert response.status_code == 404
    assert "6b0b2833420c3ba6703982aa is not stored any more" in check(response.text)


@pytest.mark.parametrize("q", ["user:ada", "status:9", "method:POST"])
def test_with_a_filter(client: FlaskClient, memory: MemoryExporter, q: str) -> None:
    """The filter holds for both sides."""
    store_rollups(memory, make_rollups())
    check(client.get(COMPARE, query_string={**VERSIONS, "q": q}).text)


def test_without_rollups(client: FlaskClient, memory: MemoryExporter) -> None:
    """Records answer where there are no rollups."""
    store_all(memory, make_hour())
    with mock.patch.object(memory, "rollups", None):
        page = check(client.get(COMPARE, query_string=VERSIONS).text)
    assert "from records" in page


def test_store_away(client: FlaskClient, memory: MemoryExporter) -> None:
    """The page says that the store does not answer."""
    with (
        mock.patch.object(memory, "find", side_effect=ExportError("gone")),
        mock.patch.object(memory, "rollups", None),
    ):
        assert client.get(COMPARE, query_string=VERSIONS).status_code == 503
