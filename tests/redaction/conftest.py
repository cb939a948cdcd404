"""Both engines."""

from __future__ import annotations

import pytest

from flask_tracking.redaction.engines.base import Engine
from flask_tracking.redaction.engines.python import PythonEngine
from flask_tracking.redaction.engines.re2 import Re2Engine


@pytest.fixture(params=["re", "re2"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the engines."""
    if request.param == "re":
        return PythonEngine()
    pytest.importorskip("re2")
    return Re2Engine()
