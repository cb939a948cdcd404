"""Remember what was made of a key, where strangers choose the keys, and pick by keys that repeat."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Any, TypeVar

K = TypeVar("K", bound=str | tuple[str, ...])
V = TypeVar("V")

MAX_KEYS = 256
MAX_SIZE = 4000


class Memo(dict[K, V]):
    """A dict that makes what it is asked for: ``memo[key]``.

    It holds at most `MAX_KEYS` keys, then begins anew, and none larger than `MAX_SIZE` characters: who
    sends a new key with each request costs time and no memory.
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        """Remember what `make` returns: it takes a key, and must depend on nothing else."""
        super().__init__()
        self._make = make

    def __missing__(self, key: K) -> V:
        value = self._make(key)
        if len("".join(key)) <= MAX_SIZE:  # of a text it is the same text
            if len(self) >= MAX_KEYS:
                self.clear()
            self[key] = value
        return value


def make_pick(keys: tuple[Hashable, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what returns the values at `keys` of a dict or a sequence, always as a tuple."""
    if len(keys) < 2:  # then itemgetter gives no tuple
        return lambda values: tuple(values[key] for key in keys)
    return itemgetter(*keys)
