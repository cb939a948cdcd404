"""Records that no test of one page would think of, on all pages: one may not close a page for all."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote_plus

import pytest
from flask.testing import FlaskClient

from flask_tracking import MemoryExporter, Record
from flask_tracking.codec import from_dict, to_dict
from flask_tracking.record import ChildTiming, ExceptionInfo

from ..captures import make_record
from .conftest import Make

ODD: dict[str, dict[str, Any]] = {
    "status that is none": {"status_code": 600},
    "status beyond three digits": {"status_code": 1999},
    "exception without a name": {"status_code": 500, "exception": ExceptionInfo("", "", "")},
    "custom data as a list": {"custom_data": ["a", {"b": 1}]},
    "custom data as a text": {"custom_data": "a"},
    "duration that is no number": {"execution_time": math.nan, "time_to_first_byte": math.nan},
    "endless duration": {"execution_time": math.inf, "time_to_first_byte": math.inf},
    "duration of ages": {"execution_time": 1e300, "time_to_first_byte": 1e299},
    "no duration at all": {"execution_time": 0.0, "time_to_first_byte": 0.0},
    "duration below zero": {"execution_time": -5.0, "time_to_first_byte": -math.inf},
    "child that takes no number": {"children": (ChildTiming("a", math.nan, math.inf, None),)},
    "child of ages": {"children": (ChildTiming("a", -1e300, 1e300, None),), "execution_time": 1e308},
    "year 1": {"date_created": datetime(1, 1, 1, tzinfo=timezone.utc)},
    "year 1969": {"date_created": datetime(1969, 12, 31, tzinfo=timezone.utc)},
    "year 9999": {"date_created": datetime(9999, 12, 31, 23, 59, 59, 999000, timezone.utc)},
    "numbers in custom data": {"custom_data": {"a": math.nan, "b": [math.inf], "c": 10**400}},
    "sizes beyond all": {"request_body_size": 2**63 - 1, "response_body_size": -5},
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
    "export/json",
    "export/ndjson",
    "requests/{id}/as/har",
    "requests/{id}/as/curl",
    "shared?of=slow",
    "shared?of=filter&q=method:GET",
    "?q=path:/*",
    "?q=path:/*&vs=week",
    "route?rule=/orders/<int:number>&method=GET&q=path:/*",
    "requests?q=method:GET",
    "requests?live=1",
)


JSON = ("data/rows?since=1h", "export/json", "requests/{id}/as/har")


@pytest.fixture
def client(make: Make) -> FlaskClient:
    """A client of an app with the dashboard."""
    return make().test_client()


def read_again(record: Record) -> Record:
    """Return a record as a store reads it, for another program may have written it."""
    return from_dict(to_dict(record))


def make_odd_record(**fields: Any) -> Record:
    """Return a record of a second ago: a page counts nothing of the millisecond it is asked in."""
    arrived = datetime.now(timezone.utc) - timedelta(seconds=1)
    values = {"date_created": arrived, "exception": None, **fields}
    return dataclasses.replace(make_record(), **values)


@pytest.mark.parametrize("fields", ODD.values(), ids=ODD)
def test_odd_record(client: FlaskClient, memory: MemoryExporter, fields: dict[str, Any]) -> None:
    """Each page opens, and shows no number that is none."""
    record = read_again(make_odd_record(**fields))
    memory.export([record])
    for page in PAGES:
        address, _, query = page.format(id=record.id).partition("?")
        response = client.get(f"/_tracking/{address}?{query}&from=all")
        assert response.status_code == 200, page
        if "custom_data" not in fields:  # what the app says is shown as it is
            assert not re.search(r"\b(nan|NaN|Infinity|inf)\b", response.text), page
        if page in JSON:
            json.loads(response.text, parse_constant=pytest.fail)


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
