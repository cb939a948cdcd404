"""A thread-safe registry with weak references to its members."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class WeakRegistry(Generic[T]):
    """The added objects that are still alive, in the order in which they were added.

    One thread may add while another iterates, which a `weakref.WeakSet` does not allow.
    """

    def __init__(self) -> None:
        """Start empty."""
        # No lock, which a fork might find taken, and no callback, which would create a cycle: each step
        # on the dict is atomic. A copy is one, too; a tuple of its values is not, as the collector of
        # garbage may run in it, and with it code that adds or removes.
        self._references: dict[int, weakref.ref[T]] = {}

    def add(self, one: T) -> None:
        """Add `one` for as long as it is alive; adding it twice changes nothing."""
        for _ in self:  # removes dead references
            pass
        reference = weakref.ref(one)
        self._references[id(reference)] = reference

    def __iter__(self) -> Iterator[T]:
        """Yield the members that are alive now."""
        for reference in self._references.copy().values():
            one = reference()
            if one is None:
                self._references.pop(id(reference), None)
            else:
                yield one

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, wanted: object) -> bool:
        return any(one is wanted for one in self)
