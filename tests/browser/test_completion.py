"""The filter box proposes how to go on, for keyboard, pointer and assistive technology."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import Open

pytestmark = pytest.mark.integration

LIST = "/shop/_tracking/requests"
OPTIONS = "#q-options [role=option]"


def test_by_keyboard(visit: Open) -> None:
    """Keys, then values, then the list; Escape closes it and stays in the box."""
    watched = visit(LIST)
    page = watched.page
    box = page.locator("#q")
    page.keyboard.press("/")
    page.keyboard.type("use")
    expect(page.locator(OPTIONS)).to_have_count(1)
    expect(box).to_have_attribute("aria-expanded", "true")
    assert watched.find_axe_violations() == []
    page.keyboard.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "q-option-0")
    page.keyboard.press("Enter")
    expect(box).to_have_value("user:")
    expect(page.locator(OPTIONS).first).to_contain_text("user:")
    page.keyboard.type("acme")
    expect(page.locator(OPTIONS).first).to_contain_text("acme")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    expect(box).to_have_value("user:acme:42 ")
    page.keyboard.type("sta")
    expect(page.locator(OPTIONS)).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("#q-options")).to_be_hidden()
    expect(box).to_be_focused()


def test_by_pointer(visit: Open) -> None:
    """A click takes a proposal, in the middle of a filter, too."""
    page = visit(f"{LIST}?q=status: method:GET").page
    box = page.locator("#q")
    box.focus()
    box.evaluate("(input) => input.setSelectionRange(7, 7)")
    page.keyboard.press("ArrowDown")
    page.locator(OPTIONS, has_text="5xx").click()
    expect(box).to_have_value("status:5xx method:GET")


def test_hostile_values(visit: Open) -> None:
    """What strangers call themselves is shown as text."""
    watched = visit("/hostile/_tracking/requests")
    watched.page.locator("#q").fill("user:")
    expect(watched.page.locator(OPTIONS).first).to_be_visible()
    assert watched.find_axe_violations() == []
    assert watched.find_sideways(390) == []
