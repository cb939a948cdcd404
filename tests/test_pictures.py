"""The pictures of the documentation are few and small, and each is shown."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from .servers import ROOT

PICTURES = sorted((ROOT / "docs" / "_static" / "dashboard").glob("*.png"))
MOST_BYTES = 150_000
TEXTS = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")


def test_few() -> None:
    """There are at most six: git keeps every version of each."""
    assert 0 < len(PICTURES) <= 6


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_picture(picture: Path) -> None:
    """A picture is a PNG of a whole page's width, small, and on the page of the tour."""
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">I", content[16:20])[0] in (1280, 390)
    assert len(content) <= MOST_BYTES
    assert f"(_static/dashboard/{picture.name})" in TEXTS
