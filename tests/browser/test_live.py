"""A list that is live: requests appear as they are stored, and nothing moves under the reader."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from .conftest import Open

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
