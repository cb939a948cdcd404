"""Our scripts: texts become text nodes, addresses come from the page, nothing comes from elsewhere."""

from __future__ import annotations

import re

import pytest

from flask_tracking.dashboard.static_files import load_files

SCRIPTS = {name: file.content.decode() for name, file in load_files().items() if name.endswith(".js")}
SINKS = (
    r"innerHTML|outerHTML|insertAdjacentHTML|DOMParser|document\.write|createContextualFragment"
    r"|srcdoc|setHTML|\beval\(|new Function|\.style\b|setAttribute\(.(?:style|on)"
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_sink(name: str) -> None:
    """Nothing of a stranger is parsed as markup, and no style or handler is written."""
    assert re.findall(SINKS, SCRIPTS[name]) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_address(name: str) -> None:
    """No script builds an address of ours, or knows one of others."""
    assert re.findall(r"""https?://|["'`]/[a-z_]""", SCRIPTS[name]) == []
