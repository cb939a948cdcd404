"""The spool: a bounded directory in which records wait until the store takes them.

Its state is in the names of its files and nowhere else.
"""

from __future__ import annotations

import os
import re
import zlib

from ..config import Settings
from .directory import SET_ASIDE, HeldFile, Spool, SpoolError, Written
from .naming import MAX_GAP, Kind, SpoolFile
from .records import decode_record, encode_record, split_by_kind

__all__ = [
    "MAX_GAP",
    "SET_ASIDE",
    "HeldFile",
    "Kind",
    "Spool",
    "SpoolError",
    "SpoolFile",
    "Written",
    "decode_record",
    "encode_record",
    "open_rollup_spool",
    "open_spool",
    "split_by_kind",
]

ROLLUPS = "rollups"
"""The folder for rollups, beside the records."""
MAX_ROLLUP_BYTES = 16 * 1024 * 1024
"""The limit for the files of rollups on disk: four thousand minutes of fifty busy routes."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def open_spool(settings: Settings, app_name: str) -> Spool | None:
    """Return the spool of an app; None if the settings name no directory.

    Each app has a folder in the directory, named by the app, its database and its collection: apps of
    the same name, like ``app``, must not send each other's records.
    """
    if settings.spool_dir is None:
        return None
    names = app_name, _find_database(settings.mongodb_uri), settings.collection
    folder = ".".join(_make_safe(name) for name in names if name)
    return Spool(os.path.join(settings.spool_dir, folder), settings.spool_bytes)


def open_rollup_spool(spool: Spool) -> Spool:
    """Return the spool of the rollups of an app, which is in a folder of that of its records."""
    return Spool(os.path.join(spool.path, ROLLUPS), MAX_ROLLUP_BYTES, spool.system)


def _find_database(uri: str | None) -> str:
    """Return the database that a URI names; empty if it names none."""
    _, _, rest = (uri or "").partition("://")
    return rest.partition("/")[2].partition("?")[0]


def _make_safe(name: str) -> str:
    safe = _UNSAFE.sub("_", name)[:80]
    return safe if safe == name else f"{safe}-{zlib.crc32(name.encode('utf-8', 'replace')):08x}"
