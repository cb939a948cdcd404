"""Tools for tests of tracked apps: `overridden`, and `assert_harmless`."""

from ..config.overridden import overridden
from .harmless import assert_harmless

__all__ = ["assert_harmless", "overridden"]
