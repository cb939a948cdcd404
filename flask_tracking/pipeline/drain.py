"""Send spooled records to the store: one file after another, the oldest first, at a bounded rate.

Every process of an app sends the files of all its processes. A file is locked while it is sent.
"""

from __future__ import annotations

from collections import deque
from time import monotonic

from ..exporters.bisection import Failure
from ..spool import HeldFile, Spool, SpoolFile, decode_record
from .delivery import Delivery, Resent
from .jitter import spread
from .sending import FileSender, say_set_aside
from .spooling import SpoolWriter

__all__ = ["Drain"]

IDLE_S = 5.0
"""The time after which an empty spool is listed again, because other processes write there too."""
MOST_BREAKS = 2
"""A file is set aside when the exporter has raised for it so often and stores other records."""

NOTHING = Resent((), None, 0)
"""The result for a file without intact records."""


class Drain:
    """Sends the files of a spool, one with each step."""

    def __init__(self, spool: Spool, writer: SpoolWriter, delivery: Delivery) -> None:
        """Store the arguments.

        Args:
            spool: the spool of the app.
            writer: counts sent and lost records.
            delivery: exports the records.
        """
        self._sender = FileSender(spool, "record")
        self._writer = writer
        self._delivery = delivery
        self._files: deque[SpoolFile] = deque()
        self._breaks: dict[str, int] = {}
        """How often the exporter raised for a file, by its name."""
        self.failure: Failure | None = None
        """The failure of the last file; None if it was stored."""
        self.due_at = 0.0
        """When the next step is due, in monotonic time."""

    def take_step(self) -> bool:
        """Send the oldest file that is not locked; return False if there is none, or it failed.

        The next step is due after a pause of about this length, which leaves time for live records.
        """
        began = monotonic()
        if began < self._delivery.next_try:
            self.due_at = self._delivery.next_try
            return False
        has_sent = self._send_next()
        if has_sent is None:
            self._delivery.end_wait()
        self._schedule(monotonic() - began if has_sent else IDLE_S)
        return bool(has_sent)

    def _schedule(self, pause_s: float) -> None:
        now = monotonic()
        if now < self._delivery.next_try:
            self.due_at = self._delivery.next_try
        else:
            self.due_at = now + spread(pause_s)

    def _send_next(self) -> bool | None:
        """Return whether a file was sent; None if there is none to send."""
        if not self._files:
            self._files.extend(self._sender.list_files())
        while self._files:
            outcome = self._sender.hold(self._files.popleft(), self.send)
            if outcome is not None:
                return outcome
        return None

    def send(self, held: HeldFile) -> bool | None:
        """Store the intact records of a file, then remove it, or set it aside if it is damaged.

        Returns:
            Whether the file was sent; None if no record is intact and no export has succeeded yet: a
            start with a wrong URI must not change the directory.

        Raises:
            SpoolError: the file cannot be read.
        """
        contents = held.read()
        records = [one for entry in contents.entries if (one := decode_record(entry)) is not None]
        was_proven = self._delivery.is_proven
        if not records and not was_proven:
            return None
        resent = self._delivery.resend(records) if records else NOTHING
        self.failure = resent.failure
        if resent.failure is not None:
            self._note_failure(held, resent.failure, was_proven=was_proven)
            return False
        self._writer.note_sent(held.file, len(records), resent.rejected)
        # The process that removes the file counts its missing records, so that they are counted once.
        if self._sender.finish(held, len(records), is_whole=contents.is_whole):
            self._writer.note_lost("spool_damaged", held.file, held.file.count_missing(len(records)))
        return True

    def _note_failure(self, held: HeldFile, failure: Failure, *, was_proven: bool) -> None:
        """Keep the file for later, or set it aside if the exporter raises for this file only."""
        name = held.file.name
        if failure.broke is None:
            self._files.appendleft(held.file)
            return
        self._breaks[name] = self._breaks.get(name, 0) + 1
        if was_proven and self._breaks[name] >= MOST_BREAKS:
            del self._breaks[name]
            held.set_aside()
            say_set_aside(held.file, "the exporter raises for it but stores others")
