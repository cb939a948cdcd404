"""The errors on which a caller can act.

::

    TrackingError
    ├── ConfigError        wrong setting or argument: the message names it and the fix
    │   └── NoDatabaseError    no MongoDB is configured
    ├── FilterError        wrong filter text
    ├── ExportError        a batch could not be stored; the same batch may be tried again
    │   └── StoreTimeoutError  the store did not answer in time
    └── ReplayError        a request cannot be sent again as it is: the message names what to give

None of them reaches a request: they are raised during setup, by commands and by queries.
"""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "ExportError",
    "FilterError",
    "NoDatabaseError",
    "ReplayError",
    "StoreTimeoutError",
    "TrackingError",
]


class TrackingError(Exception):
    """Base class of all errors of this package.

    .. versionadded:: 2.0
    """

    fix: str = ""
    """The solution, as a sentence without a full stop; empty if it is unknown or in the message."""


class ConfigError(TrackingError):
    """A setting or an argument is wrong. The message names the key, the value seen and the fix.

    .. versionadded:: 2.0
    """


class NoDatabaseError(ConfigError):
    """No MongoDB is configured: neither ``TRACKING_MONGODB_URI`` nor a MongoEngine connection.

    .. versionadded:: 2.0
    """


class FilterError(TrackingError):
    """The text of a filter is invalid. The message says what is expected, its last lines show the spot.

    .. versionadded:: 2.0
    """

    def __init__(self, message: str, *, start: int = 0, end: int = 0, excerpt: str = "") -> None:
        """Take the message and the spot.

        Args:
            message: one line.
            start: the first wrong character of the text.
            end: the character behind the last wrong one.
            excerpt: the text around the spot, and a line that marks the spot.
        """
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.excerpt = excerpt

    def __str__(self) -> str:
        """Return the message and the excerpt."""
        return f"{self.message}\n{self.excerpt}" if self.excerpt else self.message


class ExportError(TrackingError):
    """A batch could not be stored. Its text is safe to log: it quotes no data of a record.

    The batch may be exported again; records that did arrive are not stored twice.

    .. versionadded:: 2.0
    """

    def __init__(self, message: str = "", *, fix: str = "") -> None:
        """Take the message and, if it is known, what to do."""
        super().__init__(message)
        self.fix = fix


class StoreTimeoutError(ExportError):
    """The store did not answer in time: within ``TRACKING_EXPORT_TIMEOUT_S``, or `Store.limited`.

    .. versionadded:: 2.0
    """


class ReplayError(TrackingError):
    """A recorded request is not sent again. The message names the reason, and what allows it.

    .. versionadded:: 2.0
    """

    def __init__(
        self, message: str, *, for_commands: str | None = None, is_argument_wrong: bool = False
    ) -> None:
        """Take the message.

        Args:
            message: names arguments of Python.
            for_commands: the message that names options instead; by default the same.
            is_argument_wrong: True if an argument cannot be meant, whatever else is allowed.
        """
        super().__init__(message)
        self.for_commands = for_commands or message
        self.is_argument_wrong = is_argument_wrong
