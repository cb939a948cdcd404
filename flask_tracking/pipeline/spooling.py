"""Write records to the spool, and count them."""

from __future__ import annotations

from collections.abc import Sequence

from ..record import Record
from ..runtime import guard
from ..spool import Kind, Spool, SpoolFile, Written, encode_record, split_by_kind
from .counters import Counters

__all__ = ["SpoolWriter"]


class SpoolWriter:
    """Writes records to a spool."""

    def __init__(self, spool: Spool, counters: Counters) -> None:
        """Store the arguments.

        Args:
            spool: the spool of the app.
            counters: the counters of the app.
        """
        self._spool = spool
        self._counters = counters
        self.is_abandoned = False
        """True once time has run out: all records count as lost."""

    @property
    def spool(self) -> Spool:
        """The spool."""
        return self._spool

    def write(self, records: Sequence[Record]) -> list[Record]:
        """Write `records`; count them as spooled, or as dropped if there is no room.

        Returns:
            The records that could not be written. They are not counted.
        """
        left: list[Record] = []
        for kind, part in split_by_kind(records):
            left += self._write_part(kind, part)
        return left

    def _write_part(self, kind: Kind, records: list[Record]) -> list[Record]:
        entries = [entry for record in records if (entry := encode_record(record)) is not None]
        gap = sum(record.dropped_before for record in records)
        written = self._spool.write(kind, entries, gap) if entries else Written(True)
        for file in written.evicted:
            self.note_lost("spool_full", file)
        if written.error is None and (written.evicted or not written.is_written):
            self._say_full(0 if written.is_written else len(records))
        if written.error is not None:
            guard.warn_rarely("spool", "Records cannot be spooled: %s", written.error)
            return records
        with self._counters.lock:
            if self.is_abandoned:
                return []
            if written.is_written:
                self._counters.spooled += len(entries)
                self._drop("rejected", len(records) - len(entries), kind)
            else:
                self._drop("spool_full", len(records), kind, untold=gap)
        return []

    def _say_full(self, unwritten: int) -> None:
        """Log the number of records lost until now; `unwritten` ones are not counted yet."""
        with self._counters.lock:
            if self.is_abandoned:
                return
            lost = self._counters.count_dropped("spool_full") + unwritten
        guard.warn_rarely(
            "spool full",
            "The spool is full; records that were lost: %d. Raise TRACKING_SPOOL_BYTES.",
            lost,
        )

    def _drop(self, reason: str, count: int, kind: Kind, untold: int = 0) -> None:
        kept = count if kind is Kind.KEPT else 0
        self._counters.drop(reason, count, kept=kept, untold=untold)

    def note_lost(self, reason: str, file: SpoolFile, count: int | None = None) -> None:
        """Count records that are lost with a file.

        Args:
            reason: a key of ``stats.dropped``.
            file: the file.
            count: the number of lost records; by default all of the file.
        """
        is_kept = file.kind is not Kind.ROUTINE
        if count is None:
            self._counters.drop_spooled(reason, file.entry_count, is_kept=is_kept, untold=file.gap)
        elif count:
            self._counters.drop_spooled(reason, count, is_kept=is_kept)

    def note_sent(self, file: SpoolFile, count: int, rejected: int) -> None:
        """Count `count` sent records of a file, of which the store rejected some."""
        self._counters.note_unspooled(count - rejected)
        self.note_lost("rejected", file, rejected)
