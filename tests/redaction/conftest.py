"""Both engines."""

from __future__ import annotations

import pytest

from flask_tracking.redaction.engines.base import Engine

from .engines import ENGINE_NAMES, get_engine


@pytest.fixture(params=ENGINE_NAMES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the engines."""
    return get_engine(request.param)
