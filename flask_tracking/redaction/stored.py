"""Stored-record redaction: today's formats and names, for records that are stored already."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ..config import MAX_BODY_BYTES, Settings
from .redactor import Redactor
from .replacement import Redact


def make_stored_redactor(
    settings: Settings, find_literals: Callable[[], list[str]], callback: Redact | None = None
) -> Redactor:
    """Return a redactor that cuts no body, even where less of it would be stored today.

    Args:
        settings: of the app.
        find_literals: returns known secrets.
        callback: the app's ``redact``.
    """
    uncut = dataclasses.replace(settings, max_body_bytes=MAX_BODY_BYTES)
    return Redactor(uncut, find_literals, callback=callback)
