"""What the commands that redact need of the app, apart from all others: its import takes long."""

from __future__ import annotations

from flask import Flask, current_app

from ..pipeline.callback import literals_of
from ..pipeline.redaction.again import Revision
from ..pipeline.redaction.redactor import Redactor
from .common import find_current


def find_redactor() -> Redactor:
    """Return a redactor with the current app's settings, secrets and callback."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    tracked = find_current()
    return Redactor(tracked.settings, literals_of(app), callback=tracked.redact)


def find_revision() -> Revision:
    """Return today's rules of redaction, with the current app's settings and secrets."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    tracked = find_current()
    return Revision(tracked.settings, literals_of(app), tracked.redact)
