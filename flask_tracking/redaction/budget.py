"""Bounds of the work on one record and on one text, whatever is in them."""

from __future__ import annotations

WORK_FOR_BYTE, MIN_WORK, WORK_FOR_TEXT = 16, 1 << 21, 400
"""Work is counted in bytes that are read, with so many more for each text,"""
MAX_PLACES = 150_000
"""and in places where there may be a secret: a record of 64 KiB has room for a tenth of it."""


class TooLongError(Exception):
    """Reading takes more work than the text is worth. The message quotes nothing."""


class Budget:
    """The work that one record may take: so much for each byte of it."""

    def __init__(self, size: int, places: int = MAX_PLACES) -> None:
        """Allow the work on a record of `size` bytes, and to look at so many `places`."""
        self._left = MIN_WORK + WORK_FOR_BYTE * size
        self._places = places

    def spend(self, size: int) -> None:
        """Count one reading of `size` bytes.

        Raises:
            TooLongError: nothing is left.
        """
        self._left -= size
        self.count()

    def count(self) -> None:
        """Count one place.

        Raises:
            TooLongError: nothing is left.
        """
        self._places -= 1
        if self._places < 0 or self._left < 0:
            raise TooLongError
