"""The directive ``tracking-settings``: every setting, as `flask_tracking.Settings` describes it.

The page that uses it says nothing about a setting by itself, so it cannot say anything else than the
code does.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from docutils import nodes  # type: ignore[import-untyped, unused-ignore]
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from flask_tracking import Settings

__all__ = ["Setting", "read_settings", "render_settings"]

MAX_ITEMS = 3
"""A default with more items than this has no room in the table."""


class Setting(NamedTuple):
    """What the code says about one setting."""

    key: str
    unit: str
    default: Any
    meaning: str


def read_settings() -> list[Setting]:
    """Return all settings, in the order in which the code has them."""
    return [
        Setting(**{name: field.metadata[name] for name in Setting._fields})
        for field in dataclasses.fields(Settings)
    ]


def render_settings() -> str:
    """Return the reference as MyST: a table of all settings, then each at length."""
    settings = read_settings()
    return "\n".join([*_render_table(settings), "", *map(_render_setting, settings)])


def _render_table(settings: list[Setting]) -> Iterator[str]:
    yield "| key | type, unit | default |"
    yield "|---|---|---|"
    for setting in settings:
        yield f"| {{confval}}`{setting.key}` | {_render_unit(setting)} | {_render_default(setting)} |"


def _render_setting(setting: Setting) -> str:
    # A key that a meaning mentions becomes a link to where that key is explained.
    meaning = re.sub(r"`(TRACKING_[A-Z_]+)`", r"{confval}`\1`", setting.meaning)
    return "\n".join(
        [
            f"```{{confval}} {setting.key}",
            f":type: {_render_unit(setting)}",
            f":default: {_render_default(setting, in_full=True)}",
            "",
            meaning,
            "```",
            "",
        ]
    )


def _render_unit(setting: Setting) -> str:
    return re.sub(r"'[a-z]+'", r"`\g<0>`", setting.unit)


def _render_default(setting: Setting, *, in_full: bool = False) -> str:
    default = setting.default
    if isinstance(default, list) and len(default) > MAX_ITEMS and not in_full:
        return f"{len(default)} of them, see below"
    size = _render_size(default) if setting.unit == "bytes" else ""
    return f"`{default!r}`{size}"


def _render_size(size: int) -> str:
    for exponent, unit in ((2, "MiB"), (1, "KiB")):
        if size and size % 1024**exponent == 0:
            return f" ({size // 1024**exponent} {unit})"
    return ""


class SettingsDirective(SphinxDirective):
    """Takes no argument, no option and no content."""

    def run(self) -> list[nodes.Node]:
        """Return the reference as nodes."""
        for source in (__file__, inspect.getfile(Settings)):
            self.env.note_dependency(source)
        return self.parse_text_to_nodes(render_settings())


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("tracking-settings", SettingsDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
