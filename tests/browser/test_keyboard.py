"""The keyboard alone: the way to a request, and the keys of the help."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from flask_tracking.dashboard.page import KEYS

from .addresses import STATES
from .conftest import Open
from .records import BINARY, FAILED

pytestmark = pytest.mark.integration

SHOP = "/shop/_tracking"
HIDDEN = """() => {
  const mine = document.activeElement.getBoundingClientRect();
  const bar = document.querySelector(".pages").getBoundingClientRect();
  if (document.activeElement.closest(".pages") || mine.height === 0) return "";
  return mine.top >= bar.top ? document.activeElement.outerHTML.slice(0, 200) : "";
}"""
"""What has the focus, if it is wholly below the bar at the bottom of a phone (WCAG 2.4.11)."""


def tab_to(page: Page, selector: str, most: int = 60) -> None:
    """Press Tab until something that `selector` matches has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} has no focus after {most} times Tab")


def test_from_overview_to_a_request_by_tab(visit: Open) -> None:
    """Skip link, the button of the verdict, a row: three times Enter."""
    page = visit(SHOP + "/").page
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.keyboard.press("Enter")
    tab_to(page, ".verdict a")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/requests\?q=method:POST\+route:/checkout\+.*&from="))
    tab_to(page, "a[data-row]")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("/checkout")


def test_from_overview_to_a_request_by_keys(visit: Open) -> None:
    """g r, j twice, Enter; then j and k to the next and the previous request."""
    page = visit(SHOP + "/").page
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page).to_have_url(re.compile("/requests$"))
    for key in "jjkj":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/requests/{BINARY}"))
    first = page.url
    page.keyboard.press("j")
    expect(page).not_to_have_url(first)
    page.keyboard.press("k")
    expect(page).to_have_url(first)


@pytest.mark.parametrize("name", KEYS)
def test_keys_of_pages(visit: Open, name: str) -> None:
    """g and a letter open each page."""
    page = visit(f"{SHOP}/requests/{BINARY}").page
    page.keyboard.press("g")
    page.keyboard.press(KEYS[name])
    expect(page.locator(".pages [aria-current=page]")).to_contain_text(name.title())  # and what is new
    assert page.url.endswith(STATES[name])


def test_filter_key(visit: Open) -> None:
    """/ goes to the filter, where keys are text, Enter applies it and Escape leaves it."""
    page = visit(SHOP + "/requests").page
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("user:acme:42 g")
    for _ in range(2):  # the first may close what is proposed
        page.keyboard.press("Escape")
    expect(page.locator("#q")).not_to_be_focused()
    page.keyboard.press("Control+j")
    expect(page.locator("tr[data-current]")).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.press("End")
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/requests\?q=user(:|%3A)acme(:|%3A)42"))
    expect(page.locator("tbody tr")).to_have_count(4)


def test_help(visit: Open) -> None:
    """? opens the help, Escape closes it, and its switch turns the keys off for good."""
    watched = visit(SHOP + "/")
    page, sheet = watched.page, watched.page.locator("#help")
    page.keyboard.press("?")
    expect(sheet).to_be_visible()
    assert watched.find_axe_violations() == []
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    page.keyboard.press("?")
    tab_to(page, "#help input")
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    watched.open(SHOP + "/requests")
    page.keyboard.press("?")
    page.keyboard.press("j")
    expect(sheet).to_be_hidden()
    expect(page.locator("tr[data-current]")).to_have_count(0)


def test_focus_is_seen(visit: Open) -> None:
    """On a phone nothing that has the focus is behind the bar, and all of it has an outline."""
    page = visit(f"{SHOP}/requests/{FAILED}", viewport={"width": 390, "height": 600}).page
    stops = 0
    for _ in range(150):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.count() == 0:
            break
        assert page.evaluate(HIDDEN) == ""
        outline = page.evaluate(
            "() => getComputedStyle(document.activeElement.closest('.find') ?? document.activeElement)"
            ".outlineStyle"
        )
        assert outline != "none", focused.evaluate("(one) => one.outerHTML")
        stops += 1
    assert stops > 30
