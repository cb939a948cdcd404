"""The interface of a regular expression engine: it finds patterns in bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

Range = tuple[int, int]
"""Where something begins and ends in a text, in bytes."""
Scan = Callable[[bytes], list[Range]]
Choose = Callable[[bytes], Iterable[int]]

MAX_HITS = 100_000
"""Beyond it the rest of a text is one hit, or all of it."""


class Pattern(Protocol):
    """A compiled pattern."""

    @property
    def groupindex(self) -> Mapping[str, int]:
        """The numbers of the named groups."""

    def finditer(self, string: bytes, /) -> Iterable[Any]:
        """Find all matches from left to right."""


TOKEN, LONG_TOKEN, DIGITS, CAPITALS, NOT_ASCII = (
    "token",
    "long token",
    "digits",
    "capitals",
    "not ASCII",
)
"""A run of 15 or 27 characters of tokens; 12 digits, or 15 digits and capitals, with blanks or hyphens
between them; a byte that is not ASCII."""


class ScanPattern(NamedTuple):
    """One thing that a scan looks for."""

    pattern: str
    hints: tuple[str, ...]
    """Literals, one of which is in every match; without any the pattern is always tried."""
    before: str = ""
    """A pattern that must come before it."""
    any_case: bool = False
    """Whether pattern and hints are lower case, and match any."""
    needs: str = ""
    """One of the five above that every match has: without it in a text the pattern is not tried."""
    after: str = ""
    """A pattern that must come behind it, the same for many: RE2 compiles it once for all of them."""

    @property
    def whole(self) -> str:
        """All of it as one pattern."""
        whole = self.before + self.pattern + self.after
        return f"(?i:{whole})" if self.any_case else f"(?:{whole})"


class Engine(Protocol):
    """Compiles patterns and runs them."""

    def __hash__(self) -> int:
        """Engines are told apart by identity."""

    @property
    def name(self) -> str:
        """The name of the library."""

    def compile(self, pattern: str) -> Pattern:
        """Compile one pattern."""

    def make_scan(self, patterns: Sequence[ScanPattern]) -> Scan:
        """Return a function that finds where any of `patterns` is, from left to right."""

    def make_choice(self, patterns: Sequence[ScanPattern]) -> Choose:
        """Return a function that tells which of `patterns` may be in a text, by number."""


def limit_hits(hits: list[Range], size: int) -> list[Range]:
    """Make the rest of the text one hit where there are too many."""
    if len(hits) >= MAX_HITS:
        hits.append((hits[-1][1], size))
    return hits
