"""A list that is live: requests appear as they are stored, and nothing moves under the reader."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from .conftest import Open
from .watched import Watched

pytestmark = pytest.mark.integration

LIST = "/shop/_tracking/requests"


def ask_for(page: Page, path: str) -> None:
    """Make a request elsewhere: not in the page that is looked at."""
    page.context.request.get(f"/shop{path}")


def first_row(page: Page) -> str:
    """Return a selector of the newest row's path."""
    return "table.requests tbody tr:first-child td.path"


def test_request_appears(visit: Open) -> None:
    """A request made elsewhere enters at the top, as the server itself would write it."""
    watched = visit(f"{LIST}?live=1")
    page = watched.page
    expect(page.locator("[data-live-state]")).to_have_text("live")
    ask_for(page, "/nowhere/at-all?a=%E2%80%AEb")
    expect(page.locator(first_row(page))).to_contain_text("/nowhere/at-all")
    row = page.locator("table.requests tbody tr").first
    live = row.inner_text()
    assert watched.find_axe_violations() == []
    page.reload()
    assert page.locator("table.requests tbody tr").first.inner_text() == live


def test_nothing_moves(visit: Open) -> None:
    """While the pointer is on the table, new rows wait behind a button; a click shows them once."""
    page = visit(f"{LIST}?live=1").page
    page.hover("table.requests tbody tr:nth-child(3)")
    before = page.locator(first_row(page)).inner_text()
    ask_for(page, "/waits/1")
    expect(page.locator("[data-live-new]")).to_have_text("1 new")
    ask_for(page, "/waits/2")
    expect(page.locator("[data-live-new]")).to_have_text("2 new")
    assert page.locator(first_row(page)).inner_text() == before
    page.click("[data-live-new]")
    expect(page.locator(first_row(page))).to_have_text("/waits/2")
    expect(page.locator("[data-live-new]")).to_be_hidden()
    assert page.locator("td.path", has_text="/waits/1").count() == 1


def test_filter_holds(visit: Open) -> None:
    """Only what the filter of the list selects appears."""
    page = visit(f"{LIST}?live=1&q=status:404").page
    ask_for(page, "/")
    ask_for(page, "/not/there")
    expect(page.locator(first_row(page))).to_have_text("/not/there")
    assert page.locator("td.path", has_text="/not/there").count() == 1


def test_first_request(visit: Open) -> None:
    """A list that waits for the first request shows it."""
    page = visit("/empty/_tracking/requests?q=status:404").page
    expect(page.locator("[data-live-state]")).to_have_text("waiting for the first request")
    page.context.request.get("/empty/first")
    expect(page.locator(first_row(page))).to_have_text("/first")


def test_key(visit: Open) -> None:
    """The key l begins and ends it."""
    page = visit(LIST).page
    page.keyboard.press("l")
    expect(page.locator("[data-live-state]")).to_be_visible()
    page.keyboard.press("l")
    expect(page.locator("[data-live-state]")).to_have_count(0)


HIDE = """(isHidden) => {
  Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def count_questions(watched: Watched) -> int:
    """Return how often the page has asked for new rows, and got an answer."""
    return sum("/data/rows" in response.url for response in watched.responses)


def test_hidden_tab(visit: Open) -> None:
    """A tab that is not in view asks for nothing; when it is again, what came meanwhile is there."""
    watched = visit(f"{LIST}?live=1&q=status:404")
    page = watched.page
    expect(page.locator("[data-live-state]")).to_have_text("live")
    page.evaluate(HIDE, True)
    expect(page.locator("[data-live-state]")).to_have_text("paused: not in view")
    page.wait_for_load_state("networkidle")  # a question may be on its way
    asked = count_questions(watched)
    ask_for(page, "/while/away")
    page.wait_for_timeout(2000)  # more than two questions
    assert count_questions(watched) == asked
    page.evaluate(HIDE, False)
    expect(page.locator(first_row(page))).to_have_text("/while/away")


def test_store_that_is_away(visit: Open) -> None:
    """The page says so, keeps what it has, and goes on when the store answers again."""
    watched = visit(f"{LIST}?live=1")
    page = watched.page
    page.route("**/data/rows*", lambda route: route.fulfill(status=503, body="away"))
    expect(page.locator("[data-live-state]")).to_have_text("the database is away")
    page.unroute("**/data/rows*")
    expect(page.locator("[data-live-state]")).to_have_text("live", timeout=15_000)
    watched.problems = [one for one in watched.problems if "503" not in one]
