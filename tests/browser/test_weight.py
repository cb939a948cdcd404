"""What the pages weigh, compressed as servers do."""

from __future__ import annotations

import gzip

import pytest

from .addresses import STATES
from .conftest import Open
from .records import LARGE
from .watched import Watched

pytestmark = pytest.mark.integration

FIRST_VIEW, LATER_PAGE = 90_000, 30_000
"""Bytes."""
TRANSFERRED = """() => performance.getEntries().filter(
  ({entryType, transferSize}) => ["navigation", "resource"].includes(entryType) && transferSize > 0
).map(({name}) => name)"""
"""The addresses that came over the network, and not out of the browser's cache."""


def weigh(watched: Watched) -> int:
    """Return the bytes that were transferred for the page, had the server compressed them."""
    watched.page.wait_for_load_state("networkidle")
    names = set(watched.page.evaluate(TRANSFERRED))
    bodies = {one.url: one.body() for one in watched.responses if one.url in names}
    assert set(bodies) == names
    return sum(len(gzip.compress(body, 6)) for body in bodies.values())


def test_first_view_and_later_pages(visit: Open) -> None:
    """The first view has all files with it; a later page is only itself."""
    watched = visit("/shop/_tracking/")
    first = weigh(watched)
    weights = {}
    for name, path in [*STATES.items(), ("request with large bodies", f"/requests/{LARGE}")]:
        watched.responses.clear()
        watched.open(f"/shop/_tracking{path}")
        weights[name] = weigh(watched)
    print(first, weights)  # shown with -s
    assert first <= FIRST_VIEW
    assert {name: weight for name, weight in weights.items() if weight > LATER_PAGE} == {}
