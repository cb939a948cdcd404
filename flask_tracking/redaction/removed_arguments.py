"""Copies of view arguments that were removed: in the path, and in links to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import quote

from .findings import Finding
from .markers import MARKER

MIN_ANYWHERE = 4
"""Characters of a value that is looked for anywhere in a path; shorter ones only as a whole segment."""


class _Argument(NamedTuple):
    anywhere: re.Pattern[bytes] | None
    segment: re.Pattern[bytes]
    replacement: bytes


class RemovedArguments:
    """Finds the copies of arguments that were removed."""

    def __init__(self, removed: Iterable[tuple[str, str]], url_rule: str | None) -> None:
        """Take the arguments that were removed.

        Args:
            removed: pairs of the value and its replacement.
            url_rule: the route, which replaces such a path.
        """
        self._arguments = [_make_argument(value, stored) for value, stored in removed if value]
        self._url_rule = (url_rule or MARKER).encode("utf-8", "surrogatepass")

    def find_in_path(self, path: bytes) -> Sequence[Finding]:
        """Find them in a path: the whole path if one is written in another way."""
        found: list[Finding] = []
        for argument in self._arguments:
            some = _find(argument.segment, path, argument)
            if argument.anywhere is not None:
                some += _find(argument.anywhere, path, argument)
            if not some and MARKER.encode() not in path:
                return [Finding(0, len(path), "name", instead=self._url_rule)]
            found += some
        return found

    def find_in_link(self, text: bytes) -> Sequence[Finding]:
        """Find them as segments of a path in any text, like ``Referer`` and ``Location``."""
        return [one for argument in self._arguments for one in _find(argument.segment, text, argument)]


def _find(pattern: re.Pattern[bytes], text: bytes, argument: _Argument) -> list[Finding]:
    # The callback has decided about the argument, and is not asked about its copies.
    return [
        Finding(*match.span(), "name", instead=argument.replacement) for match in pattern.finditer(text)
    ]


def _make_argument(value: str, stored: str) -> _Argument:
    raw = value.encode("utf-8", "surrogatepass")
    ways = sorted({raw, quote(raw, safe="").encode(), quote(raw).encode()}, key=len, reverse=True)
    any_way = b"|".join(map(re.escape, ways))
    return _Argument(
        re.compile(any_way) if len(value) >= MIN_ANYWHERE else None,
        re.compile(rb"(?<=/)(?:%b)(?=[/?#;,>\"' ]|\Z)" % any_way),
        stored.encode("utf-8", "surrogatepass"),
    )


NOTHING_REMOVED = RemovedArguments((), None)
