"""The context of a parser: the detector it asks, and the work it may do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ..budget import Budget
from ..detection.detector import Detector
from ..detection.names import Strength
from ..detection.values import is_secret
from ..findings import Finding, Ranges


class Context(NamedTuple):
    """Given to every parser. A parser returns findings; it decides and replaces nothing."""

    detector: Detector
    """Finds formats, and weighs names."""
    budget: Budget
    """Of the record that is read."""
    around: bytes = b""
    """The bytes around the text in an enclosing one: they may hold its name."""
    is_inner: bool = False
    """Whether the text was decoded: nothing in it is decoded again."""

    def within(self, around: bytes) -> Context:
        """Return the context of a part of a text, with the bytes around the part."""
        return Context(self.detector, self.budget, around, self.is_inner)

    def inside(self) -> Context:
        """Return the context of a text that stood decoded in this one."""
        return Context(self.detector, self.budget, self.around, True)

    def find(self, data: bytes) -> list[Finding]:
        """Find the secrets that look like one, whatever their name."""
        return self.detector.find(data, self.around)

    def strength(self, name: bytes) -> Strength:
        """Return how strongly a name says that its value is a secret."""
        return self.detector.names.strength(name.decode("utf-8", "replace"))

    def strength_of_ending(self, text: bytes) -> Strength:
        """Return the strength of the name with which a text ends."""
        return self.detector.names.strength_of_ending(text.decode("utf-8", "replace").split())

    def is_secret(self, name: bytes, value: bytes) -> bool:
        """Tell whether a value is taken for a secret under its name, both decoded."""
        strength = self.strength(name)
        return strength > Strength.NONE and is_secret(strength, value)

    def may_hold_secrets(self, texts: Sequence[bytes]) -> Iterator[bool]:
        """Tell of each text whether there may be a secret in it: all are scanned as one."""
        if not texts:
            return
        hits = Ranges(self.detector.scan(b"\n".join(texts)))
        at = 0
        for text in texts:
            self.budget.count()
            yield hits.touch(at, at + len(text))
            at += len(text) + 1


Find = Callable[[bytes, Context], list[Finding]]
"""A parser of any text, given to those that find such a text in another."""


class MalformedError(Exception):
    """A text breaks its grammar where there may be a secret. The message quotes nothing."""
