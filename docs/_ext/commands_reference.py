"""The commands of ``flask tracking``, for the directive ``click`` of sphinx-click."""

from __future__ import annotations

from typing import Any

from flask import Flask
from sphinx.application import Sphinx

from flask_tracking import cli

__all__ = ["tracking"]

_app = Flask("documented")
cli.register(_app)
tracking = _app.cli.commands["tracking"]


def _escape_wildcards(app: Sphinx, context: Any, lines: list[str]) -> None:
    # Help texts are plain text: a star in one begins no emphasis.
    lines[:] = [line.replace("*", r"\*") for line in lines]


def setup(app: Sphinx) -> dict[str, Any]:
    """Let help texts through as they are."""
    app.setup_extension("sphinx_click")
    for part in ("description", "options", "arguments"):
        app.connect(f"sphinx-click-process-{part}", _escape_wildcards)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
