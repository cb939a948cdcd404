"""A bounded cache for keys that clients choose, and lookups by keys that repeat."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Any, TypeVar

K = TypeVar("K", bound=str | tuple[str, ...])
V = TypeVar("V")

MAX_KEYS = 256
MAX_SIZE = 4000
MAX_CLASSES = 32


class BoundedCache(dict[K, V]):
    """A dict that computes missing values: ``cache[key]``.

    Cleared at `MAX_KEYS` entries; keys over `MAX_SIZE` characters are never cached. A client that
    varies its headers costs CPU, never memory.
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        """Cache the results of `make`, which must depend only on its argument, the key."""
        super().__init__()
        self._make = make

    def __missing__(self, key: K) -> V:
        value = self._make(key)
        _add(self, key, key, value)
        return value


class HashedCache(dict[int, V]):
    """A cache whose keys are the hashes of tuples of text: ``cache.get(hash(key)) or cache.add(key)``.

    Comparing a tuple text by text costs more than hashing it. Bounded like `BoundedCache`. Two keys of
    one hash share a value, so a wrong value must do no harm.
    """

    def __init__(self, make: Callable[[tuple[str, ...]], V]) -> None:
        """Cache the results of `make`, which must depend only on its argument, the key."""
        super().__init__()
        self._make = make

    def add(self, key: tuple[str, ...]) -> V:
        """Make, remember and return the value of `key`."""
        value = self._make(key)
        _add(self, hash(key), key, value)
        return value


class ClassCache(dict[type, V]):
    """A dict that computes missing values of classes: ``cache[type(value)]``.

    Cleared at `MAX_CLASSES` entries, because it keeps the classes alive. `functools.lru_cache` takes
    five times as long.
    """

    def __init__(self, make: Callable[[type], V]) -> None:
        """Cache the results of `make`, which must depend only on its argument, the key."""
        super().__init__()
        self._make = make

    def __missing__(self, key: type) -> V:
        value = self._make(key)
        if len(self) >= MAX_CLASSES:
            self.clear()
        self[key] = value
        return value


def _add(cache: dict[Any, V], key: object, text: str | tuple[str, ...], value: V) -> None:
    if len("".join(text)) <= MAX_SIZE:  # joining a text gives the same text
        if len(cache) >= MAX_KEYS:
            cache.clear()
        cache[key] = value


def make_pick(keys: tuple[Hashable, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that picks the values at `keys` of a dict or a sequence as a tuple."""
    if len(keys) < 2:  # itemgetter would not return a tuple
        return lambda values: tuple(values[key] for key in keys)
    return itemgetter(*keys)
