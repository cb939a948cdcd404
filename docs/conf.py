"""How Sphinx builds these pages: ``make docs``, where a warning is an error."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_ext")]

project = "flask-tracking"
author = "The flask-tracking maintainers"
copyright = "the flask-tracking maintainers"

_declared = re.search(r'^version = "(.+)"$', (DOCS.parent / "pyproject.toml").read_text(), re.MULTILINE)
release = version = _declared[1] if _declared else ""

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "commands_reference",
    "settings_reference",
]
exclude_patterns = ["_build", "examples"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

# In docstrings a name in single backticks is a link where it names something that the pages have.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", r".*"),  # a parameter, a private name: shown as code, not as a link
    ("py:class", r"(?!flask_tracking\.).*"),  # others' classes: their inventories need the network
    ("py:class", r"flask_tracking\.exporters\.mongo\.collection\..*"),  # said by `init`
    ("py:class", r"flask_tracking\.extension\.T"),  # stands for whatever is decorated
    ("py:class", r"flask_tracking\.testing\.recorded\.A"),  # the requests that an assertion is about
    ("py:class", r"flask_tracking\.queries\.statistics\.V"),  # stands for what is asked for
]

html_theme = "furo"
html_title = "flask-tracking"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = False
html_theme_options = {
    "source_repository": "https://github.com/flask-tracking/flask-tracking/",
    "source_branch": "main",
    "source_directory": "docs/",
}


COLON = "\ue000"
"""Stands for a colon while napoleon reads a docstring."""


def _hide_colons(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    # Of an attribute napoleon reads "text: more" as "type: text". No docstring here is meant so.
    if what in ("attribute", "property") and lines:
        lines[0] = lines[0].replace(":", COLON)


def _show_colons(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [line.replace(COLON, ":") for line in lines]


def setup(app: Sphinx) -> None:
    """Put a step before and a step after napoleon, whose priority is 500."""
    app.connect("autodoc-process-docstring", _hide_colons, priority=499)
    app.connect("autodoc-process-docstring", _show_colons, priority=501)
