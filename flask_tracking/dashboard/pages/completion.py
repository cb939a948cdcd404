"""Completions for the filter box: keys of terms, and known values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from flask import Response, current_app

from ...errors import TrackingError
from ...filters.completion import complete, split_last_word
from ...filters.terms import TERMS
from ...queries.values import find_app_values, find_record_values
from ..page import Page
from ..security.boundary import BLUEPRINT
from ..text.hidden_characters import split_shortened

MOST = 20
MAX_TEXT = 2000
MAX_SHOWN = 80
FRESH_S = 10.0
"""How long the values of a key are cached: each keystroke asks for completions."""


def show_completions(page: Page) -> Response:
    """Send the completions of a text as JSON, each with the word to display and a hint."""
    text = page.request.args.get("text", "")[:MAX_TEXT]
    found = complete(text, lambda key: _find_values(page, key))
    before, _ = split_last_word(text)
    proposals = [_describe(one, one[len(before) :]) for one in found[:MOST]]
    # The app may have changed how its own JSON is written.
    return Response(json.dumps(proposals), content_type="application/json")


def _describe(text: str, word: str) -> dict[str, Any]:
    term_type = TERMS.get(word.removesuffix(":"))
    hint = "" if term_type is None else term_type.meaning.replace("`", "")
    return {"text": text, "word": split_shortened(word, MAX_SHOWN), "hint": hint}


def _find_values(page: Page, key: str) -> Iterable[str]:
    return sorted(page.share(("values", key), lambda: _ask(page, key), FRESH_S, heavy_s=0.0))


def _ask(page: Page, key: str) -> set[str]:
    """Return the known values of a key, except our own pages, which are never recorded."""
    known = find_app_values(current_app, key)
    if known is not None:
        prefix = page.tracked.settings.dashboard_url_prefix
        return {one for one in known if not one.startswith((f"{prefix}/", f"{BLUEPRINT}."))}
    try:
        return find_record_values(page.store, key)
    except TrackingError:  # keys of terms are proposed all the same
        return set()
