"""A flight recorder for Flask: ``Tracking(app)`` makes a document of every request and response."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .capture.span import Span, current_span
    from .config.settings import Settings
    from .errors import (
        ConfigError,
        ExportError,
        FilterError,
        NoDatabaseError,
        ReplayError,
        StoreTimeoutError,
        TrackingError,
    )
    from .exporters.base import Exporter
    from .exporters.memory import MemoryExporter
    from .exporters.store import Store
    from .exporters.tee import TeeExporter
    from .extension import Tracking
    from .filters.filter import Filter
    from .pipeline.stats import Stats
    from .record import Record

__all__ = [
    "ConfigError",
    "ExportError",
    "Exporter",
    "Filter",
    "FilterError",
    "MemoryExporter",
    "NoDatabaseError",
    "Record",
    "ReplayError",
    "Settings",
    "Span",
    "Stats",
    "Store",
    "StoreTimeoutError",
    "TeeExporter",
    "Tracking",
    "TrackingError",
    "current_span",
]

_MODULES = {
    "ConfigError": "errors",
    "ExportError": "errors",
    "Exporter": "exporters.base",
    "Filter": "filters.filter",
    "FilterError": "errors",
    "MemoryExporter": "exporters.memory",
    "NoDatabaseError": "errors",
    "Record": "record",
    "ReplayError": "errors",
    "Settings": "config.settings",
    "Span": "capture.span",
    "Stats": "pipeline.stats",
    "Store": "exporters.store",
    "StoreTimeoutError": "errors",
    "TeeExporter": "exporters.tee",
    "Tracking": "extension",
    "TrackingError": "errors",
    "current_span": "capture.span",
}


def __getattr__(name: str) -> object:
    # Names are looked up when they are asked for (PEP 562): importing a leaf costs only the leaf.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
