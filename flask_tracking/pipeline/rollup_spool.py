"""Rollups that the store does not take, in files: a folder of their own in the spool of records."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import bson

from ..rollups.codec import rollup_from_dict, rollup_to_dict
from ..rollups.rollup import Rollup
from ..runtime import guard
from ..spool import Kind, Spool, SpoolError
from ..storable import CODEC, UNENCODABLE
from .drain import say_unread

__all__ = ["RollupSpool"]

FOLDER = "rollups"
MAX_BYTES = 16 * 1024 * 1024
"""What the files may take on the disk: a thousand minutes of fifty busy routes."""


class RollupSpool:
    """Writes rollups to files, and sends what any process of the app has written."""

    def __init__(self, spool: Spool) -> None:
        """Look at nothing yet.

        Args:
            spool: that of the records.
        """
        self._spool = Spool(os.path.join(spool.path, FOLDER), MAX_BYTES)

    def write(self, rollups: Sequence[Rollup]) -> bool:
        """Write a file of `rollups`; False where that is not possible. The oldest files make room."""
        entries = [bson.encode(rollup_to_dict(one), codec_options=CODEC) for one in rollups]
        written = self._spool.write(Kind.ROUTINE, entries)
        if written.error is not None:
            guard.warn_rarely("spool rollups", "Rollups cannot be spooled: %s", written.error)
        return written.is_written

    def send(self, store: Callable[[Sequence[Rollup]], object]) -> None:
        """Give all files to `store`, and remove each that it has taken. What it raises is passed on."""
        try:
            for file in self._spool.waiting():
                with self._spool.hold(file) as held:
                    if held is None:  # another process sends it
                        continue
                    store([one for entry in held.read().entries if (one := _decode(entry))])
                    held.remove()
        except SpoolError as error:
            say_unread(error)


def _decode(entry: bytes) -> Rollup | None:
    with suppress(*UNENCODABLE):
        document: dict[str, Any] = bson.decode(entry, codec_options=CODEC)
        return rollup_from_dict(document)
    return None
