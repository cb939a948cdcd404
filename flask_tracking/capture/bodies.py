"""Copies of bodies: the chunks up to a limit, and the size of the whole.

The limit is a little above ``TRACKING_MAX_BODY_LENGTH``, so that a secret at the end is recognised;
`redaction.record_redaction` cuts to the exact length.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from ..runtime.cache import BoundedCache
from ..runtime.guard import report_failure

__all__ = ["BodyCopy", "IsEnd", "stored_types"]

IsEnd = Callable[[Any, int], bool]
"""Tells from the data and the requested size whether a stream is at its end."""

FEW = 16
"""The number of chunks of a body that are stored separately; after these, only large ones are."""
LARGE = 1024
"""Bytes of a chunk that is large compared with Python's overhead for an object."""
CHUNK_SIZE = 41
"""Bytes of memory for a chunk in addition to its data: an object, and a place in a tuple."""


class BodyCopy:
    """The beginning of a body, and the size of the whole.

    The two bodies of an exchange have the same class, because Python looks up attributes much faster
    where all objects have the same one.
    """

    __slots__ = ("chunks", "kept", "note", "position", "reached_end", "room", "size")

    def __init__(self, room: int, note: str | None = None) -> None:
        """Copy at most `room` bytes; `note` says why, if `room` is 0 for a reason."""
        self.chunks: list[bytes | bytearray] = []
        self.room = room
        self.size = 0
        self.kept = 0
        self.note = note
        self.position = 0
        """The position in the stream of a request's body, where the app may seek."""
        self.reached_end = False
        """True once the app has read the whole body of the request."""

    def add(self, chunk: bytes | bytearray | memoryview) -> None:
        """Count `chunk`, and copy as much of it as there is room for."""
        length, room = len(chunk), self.room
        self.size += length
        if room and length:
            if length > room:
                chunk, length = chunk[:room], room
            chunks = self.chunks
            if len(chunks) < FEW or length >= LARGE:
                chunks.append(chunk if type(chunk) is bytes else bytes(chunk))
            elif type(last := chunks[-1]) is bytearray:
                last += chunk
            else:
                chunks.append(bytearray(chunk))
            self.room = room - length
            self.kept += length

    def note_read(self, data: Any, size: int | None = None, is_end: IsEnd | None = None) -> None:
        """Count and copy the part of data from a request's body that was not read before.

        Skipped data does not count as read, nor does anything after it.

        Args:
            data: the data.
            size: the requested number of bytes; None and negative numbers mean no limit.
            is_end: tells from both whether the stream is at its end; None if they cannot tell.
        """
        try:
            start, length = self.position, len(data)
            self.position = end = start + length
            if start == self.size:
                self.add(data)
            elif start < self.size < end:
                self.add(data[self.size - start :])
            if is_end is not None and length != size and end == self.size:
                self.reached_end = self.reached_end or is_end(data, -1 if size is None else size)
        except Exception as error:
            report_failure("copying a request body", error)

    def take_chunks(self) -> tuple[bytes, ...]:
        """Return the copied chunks."""
        chunks = self.chunks
        return (*chunks,) if len(chunks) <= FEW else tuple(map(bytes, chunks))  # type: ignore[arg-type]

    def exclude(self) -> None:
        """Discard the copy, and copy nothing more."""
        self.chunks = []
        self.room = self.kept = 0
        self.note = "excluded"


def stored_types(patterns: tuple[str, ...]) -> BoundedCache[str, bool]:
    """Return a cached test by ``Content-Type`` of whether a body is stored; without a type it is.

    Args:
        patterns: the media types, like ``text/*``.
    """

    def is_stored(content_type: str) -> bool:
        media_type = content_type.partition(";")[0].strip().lower()
        return not media_type or any(fnmatchcase(media_type, one) for one in patterns)

    return BoundedCache(is_stored)
