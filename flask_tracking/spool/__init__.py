"""The spool: a bounded directory where records wait that the store does not take now.

Its state is the names of its files; nothing else is remembered.
"""

from __future__ import annotations

import os
import re
import zlib

from ..config import Settings
from .directory import SET_ASIDE, HeldFile, Spool, SpoolError, Written
from .naming import Kind, SpoolFile
from .records import decode_record, encode_record, split_by_kind

__all__ = [
    "SET_ASIDE",
    "HeldFile",
    "Kind",
    "Spool",
    "SpoolError",
    "SpoolFile",
    "Written",
    "decode_record",
    "encode_record",
    "open_spool",
    "split_by_kind",
]

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def open_spool(settings: Settings, app_name: str) -> Spool | None:
    """Return the spool of an app; None where the settings name no directory.

    Apps that share the directory have a folder each, by their name and their collection.
    """
    if settings.spool_dir is None:
        return None
    folder = f"{_make_safe(app_name)}.{_make_safe(settings.collection)}"
    return Spool(os.path.join(settings.spool_dir, folder), settings.spool_bytes)


def _make_safe(name: str) -> str:
    safe = _UNSAFE.sub("_", name)[:80]
    return safe if safe == name else f"{safe}-{zlib.crc32(name.encode('utf-8', 'replace')):08x}"
