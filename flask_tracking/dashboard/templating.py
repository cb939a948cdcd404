"""Templates, in a Jinja environment of our own: the app may have reconfigured its own."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from functools import lru_cache
from typing import Any

from flask import Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from . import static_files
from .text import numbers
from .text.hidden_characters import shorten, split_hidden

_MARKED = re.compile(r"(`[^`]{1,200}`)|(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)")
"""Code and times of sentences, like ``2026-11-30 12:00:05 UTC``; a near miss is a lone backtick."""
STATUS_KINDS = {1: "none", 2: "ok", 3: "redirect", 4: "client", 5: "server"}


def render(template: str, **values: Any) -> str:
    """Return a page.

    Args:
        template: the file in ``templates``.
        **values: what it shows; all of it is escaped.
    """
    return _environment().get_template(template).render(**values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("flask_tracking.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        shown=show,
        sentence=show_sentence,
        plain=show_plainly,
        as_json=lambda value: json.dumps(value, ensure_ascii=False),
        status_kind=status_kind,
        offset=_offset,
        duration=numbers.duration,
        tick=numbers.tick,
        size=numbers.size,
        count=numbers.count,
        per_minute=numbers.per_minute,
        share=numbers.share,
        clock=numbers.clock,
        iso=numbers.iso,
    )
    environment.globals["static"] = static_files.address_of
    return environment


def html(text: str, status: int = 200) -> Response:
    """Return a page."""
    return Response(text, status, content_type="text/html; charset=utf-8")


def show(text: object, most: int = 10_000) -> Markup:
    """Return untrusted text for a page: escaped, truncated, with marks for hidden characters."""
    beginning, left_out = shorten(str(text), most)
    parts = [_show_part(part.text, part.name) for part in split_hidden(beginning)]
    if left_out:
        parts.append(Markup('<span class="dim">… {:,} more</span>').format(left_out))
    return Markup("").join(parts)


def show_sentence(text: str, most: int = 1_000) -> Markup:
    """Return a sentence of ours, which may quote stored text: as `show`, with its times and its code.

    Scripts show the times in the zone of the reader.
    """
    return Markup("").join(_show_marked(part, most) for part in _MARKED.split(text) if part)


def _show_marked(part: str, most: int) -> Markup:
    if not _MARKED.fullmatch(part):
        return show(part, most)
    if part.startswith("`"):
        return Markup("<code>{}</code>").format(show(part.strip("`"), most))
    day, clock, _ = part.split()
    return Markup('<time datetime="{}T{}Z" data-second>{}</time>').format(day, clock, part)


def show_plainly(text: object, most: int = 200) -> str:
    """Return untrusted text for an attribute, which cannot hold elements: marks are plain text."""
    beginning, left_out = shorten(str(text), most)
    return "".join(part.text for part in split_hidden(beginning)) + ("…" if left_out else "")


def _show_part(text: str, name: str) -> Markup:
    if not name:
        return escape(text)
    return Markup('<span class="hidden-character" title="{}">{}</span>').format(name, text)


def status_kind(code: int | None, outcome: str = "ok") -> str:
    """Return the CSS class of a status, which gives it a colour and a shape."""
    if code is None:
        return "server" if outcome in ("error", "stream_error") else "none"
    return STATUS_KINDS.get(code // 100, "none")


def _offset(difference: timedelta) -> str:
    seconds = difference.total_seconds()
    return f"{'+' if seconds > 0 else '−'}{numbers.duration(abs(seconds) * 1000)}"
