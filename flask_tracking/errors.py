"""What can go wrong, as far as a caller can act on it.

::

    TrackingError
    ├── ConfigError        a setting or an argument is wrong: the message names it and the fix
    │   └── NoDatabaseError    no MongoDB is configured
    ├── FilterError        a filter's text is wrong
    └── ExportError        a batch could not be stored; the same batch may be tried again

None of them ever reaches a request: they are raised while an app is set up, by commands and by queries.
"""

from __future__ import annotations

__all__ = ["ConfigError", "ExportError", "FilterError", "NoDatabaseError", "TrackingError"]


class TrackingError(Exception):
    """The root of all errors of this package.

    .. versionadded:: 2.0
    """


class ConfigError(TrackingError):
    """A setting or an argument is wrong. The message names the key, the value seen and the fix.

    .. versionadded:: 2.0
    """


class NoDatabaseError(ConfigError):
    """No MongoDB is configured: neither ``TRACKING_MONGODB_URI`` nor a MongoEngine connection.

    .. versionadded:: 2.0
    """


class FilterError(TrackingError):
    """A filter's text is wrong. The message names the term and what it wants.

    .. versionadded:: 2.0
    """


class ExportError(TrackingError):
    """A batch could not be stored. Its text is safe to log: it quotes nothing of any record.

    The batch may be exported again, records that did arrive are not stored twice.

    .. versionadded:: 2.0
    """
