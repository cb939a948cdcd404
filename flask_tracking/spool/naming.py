"""The names of the spool's files: what is to be known of a file before it is opened."""

from __future__ import annotations

import enum
import os
import re
import time
from typing import NamedTuple

__all__ = ["Kind", "SpoolFile", "VERSION", "make_name", "parse_name"]

VERSION = 1
"""The version of the files that are written. Those of lower versions are read, others are left alone.

It changes with the format, and when a record gets a field that an older version would lose.
"""
PARTIAL = ".tmp"
"""The end of the name of a file that is being written."""
_NAME = re.compile(
    r"(?P<written>\d{13})-[0-9a-f]{12}\.(?P<kind>[a-z]+)"
    r"\.(?P<count>\d{1,9})\+(?P<gap>\d{1,9})\.v(?P<version>\d{1,4})(?P<partial>\.tmp)?"
)


class Kind(enum.Enum):
    """The entries of a file. A file of a kind that is not listed here is another version's."""

    ROUTINE = "routine"
    """Records that go first when there is no room."""
    KEPT = "kept"
    """Records of failures, slow requests, and what code asked to keep: they go last."""


class SpoolFile(NamedTuple):
    """A file of the spool, as its name tells."""

    name: str
    written_ms: int
    """When, in milliseconds of Unix time: files are sent in this order."""
    kind: Kind
    entry_count: int
    """The number of entries."""
    gap: int
    """The sum of the records' ``dropped_before``: losses that nobody is told of if the file is lost."""
    is_partial: bool
    """True for a file that is being written, or that a killed process has left."""


def make_name(kind: Kind, count: int, gap: int) -> str:
    """Return the name of a new file; random, so that no two processes choose the same."""
    written_ms = int(time.time() * 1000)
    return f"{written_ms:013d}-{os.urandom(6).hex()}.{kind.value}.{count}+{gap}.v{VERSION}"


def parse_name(name: str) -> SpoolFile | None:
    """Return what `name` tells; None for a foreign file, and for one of another version."""
    match = _NAME.fullmatch(name)
    if match is None or not 1 <= int(match["version"]) <= VERSION:
        return None
    try:
        kind = Kind(match["kind"])
    except ValueError:
        return None
    is_partial = match["partial"] is not None
    return SpoolFile(
        name, int(match["written"]), kind, int(match["count"]), int(match["gap"]), is_partial
    )
