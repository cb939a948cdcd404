"""What a signal's handler raises in the worker's greenlet, and whom it is meant for.

Python calls such handlers in whatever the main thread is just running. Under gevent and eventlet that
may be the worker, in which a ``sys.exit()`` or Ctrl-C would end nothing.
"""

from __future__ import annotations

import _thread
import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

__all__ = ["persist"]

R = TypeVar("R")

INTERRUPTS = (SystemExit, KeyboardInterrupt)
MOST_TIMES = 3
"""A step that is broken off so often is broken off by itself, as by a callback that exits."""


def persist(step: Callable[..., R], *args: object) -> R:
    """Call `step`, and once more where a signal has broken it off.

    What the signal's handler raised goes on to the main greenlet, as it does from any other.
    """
    for _ in range(MOST_TIMES - 1):
        try:
            return step(*args)
        except INTERRUPTS as error:
            if not _is_greenlet():
                raise
            _pass_on(error)
    return step(*args)


def _is_greenlet() -> bool:
    """Tell whether this runs in a greenlet; a thread of its own is never interrupted by a signal."""
    greenlet = sys.modules.get("greenlet")
    return greenlet is not None and greenlet.getcurrent().parent is not None


def _pass_on(error: BaseException) -> None:
    # What starts a thread is patched where this is a greenlet. The hub hands on what ends one of its
    # own, but not what ends the target of a `threading.Thread`.
    _thread.start_new_thread(_raise, (error,))


def _raise(error: BaseException) -> NoReturn:
    raise error
