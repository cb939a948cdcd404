"""The pages over a real database: with a client of their own, made when somebody looks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pymongo import monitoring

from flask_tracking import Tracking
from flask_tracking.dashboard.pages import live
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.exporters.mongo.read_client import APP_NAME

from .test_pages import check, rows_of

pytestmark = pytest.mark.integration

PREFIX = "/_tracking"


class Heard(monitoring.CommandListener):
    """Notes the commands to the server, and how long each may take there."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, Any]] = []
        self.queries: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Note a command."""
        self.commands.append((event.command_name, event.command.get("maxTimeMS")))
        if event.command_name == "find":
            self.queries.append(event.command["filter"])
        elif event.command_name == "aggregate":
            self.queries.append(event.command["pipeline"][0]["$match"])

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Note nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Note nothing."""


@pytest.fixture
def heard() -> Iterator[Heard]:
    """What clients that are made in the test send."""
    listener, listeners = Heard(), monitoring._LISTENERS.command_listeners
    listeners.append(listener)
    yield listener
    listeners.remove(listener)


@pytest.fixture
def tracking(
    app: Flask, database_uri: str, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tracking]:
    """Track `app` into a database, with the dashboard; a busy machine has time for whole pages."""
    limited = MongoExporter.limited
    monkeypatch.setattr(MongoExporter, "limited", lambda self, seconds: limited(self, 10 * seconds))
    app.config.update(
        TRACKING_DASHBOARD=True,
        TRACKING_MONGODB_URI=database_uri,
        TRACKING_EXPORT_TIMEOUT_S=20.0,
        PROPAGATE_EXCEPTIONS=False,
    )
    tracking = Tracking(app, dashboard_access=lambda: True)
    app.add_url_rule("/tea/<name>", "tea", lambda name: {"name": name})
    app.add_url_rule("/broken", "broken", lambda: str(1 / 0))
    yield tracking
    tracking.close(5)


@pytest.fixture
def client(app: Flask, tracking: Tracking) -> FlaskClient:
    """A client of it, after two requests."""
    client = app.test_client()
    client.get("/tea/green?cup=2")
    client.get("/broken")
    assert tracking.flush(10)
    return client


def get_exporter(app: Flask) -> MongoExporter:
    """Return the store of an app."""
    exporter: MongoExporter = app.extensions["tracking"].exporter
    return exporter


def test_no_client_while_nobody_looks(app: Flask, client: FlaskClient) -> None:
    """The second one is made for the first page, of few connections, and it is named."""
    exporter = get_exporter(app)
    assert "_reader" not in vars(exporter)
    client.get(f"{PREFIX}/requests")
    reader = exporter.reader()
    theirs = reader.collection().database.client
    assert theirs is not exporter.collection().database.client
    assert theirs.options.pool_options.appname == APP_NAME


Ask = Callable[[FlaskClient], None]


def _list(client: FlaskClient) -> None:
    page = check(client.get(f"{PREFIX}/requests").text)
    assert rows_of(page) == ["/broken", "/tea/green?cup=2"]


def _overview(client: FlaskClient) -> None:
    page = check(client.get(f"{PREFIX}/").text)
    assert "/tea/&lt;name&gt;" in page and "Not read in time" not in page


def _request(client: FlaskClient) -> None:
    (row, *_) = client.get(f"{PREFIX}/data/rows").get_json()["rows"]
    page = check(client.get(row["address"]).text)
    assert "ZeroDivisionError" in page
    check(client.get(f"{row['address']}/related").text)
    older = client.get(find_link(page, "older"), follow_redirects=True).text
    assert "/tea/green" in older
    assert "ZeroDivisionError" in client.get(find_link(older, "newer"), follow_redirects=True).text


def find_link(page: str, which: str) -> str:
    """Return where the link to the next request in one direction leads."""
    found = re.search(f'data-{which} href="([^"]+)"', page)
    assert found is not None
    return found[1]


def _rows(client: FlaskClient) -> None:
    rows = client.get(f"{PREFIX}/data/rows").get_json()["rows"]
    assert {row["path"][0][0] for row in rows} == {"/broken", "/tea/green?cup=2"}


def _proposals(client: FlaskClient) -> None:
    found = client.get(f"{PREFIX}/data/complete?text=error:").get_json()
    assert [one["text"] for one in found] == ["error:ZeroDivisionError"]


def _export(client: FlaskClient) -> None:
    assert len(client.get(f"{PREFIX}/export/ndjson").data.splitlines()) == 2


def _errors(client: FlaskClient) -> None:
    page = check(client.get(f"{PREFIX}/errors").text)
    (address,) = set(re.findall(r'href="([^"]+)"><b>ZeroDivisionError', page))
    assert "division by zero" in check(client.get(address).text)
    assert list(client.get(f"{PREFIX}/data/users").get_json().values()) == ["–"]


def _route(client: FlaskClient) -> None:
    query = {"rule": "/tea/<name>", "method": "GET", "q": "is:error or not is:error"}
    assert rows_of(check(client.get(f"{PREFIX}/route", query_string=query).text))


def _routes(client: FlaskClient) -> None:
    assert "GET /tea/&lt;name&gt;" in check(client.get(f"{PREFIX}/routes").text)


def _shared(client: FlaskClient) -> None:
    for query in ({"of": "failed"}, {"of": "slow"}, {"of": "filter", "q": "path:/broken"}):
        page = check(client.get(f"{PREFIX}/data/shared", query_string=query).text)
        assert "Too few to compare" in page or "There are none." in page


def _compare(client: FlaskClient) -> None:
    sides = {"a": "2h/1h", "b": "1h/0s"}
    assert "/tea/&lt;name&gt;" in check(client.get(f"{PREFIX}/compare", query_string=sides).text)
    page = client.get(f"{PREFIX}/data/shared", query_string={**sides, "of": "compare"}).text
    assert "B compared with" in check(page)


def _health(client: FlaskClient) -> None:
    assert client.get(f"{PREFIX}/health").status_code == 200


PAGES: dict[str, Ask] = {
    "list": _list,
    "overview": _overview,
    "request": _request,
    "rows": _rows,
    "proposals": _proposals,
    "export": _export,
    "errors": _errors,
    "route": _route,
    "routes": _routes,
    "shared": _shared,
    "compare": _compare,
    "health": _health,
}


@pytest.mark.parametrize("name", PAGES)
def test_page(client: FlaskClient, heard: Heard, name: str) -> None:
    """It shows what is stored, writes nothing, and the server is told when to stop."""
    heard.commands.clear()
    PAGES[name](client)
    reads = [limit for command, limit in heard.commands if command in ("find", "aggregate")]
    assert reads and all(limit is not None and limit <= 20_000 for limit in reads)
    writes = {"insert", "update", "delete", "create", "createIndexes", "findAndModify"}
    assert writes.isdisjoint({command for command, _ in heard.commands})


RANGES = ({"date_created"}, {"date_stored"}, {"width_s"}, {"_id"})
"""The fields by which each collection is indexed."""


@pytest.mark.parametrize("name", [name for name in PAGES if name != "health"])
def test_indexed_ranges(client: FlaskClient, heard: Heard, name: str) -> None:
    """Every read asks for a range of an index."""
    heard.queries.clear()
    PAGES[name](client)
    assert heard.queries
    assert [one for one in heard.queries if not any(fields <= one.keys() for fields in RANGES)] == []


def test_keep(app: Flask, client: FlaskClient) -> None:
    """A record that is kept from the page is kept in the database, and the page says so."""
    (row, *_) = client.get(f"{PREFIX}/data/rows?q=status:200").get_json()["rows"]
    page = client.get(row["address"]).text
    token = page.partition('name="token" value="')[2].partition('"')[0]
    headers = {"Sec-Fetch-Site": "same-origin"}
    address = f"{PREFIX}/requests/{row['id']}/keep"
    response = client.post(address, data={"token": token}, headers=headers)
    assert response.status_code == 303
    assert "Keep no longer" in client.get(response.headers["Location"]).text


def test_live_list_of_a_collection_that_is_dropped(
    app: Flask, client: FlaskClient, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A viewer goes on with what is stored in the new one, and gets each row once."""
    monkeypatch.setattr(live, "FRESH_S", 0.0)
    answer = client.get(f"{PREFIX}/data/rows").get_json()
    exporter = get_exporter(app)
    for path in ("/tea/black", "/tea/white"):
        exporter.collection().drop()
        client.get(path)
        assert tracking.flush(10)
        query = {"since": answer["now"], "have": answer["position"]}
        answer = client.get(f"{PREFIX}/data/rows", query_string=query).get_json()
        assert [row["path"][0][0] for row in answer["rows"]] == [path] and not answer["more"]
