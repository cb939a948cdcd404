"""What tests need that run pytest within their own process."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest
from flask import Flask

import flask_tracking
from flask_tracking import MemoryExporter, Tracking


@pytest.fixture(scope="session", autouse=True)
def _loaded() -> None:
    """Import all of the package, and what it loads for a worker.

    pytester forgets what a run has imported: the next one would import it anew, beside threads of the
    last one that still have the old modules.
    """
    for module in pkgutil.walk_packages(flask_tracking.__path__, "flask_tracking."):
        if module.name != "flask_tracking.pytest_plugin":  # pytest itself is to import it first
            import_module(module.name)
    Tracking(Flask("shop"), exporter=MemoryExporter())
