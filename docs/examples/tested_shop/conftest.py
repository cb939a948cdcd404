"""The app of the tests, for pytest-flask and for the fixtures of flask-tracking."""

from __future__ import annotations

import pytest
from flask import Flask
from tea import create_app


@pytest.fixture
def app() -> Flask:
    """A new app for each test."""
    app = create_app()
    app.config["SERVER_NAME"] = "localhost"  # what live_server needs with Flask 3.0
    return app
