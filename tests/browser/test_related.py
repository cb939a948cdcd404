"""Related requests, which come after the page of a request, and the way to the next request."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from .conftest import Open
from .records import BARE, FAILED

pytestmark = pytest.mark.integration

REQUESTS = "/shop/_tracking/requests"
RELATED = f"**/data/requests/{FAILED}/related*"
PLACES = """() => {
  const found = [...document.querySelectorAll(".card:not([data-panel]), .crumbs, .actions")];
  return found.map((one) => JSON.stringify(one.getBoundingClientRect()));
}"""
"""Where everything is but the panel."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_panel(visit: Open, scheme: str, width: int) -> None:
    """It takes the place of its link and moves nothing; it is right, on a phone and in the dark."""
    watched = visit(REQUESTS, color_scheme=scheme, viewport={"width": width, "height": 844})
    held: list[Route] = []
    watched.page.route(RELATED, lambda route: held.append(route))
    watched.open(f"{REQUESTS}/{FAILED}?q=user:acme:42")
    panel = watched.page.locator("[data-panel]")
    expect(panel).to_contain_text("Reading up to 2,000 records …")
    before = watched.page.evaluate(PLACES)
    held.pop().continue_()
    expect(panel.get_by_role("heading", name="Same user, around it")).to_be_visible()
    assert watched.page.evaluate(PLACES) == before
    assert watched.find_axe_violations() == []
    assert watched.find_sideways(width) == []
    panel.locator("li:not([aria-current]) a.path").first.click()
    expect(watched.page).to_have_url(re.compile(r"/requests/(?!" + str(FAILED) + r")\w+\?q=user"))


def test_panel_that_does_not_come(visit: Open) -> None:
    """The link stays, and leads to the same on a page."""
    watched = visit(REQUESTS)
    watched.page.route(RELATED, lambda route: route.fulfill(status=200, body="<p>no panel</p>"))
    watched.open(f"{REQUESTS}/{FAILED}")
    panel = watched.page.locator("[data-panel]")
    expect(panel).to_contain_text("This takes long.")
    assert watched.find_axe_violations() == []
    panel.get_by_role("link").click()
    expect(watched.page.locator("h1")).to_have_text("Related requests")
    expect(watched.page.get_by_role("heading", name="Same user, around it")).to_be_visible()


def test_without_script(visit: Open) -> None:
    """Links lead to the related requests, to the next ones, and back."""
    page = visit(f"{REQUESTS}/{FAILED}", java_script_enabled=False).page
    page.get_by_role("link", name="Same user and same trace").click()
    expect(page.locator("h1")).to_have_text("Related requests")
    expect(page.get_by_role("heading", name="Same user, around it")).to_be_visible()
    page.get_by_role("link", name="back to the request").click()
    for name in ("older", "newer"):
        page.get_by_role("link", name=name).click()
        expect(page.locator(".crumbs")).to_contain_text("Requests")
    expect(page).to_have_url(re.compile(f"/requests/{FAILED}$"))


def test_panel_on_paper(visit: Open) -> None:
    """What has come is printed, without the navigation to other requests."""
    page = visit(f"{REQUESTS}/{FAILED}").page
    heading = page.get_by_role("heading", name="Same user, around it")
    expect(heading).to_be_visible()
    page.emulate_media(media="print")
    expect(heading).to_be_visible()
    expect(page.locator(".crumbs .push")).to_be_hidden()


def test_keys_to_the_end(visit: Open) -> None:
    """j leads through the requests of the filter to the last one, and says that it was the last."""
    page = visit(f"{REQUESTS}/{FAILED}?q=user:acme:42&from=24h").page
    for _ in range(10):
        address = page.url
        page.keyboard.press("j")
        expect(page).not_to_have_url(address)
        if "/older/" in page.url:
            break
    expect(page.locator("h1")).to_have_text("There is no older request")
    page.get_by_role("link", name="Back to the request").click()
    assert page.url == address


def test_newest_request(visit: Open) -> None:
    """k on the newest request of a filter says that there is no newer one."""
    page = visit(f"{REQUESTS}/{BARE}?q=user:nobody").page
    page.keyboard.press("k")
    expect(page.locator("h1")).to_have_text("There is no newer request")
