"""On paper, and in the colours of the reader."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import Open
from .records import FAILED

pytestmark = pytest.mark.integration

SHOP = "/shop/_tracking"
COLOURS = """(selector) => {
  const style = getComputedStyle(document.querySelector(selector));
  return [style.color, style.backgroundColor];
}"""
INK, PAPER = "rgb(0, 0, 0)", "rgb(255, 255, 255)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_print(visit: Open, scheme: str) -> None:
    """Paper shows filter and range, and all that is folded; no navigation, and never a dark ground."""
    watched = visit(f"{SHOP}/requests/{FAILED}?q=is:error&from=6h", color_scheme=scheme)
    page = watched.page
    page.emulate_media(media="print")
    for selector in (".top", ".bar", ".actions", ".skip", ".plus-minus"):
        expect(page.locator(selector).first).to_be_hidden()
    expect(page.locator(".printed")).to_contain_text("is:error")
    expect(page.locator(".printed")).to_contain_text("Last 6 hours")
    expect(page.locator("details:not([open]) .place").first).to_be_visible()
    assert page.evaluate(COLOURS, "body") == [INK, PAPER]
    assert page.evaluate(COLOURS, ".card")[1] == PAPER
    assert page.pdf().startswith(b"%PDF")


def test_forced_colours(visit: Open) -> None:
    """Where the reader chooses the colours, shapes and steps still tell things apart."""
    watched = visit(SHOP + "/")
    page = watched.page
    page.emulate_media(forced_colors="active")
    steps = page.evaluate(
        """() => [1, 2, 3, 4, 5, 6, 7].map((step) => {
          const style = getComputedStyle(document.querySelector(`.steps .heat-${step}`));
          return `${style.fill} ${style.fillOpacity}`;
        })"""
    )
    assert len(set(steps)) == 7
    assert watched.find_sideways(390) == []
