"""The policy of the app adds to ours, and strangers' text is only ever text."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from ..dashboard.hostile import PAYLOADS
from .addresses import STATES
from .conftest import Open
from .records import HOSTILE

pytestmark = pytest.mark.integration

FOREIGN = """() => [...document.querySelectorAll("*")].filter((one) =>
  ["IMG", "IFRAME", "BASE", "OBJECT", "EMBED", "STYLE", "TEXTAREA"].includes(one.tagName)
  || (one.tagName === "SCRIPT" && !one.src.startsWith(`${location.origin}/`))
  || [...one.attributes].some(({name, value}) => name.startsWith("on") || name === "style"
       || (["href", "src", "action"].includes(name) && /^\\s*(javascript|data|\\/\\/)/i.test(value)))
).map((one) => one.outerHTML.slice(0, 200))"""
"""Elements that no page of ours has."""


@pytest.mark.parametrize("mounted", ["self", "nonce"])
def test_policy_of_the_app(visit: Open, mounted: str) -> None:
    """Under ``default-src 'self'``, and with nonces, all pages work without a report."""
    watched = visit(f"/{mounted}/_tracking/", timezone_id="Asia/Kolkata")
    for path in STATES.values():
        response = watched.open(f"/{mounted}/_tracking{path}")
        names = [header["name"].lower() for header in response.headers_array()]
        assert names.count("content-security-policy") == 2
        expect(watched.page.locator("[data-zone]")).not_to_have_text("Times in UTC")
        background = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == "rgb(245, 246, 248)"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_record(visit: Open, name: str) -> None:
    """Nothing that a client sent becomes an element or runs: on its page, when copied, as a text."""
    address = f"/hostile/_tracking/requests/{HOSTILE[name]}"
    watched = visit(address)
    page = watched.page
    assert page.evaluate(FOREIGN) == []
    page.keyboard.press("c")
    expect(page.locator("dialog[open] pre")).not_to_be_empty()
    assert page.evaluate(FOREIGN) == []
    assert page.evaluate("window.fired") is None
    for language in ("curl", "pytest", "har"):
        watched.open(f"{address}/as/{language}")
        assert page.evaluate(FOREIGN) == []
        assert page.evaluate("window.fired") is None


@pytest.mark.parametrize("path", ["/", "/requests", "/routes", "/errors", "/shared?of=failed"])
def test_hostile_lists(visit: Open, path: str) -> None:
    """Nor on the pages that show many."""
    page = visit(f"/hostile/_tracking{path}").page
    assert page.evaluate(FOREIGN) == []
    assert page.evaluate("window.fired") is None


@pytest.mark.parametrize("side", ["request", "response"])
def test_hostile_body(visit: Open, side: str) -> None:
    """A body is downloaded, and never opened."""
    page = visit("/hostile/_tracking/requests").page
    record_id = HOSTILE["script"]
    with page.expect_download() as download:
        page.evaluate(
            "(address) => { location.href = address; }",
            f"/hostile/_tracking/requests/{record_id}/body/{side}",
        )
    assert download.value.suggested_filename == f"{record_id}-{side}.bin"


def test_hostile_addresses(visit: Open) -> None:
    """Nor from the address of a page."""
    watched = visit("/hostile/_tracking/requests")
    for name in ("script", "handler", "attribute", "bidi"):
        text = PAYLOADS[name]
        hostile = quote(text, errors="replace")
        one_name = quote(text.replace("/", ""), errors="replace")  # else the app's own 404 answers
        for path in (
            f"/requests/{one_name}",
            f"/requests?q={hostile}",
            f"/requests?after={hostile}&to={hostile}",
            f"/?q={hostile}&from={hostile}",
        ):
            watched.open(f"/hostile/_tracking{path}")
            assert watched.page.evaluate(FOREIGN) == []
            assert watched.page.evaluate("window.fired") is None
