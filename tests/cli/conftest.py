"""The command line of the app."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(app: Flask) -> Invoke:
    """Run ``flask tracking ...``."""
    runner = app.test_cli_runner()

    def run(*arguments: str, typed: str | None = None) -> Result:
        return runner.invoke(args=["tracking", *arguments], input=typed)

    return run
