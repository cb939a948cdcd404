"""Both engines."""

from __future__ import annotations

import pytest

from flask_tracking.pipeline.redaction.engine import Engine, Re2Engine, ReEngine


@pytest.fixture(params=["re", "re2"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the engines."""
    if request.param == "re":
        return ReEngine()
    pytest.importorskip("re2")
    return Re2Engine()
