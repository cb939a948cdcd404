"""Files that the server sends itself: when a file is closed, its position tells how much was sent."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, NamedTuple

from ..runtime.guard import call_foreign

_DISK_ERRORS = frozenset({errno.EIO, errno.ESTALE})


class Delivery(NamedTuple):
    """The outcome of sending a file."""

    size: int
    """Bytes that the server read."""
    is_whole: bool
    error: BaseException | None
    """Why the file could not be read; None if there was no error, or if the client left."""


class SentFile:
    """A file, from the moment at which the server received it."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._start = _position(file)
        self._earlier_error = sys.exc_info()[1]

    def describe(self, expected_size: int | None) -> Delivery:
        """Return the outcome; call this before the file is closed.

        Servers close a file while the exception that ended its delivery is being handled.

        Args:
            expected_size: the response's ``Content-Length``, None without one.
        """
        error = sys.exc_info()[1]
        if error is self._earlier_error:
            error = None
        taken = max(0, _position(self._file) - self._start)
        expected = self._remaining_size() if expected_size is None else expected_size
        if taken == 0 and error is None:
            # sendfile(2) leaves the position unchanged, or the server restores it.
            return Delivery(expected, True, None)
        if taken >= expected and (expected or error is None):
            return Delivery(expected or taken, True, None)
        return Delivery(taken, False, None if error is None or _is_clients(error) else error)

    def _remaining_size(self) -> int:
        size = call_foreign("asking a file for its size", _size, self._file, default=0)
        return max(0, size - self._start)


def _position(file: Any) -> int:
    return call_foreign("asking a file how far it was read", _tell, file, default=0)


def _tell(file: Any) -> int:
    try:
        return int(file.tell())
    except (AttributeError, OSError, ValueError):  # a pipe has no position, and may be closed
        return 0


def _size(file: Any) -> int:
    try:
        return os.fstat(file.fileno()).st_size
    except (AttributeError, OSError, ValueError):  # not a file of the operating system
        return 0


def _is_clients(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno not in _DISK_ERRORS
    return not isinstance(error, Exception)  # the server gives up, as after a timeout
