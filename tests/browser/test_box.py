"""A part of the chart of durations, drawn with the pointer, a finger or by keys, and its requests."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from .conftest import Open

pytestmark = pytest.mark.integration

OVERVIEW = "/shop/_tracking/"
CHART = "figure.chart:visible svg[data-grid]"
TOOLS = "figure.chart:visible [data-box]"


def drag(page: Page, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from one place of the chart to another, as shares of its width and height."""
    page.locator(CHART).scroll_into_view_if_needed()
    box = page.locator(CHART).bounding_box()
    assert box is not None
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (begin, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    page.mouse.up()


def query_of(page: Page) -> dict[str, list[str]]:
    """Return the parameters of the address."""
    return parse_qs(urlsplit(page.url).query)


def test_drag(visit: Open) -> None:
    """A box says how many requests are in it, and its button lists them; the address says the same."""
    watched = visit(OVERVIEW)
    page = watched.page
    drag(page, (0.6, 0.1), (0.9, 0.4))
    expect(page.locator(TOOLS)).to_be_visible()
    expect(page.locator(f"{TOOLS} output")).to_have_text(re.compile(r"^[\d,]+ requests?$"))
    assert watched.find_axe_violations() == []
    page.click(f"{TOOLS} button:has-text('Show')")
    expect(page.locator("h1")).to_have_text("Requests")
    query = query_of(page)
    assert re.fullmatch(r"slow:[\d.]+ms slow:<[\d.]+ms", query["q"][0])
    assert query["from"][0] < query["to"][0]
    expect(page.locator(".bar-error")).to_have_count(0)
    page.go_back()
    expect(page.locator("h1")).to_be_visible()


def test_drag_is_no_click(visit: Open) -> None:
    """The cell under the end of a drag is not opened; a click opens it."""
    page = visit(OVERVIEW).page
    drag(page, (0.3, 0.3), (0.5, 0.55))
    assert urlsplit(page.url).path == OVERVIEW
    page.click(f"{TOOLS} [data-box-close]")
    expect(page.locator(TOOLS)).to_be_hidden()
    page.locator(f"{CHART} a").nth(5).click()
    expect(page).to_have_url(re.compile(r"/requests\?q=slow"))


def test_drag_below_the_chart(visit: Open) -> None:
    """Among the bars it selects times alone, and zooms into them."""
    page = visit(OVERVIEW).page
    drag(page, (0.5, 0.95), (0.7, 0.95))
    page.click(f"{TOOLS} button:has-text('Zoom')")
    expect(page.locator("h1")).to_be_visible()
    assert set(query_of(page)) == {"from", "to"}
    assert urlsplit(page.url).path == OVERVIEW


def test_keys(visit: Open) -> None:
    """Arrows move a cell, with shift they extend it, Enter shows its requests, Escape lets go."""
    page = visit(OVERVIEW).page
    page.locator("figure.chart:visible").focus()
    page.keyboard.press("ArrowLeft")
    one = page.locator(f"{TOOLS} [data-box-range]").inner_text()
    for key in ("Shift+ArrowLeft", "Shift+ArrowUp", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    assert page.locator(f"{TOOLS} [data-box-range]").inner_text() != one
    expect(page.locator("[data-announce]")).to_have_text(
        re.compile(r"requests?, \d\d:\d\d–\d\d:\d\d, ")
    )
    page.keyboard.press("Escape")
    expect(page.locator(TOOLS)).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/requests\?q=slow"))


def test_finger(visit: Open) -> None:
    """A finger that moves sideways selects, too."""
    watched = visit(OVERVIEW, has_touch=True, viewport={"width": 390, "height": 844})
    page = watched.page
    page.locator(CHART).scroll_into_view_if_needed()
    box = page.locator(CHART).bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    y = box["y"] + box["height"] * 0.3
    for at, kind in enumerate(("touchStart", "touchMove", "touchMove", "touchMove", "touchEnd")):
        points = [{"x": box["x"] + box["width"] * (0.3 + 0.1 * at), "y": y}]
        session.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [] if at == 4 else points}
        )
    expect(page.locator(TOOLS)).to_be_visible()
    assert watched.find_sideways(390) == []


def test_title_of_a_cell(visit: Open) -> None:
    """A cell under the pointer says how many requests it has, how long they took, and when."""
    page = visit(OVERVIEW).page
    cell = page.locator(f"{CHART} a rect").nth(5)
    cell.hover(force=True)
    expect(cell.locator("title")).to_have_text(
        re.compile(r"^[\d,]+ from [\d.]+ m?s to [\d.]+ m?s, \d\d:\d\d$")
    )
