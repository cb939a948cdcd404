"""Files that the server sends by itself: how far it came is read off the file when it is closed."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, NamedTuple

from ..runtime.guard import call_foreign

_DISK_ERRORS = frozenset({errno.EIO, errno.ESTALE})


class Delivery(NamedTuple):
    """What became of a file."""

    size: int
    """Bytes that the server took."""
    is_whole: bool
    error: BaseException | None
    """Why the file could not be read; None also when it was the client that left."""


class SentFile:
    """A file from the moment at which the server got it."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._start = _position(file)
        self._earlier_error = sys.exc_info()[1]

    def describe(self, expected_size: int | None) -> Delivery:
        """Say what became of it; call this before it is closed.

        Servers close a file while the error that ended its delivery is on its way through them.

        Args:
            expected_size: the response's ``Content-Length``, None without one.
        """
        error = sys.exc_info()[1]
        if error is self._earlier_error:
            error = None
        taken = max(0, _position(self._file) - self._start)
        expected = self._remaining_size() if expected_size is None else expected_size
        if taken == 0 and error is None:
            # The system's own way to send a file leaves the position where it was, or is put back.
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
    except (AttributeError, OSError, ValueError):  # it is none of the system's files
        return 0


def _is_clients(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno not in _DISK_ERRORS
    return not isinstance(error, Exception)  # a server that gives up, as at a timeout
