"""Run one call on a thread of its own, while its caller does something else."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from .interrupts import persist

__all__ = ["BackgroundCall"]

R = TypeVar("R")


class BackgroundCall(Generic[R]):
    """A call whose result is collected later.

    A thread for each call: nothing has to end with the process or survive a fork. It is a daemon, so
    that a call that hangs does not keep the process from exiting.
    """

    def __init__(self, name: str, function: Callable[[], R]) -> None:
        """Store the arguments; `start` makes the call.

        Args:
            name: the name of the thread.
            function: the function to call.
        """
        self._function = function
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._claim = threading.Lock()
        self._done = threading.Event()
        self._results: list[R] = []
        self._error: BaseException | None = None

    def start(self) -> None:
        """Start the thread. If none can be started, `wait` makes the call itself."""
        with contextlib.suppress(Exception):  # a patched Thread may raise anything
            self._thread.start()

    def wait(self) -> None:
        """Wait for the end of the call."""
        self._run()
        persist(self._done.wait)

    def result(self) -> R:
        """Return the result of the call, or raise its exception. Call `wait` before."""
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        if not self._claim.acquire(blocking=False):  # never released: the call is made once
            return
        try:
            self._results.append(self._function())
        except BaseException as error:  # raised again by `result`, whatever it is
            self._error = error
        finally:
            self._done.set()
