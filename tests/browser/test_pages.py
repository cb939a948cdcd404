"""Every page and state, as people may look at it."""

from __future__ import annotations

import pytest

from .addresses import PAGES
from .conftest import Open

pytestmark = pytest.mark.integration

WIDTHS = {"light": 1280, "dark": 390}
REFLOW = {"200 %": 640, "400 %": 320}
"""To how many pixels a window of 1280 shrinks when its page is enlarged."""


@pytest.mark.parametrize("name", PAGES)
def test_page(visit: Open, name: str) -> None:
    """Whoever opens it, in light or dark, on a phone or enlarged: nothing is wrong with it."""
    watched = visit(PAGES[name])
    found = {}
    for scheme, width in WIDTHS.items():
        watched.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found[f"sideways, {width} px"] = watched.find_sideways(width)
        found[f"axe, {scheme}, {width} px"] = watched.find_axe_violations()
    for zoom, width in REFLOW.items():
        found[f"sideways, {zoom}"] = watched.find_sideways(width, 256)
    assert {what: problems for what, problems in found.items() if problems} == {}
