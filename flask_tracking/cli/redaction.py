"""Redactors for commands, in a module of their own because importing it is slow."""

from __future__ import annotations

from flask import Flask, current_app

from ..redaction.redactor import Redactor, make_redactor_for_stored
from ..registry import literals_of
from .common import get_current


def make_current_redactor() -> Redactor:
    """Return a redactor with the current app's settings, secrets and callback."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    tracked = get_current()
    return Redactor(tracked.settings, literals_of(app), callback=tracked.redact)


def make_current_stored_redactor() -> Redactor:
    """Return the same for stored records."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    tracked = get_current()
    return make_redactor_for_stored(tracked.settings, literals_of(app), tracked.redact)
