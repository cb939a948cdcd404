"""The content of a file: a header, then entries, each with a mark, its length and a checksum.

A damaged entry costs no other: the next one is found by its mark.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Contents", "join_frames", "split_frames"]

HEADER = b"flask-tracking spool\n"
MARK = b"\xf5FTs"
"""Precedes each entry. It is invalid in UTF-8, so text does not contain it."""
_SIZES = struct.Struct("<II")
"""The length of an entry, and the CRC-32 of that length and the entry."""
_LENGTH = struct.Struct("<I")
PREFIX_BYTES = len(MARK) + _SIZES.size


class Contents(NamedTuple):
    """The readable content of a file."""

    entries: list[bytes]
    """The entries with a correct checksum."""
    is_whole: bool
    """False if anything in the file is damaged or foreign."""


def join_frames(entries: Iterable[bytes]) -> bytes:
    """Return the content of a file with these entries."""
    frames = [HEADER]
    for entry in entries:
        frames += (MARK, _SIZES.pack(len(entry), _checksum(entry)), entry)
    return b"".join(frames)


def split_frames(data: bytes) -> Contents:
    """Return the intact entries of a file."""
    entries: list[bytes] = []
    is_whole = data.startswith(HEADER)
    at = len(HEADER) if is_whole else 0
    while at < len(data):
        entry = _read_entry(data, at)
        if entry is None:
            is_whole = False
            at = data.find(MARK, at + 1)
            if at < 0:
                break
        else:
            entries.append(entry)
            at += PREFIX_BYTES + len(entry)
    return Contents(entries, is_whole)


def _read_entry(data: bytes, at: int) -> bytes | None:
    start = at + PREFIX_BYTES
    if len(data) < start or not data.startswith(MARK, at):
        return None
    length, checksum = _SIZES.unpack_from(data, at + len(MARK))
    entry = data[start : start + length]
    return entry if len(entry) == length and _checksum(entry) == checksum else None


def _checksum(entry: bytes) -> int:
    return zlib.crc32(entry, zlib.crc32(_LENGTH.pack(len(entry))))
