"""The names of the spool's files, which tell all that must be known before a file is opened."""

from __future__ import annotations

import enum
import itertools
import os
import re
import time
from typing import NamedTuple

__all__ = ["MAX_GAP", "Kind", "SpoolFile", "VERSION", "make_name", "parse_name"]

VERSION = 1
"""The version of new files. Files of this and lower versions are read, others are left alone.

Raise it when the format changes, or when records get a field that an older version would lose.
"""
MAX_GAP = 999_999_999
"""The largest `SpoolFile.gap` that fits into a name."""
PARTIAL = ".tmp"
"""The suffix of a file that is not complete yet."""
_NAME = re.compile(
    r"(?P<written>\d{13})-[0-9a-f]{12}\.(?P<kind>[a-z]+)"
    r"\.(?P<count>\d{1,9})\+(?P<gap>\d{1,9})\.v(?P<version>\d{1,4})(?P<partial>\.tmp)?"
)
_made = itertools.count()
"""Numbers the names of this process: those of one millisecond are in order."""


class Kind(enum.Enum):
    """The kind of a file's entries. A file of an unknown kind belongs to another version."""

    ROUTINE = "routine"
    """Records that are evicted first."""
    KEPT = "kept"
    """Records that the rules keep: failures, slow requests and those kept by code. Evicted last."""


class SpoolFile(NamedTuple):
    """A file of the spool, as described by its name."""

    name: str
    written_ms: int
    """Time of writing, in milliseconds of Unix time. Files are sent in this order."""
    kind: Kind
    entry_count: int
    """The number of entries."""
    gap: int
    """The sum of the records' ``dropped_before``, or the requests that rollups count: to be reported
    elsewhere if the file is lost."""
    is_partial: bool
    """True for a file that is being written, or was left by a killed process."""

    def count_missing(self, intact: int) -> int:
        """Return how many entries are missing if so many are intact."""
        return max(0, self.entry_count - intact)


def make_name(kind: Kind, count: int, gap: int) -> str:
    """Return the name of a new file. A part is random, so that no two processes choose the same one."""
    written_ms, number = int(time.time() * 1000), next(_made) % 0x10000
    unique = f"{number:04x}{os.urandom(4).hex()}"
    return f"{written_ms:013d}-{unique}.{kind.value}.{count}+{gap}.v{VERSION}"


def parse_name(name: str) -> SpoolFile | None:
    """Return the parsed `name`; None for foreign files and those of other versions."""
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
