"""A tracked app with the dashboard, and what comes back from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_tracking import MemoryExporter, Tracking
from flask_tracking.dashboard import sharing
from flask_tracking.dashboard.comparison import selections

Make = Callable[..., Flask]


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine any question would be heavy, so its answer shared, and any sample cut short."""
    monkeypatch.setattr(sharing, "HEAVY_S", math.inf)
    monkeypatch.setattr(selections, "BUDGET_S", 60.0)


@pytest.fixture
def make(app: Flask, memory: MemoryExporter) -> Make:
    """Return the app with the dashboard, open unless something else is asked for."""

    def make(access: Any = lambda: True, *, nonce: Any = None, **config: Any) -> Flask:
        app.config.update(TRACKING_DASHBOARD=True, PROPAGATE_EXCEPTIONS=False, **config)
        Tracking(app, exporter=memory, dashboard_access=access, dashboard_nonce=nonce)
        app.add_url_rule("/tea/<name>", "tea", lambda name: {"name": name}, methods=["GET", "POST"])
        app.add_url_rule("/broken", "broken", lambda: str(1 / 0))
        return app

    return make
