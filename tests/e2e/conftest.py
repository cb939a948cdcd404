"""Tests that run whole apps in processes of their own."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _left_out_of_coverage_here(untraced: None) -> None:
    """What is under test runs elsewhere, or does what unit tests cover."""
