"""A circuit breaker for polls: after a failure of the store, polls are refused for a while unasked."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from ..errors import ExportError
from ..registry import TrackedApp

REST_FACTOR = 9
"""A pause is so many times as long as the failed call: polls block a worker for a tenth of its time."""
MAX_REST_S = 10.0

_resumes_at: weakref.WeakKeyDictionary[TrackedApp, float] = weakref.WeakKeyDictionary()
"""When the store may be asked again, in seconds of the monotonic clock."""


@contextmanager
def circuit_breaker(tracked: TrackedApp) -> Iterator[None]:
    """Pause after the block fails: a store that is away must not keep the app's workers waiting.

    Each tab of a live list polls by itself, and a call to an unreachable database waits until its time
    is over. With a few tabs a synchronous worker would do nothing else.

    Args:
        tracked: the app; each has its own pause, in each process.

    Raises:
        ExportError: the block failed, or failed a moment ago and was not entered.
    """
    began = monotonic()
    wait_s = _resumes_at.get(tracked, 0.0) - began
    if wait_s > 0:
        raise ExportError(f"the store failed a moment ago and is asked again in {wait_s:.0f} s")
    try:
        yield
    except ExportError:
        ended = monotonic()
        _resumes_at[tracked] = ended + min(MAX_REST_S, REST_FACTOR * (ended - began))
        raise
