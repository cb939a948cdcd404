"""Tools for tests: `overridden`, `assert_harmless`, `assert_exporter` and `assert_store`."""

from ..config.overridden import overridden
from .contract import assert_exporter, assert_store
from .harmless import assert_harmless

__all__ = ["assert_exporter", "assert_harmless", "assert_store", "overridden"]
