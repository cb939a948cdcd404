"""The regular expressions' engine: google-re2 where it is installed, else Python's ``re``.

Both work on bytes and on the same patterns. RE2 looks for all of them at once, in one pass; ``re``
would take a hundred times as long, and first asks for each whether a literal of it is there at all.
"""

from __future__ import annotations

import atexit
import itertools
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from ...forks import after_fork_in_child
from .scans import MAX_SPANS, Search, limit_spans, scan_all

Span = tuple[int, int]
Choose = Callable[[bytes], Iterable[int]]


class Pattern(Protocol):
    """A compiled pattern over bytes, of either engine."""

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
    """One thing that a scan looks for."""

    pattern: str
    hints: tuple[str, ...]
    """Literals, one of which is in every match; without any the pattern is always tried."""
    any_case: bool = False
    """Whether pattern and hints are lower case, and match any."""
    tail: Tail | None = None


class ReEngine:
    """Python's own."""

    name = "re"

    def compile(self, pattern: str) -> Pattern:
        """Compile one pattern."""
        return re.compile(pattern.encode())

    def make_scan(self, looks: Iterable[Look]) -> Callable[[bytes], list[Span]]:
        """Return what finds where any of `looks` is."""
        searches = [Search(look) for look in looks]
        return lambda data: scan_all(data, searches)

    def make_choice(self, patterns: Sequence[tuple[str, tuple[str, ...]]]) -> Choose:
        """Return what tells which of `patterns`, each with its hints, may be in a text, by number."""
        hinted = [[hint.encode() for hint in hints] for _, hints in patterns]

        def choose(data: bytes) -> Iterable[int]:
            return [
                at
                for at, hints in enumerate(hinted)
                if not hints or any(hint in data for hint in hints)
            ]

        return choose


LAST_SCAN_S = 1.0
"""How long the end of the process waits for a scan that is under way: they take a fraction of it."""


class ClosedError(Exception):
    """The process ends, and nothing is looked for any more."""


class _Gate:
    """Lets one thread at a time into RE2, and none once the process ends.

    RE2 lets other threads run while it works. A thread that comes back from it when the interpreter is
    gone takes the process down with it: SIGABRT instead of the exit code.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_closed = False
        after_fork_in_child(self._begin_anew)

    def _begin_anew(self) -> None:
        # Another thread may have had it when the process was forked, and is not here.
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if self._is_closed:
            if threading.current_thread().daemon:
                threading.Event().wait()  # until the process is gone
            raise ClosedError
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def close(self) -> None:
        """Wait for who is in, and let nobody in any more."""
        self._is_closed = True
        self._lock.acquire(timeout=LAST_SCAN_S)


gate = _Gate()
atexit.register(gate.close)  # before the worker registers, and so after it has ended


MATCHES_AT_ONCE = 1000
"""So many are held in memory: of a hostile text there may be millions."""


class Re2Engine:
    """google-re2."""

    name = "re2"

    def __init__(self) -> None:
        """Raises: ImportError: google-re2 is not installed."""
        import re2

        self._re2 = re2
        self._options = re2.Options()
        self._options.encoding = re2.Options.Encoding.LATIN1
        self._options.log_errors = False  # its messages go to standard error, and quote the pattern
        self._options.max_mem = 64 << 20

    def compile(self, pattern: str) -> Pattern:
        """Compile one pattern."""
        return _GatedPattern(self._compile(pattern))

    def _compile(self, pattern: str) -> Any:
        with gate:
            return self._re2.compile(pattern.encode(), self._options)

    def make_scan(self, looks: Iterable[Look]) -> Callable[[bytes], list[Span]]:
        """Return what finds where any of `looks` is."""
        parts = [
            ("(?i:" if look.any_case else "(?:")
            + look.pattern
            + (look.tail.pattern if look.tail else "")
            + ")"
            for look in looks
        ]
        pattern = self._compile("|".join(parts))

        def scan(data: bytes) -> list[Span]:
            with gate:
                found = pattern.finditer(data)
                spans = [match.span() for match in itertools.islice(found, MAX_SPANS)]
            return limit_spans(spans, len(data))

        return scan

    def make_choice(self, patterns: Sequence[tuple[str, tuple[str, ...]]]) -> Choose:
        """Return what tells which of `patterns`, each with its hints, are in a text, by number."""
        chosen = self._re2.Set.SearchSet(self._options)
        for pattern, _ in patterns:
            chosen.Add(pattern.encode())
        with gate:
            chosen.Compile()

        def choose(data: bytes) -> Iterable[int]:
            with gate:
                return sorted(chosen.Match(data) or ())

        return choose


class _GatedPattern:
    """A pattern of RE2's."""

    def __init__(self, pattern: Any) -> None:
        self._pattern = pattern

    def finditer(self, string: bytes, /) -> Iterable[Any]:
        """Find all matches from left to right."""
        found = self._pattern.finditer(string)
        while True:
            with gate:
                some = list(itertools.islice(found, MATCHES_AT_ONCE))
            yield from some
            if len(some) < MATCHES_AT_ONCE:
                return


Engine = ReEngine | Re2Engine


def best_engine() -> Engine:
    """Return RE2 where it is installed."""
    try:
        return Re2Engine()
    except ImportError:
        return ReEngine()
