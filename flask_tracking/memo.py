"""Remember what was made of a key, where strangers choose the keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

MAX_KEYS = 256
MAX_SIZE = 4000


class Memo(dict[K, V]):
    """A dict that makes what it is asked for: ``memo[key]``.

    It holds at most `MAX_KEYS` keys, then begins anew, and none larger than `MAX_SIZE` characters: who
    sends a new key with each request costs time and no memory.
    """

    def __init__(self, make: Callable[[K], V], size_of: Callable[[K], int]) -> None:
        """Remember what `make` returns.

        Args:
            make: takes a key; what it returns must depend on nothing else.
            size_of: takes a key and returns how many characters it has.
        """
        super().__init__()
        self._make = make
        self._size_of = size_of

    def __missing__(self, key: K) -> V:
        value = self._make(key)
        if self._size_of(key) <= MAX_SIZE:
            if len(self) >= MAX_KEYS:
                self.clear()
            self[key] = value
        return value
