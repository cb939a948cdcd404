"""Each fixture of flask-tracking, used by tests of the tea shop."""

from __future__ import annotations

from collections.abc import Callable
from urllib.request import urlopen

import pytest
from flask.testing import FlaskClient
from pytest_flask.live_server import LiveServer
from tea import create_app

from flask_tracking.testing import RecordedRequests, RecordedSpan


def test_order(client: FlaskClient, tracking_records: RecordedRequests) -> None:
    """An order is one request, with few queries and without delay."""
    client.post("/orders", json={"teas": ["green", "white"]})

    order = tracking_records.one(path="/orders")
    order.assert_status(201).assert_faster_than(500).assert_children("db query", at_most=2)
    assert order.response_body == b'{"total":8}\n'


def test_order_sets_its_total(client: FlaskClient, tracking_span: RecordedSpan) -> None:
    """The total can be searched for later."""
    client.post("/orders", json={"teas": ["black"]})

    assert tracking_span["total"] == 2


def test_password_is_not_stored(
    client: FlaskClient, tracking_records: RecordedRequests, tracking_span: RecordedSpan
) -> None:
    """What is recorded of a login names the user, and nothing else."""
    client.post("/login", json={"name": "ada", "password": "hunter2"})

    tracking_records.assert_status(200).assert_no_secret("hunter2")
    assert tracking_span.user_id == "ada"


def test_export_is_streamed(client: FlaskClient, tracking_records: RecordedRequests) -> None:
    """A stream that the test does not read is recorded as unread."""
    client.get("/teas.csv")
    assert tracking_records.one().outcome == "unread"

    assert client.get("/teas.csv").text.startswith("green,3\n")
    assert tracking_records[1].outcome == "ok"


@pytest.mark.tracking(exclude=["^/login"], max_body_length=0)
def test_settings(client: FlaskClient, tracking_records: RecordedRequests) -> None:
    """The settings of one test."""
    client.post("/login", json={"name": "ada", "password": "hunter2"})
    client.post("/orders", json={"teas": []})

    tracking_records.assert_none(path="/login")
    assert tracking_records.one(path="/orders").request_body == b""


def test_served(live_server: LiveServer, tracking_records: RecordedRequests) -> None:
    """The requests to a server in a process of its own."""
    with urlopen(live_server.url("/share/3"), timeout=20) as response:
        assert response.read() == b'{"cups":4.0}\n'

    tracking_records.one(url_rule="/share/<int:guests>").assert_status(200)


def test_tracking_changes_nothing(assert_harmless: Callable[..., None]) -> None:
    """The app answers with tracking as it does without."""
    assert_harmless(
        create_app,
        ["/teas.csv", "/share/0", {"path": "/orders", "method": "POST", "json": {"teas": ["green"]}}],
    )
