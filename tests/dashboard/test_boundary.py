"""Headers of the pages, whatever extensions of the app do to them."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, Response
from flask.json.provider import DefaultJSONProvider

from flask_tracking import MemoryExporter, Tracking
from flask_tracking.dashboard.security.boundary import COMMON, DOWNLOAD_POLICY, PAGE_POLICY

from .conftest import Make

PAGE = "/_tracking/requests"


def test_headers_of_a_page(make: Make) -> None:
    """Each page has the policy and its companions, and is not stored by browsers."""
    response = make().test_client().get(PAGE)
    assert response.headers["Content-Security-Policy"] == PAGE_POLICY
    assert response.headers["Cache-Control"] == "no-store"
    for name, value in COMMON:
        assert response.headers[name] == value


def test_the_app_replaces_headers(make: Make) -> None:
    """What the app sets for all responses stands beside our policy, and not in its place."""
    app = make()

    @app.after_request
    def replace(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "default-src 'self'"
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response

    response = app.test_client().get(PAGE)
    assert response.headers.getlist("Content-Security-Policy") == ["default-src 'self'", PAGE_POLICY]
    assert response.headers.getlist("X-Frame-Options") == ["DENY"]


def test_other_responses_pass(make: Make) -> None:
    """The app's own responses have none of it."""
    client = make().test_client()
    for path in ("/tea/x", "/nowhere", "/_tracking/nowhere"):
        assert "Content-Security-Policy" not in client.get(path).headers


def test_download(make: Make) -> None:
    """A body is a file that no browser opens, under a policy that lets it do nothing."""
    app = make()
    client = app.test_client()
    client.post("/tea/x", data=b"<script>alert(1)</script>", content_type="text/html")
    record = app.extensions["tracking"].exporter.records[0]
    response = client.get(f"/_tracking/requests/{record.id}/body/response")
    assert response.data == record.response_body
    assert response.headers["Content-Security-Policy"] == DOWNLOAD_POLICY
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{record.id}-response.bin"'
    assert client.get(f"/_tracking/requests/{record.id}/body/other").status_code == 404


def test_nonce(make: Make) -> None:
    """An app whose policy wants nonces gives us one."""
    page = make(nonce=lambda: 'a"b').test_client().get(PAGE).text
    tags = page.count("<script ") + page.count('rel="stylesheet"')
    assert page.count(' nonce="a&#34;b"') == tags >= 3


def fail() -> dict[str, Any]:
    """Break, as a context processor does that needs a database."""
    raise ZeroDivisionError


async def make_late() -> str:
    """Return a nonce as an asynchronous function."""
    return "later"


@pytest.mark.parametrize(
    ("nonce", "expected"),
    [
        (fail, 'rel="stylesheet" href'),
        (lambda: None, 'rel="stylesheet" href'),
        (make_late, ' nonce="later"'),
    ],
)
def test_function_of_the_nonce(make: Make, nonce: Any, expected: str) -> None:
    """An error costs the scripts and no page; an asynchronous function is awaited."""
    pytest.importorskip("asgiref")
    page = make(nonce=nonce).test_client().get(PAGE)
    assert page.status_code == 200
    assert expected in page.text


def test_mounted_elsewhere(make: Make) -> None:
    """Links begin where the app is mounted, and with the prefix that is set."""
    app = make(TRACKING_DASHBOARD_URL_PREFIX="/ops/requests-log")
    page = app.test_client().get(
        "/ops/requests-log/requests", environ_overrides={"SCRIPT_NAME": "/shop"}
    )
    assert page.status_code == 200
    assert 'href="/shop/ops/requests-log/requests?q=is:error"' in page.text
    assert "/_tracking" not in page.text


def test_app_that_routes_by_host() -> None:
    """The pages are at each host, and their links lead to the same one."""
    app = Flask("shop", host_matching=True, static_host="static.example")
    app.config.update(TRACKING_DASHBOARD=True, TRACKING_WORKER="sync")
    memory = MemoryExporter()
    Tracking(app, exporter=memory, dashboard_access=lambda: True)
    app.add_url_rule("/", "tea", lambda: "tea", host="shop.example")
    client = app.test_client()
    client.get("/", base_url="http://shop.example")
    for address in ("", "requests", f"requests/{memory.records[0].id}", "errors/0000", "health"):
        page = client.get(f"/_tracking/{address}", base_url="http://ops.example:8000")
        assert page.status_code == (404 if address == "errors/0000" else 200)
        assert 'href="/_tracking/requests' in page.text
        assert "tracking_host" not in page.text


def test_static_files(make: Make) -> None:
    """Our files may be kept for ever under an address that changes with them."""
    client = make().test_client()
    page = client.get(PAGE).text
    address = page.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    response = client.get(address)
    assert response.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert response.headers["Content-Type"] == "text/css; charset=utf-8"
    assert client.get(address.replace("/static/", "/static/0")).status_code == 404
    assert client.get(address.replace("tokens.css", "none.css")).status_code == 404


def test_app_with_its_own_templates(make: Make) -> None:
    """How the app changes its own environment of templates does not matter."""
    app: Flask = make()
    app.jinja_options = {"block_start_string": "<%", "block_end_string": "%>"}
    app.context_processor(fail)
    app.jinja_env.autoescape = False
    client = app.test_client()
    client.get("/tea/<script>alert(1)</script>")
    page = client.get(PAGE)
    assert page.status_code == 200
    assert "<script>alert" not in page.text


class Envelope(DefaultJSONProvider):
    """Writes every answer of the app's own interface in one form."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Take nothing but a dict."""
        return super().dumps({"data": dict(obj)}, **kwargs)


def test_app_with_its_own_json(make: Make) -> None:
    """Nor does how it writes JSON."""
    app: Flask = make()
    app.json = Envelope(app)
    answer = app.test_client().get("/_tracking/data/complete?text=sta")
    assert answer.mimetype == "application/json"
    assert b'"status:"' in answer.data
