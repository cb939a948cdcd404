"""What the apps have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Track = Callable[[Flask], None]
Factory = Callable[[Track], "WSGIApplication"]


def new_app(name: str, **config: object) -> Flask:
    """Make a bare app with a fixed key."""
    app = Flask(name, static_folder=None)
    app.secret_key = "not a secret"
    app.config.update(config)
    return app
