"""Requests that change something: only those that our own pages send."""

from __future__ import annotations

from typing import Any

import flask_login
import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_tracking import MemoryExporter, Tracking
from flask_tracking.dashboard.security.csrf import COOKIE, make_token

from .conftest import Make

SAME = {"Sec-Fetch-Site": "same-origin"}
HOST = {"Origin": "http://localhost"}


class Protection:
    """What Flask-WTF puts into ``app.extensions``: refuses each POST to a view that is not exempt."""

    def __init__(self, app: Flask) -> None:
        self.exempted: list[object] = []
        self.exempt = self.exempted.append
        app.extensions["csrf"] = self


def open_request(client: FlaskClient, memory: MemoryExporter) -> tuple[str, str]:
    """Return the address of the newest request's page, and its token."""
    client.get("/tea/green")
    address = f"/_tracking/requests/{memory.records[-1].id}"
    page = client.get(address).text
    return address, page.partition('name="token" value="')[2].partition('"')[0]


def test_keep_and_unkeep(make: Make, memory: MemoryExporter) -> None:
    """The button keeps a record, and the next one ends that; both lead back to its page."""
    client = make().test_client()
    address, token = open_request(client, memory)
    record_id = memory.records[-1].id
    for action, is_kept in (("keep", True), ("unkeep", False)):
        response = client.post(f"{address}/{action}", data={"token": token}, headers=SAME)
        assert (response.status_code, response.headers["Location"]) == (303, address)
        record = memory.get(record_id)
        assert record is not None and record.kept is is_kept
        assert ("Keep no longer" if is_kept else "Keep</button>") in client.get(address).text


@pytest.mark.parametrize(
    ("headers", "is_taken"),
    [
        (SAME, True),
        (HOST, True),
        (SAME | {"Origin": "null"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site", **HOST}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "https://localhost"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_origin(make: Make, memory: MemoryExporter, headers: dict[str, str], is_taken: bool) -> None:
    """A form of another site changes nothing, whatever it says."""
    client = make().test_client()
    address, token = open_request(client, memory)
    response = client.post(f"{address}/keep", data={"token": token}, headers=headers)
    assert response.status_code == (303 if is_taken else 403)
    record = memory.get(memory.records[-1].id)
    assert record is not None and record.kept is is_taken


@pytest.mark.parametrize("token", ["", "x", "é" * 64, make_token("0" * 64)])
def test_wrong_token(make: Make, memory: MemoryExporter, token: str) -> None:
    """A missing, odd or foreign token is refused."""
    client = make().test_client()
    address, _ = open_request(client, memory)
    assert client.post(f"{address}/keep", data={"token": token}, headers=SAME).status_code == 403


@pytest.mark.parametrize("cookie", ["", "x" * 64, "0" * 63])
def test_wrong_cookie(make: Make, memory: MemoryExporter, cookie: str) -> None:
    """So is a token without its cookie; a page gives a new one."""
    client = make().test_client()
    address, token = open_request(client, memory)
    client.set_cookie(COOKIE, cookie, path="/_tracking")
    assert client.post(f"{address}/keep", data={"token": token}, headers=SAME).status_code == 403


def test_cookie(make: Make, memory: MemoryExporter) -> None:
    """It is ours alone: for no script, no other site, no other path; the session is not read."""
    app = make()
    client = app.test_client()
    client.get("/tea/green")
    response = client.get(f"/_tracking/requests/{memory.records[-1].id}")
    (cookie,) = response.headers.getlist("Set-Cookie")
    for part in (f"{COOKIE}=", "HttpOnly", "SameSite=Strict", "Path=/_tracking"):
        assert part in cookie
    assert "Vary" not in response.headers
    assert "Set-Cookie" not in client.get("/_tracking/requests").headers


@pytest.mark.parametrize("record_id", ["x", "0" * 24])
def test_unknown_record(make: Make, memory: MemoryExporter, record_id: str) -> None:
    """A record that is gone is nothing to keep."""
    client = make().test_client()
    _, token = open_request(client, memory)
    url = f"/_tracking/requests/{record_id}/keep"
    response = client.post(url, data={"token": token}, headers=SAME)
    assert response.status_code == (404 if record_id == "x" else 303)


def test_flask_wtf_lets_us_be(make: Make, app: Flask) -> None:
    """Our views are exempt from the first request on, whichever was set up first."""
    make()
    protection = Protection(app)
    client = app.test_client()
    client.get("/tea/green")
    assert protection.exempted == []
    client.get("/_tracking/requests")
    views: list[Any] = [
        view for endpoint, view in app.view_functions.items() if endpoint.startswith("tracking_dash")
    ]
    assert protection.exempted == views


def log_of_keeping(
    client: FlaskClient, memory: MemoryExporter, caplog: pytest.LogCaptureFixture
) -> str:
    """Keep the newest record, and return what is logged."""
    address, token = open_request(client, memory)
    with caplog.at_level("INFO", "flask_tracking"):
        client.post(f"{address}/keep", data={"token": token}, headers=SAME)
        client.post(f"{address}/unkeep", data={"token": token}, headers=SAME)
    return caplog.text


def test_changes_are_logged_with_the_user(
    make: Make, app: Flask, memory: MemoryExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """By the id in Flask-Login's session, as records name users, on one line."""
    manager = flask_login.LoginManager(app)
    manager.user_loader(lambda user_id: None)
    client = make().test_client()
    with client.session_transaction() as session:
        session["_user_id"] = "ada\nRecord 0"
    text = log_of_keeping(client, memory, caplog)
    record_id = memory.records[-1].id
    assert rf"Record {record_id} was kept in the dashboard by user ada\nRecord 0." in text
    assert rf"Record {record_id} was unkept in the dashboard by user ada\nRecord 0." in text


def test_user_of_the_loader(
    app: Flask, memory: MemoryExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """The function of the app comes first."""
    app.config["TRACKING_DASHBOARD"] = True
    Tracking(app, exporter=memory, dashboard_access=lambda: True, user_loader=lambda: {"id": 42})
    app.add_url_rule("/tea/<name>", "tea", lambda name: {"name": name})
    assert "by user 42." in log_of_keeping(app.test_client(), memory, caplog)


def test_nobody_knows_the_user(
    make: Make, memory: MemoryExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """Then the log says so."""
    assert "by an unknown user." in log_of_keeping(make().test_client(), memory, caplog)
