"""Keep errors of this package out of the app, and errors of foreign code out of this package.

`harmless` guards our functions that run inside a request, `call_foreign` calls to foreign callbacks,
``repr`` and decoders. Functions that every request calls have an ``except`` with `report_failure`
instead, because a wrapper would cost as much as the function. All of these count failures, and log at
most one line a minute for each kind; `try_foreign`, for calls that are expected to raise, does neither.
Log lines and their tracebacks never quote a value: they show where it happened, but no foreign message.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from time import monotonic
from types import TracebackType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
D = TypeVar("D")

logger = logging.getLogger("flask_tracking")
"""The logger of the whole package."""

LOG_INTERVAL_S = 60.0
"""The minimum time between two log lines of one kind."""

failures: Counter[str] = Counter()
"""The number of failures in this process by kind, of all apps."""


class _Serving(threading.local):
    """The app that this thread or greenlet works for.

    Not a context variable: its reset raises a LookupError in CPython if garbage collection changes the
    context meanwhile.
    """

    failures: Counter[str] | None = None


_serving = _Serving()
_lookups: list[Callable[[], Counter[str] | None]] = []

_last_logged: dict[str, float] = {}


class HiddenMessageError(Exception):
    """Replaces a foreign exception in our log, so that its message is not quoted."""


def harmless(doing: str) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    """Make a function return None instead of raising.

    Only ``Exception`` is caught: ``SystemExit``, ``KeyboardInterrupt`` and ``GreenletExit`` belong
    to the app and its server and pass through.

    Args:
        doing: what the function does, for the log: "while ...". Also the key of the rate limit.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R | None]:
        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                report_failure(doing, error)
                return None

        return guarded

    return decorate


def call_foreign(what: str, function: Callable[..., R], *args: object, default: D) -> R | D:
    """Call foreign code; if it raises, log and count the failure, and return `default`.

    Args:
        what: a description of the call, for the log. Also the key of the rate limit.
        function: the callable.
        *args: its arguments.
        default: the result if it raises an ``Exception``.
    """
    try:
        return function(*args)
    except Exception as error:
        report_failure(what, error)
        return default


def try_foreign(function: Callable[..., R], *args: object, default: D) -> R | D:
    """Call foreign code that is expected to raise; if it does, return `default` without logging.

    Args:
        function: the callable.
        *args: its arguments.
        default: the result if it raises an ``Exception``.
    """
    try:
        return function(*args)
    except Exception:
        return default


def drop_own_frame() -> None:
    """Remove the calling function from the traceback of the exception that it handles.

    Call it first in an ``except`` clause that ends with a bare ``raise``. Logs, and servers that send
    tracebacks to clients, then show the same as without tracking. On Python 3.10 a bare ``raise``
    restores the traceback that the clause began with, so the function stays visible there.
    """
    _, error, trace = sys.exc_info()
    if error is not None and trace is not None:
        # Not by assignment, which a frozen dataclass refuses.
        BaseException.with_traceback(error, trace.tb_next)


@contextlib.contextmanager
def counting(app_failures: Counter[str]) -> Iterator[None]:
    """Also count the failures of this thread or greenlet for one app."""
    before, _serving.failures = _serving.failures, app_failures
    try:
        yield
    finally:
        _serving.failures = before


def attribute_by(lookup: Callable[[], Counter[str] | None]) -> None:
    """Call `lookup` when something fails; it returns the counter of the app that is being served.

    So requests need not pass their app to each step.
    """
    _lookups.append(lookup)


def _count(what: str) -> None:
    failures[what] += 1
    app_failures = _serving.failures
    for lookup in _lookups:
        if app_failures is None:
            app_failures = lookup()
    if app_failures is not None:
        app_failures[what] += 1


def report_failure(what: str, error: BaseException) -> None:
    """Count a failure and log it, with the stack and the type of `error` but without its message."""
    _count(what)
    warn_rarely(what, "%s failed with %s", what, type(error).__name__, trace=error.__traceback__)


def warn_rarely(
    key: str,
    message: str,
    *args: object,
    level: int = logging.WARNING,
    trace: TracebackType | None = None,
) -> bool:
    """Log one line, unless a line with this `key` was logged within the last minute.

    Never raises, not even when a log handler does: this runs inside requests.

    Returns:
        Whether the line is logged.
    """
    now = monotonic()
    last = _last_logged.get(key)
    if last is not None and now - last < LOG_INTERVAL_S:
        return False
    _last_logged[key] = now
    warn(message, *args, level=level, trace=trace)
    return True


def warn(
    message: str, *args: object, level: int = logging.WARNING, trace: TracebackType | None = None
) -> None:
    """Log one line. Never raises, not even when a log handler does."""
    exc_info = None
    if trace is not None:
        hidden = HiddenMessageError("(the message may quote a value, so it is not shown)")
        exc_info = (HiddenMessageError, hidden, trace)
    try:
        logger.log(level, message, *args, exc_info=exc_info)
    except Exception:
        _count("a log handler")
