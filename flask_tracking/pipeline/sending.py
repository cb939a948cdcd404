"""Send the files of a spool to the store, whether they hold records or rollups."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..runtime import guard
from ..runtime.text import count_of
from ..spool import HeldFile, Spool, SpoolError, SpoolFile

__all__ = ["FileSender", "say_set_aside"]

R = TypeVar("R")


class FileSender:
    """Lists the files of a spool, locks each while it is sent, and removes it afterwards.

    All processes of an app send the files of all.
    """

    def __init__(self, spool: Spool, noun: str) -> None:
        """Send the files of `spool`; `noun` is what one of their entries is."""
        self._spool = spool
        self._noun = noun
        self._sent: set[str] = set()
        """Names of sent files that could not be removed. Sent again after a while, rollups would count
        requests twice: their minutes may be merged and deleted by then."""

    def list_files(self) -> list[SpoolFile]:
        """Return the files to send, oldest first; none if the directory cannot be read."""
        try:
            waiting = self._spool.waiting()
        except SpoolError as error:
            _say_unread(error)
            return []
        self._sent &= {file.name for file in waiting}
        return [file for file in waiting if file.name not in self._sent]

    def hold(self, file: SpoolFile, send: Callable[[HeldFile], R]) -> R | None:
        """Lock a file and pass it to `send`, whose own exceptions are raised.

        Returns:
            The result of `send`; None if another process has the file, or it cannot be read.
        """
        try:
            with self._spool.hold(file) as held:
                return None if held is None else send(held)
        except SpoolError as error:  # the next one may be readable
            _say_unread(error)
            return None

    def finish(self, held: HeldFile, intact: int, *, is_whole: bool) -> bool:
        """Remove a sent file, or set it aside if it is damaged. If that fails, never list it again.

        Args:
            held: the file.
            intact: the number of its entries that were sent.
            is_whole: False if anything in it is damaged.

        Returns:
            Whether the file is gone; if not, other processes will find it.
        """
        file = held.file
        self._sent.add(file.name)
        missing = file.count_missing(intact)
        try:
            if (missing or not is_whole) and not file.is_partial:
                held.set_aside()
                lost = count_of(missing, self._noun)
                say_set_aside(file, f"it is damaged; what is intact is stored, lost: {lost}")
            else:
                held.remove()
        except SpoolError as error:
            guard.warn_rarely("spool read", "A sent file remains in the spool: %s", error)
            return False
        return True


def _say_unread(error: SpoolError) -> None:
    guard.warn_rarely("spool read", "Spooled records cannot be sent: %s", error)


def say_set_aside(file: SpoolFile, why: str) -> None:
    """Log that a file is set aside."""
    guard.warn_rarely("set aside", "The file %s of the spool is set aside: %s", file.name, why)
