"""The engine on google-re2: all patterns at once, in one pass."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .base import MAX_HITS, Choose, Pattern, Range, Scan, ScanPattern, limit_hits
from .lock import lock

MATCHES_AT_ONCE = 1000
"""Matches held in memory: a hostile text may have millions."""
MAX_MEMORY = 64 << 20
"""Bytes for a pattern and the automaton that RE2 builds as it reads."""


class Re2Engine:
    """google-re2."""

    name = "re2"

    def __init__(self) -> None:
        """Raises: ImportError: google-re2 is not installed."""
        import re2

        self._re2 = re2

    def compile(self, pattern: str) -> Pattern:
        """Compile one pattern."""
        return self._compile(pattern)

    def _compile(self, pattern: str) -> _Compiled:
        return _Compiled(lambda: self._re2.compile(pattern.encode(), self._make_options()))

    def _make_options(self) -> Any:
        options = self._re2.Options()
        options.encoding = options.Encoding.LATIN1
        options.log_errors = False  # its messages go to standard error, and quote the pattern
        # Each generation has options of its own: for equal ones re2 returns what it compiled before.
        options.max_mem = MAX_MEMORY + lock.generation
        return options

    def make_scan(self, patterns: Sequence[ScanPattern]) -> Scan:
        """Return a function that finds where any of `patterns` is, from left to right."""
        compiled = self._compile("|".join(_share(patterns)))

        def scan(data: bytes) -> list[Range]:
            with lock:
                found = itertools.islice(compiled.get().finditer(data), MAX_HITS)
                hits = [match.span() for match in found]
            return limit_hits(hits, len(data)) if hits else hits

        return scan

    def make_choice(self, patterns: Sequence[ScanPattern]) -> Choose:
        """Return a function that tells which of `patterns` are in a text, by number."""
        wholes = [pattern.whole.encode() for pattern in patterns]

        def compile_set() -> Any:
            chosen = self._re2.Set.SearchSet(self._make_options())
            for whole in wholes:
                chosen.Add(whole)
            chosen.Compile()
            return chosen

        compiled = _Compiled(compile_set)

        def choose(data: bytes) -> Iterable[int]:
            with lock:
                return sorted(compiled.get().Match(data) or ())

        return choose


def _share(patterns: Sequence[ScanPattern]) -> Iterable[str]:
    """Return patterns in their order, those in a row with the same beginning and end as one."""
    for (before, after, any_case), group in itertools.groupby(
        patterns, lambda one: (one.before, one.after, one.any_case)
    ):
        some = "|".join(one.pattern for one in group)
        yield ScanPattern(f"(?:{some})", (), before, any_case, after=after).whole


class _Compiled:
    """A compiled RE2 object, used under the lock; a fork may damage it, then it is compiled again."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._generation = -1
        self._made: Any = None
        with lock:
            self.get()

    def get(self) -> Any:
        """Return it; the caller must hold the lock as long as it is used."""
        if self._generation != lock.generation:
            self._made = self._make()
            self._generation = lock.generation
        return self._made

    @property
    def groupindex(self) -> Mapping[str, int]:
        """The numbers of the named groups."""
        with lock:
            return {name.decode(): group for name, group in self.get().groupindex.items()}

    def finditer(self, string: bytes, /) -> Iterable[Any]:
        """Find all matches from left to right."""
        with lock:
            found = self.get().finditer(string)
        while True:
            with lock:
                some = list(itertools.islice(found, MATCHES_AT_ONCE))
            yield from some
            if len(some) < MATCHES_AT_ONCE:
                return
