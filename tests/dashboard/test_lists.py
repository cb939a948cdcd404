"""What a list can be: saved as a file, found under a name, and linked to so that it stays the same."""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import json
import re
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from flask_tracking import MemoryExporter, StoreTimeoutError
from flask_tracking.dashboard.pages import exporting
from flask_tracking.dashboard.text import filter_text
from flask_tracking.interchange import read_records

from ..captures import make_record
from .conftest import Make
from .hostile import HOSTILE
from .test_pages import check

LIST = "/_tracking/requests"
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=timezone.utc)


@pytest.fixture
def client(make: Make) -> FlaskClient:
    """A client of an app with the dashboard."""
    return make().test_client()


# Export


@pytest.mark.parametrize("name", ["json", "ndjson"])
def test_export(client: FlaskClient, memory: MemoryExporter, name: str) -> None:
    """The records of the list, whole, in a file that no browser opens."""
    client.get("/tea/green")
    client.get("/broken")
    response = client.get(f"/_tracking/export/{name}", query_string={"q": "status:5xx"})
    assert response.status_code == 200
    assert response.headers["Content-Disposition"] == f'attachment; filename="requests-1.{name}"'
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert int(response.headers["Content-Length"]) == len(response.data)
    (record,) = read_records(io.BytesIO(response.data), name)
    assert record == memory.records[-1]


def test_export_for_spreadsheets(client: FlaskClient, memory: MemoryExporter) -> None:
    """What a client wrote is no formula."""
    for text in ("=1+1", "+1", "-1", "@x", HOSTILE):
        memory.export([dataclasses.replace(make_record(), path=text, user_repr=text)])
    rows = list(csv.DictReader(io.StringIO(client.get("/_tracking/export/csv").text)))
    assert len(rows) == 5
    for row in rows:
        assert not row["path"].startswith(("=", "+", "-", "@"))
        assert not row["user_repr"].startswith(("=", "+", "-", "@"))


def test_export_of_nothing(client: FlaskClient) -> None:
    """Is an empty file."""
    response = client.get("/_tracking/export/json", query_string={"q": "status:599"})
    assert json.loads(response.data) == []


@pytest.mark.parametrize("name", ["bson", "exe", "..%2f"])
def test_unknown_format(client: FlaskClient, name: str) -> None:
    """There are only those of the menu."""
    assert client.get(f"/_tracking/export/{name}").status_code == 404


@pytest.mark.parametrize("bound", ["MAX_RECORDS", "MAX_BYTES", "BUDGET_S"])
def test_long_export(
    client: FlaskClient, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    """It ends somewhere, with the newest, and its name says so."""
    monkeypatch.setattr(exporting, bound, {"MAX_RECORDS": 2, "MAX_BYTES": 1, "BUDGET_S": 0.0}[bound])
    memory.export([dataclasses.replace(make_record()) for _ in range(4)])
    response = client.get("/_tracking/export/ndjson")
    count = len(response.data.splitlines())
    assert count < 4
    assert f'"newest-requests-{count}.ndjson"' in response.headers["Content-Disposition"]


def test_export_whose_time_is_over(
    client: FlaskClient, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is sent; if nothing was, the page says why."""
    client.get("/tea/green")
    find, answers = memory._find, iter([True, False])

    def find_once(*args: object) -> object:
        if next(answers, False):
            return find(*args)  # type: ignore[arg-type]
        raise StoreTimeoutError("does not answer")

    monkeypatch.setattr(memory, "_find", find_once)
    response = client.get("/_tracking/export/ndjson?from=all")
    assert '"newest-requests-1.ndjson"' in response.headers["Content-Disposition"]
    assert client.get("/_tracking/export/ndjson?from=all").status_code == 503


def test_menu(client: FlaskClient) -> None:
    """The list leads to its files, with its filter and range."""
    assert "/_tracking/export" not in client.get(LIST).text
    client.get("/tea/green")
    page = check(client.get(LIST, query_string={"q": "status:2xx", "from": "6h"}).text)
    for name in ("json", "ndjson", "csv"):
        assert f'href="/_tracking/export/{name}?q=status:2xx&amp;from=6h" download' in page


# Saved filters


def test_saved_filters(make: Make) -> None:
    """Those of the settings are a menu; one with a time of its own is not narrowed."""
    saved = {"mine": "user:42 since:1d", "bad teas": "status:5xx path:/tea/*", HOSTILE: "method:GET"}
    client = make(TRACKING_FILTERS=saved).test_client()
    client.get("/tea/green")
    page = check(client.get(LIST, query_string={"from": "6h"}).text)
    assert f'href="{LIST}?from=all&amp;q=user:42+since:1d">mine</a>' in page
    assert f'href="{LIST}?from=6h&amp;q=status:5xx+path:/tea/*">bad teas</a>' in page
    assert client.get(f"{LIST}?from=all&q=user:42+since:1d").status_code == 200


def test_no_saved_filters(client: FlaskClient) -> None:
    """Without any there is no menu."""
    assert "Saved filters" not in client.get(LIST).text


# Quick filters


def read_chip(client: FlaskClient, q: str, title: str) -> tuple[str, bool]:
    """Return the address of a quick filter, and whether it is pressed."""
    page = check(client.get(LIST, query_string={"q": q}).text)
    found = re.search(rf'<a class="chip" href="([^"]+)"([^>]*)>{title}</a>', page)
    assert found is not None
    query = parse_qs(urlsplit(html.unescape(found[1])).query)
    return query.get("q", [""])[0], 'aria-current="true"' in found[2]


@pytest.mark.parametrize(
    ("q", "title", "leads_to", "is_pressed"),
    [
        ("", "failed", "is:error", False),
        ("is:error", "failed", "", True),
        ("method:GET slow:>1s", "over 1 s", "method:GET", True),
        ("status:5xx method:GET", "5xx", "method:GET", True),
        ("not is:error", "5xx", "not is:error status:5xx", False),
        ("is:error or method:GET", "5xx", "(is:error or method:GET) status:5xx", False),
        ("status:9", "failed", "is:error", False),
    ],
)
def test_quick_filters(
    client: FlaskClient, q: str, title: str, leads_to: str, *, is_pressed: bool
) -> None:
    """A click adds a filter; where it is a term of the filter, it is pressed and a click removes it."""
    assert read_chip(client, q, title) == (leads_to, is_pressed)


# A link that lasts


def test_lasting_link(client: FlaskClient) -> None:
    """It has times in place of ages, and shows the same."""
    client.get("/tea/green")
    page = check(client.get(LIST, query_string={"q": "since:2h method:GET", "live": "1"}).text)
    found = re.search(r'data-copy-link href="([^"]+)"', page)
    assert found is not None
    address = html.unescape(found[1])
    query = parse_qs(urlsplit(address).query)
    assert set(query) == {"q", "from", "to"}
    since, until = (
        datetime.fromisoformat(query[key][0].replace("Z", "+00:00")) for key in ("from", "to")
    )
    assert until - since == timedelta(hours=1)
    assert re.fullmatch(r"since:\d{4}-\d\d-\d\dT[\d:.]+Z method:GET", query["q"][0])
    assert "/tea/green" in client.get(address).text


@pytest.mark.parametrize(
    ("text", "frozen"),
    [
        ("", ""),
        ("status:5xx", "status:5xx"),
        ("since:1h", "since:2026-11-30T11:00:00.000Z"),
        (
            "(since:1h or until:2d) x",
            "(since:2026-11-30T11:00:00.000Z or until:2026-11-28T12:00:00.000Z) x",
        ),
        ("since:2026-01-01", "since:2026-01-01"),
        ('body:"a since:1h b" since:1h', 'body:"a since:1h b" since:1h'),
        ("custom.since:1h", "custom.since:1h"),
        ("status:9 since:1h", "status:9 since:1h"),
        ("since:9999999999d", "since:9999999999d"),
    ],
)
def test_freeze(text: str, frozen: str) -> None:
    """Ages become times; texts in quotes, other terms and wrong filters stay as they are."""
    assert filter_text.freeze(text, NOW) == frozen
