"""Regular expression engines: google-re2 where it is installed, else Python's ``re``."""

from __future__ import annotations

import functools

from .base import Engine

__all__ = ["best_engine"]


@functools.cache
def best_engine() -> Engine:
    """Return RE2 where it is installed, always the same one."""
    try:
        from .re2 import Re2Engine

        return Re2Engine()
    except ImportError:
        from .python import PythonEngine

        return PythonEngine()
