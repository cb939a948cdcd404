"""What the filter box proposes."""

from __future__ import annotations

import dataclasses
from typing import Any
from unittest import mock

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_tracking import ExportError, MemoryExporter

from ..captures import make_record
from .conftest import Make
from .hostile import HOSTILE
from .test_pages import check

COMPLETE = "/_tracking/data/complete"


@pytest.fixture
def client(make: Make) -> FlaskClient:
    """A client of an app with the dashboard."""
    return make().test_client()


def ask(client: FlaskClient, text: str) -> list[dict[str, Any]]:
    """Return what is proposed for a text."""
    response = client.get(COMPLETE, query_string={"text": text})
    assert response.status_code == 200 and response.mimetype == "application/json"
    found: list[dict[str, Any]] = response.get_json()
    return found


def texts(client: FlaskClient, text: str) -> list[str]:
    """Return the proposed texts."""
    return [one["text"] for one in ask(client, text)]


def test_keys(client: FlaskClient) -> None:
    """A word becomes a key, with what it means; what stands before it stays."""
    (status,) = ask(client, "not (method:GET sta")
    assert status["text"] == "not (method:GET status:"
    assert status["word"] == [["status:", ""]]
    assert "status" in status["hint"]


def test_values(client: FlaskClient, memory: MemoryExporter) -> None:
    """A key gets the values that there are."""
    record = make_record()
    memory.export(
        [dataclasses.replace(record, user_id="ada", version="2.4.1", custom_data={"plan": {"name": 1}})]
    )
    client.get("/broken")
    assert texts(client, "status:5") == ["status:5xx"]
    assert texts(client, "user:a") == ["user:ada"]
    assert texts(client, "version:") == ["version:2.4.1"]
    assert texts(client, "error:Z") == ["error:ZeroDivisionError"]
    assert texts(client, "custom.p") == ["custom.plan.name:"]
    assert texts(client, "user:nobody") == []


def test_routes(client: FlaskClient) -> None:
    """Those of the app, and not ours, of which there are no records."""
    found = texts(client, "route:")
    assert "route:/tea/<name>" in found
    assert not [one for one in found if "_tracking" in one]
    assert not [one for one in texts(client, "endpoint:") if "tracking_dashboard" in one]


def test_values_are_asked_for_once(client: FlaskClient, memory: MemoryExporter) -> None:
    """With each letter the same ones are proposed."""
    with mock.patch.object(memory, "_find", wraps=memory._find) as find:
        ask(client, "user:")
        asked = find.call_count
        for text in ("user:a", "user:ad"):
            ask(client, text)
        assert find.call_count == asked > 0


def test_store_that_is_away(client: FlaskClient, memory: MemoryExporter) -> None:
    """Then there are no values, and keys all the same."""
    with mock.patch.object(memory, "_find", side_effect=ExportError("away")):
        assert texts(client, "user:") == []
        assert texts(client, "sta") == ["status:"]


@pytest.mark.parametrize(
    "text", ["", " ", "(" * 3000, HOSTILE, "nothing:", "custom.", "'", "a" * 10_000]
)
def test_odd_text(client: FlaskClient, text: str) -> None:
    """Whatever is typed is answered, with few proposals."""
    assert len(ask(client, text)) <= 20


def test_value_of_a_stranger(client: FlaskClient, memory: MemoryExporter) -> None:
    """It is shown with its hidden characters, cut, and completes to a term that selects it."""
    hostile = 'a"b\u202e<script> ' + "x" * 200
    memory.export([dataclasses.replace(make_record(), user_id=hostile)])
    (one,) = ask(client, "user:")
    assert ["U+202E", "U+202E right-to-left override"] in one["word"]
    assert one["word"][-1][0].startswith("… ")
    page = client.get("/_tracking/requests", query_string={"q": one["text"]}).text
    assert "1 in this range" in page


def test_box(client: FlaskClient, app: Flask) -> None:
    """The box knows where to ask."""
    page = check(client.get("/_tracking/requests").text)
    assert 'data-complete="/_tracking/data/complete"' in page and "completion.js" in page
