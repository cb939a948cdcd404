"""A scan with Python's ``re``: the same spans as one alternation of RE2, and linear as well."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import Look, Span, Tail

MAX_SPANS = 100_000
"""From there on all the rest is worth a look."""
Find = Callable[[int], "Span | None"]
"""Finds the first match that begins at a place or behind it."""


_OPEN_REPEAT = re.compile(r"[*+]|,\}")
LONGEST_BEFORE = 6
"""Bytes of the longest thing that stands before a pattern: a JSON escape."""


class Search:
    """One thing to look for."""

    def __init__(self, look: Look) -> None:
        self._any_case = look.any_case
        self._tail = look.tail
        self._core = re.compile(look.pattern.encode())
        self._is_bounded = _OPEN_REPEAT.search(look.pattern) is None
        end = look.tail.pattern if look.tail else ""
        self._whole = re.compile((look.before + look.pattern + end).encode())

    def begin(self, data: bytes, lowered: bytes) -> Find:
        """Return what finds it in `data`."""
        text = lowered if self._any_case else data
        if self._tail is None:
            return lambda at: self._find(text, at)
        reach = _Reach(self._tail, text)

        def find(at: int) -> Span | None:
            for core in self._core.finditer(text, at):
                if reach.may_follow(core.end()):
                    whole = self._whole.match(text, core.start())
                    if whole is not None:
                        return whole.span()
            return None

        return find

    def _find(self, text: bytes, at: int) -> Span | None:
        if self._is_bounded:
            # To a core `re` skips fast, and to what stands before it, which may be anything, it does
            # not. An open repeat would be tried from every place within a long run.
            core = self._core.search(text, at)
            if core is None:
                return None
            at = max(at, core.start() - LONGEST_BEFORE)
        whole = self._whole.search(text, at)
        return None if whole is None else whole.span()


class _Reach:
    """Tells whether a tail may follow, each place looked at once however many heads there are.

    An open repeat behind each of many heads would not be linear in `re`.
    """

    def __init__(self, tail: Tail, text: bytes) -> None:
        self._text = text
        self._stop = _Next(re.compile(tail.stop.encode()), text)
        self._end = _Next(re.compile(tail.end.encode()), text)
        self._string = re.compile(tail.string.encode())
        self._key = re.compile(tail.key.encode())
        self._string_from = self._string_to = -1
        self._is_key = False

    def may_follow(self, at: int) -> bool:
        end = self._end.find(at)
        return end <= min(self._stop.find(at), len(self._text)) or self._ends_key(at)

    def _ends_key(self, at: int) -> bool:
        if not self._string_from <= at <= self._string_to:
            string = self._string.match(self._text, at)
            assert string is not None  # noqa: S101 - it matches nothing, too
            self._string_from, self._string_to = string.span()
            self._is_key = self._key.match(self._text, string.end()) is not None
        return self._is_key


class _Next:
    """Finds the next match of a pattern, and remembers it."""

    def __init__(self, pattern: re.Pattern[bytes], text: bytes) -> None:
        self._pattern, self._text = pattern, text
        self._asked = self._found = -1

    def find(self, at: int) -> int:
        if not self._asked <= at <= self._found:
            match = self._pattern.search(self._text, at)
            self._asked, self._found = at, len(self._text) + 1 if match is None else match.start()
        return self._found


def scan_all(data: bytes, searches: Sequence[Search], spans: list[Span]) -> list[Span]:
    """Find from left to right what begins first, and go on behind it: as one alternation does.

    Args:
        data: the text.
        searches: what is looked for.
        spans: what was found before; the scan goes on behind the last of it, and adds to it.
    """
    lowered = data.lower()
    done = spans[-1][1] if spans else 0
    waiting = []
    for number, search in enumerate(searches):
        find = search.begin(data, lowered)
        first = find(done)
        if first is not None:
            waiting.append((first[0], number, first[1], find))
    heapq.heapify(waiting)
    while waiting and len(spans) < MAX_SPANS:
        start, number, end, find = waiting[0]
        if start >= done:
            spans.append((start, end))
            done = end
        following = find(done)
        if following is None:
            heapq.heappop(waiting)
        else:
            heapq.heapreplace(waiting, (following[0], number, following[1], find))
    return limit_spans(spans, len(data))


def limit_spans(spans: list[Span], size: int) -> list[Span]:
    """Let one span be all the rest where there are too many."""
    if len(spans) >= MAX_SPANS:
        spans.append((spans[-1][1], size))
    return spans
