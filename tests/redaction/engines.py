"""The engines, one of each for all tests: rules are compiled once for each instance."""

from __future__ import annotations

import functools

import pytest

from flask_tracking.redaction.engines.base import Engine
from flask_tracking.redaction.engines.python import PythonEngine
from flask_tracking.redaction.engines.re2 import Re2Engine

__all__ = ["ENGINE_NAMES", "PYTHON", "get_engine"]

ENGINE_NAMES = ("re2", "re")
PYTHON = PythonEngine()


@functools.cache
def get_engine(name: str) -> Engine:
    """Return the engine of that name; skip the test where RE2 is not installed."""
    if name == PYTHON.name:
        return PYTHON
    pytest.importorskip("re2")
    return Re2Engine()
