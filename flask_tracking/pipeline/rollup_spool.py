"""Files for rollups that cannot be stored, in a separate folder of the spool."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import bson

from ..rollups.codec import rollup_from_dict, rollup_to_dict
from ..rollups.rollup import Rollup
from ..runtime import guard
from ..spool import MAX_GAP, HeldFile, Kind, Spool, open_rollup_spool
from ..storable import CODEC, MAX_DOCUMENT_BYTES, UNENCODABLE
from .sending import FileSender

__all__ = ["RollupSpool", "decode_rollup"]

Take = Callable[[Sequence[Rollup]], object]


class RollupSpool:
    """Writes rollups to files, and sends the files of all processes of the app."""

    def __init__(self, spool: Spool) -> None:
        """Store the argument; no file is read yet.

        Args:
            spool: the spool of the records.
        """
        self._spool = open_rollup_spool(spool)
        self._sender = FileSender(self._spool, "rollup")
        self._lost = 0
        """The number of requests in evicted files."""
        self.is_proven = False
        """True if the store took the last rollups. Otherwise a file without intact ones stays as it is:
        a start with a wrong URI must not change the directory."""

    @property
    def files(self) -> Spool:
        """The files of the rollups."""
        return self._spool

    def write(self, rollups: Sequence[Rollup]) -> bool:
        """Write a file of `rollups`, and evict the oldest if necessary; return False if it fails."""
        # The name of the file says how many requests are lost if it is evicted.
        requests = sum(counts.requests for one in rollups for counts in one.routes.values())
        entries = [_encode_rollup(one) for one in rollups]
        written = self._spool.write(Kind.ROUTINE, entries, min(requests, MAX_GAP))
        self._lost += sum(file.gap for file in written.evicted)
        if written.evicted:
            guard.warn_rarely(
                "rollups full",
                "The spool has no room for more rollups; requests that are not counted: %d.",
                self._lost,
            )
        if written.error is not None:
            guard.warn_rarely("spool rollups", "Rollups cannot be spooled: %s", written.error)
        return written.is_written

    def pass_on(self, rollups: Sequence[Rollup], store: Take) -> bool:
        """Pass rollups to `store`; return whether it took the last ones. Exceptions propagate."""
        if rollups:
            self.is_proven = False
            store(rollups)
            self.is_proven = True
        return self.is_proven

    def send(self, store: Take, settle: Take | None = None) -> None:
        """Pass the rollups of all files to `store`, and remove the files. Exceptions propagate.

        A damaged file is set aside once its intact rollups are stored.

        Args:
            store: stores them, like `RollupTable.store`.
            settle: called when a file is gone, so that its rollups are never sent again, like
                `RollupTable.settle`; None to leave them open.
        """
        for file in self._sender.list_files():
            self._sender.hold(file, lambda held: self.send_held(held, store, settle))

    def send_held(self, held: HeldFile, store: Take, settle: Take | None = None) -> int | None:
        """Pass the intact rollups of a file to `store`, then remove the file, or set it aside.

        Args:
            held: the file.
            store: see `send`.
            settle: see `send`.

        Returns:
            The number of intact rollups; None if the file stays, because none is and the store
            took none before.

        Raises:
            SpoolError: the file cannot be read.
        """
        contents = held.read()
        rollups = [one for entry in contents.entries if (one := decode_rollup(entry))]
        if not self.pass_on(rollups, store):
            return None
        is_gone = self._sender.finish(held, len(rollups), is_whole=contents.is_whole)
        if is_gone and settle is not None:
            settle(rollups)
        return len(rollups)


def decode_rollup(entry: bytes) -> Rollup | None:
    """Return the rollup in `entry`; None if it is not a rollup, or has a later format."""
    with suppress(*UNENCODABLE, zlib.error):
        document: dict[str, Any] = bson.decode(_decompress(entry), codec_options=CODEC)
        return rollup_from_dict(document)
    return None


def _encode_rollup(rollup: Rollup) -> bytes:
    # A quarter of the size, so that the folder holds an outage that is longer.
    return zlib.compress(bson.encode(rollup_to_dict(rollup), codec_options=CODEC), level=1)


def _decompress(entry: bytes) -> bytes:
    # Earlier versions wrote plain BSON, which begins with its length.
    if int.from_bytes(entry[:4], "little") == len(entry):
        return entry
    return zlib.decompressobj().decompress(entry, MAX_DOCUMENT_BYTES)
