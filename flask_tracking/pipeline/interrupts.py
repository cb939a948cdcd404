"""Pass exceptions of signal handlers to the main greenlet, and tell what must end the worker's thread.

Python runs signal handlers in whatever the main thread is executing. Under gevent and eventlet that may
be the worker, where a ``sys.exit()`` or Ctrl-C would not end the process.
"""

from __future__ import annotations

import _thread
import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

__all__ = ["ends_thread", "persist"]

R = TypeVar("R")

INTERRUPTS = (SystemExit, KeyboardInterrupt)
MOST_TIMES = 3
"""The number of attempts of a step. After that it interrupts itself, like a callback that exits."""


def persist(step: Callable[..., R], *args: object) -> R:
    """Call `step`, and repeat it if a signal interrupted it.

    The exception of the signal's handler is passed on to the main greenlet.
    """
    for _ in range(MOST_TIMES - 1):
        try:
            return step(*args)
        except INTERRUPTS as error:
            if not _is_greenlet():
                raise
            _pass_on(error)
    return step(*args)


def ends_thread(error: BaseException) -> bool:
    """Return True if `error` was raised to end the worker's thread: somebody kills its greenlet.

    Nothing else is: a ``SystemExit`` that `persist` lets through comes from the step itself, such as an
    exporter that calls ``sys.exit``.
    """
    greenlet = sys.modules.get("greenlet")
    return greenlet is not None and isinstance(error, greenlet.GreenletExit)


def _is_greenlet() -> bool:
    """Return True in a greenlet. Signals never interrupt a real thread other than the main one."""
    greenlet = sys.modules.get("greenlet")
    return greenlet is not None and greenlet.getcurrent().parent is not None


def _pass_on(error: BaseException) -> None:
    # Here this function is patched and starts a greenlet. The hub passes on the exceptions of its own
    # greenlets, but not those of a `threading.Thread`.
    _thread.start_new_thread(_raise, (error,))


def _raise(error: BaseException) -> NoReturn:
    raise error
