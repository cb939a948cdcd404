"""Copies of view arguments that were removed: in the path, and in links to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from .findings import Finding
from .markers import MARKER

MIN_ANYWHERE = 4
"""Characters of a value that is looked for anywhere in a path; shorter ones only as a whole segment."""


class RemovedArguments:
    """Finds the copies of arguments that were removed."""

    def __init__(self, removed: Iterable[tuple[str, str]], url_rule: str | None) -> None:
        """Take the arguments that were removed.

        Args:
            removed: pairs of the value and its replacement.
            url_rule: the route, which replaces such a path.
        """
        self._removed = [(value, _encode(stored)) for value, stored in removed if value]
        self._url_rule = _encode(url_rule or MARKER)

    def find_in_path(self, path: bytes) -> Sequence[Finding]:
        """Find them in a path: the whole path if one is written in another way."""
        found: list[Finding] = []
        for value, stored in self._removed:
            some = _find(_in_segment(value), path, stored)
            if len(value) >= MIN_ANYWHERE:
                some += _find(_in_any_way(value), path, stored)
            if not some and MARKER.encode() not in path:
                return [Finding(0, len(path), "name", instead=self._url_rule)]
            found += some
        return found

    def find_in_link(self, text: bytes) -> Sequence[Finding]:
        """Find them as segments of a path in any text, like ``Referer`` and ``Location``."""
        return [
            one for value, stored in self._removed for one in _find(_in_segment(value), text, stored)
        ]


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _find(pattern: bytes, text: bytes, replacement: bytes) -> list[Finding]:
    # The callback has decided about the argument, and is not asked about its copies.
    found = re.finditer(pattern, text)
    return [Finding(*match.span(), "name", instead=replacement) for match in found]


def _in_any_way(value: str) -> bytes:
    raw = _encode(value)
    ways = {raw, quote(raw, safe="").encode(), quote(raw).encode()}
    return b"|".join(map(re.escape, sorted(ways, key=len, reverse=True)))


def _in_segment(value: str) -> bytes:
    return rb"(?<=/)(?:%b)(?=[/?#;,>\"' ]|\Z)" % _in_any_way(value)


NOTHING_REMOVED = RemovedArguments((), None)
