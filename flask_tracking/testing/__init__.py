"""Tools for tests: `overridden`, `assert_harmless`, `assert_exporter`, `assert_store`, and the types of
what the fixtures of the pytest plugin return."""

from ..config.overridden import overridden
from .contract import assert_exporter, assert_store
from .harmless import assert_harmless
from .recorded import RecordedRequest, RecordedRequests, RecordedSpan

__all__ = [
    "RecordedRequest",
    "RecordedRequests",
    "RecordedSpan",
    "assert_exporter",
    "assert_harmless",
    "assert_store",
    "overridden",
]
