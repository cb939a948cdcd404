"""The regular expressions' engine: google-re2 where it is installed, else Python's ``re``.

Both work on bytes and on the same patterns. RE2 looks for all of them at once, in one pass; ``re``
would take a hundred times as long, and first asks for each whether a literal of it is there at all.
"""

from __future__ import annotations

import functools
import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ..gate import gate
from .scans import MAX_SPANS, Search, limit_spans, scan_all

Span = tuple[int, int]
Choose = Callable[[bytes], Iterable[int]]


class Pattern(Protocol):
    """A compiled pattern over bytes, of either engine."""

    @property
    def groupindex(self) -> Mapping[str, int]:
        """The numbers of the named groups."""

    def finditer(self, string: bytes, /) -> Iterable[Any]:
        """Find all matches from left to right."""


class Tail(NamedTuple):
    """What must follow to make a thing worth a look, and for `re` how to tell fast that it does not."""

    pattern: str
    stop: str
    """What it begins with goes no further than to the first of these."""
    end: str
    """One of these begins there or before, or else"""
    string: str
    key: str
    """this follows, where `string` is the beginning of this."""


class Look(NamedTuple):
    """One thing that is looked for."""

    pattern: str
    hints: tuple[str, ...]
    """Literals, one of which is in every match; without any the pattern is always tried."""
    before: str = ""
    """What must stand before the pattern."""
    tail: Tail | None = None
    any_case: bool = False
    """Whether pattern and hints are lower case, and match any."""
    is_token: bool = False
    """Whether a `TOKEN_RUN` is in every match."""

    @property
    def whole(self) -> str:
        """All of it as one pattern."""
        whole = self.before + self.pattern + (self.tail.pattern if self.tail else "")
        return f"(?i:{whole})" if self.any_case else f"(?:{whole})"


TOKEN_RUN = re.compile(rb"[0-9A-Za-z_.+/=~-]{15,}")
"""What is in every token: names and words are shorter, or have spaces between them."""


class ReEngine:
    """Python's own: it looks for one pattern after the other, and for few of them if it can."""

    name = "re"

    def compile(self, pattern: str) -> Pattern:
        """Compile one pattern."""
        return re.compile(pattern.encode())

    def make_scan(self, looks: Sequence[Look]) -> Callable[[bytes], list[Span]]:
        """Return what finds where any of `looks` is."""
        searches = [Search(look) for look in looks]
        choose = self.make_choice(looks)
        return lambda data: scan_all(data, [searches[at] for at in choose(data)], [])

    def make_choice(self, looks: Sequence[Look]) -> Choose:
        """Return what tells which of `looks` may be in a text, by number."""
        groups = _group_hints(looks)

        def choose(data: bytes) -> Iterable[int]:
            chosen: list[int] = []
            texts = (data, data.lower())
            has_token = TOKEN_RUN.search(data) is not None
            for (any_case, is_token), hinted in groups.items():
                if is_token and not has_token:
                    continue
                text = texts[any_case]
                for part, members in hinted.items():
                    if part in text:
                        chosen += [at for at, hint in members if hint in text]
            return sorted(set(chosen))

        return choose


_Hinted = dict[bytes, list[tuple[int, bytes]]]


def _group_hints(looks: Sequence[Look]) -> dict[tuple[bool, bool], _Hinted]:
    """Group hints by what they have in common: of most groups nothing is in a text.

    Returns:
        By case and kind: a part of hints, and the numbers of the looks with these hints.
    """
    groups: dict[tuple[bool, bool], _Hinted] = {}
    for kind in {(look.any_case, look.is_token) for look in looks}:
        hints = [
            (at, hint.encode())
            for at, look in enumerate(looks)
            if (look.any_case, look.is_token) == kind
            for hint in look.hints or ("",)
        ]
        groups[kind] = hinted = {}
        while hints:
            counts = Counter(part for _, hint in hints for part in set(_parts(hint)))
            part = max(counts, key=lambda part: (counts[part], len(part)))
            hinted[part] = [(at, hint) for at, hint in hints if part in hint]
            hints = [(at, hint) for at, hint in hints if part not in hint]
    return groups


def _parts(hint: bytes) -> Iterable[bytes]:
    if len(hint) <= PART:
        return [hint]
    return [hint[at : at + PART] for at in range(len(hint) - PART + 1)]


PART = 3
"""Bytes that hints have in common: of two, most are in any text."""


MATCHES_OF_A_SCAN = 64
"""After so many a scan looks at the time."""
PATIENCE_S, PATIENCE_FOR_BYTE_S = 0.002, 1e-6
"""What a scan may take: a third of it is much, but where a text was made to make it slow."""
MATCHES_AT_ONCE = 1000
"""So many are held in memory: of a hostile text there may be millions."""
MAX_MEMORY = 64 << 20
"""Bytes that a pattern of RE2's may take, with what it makes of it while it looks for it."""


class Re2Engine:
    """google-re2."""

    name = "re2"

    def __init__(self) -> None:
        """Raises: ImportError: google-re2 is not installed."""
        import re2

        self._re2 = re2

    def compile(self, pattern: str) -> Pattern:
        """Compile one pattern."""
        return _GatedPattern(self._compile(pattern))

    def _compile(self, pattern: str) -> _Compiled:
        return _Compiled(lambda: self._re2.compile(pattern.encode(), self._make_options()))

    def _make_options(self) -> Any:
        options = self._re2.Options()
        options.encoding = options.Encoding.LATIN1
        options.log_errors = False  # its messages go to standard error, and quote the pattern
        # Each generation has options of its own: for equal ones re2 returns what it compiled before.
        options.max_mem = MAX_MEMORY + gate.generation
        return options

    def make_scan(self, looks: Sequence[Look]) -> Callable[[bytes], list[Span]]:
        """Return what finds where any of `looks` is."""
        pattern = self._compile("|".join(look.whole for look in looks))
        make_searches = functools.cache(lambda: [Search(look) for look in looks])

        def scan(data: bytes) -> list[Span]:
            spans: list[Span] = []
            started = time.thread_time()
            with gate:
                found = pattern.get().finditer(data)
                while len(spans) < MAX_SPANS:
                    some = [match.span() for match in itertools.islice(found, MATCHES_OF_A_SCAN)]
                    spans += some
                    if len(some) < MATCHES_OF_A_SCAN:
                        return spans
                    if time.thread_time() - started > PATIENCE_S + spans[-1][1] * PATIENCE_FOR_BYTE_S:
                        break
                else:
                    return limit_spans(spans, len(data))
            # Each match is found in linear time, but to know that none begins before it RE2 may have to
            # read on to the end of the text. `re` finds the same, and reads everything once.
            return scan_all(data, make_searches(), spans)

        return scan

    def make_choice(self, looks: Sequence[Look]) -> Choose:
        """Return what tells which of `looks` are in a text, by number."""

        patterns = [look.whole.encode() for look in looks]

        def compile_set() -> Any:
            chosen = self._re2.Set.SearchSet(self._make_options())
            for pattern in patterns:
                chosen.Add(pattern)
            chosen.Compile()
            return chosen

        chosen = _Compiled(compile_set)

        def choose(data: bytes) -> Iterable[int]:
            with gate:
                return sorted(chosen.get().Match(data) or ())

        return choose


class _Compiled:
    """Something that RE2 compiled: now, and again where a fork may have damaged it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._generation = -1
        self._made: Any = None
        with gate:
            self.get()

    def get(self) -> Any:
        """Return it, for as long as who asks stays in the gate."""
        if self._generation != gate.generation:
            self._made = self._make()
            self._generation = gate.generation
        return self._made


class _GatedPattern:
    """A pattern of RE2's."""

    def __init__(self, compiled: _Compiled) -> None:
        self._compiled = compiled
        with gate:
            names = compiled.get().groupindex
        self.groupindex = {name.decode(): group for name, group in names.items()}

    def finditer(self, string: bytes, /) -> Iterable[Any]:
        """Find all matches from left to right."""
        with gate:
            found = self._compiled.get().finditer(string)
        while True:
            with gate:
                some = list(itertools.islice(found, MATCHES_AT_ONCE))
            yield from some
            if len(some) < MATCHES_AT_ONCE:
                return


Engine = ReEngine | Re2Engine


@functools.cache
def best_engine() -> Engine:
    """Return RE2 where it is installed, always the same one."""
    try:
        return Re2Engine()
    except ImportError:
        return ReEngine()
