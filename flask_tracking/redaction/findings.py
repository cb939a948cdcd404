"""Findings: where a secret is in a text, and how its replacement is written there."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .engines.base import Range


class Finding(NamedTuple):
    """A secret in a text."""

    start: int
    end: int
    rule: str
    """The id of the format, or another reason that `record.Remark.rule` lists."""
    quote: bytes = b""
    """Written on both sides of the replacement: JSON has no bare words."""
    value: bytes | None = None
    """The secret with its escapes undone; None if there are none."""
    instead: bytes | None = None
    """A fixed replacement, like the size of a file; the callback is not asked."""

    def moved(self, offset: int) -> Finding:
        """Return the same finding in a text in which this one begins at `offset`."""
        return self._replace(start=offset + self.start, end=offset + self.end)


def merge(found: Iterable[Finding]) -> list[Finding]:
    """Join findings that overlap; the first names the rule."""
    found = list(found)
    if not found or len(found) == 1 and found[0].start < found[0].end:
        return found
    merged: list[Finding] = []
    for one in sorted(found, key=lambda one: one[:2]):
        last = merged[-1] if merged else None
        if last is not None and one.start < last.end:
            if one.end > last.end:
                merged[-1] = last._replace(end=one.end, value=None, instead=None)
        elif one.end > one.start:
            merged.append(one)
    return merged


class Mapped:
    """A text in which something was replaced, and where each byte of it stood before."""

    def __init__(self, raw: bytes, replaced: Iterable[tuple[int, int, bytes]]) -> None:
        """Take the text as it came, and the replacements of its parts, from left to right."""
        parts: list[bytes] = []
        # Edges come in pairs around replacements: a replacement follows each odd one.
        self._text_edges, self._raw_edges = [0], [0]
        at = size = 0
        for start, end, instead in replaced:
            parts += [raw[at:start], instead]
            size += start - at
            self._text_edges += [size, size + len(instead)]
            self._raw_edges += [start, end]
            size += len(instead)
            at = end
        self.text = b"".join([*parts, raw[at:]])

    def raw_range(self, start: int, end: int) -> Range:
        """Return a range of `text` as one of the text as it came: a replaced part is in it whole."""
        texts, raws = self._text_edges, self._raw_edges
        first = bisect_right(texts, start) - 1
        raw_start = raws[first] + (0 if first % 2 else start - texts[first])
        last = bisect_left(texts, end) - 1
        raw_end = raws[last + 1] if last % 2 else raws[last] + end - texts[last]
        return raw_start, raw_end


class Ranges:
    """Tells quickly whether a part of a text touches one of the hits of its scan."""

    def __init__(self, ranges: Sequence[Range]) -> None:
        ordered = sorted(ranges)
        self._starts = [start for start, _ in ordered]
        self._ends: list[int] = []
        furthest = 0
        for _, end in ordered:
            furthest = max(furthest, end)
            self._ends.append(furthest)

    def touch(self, start: int, end: int) -> bool:
        """Tell whether ``[start, end)`` and a hit have something in common."""
        at = bisect_right(self._starts, end)
        return at > 0 and self._ends[at - 1] >= start
