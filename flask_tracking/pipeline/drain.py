"""The spool to the store: one file after another, the oldest first, at a bounded rate.

Every process of an app sends what any of them has written; the lock of a file keeps others from it.
"""

from __future__ import annotations

import random
from collections import deque
from time import monotonic

from ..exporters.bisection import Failure
from ..runtime import guard
from ..spool import HeldFile, Spool, SpoolError, SpoolFile, decode_record
from .delivery import Delivery, Resent
from .spooling import SpoolWriter

__all__ = ["Drain"]

IDLE_S = 5.0
"""An empty spool is looked at again after so long: others write there, too."""
LEAST_JITTER = 0.5
"""The shortest pause, as a share of the whole one."""
MOST_BREAKS = 2
"""An exporter that breaks so often with a file, and stores others, breaks because of the file."""

NOTHING = Resent((), None, 0)
"""What becomes of a file in which no record is intact."""

_random = random.SystemRandom()  # another would give all forks of a process the same pauses


class Drain:
    """Sends the files of a spool, one with each step."""

    def __init__(self, spool: Spool, writer: SpoolWriter, delivery: Delivery) -> None:
        """Take what is wanted.

        Args:
            spool: of the app.
            writer: counts what is lost.
            delivery: to the store.
        """
        self._spool = spool
        self._writer = writer
        self._delivery = delivery
        self._files: deque[SpoolFile] = deque()
        self._sent: set[str] = set()
        """Files that are stored and cannot be removed."""
        self._breaks: dict[str, int] = {}
        """By the name of a file how often the exporter broke with it."""
        self.failure: Failure | None = None
        """Why the last file was not stored; None if it was."""
        self.due_at = 0.0
        """When the next step is due, in monotonic time."""

    def take_step(self) -> bool:
        """Send the oldest file that nobody else sends; False when there is none, or it fails.

        Afterwards there is a pause as long as the step: half of the time is left to live records.
        """
        began = monotonic()
        if began < self._delivery.next_try:
            self.due_at = self._delivery.next_try
            return False
        has_sent = self._send_next()
        ended = monotonic()
        pause_s = ended - began if has_sent else IDLE_S
        next_step = ended + pause_s * _random.uniform(LEAST_JITTER, 1.0)
        self.due_at = max(next_step, self._delivery.next_try)
        return has_sent

    def _send_next(self) -> bool:
        if not self._files:
            self._list_files()
        while self._files:
            outcome = self._try_file(self._files.popleft())
            if outcome is not None:
                return outcome
        return False

    def _list_files(self) -> None:
        try:
            waiting = self._spool.waiting()
        except SpoolError as error:
            say_unread(error)
            return
        self._sent &= {file.name for file in waiting}
        self._files.extend(file for file in waiting if file.name not in self._sent)

    def _try_file(self, file: SpoolFile) -> bool | None:
        """Send a file; return whether it is done with, None where another one is to be tried."""
        try:
            with self._spool.hold(file) as held:
                return None if held is None else self.send(held)
        except SpoolError as error:
            say_unread(error)
            return None

    def send(self, held: HeldFile) -> bool | None:
        """Store what is intact in a file; then remove it, or set it aside where something is not.

        Returns:
            Whether it is done with; None where nothing in it is intact and it is not known whether the
            store works: a wrong start is to change nothing.

        Raises:
            SpoolError: it cannot be read.
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
        missing = max(0, held.file.entry_count - len(records))
        is_damaged = missing > 0 or not contents.is_whole
        self._finish(held, is_damaged=is_damaged and not held.file.is_partial)
        self._writer.note_lost("spool_damaged", held.file, missing)
        return True

    def _finish(self, held: HeldFile, *, is_damaged: bool) -> None:
        try:
            if is_damaged:
                held.set_aside()
                say_set_aside(held.file, "it is damaged; intact records are stored")
            else:
                held.remove()
        except SpoolError as error:
            self._sent.add(held.file.name)
            guard.warn_rarely("spool read", "A sent file remains in the spool: %s", error)

    def _note_failure(self, held: HeldFile, failure: Failure, *, was_proven: bool) -> None:
        """Send the file later, or set it aside when the exporter breaks with it and with no other."""
        name = held.file.name
        if failure.broke is None:
            self._files.appendleft(held.file)
            return
        self._breaks[name] = self._breaks.get(name, 0) + 1
        if was_proven and self._breaks[name] >= MOST_BREAKS:
            del self._breaks[name]
            held.set_aside()
            say_set_aside(held.file, "the exporter raises for it but stores others")


def say_unread(error: SpoolError) -> None:
    """Say that a file of the spool cannot be sent."""
    guard.warn_rarely("spool read", "Spooled records cannot be sent: %s", error)


def say_set_aside(file: SpoolFile, why: str) -> None:
    """Say that a file is not sent any more."""
    guard.warn_rarely("set aside", "The file %s of the spool is set aside: %s", file.name, why)
