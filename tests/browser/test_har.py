"""An archive of recorded requests answers a browser that has no server."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from playwright.sync_api import Browser

from flask_tracking import MemoryExporter, Tracking

pytestmark = pytest.mark.integration

SHOP = "http://shop.example"
HOME = '<!doctype html><meta charset="utf-8"><title>Tea</title><script src="/shop.js"></script>'
SCRIPT = """
async function order() {
  const teas = await (await fetch("/teas?max_cents=900")).json();
  const answer = await fetch("/orders", {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({tea: teas[0]}),
  });
  return `${answer.status} ${answer.headers.get("Location")} ${(await answer.json()).ordered}`;
}
"""


@pytest.fixture
def shop(app: Flask, memory: MemoryExporter) -> Flask:
    """An app with a page, a script, and an API that the script asks."""
    Tracking(app, exporter=memory)
    app.add_url_rule("/", "home", lambda: HOME)
    app.add_url_rule("/shop.js", "script", lambda: Response(SCRIPT, mimetype="text/javascript"))
    app.add_url_rule("/teas", "teas", lambda: ["grüner Tee 🍵", "assam"])

    def order() -> ResponseReturnValue:
        return {"ordered": request.get_json()["tea"]}, 201, {"Location": "/orders/17"}

    app.add_url_rule("/orders", "order", order, methods=["POST"])
    return app


def test_chromium_is_answered_from_an_archive(
    shop: Flask, memory: MemoryExporter, chromium: Browser, tmp_path: Path
) -> None:
    """A page, its script and what that fetches are answered as they were when they were recorded."""
    client = shop.test_client()
    for path in ("/", "/shop.js", "/teas?max_cents=900"):
        client.get(path, base_url=SHOP)
    # As browsers write it: what is asked for is found by its body, too.
    body = '{"tea":"grüner Tee 🍵"}'
    client.post("/orders", base_url=SHOP, data=body, content_type="application/json")
    ids = [str(record.id) for record in memory.records]
    printed = shop.test_cli_runner().invoke(args=["tracking", "har", *ids])
    assert printed.exit_code == 0, printed.output
    archive = tmp_path / "requests.har"
    archive.write_text(printed.stdout, encoding="utf-8")

    context = chromium.new_context()
    try:
        context.route_from_har(archive, not_found="abort")
        page = context.new_page()
        page.goto(SHOP + "/")
        assert page.title() == "Tea"
        assert page.evaluate("order()") == "201 /orders/17 grüner Tee 🍵"
    finally:
        context.close()
