"""The engine on Python's ``re``: one pattern after the other, as far as a literal of it is there.

A scan sees all that RE2 sees with one alternation, and is linear in its text as well.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter

from .base import (
    CAPITALS,
    DIGITS,
    LONG_TOKEN,
    MAX_HITS,
    NOT_ASCII,
    TOKEN,
    Choose,
    Pattern,
    Range,
    Scan,
    ScanPattern,
)

LONGEST_BEFORE = 6
"""Bytes of the longest thing that stands before a pattern: a JSON escape."""
LENGTHS = {TOKEN: 15, LONG_TOKEN: 27}
"""The least lengths of the runs that patterns need."""
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_WORD_CHARACTERS = _LETTERS + b"0123456789_"
_RUN_CHARACTERS = _WORD_CHARACTERS + b"-.+/=~"


def _keep(characters: bytes) -> bytes:
    return bytes(code if code in characters else 0x20 for code in range(256))


_WORDS, _RUNS = _keep(_WORD_CHARACTERS), _keep(_RUN_CHARACTERS)
_STRIDE = 5
_SAMPLES = b"a" * (LENGTHS[TOKEN] // _STRIDE)
_SAMPLED = bytes(0x61 if code in _RUN_CHARACTERS else 0x20 for code in range(256))
"""Of a run of 15 every fifth is enough to see that there may be one."""
_DIGITS = bytes(0x30 if code in b"0123456789" else 0x2E for code in range(256))
_CAPITALS = bytes(
    0x41 if code in b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" else 0x2E for code in range(256)
)
"""All digits, and all digits and capitals, are one: cards and IBANs are rows of them."""
_OPEN_REPEAT = re.compile(r"[*+]|,\}")


class PythonEngine:
    """Python's own engine."""

    name = "re"

    def compile(self, pattern: str) -> Pattern:
        """Compile one pattern."""
        return re.compile(pattern.encode())

    def make_scan(self, patterns: Sequence[ScanPattern]) -> Scan:
        """Return a function that finds where any of `patterns` is, from left to right."""
        searches = [get_search(pattern) for pattern in patterns]
        choose = self.make_choice(patterns)

        def scan(data: bytes) -> list[Range]:
            lowered = data.lower()
            found = (searches[at].find(data, lowered) for at in choose(data))
            hits = list(islice(chain.from_iterable(found), MAX_HITS))
            return _in_order(hits) if len(hits) < MAX_HITS else [(0, len(data))]

        return scan

    def make_choice(self, patterns: Sequence[ScanPattern]) -> Choose:
        """Return a function that tells which of `patterns` may be in a text, by number."""
        # By the part of a text that is searched: most hints are looked for in little of it. As strings
        # of bytes: `in` takes a fifth of the time that it takes among bytes.
        parts: dict[str, dict[str, list[int]]] = {}
        for at, pattern in enumerate(patterns):
            for hint in (one.encode() for one in pattern.hints or ("",)):
                hints = parts.setdefault(_choose_part(pattern, hint), {})
                hints.setdefault(hint.decode("latin-1"), []).append(at)
        needs = [pattern.needs for pattern in patterns]
        # Patterns without a hint are looked for in the runs: they are short.
        within_runs = [
            (at, re.compile(pattern.pattern.encode()))
            for at, pattern in enumerate(patterns)
            if pattern.needs == TOKEN and not pattern.hints
        ]

        def choose(data: bytes) -> Iterable[int]:
            text = _Text(data)
            missing = text.find_missing()
            found: set[int] = set()
            for part, hints in parts.items():
                within = text.parts[part].decode("latin-1")
                if within:
                    found.update(*[some for hint, some in hints.items() if hint in within])
            found -= {at for at, pattern in within_runs if not pattern.search(text.parts["runs"])}
            return sorted(at for at in found if needs[at] not in missing)

        return choose


def _choose_part(pattern: ScanPattern, hint: bytes) -> str:
    if pattern.needs in (TOKEN, LONG_TOKEN) and not hint.translate(None, _RUN_CHARACTERS):
        return "runs"
    if not pattern.any_case:
        return "data"
    if not hint.translate(None, _WORD_CHARACTERS):
        return "words"
    return "lowered" if hint.isascii() and b"\\" not in hint else "not ASCII"


class _Text:
    """A text, as far as needed to tell which patterns may be in it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        lowered = data.lower()
        runs: set[bytes] = set()
        if _SAMPLES in data[::_STRIDE].translate(_SAMPLED):
            runs = {run for run in data.translate(_RUNS).split() if len(run) >= LENGTHS[TOKEN]}
        self._longest = max(map(len, runs), default=0)
        # Most words repeat, and hints are looked for in the distinct ones.
        words = b" ".join(set(lowered.translate(_WORDS).split())) + b" "
        self.parts = {"data": data, "lowered": lowered, "words": words, "runs": b" ".join(runs)}
        self.parts["not ASCII"] = b"" if data.isascii() and b"\\" not in data else lowered

    def find_missing(self) -> set[str]:
        """Return the needs of patterns that the text does not meet."""
        missing = {need for need, length in LENGTHS.items() if self._longest < length}
        if self._data.isascii():
            missing.add(NOT_ASCII)
        if b"0" * 12 not in self._data.translate(_DIGITS, b" +-"):
            missing.add(DIGITS)
        if b"A" * 15 not in self._data.translate(_CAPITALS, b" +-"):
            missing.add(CAPITALS)
        return missing


class Search:
    """The search for one pattern."""

    def __init__(self, pattern: ScanPattern) -> None:
        self._any_case = pattern.any_case
        core = pattern.pattern + pattern.after
        self._core = re.compile(core.encode())
        self._is_bounded = _OPEN_REPEAT.search(core) is None
        self._whole = re.compile((pattern.before + core).encode())

    def find(self, data: bytes, lowered: bytes) -> Iterator[Range]:
        """Find all matches from left to right; `lowered` are the same bytes in lower case."""
        text, at = lowered if self._any_case else data, 0
        while True:
            if self._is_bounded:
                # To a core `re` skips fast, and to what stands before it, which may be anything, it
                # does not. An open repeat would be tried from every place within a long run.
                core = self._core.search(text, at)
                if core is None:
                    return
                at = max(at, core.start() - LONGEST_BEFORE)
            whole = self._whole.search(text, at)
            if whole is None:
                return
            yield whole.span()
            at = whole.end()


get_search = functools.lru_cache(maxsize=2048)(Search)
"""Most patterns are the same whatever the settings: apps of one process share them, compiled once."""


def _in_order(hits: Iterable[Range]) -> list[Range]:
    """Return hits from left to right, without those within another."""
    ordered: list[Range] = []
    for start, end in sorted(hits, key=itemgetter(0)):
        if not ordered or end > ordered[-1][1]:
            ordered.append((start, end))
    return ordered
