"""Records that no test of one page would think of, on all pages: one may not close a page for all."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote_plus

import pytest
from flask.testing import FlaskClient

from flask_tracking import MemoryExporter, Record
from flask_tracking.record import ExceptionInfo

from ..captures import make_record
from .conftest import Make

ODD: dict[str, dict[str, Any]] = {
    "status that is none": {"status_code": 600},
    "status beyond three digits": {"status_code": 1999},
    "exception without a name": {"status_code": 500, "exception": ExceptionInfo("", "", "")},
    "custom data as a list": {"custom_data": ["a", {"b": 1}]},
    "custom data as a text": {"custom_data": "a"},
}
PAGES = (
    "",
    "requests",
    "requests/{id}",
    "routes",
    "route?rule=/orders/<int:number>&method=GET",
    "errors",
    "shared?of=failed",
    "compare?a={id}&b={id}",
    "data/complete?text=custom.",
    "data/complete?text=error:",
    "data/rows?since=1h",
    "export/csv",
)


@pytest.fixture
def client(make: Make) -> FlaskClient:
    """A client of an app with the dashboard."""
    return make().test_client()


def make_odd_record(**fields: Any) -> Record:
    """Return a record of a second ago: a page counts nothing of the millisecond it is asked in."""
    arrived = datetime.now(timezone.utc) - timedelta(seconds=1)
    return dataclasses.replace(make_record(), date_created=arrived, **{"exception": None, **fields})


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("fields", ODD.values(), ids=ODD)
def test_odd_record(
    client: FlaskClient, memory: MemoryExporter, page: str, fields: dict[str, Any]
) -> None:
    """Each page opens."""
    record = make_odd_record(**fields)
    memory.export([record])
    address, _, query = page.format(id=record.id).partition("?")
    assert client.get(f"/_tracking/{address}?{query}&from=all").status_code == 200


def test_group_of_a_status_that_is_none(client: FlaskClient, memory: MemoryExporter) -> None:
    """It leads to the failures of its route without an exception, for no filter names its status."""
    memory.export([make_odd_record(status_code=600)])
    page = unquote_plus(client.get("/_tracking/errors?from=all").text)
    assert "not has:exception route:/orders/<int:number>" in page


@pytest.mark.parametrize(
    "page", ["route?rule=/tea/<name>&method=GET", "compare?a=version:1&b=version:2"]
)
def test_filter_that_cannot_be_narrowed(client: FlaskClient, page: str) -> None:
    """With what the page adds, it has too many terms: that is said, and is no fault of the store."""
    address, _, query = page.partition("?")
    filter_text = "%20".join(f"path:/{number}" for number in range(100))
    response = client.get(f"/_tracking/{address}?{query}&q={filter_text}")
    assert response.status_code == 400
    assert "at most 100" in response.text
    assert "does not answer" not in response.text
