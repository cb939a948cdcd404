"""Change a document without changing its size, for servers that allow nothing else.

Before MongoDB 5.0 a document of a capped collection keeps its size for ever (error 10003). The markers
that stand where secrets were give and take: they become as many stars as there is room for.
"""

from __future__ import annotations

from typing import Any

from .changes import Change, encoded_size

Document = dict[str, Any]

LEAST = 3
"""The fewest stars that redaction still takes for a marker, and not for a secret."""


def fit(change: Change, marker: str) -> Change | None:
    """Return `change` so that the document keeps its size, None where that cannot be.

    What is said about it goes first: the remarks, then the version of the rules. A document without
    that version is looked at again by the next rewrite, which finds nothing in it.
    """
    for left_out in ((), ("redacted",), ("redacted", "rules_version")):
        values = {name: value for name, value in change.values.items() if name not in left_out}
        fitted = Change(change.document, values)
        room = encoded_size(change.document) - encoded_size(fitted.changed_document())
        if room == 0:
            return fitted
        stretched = _Markers(marker, room).stretch(values)
        if stretched is not None:
            return Change(change.document, stretched)
    return None


class _Markers:
    """Spreads bytes over all markers in some values."""

    def __init__(self, marker: str, room: int) -> None:
        self._marker = marker.encode()
        self._room = room

    def stretch(self, values: Document) -> Document | None:
        """Return `values` with `room` bytes more, below 0 with less; None if they cannot be."""
        stretched = {name: self._walk(value) for name, value in values.items()}
        return stretched if self._room == 0 else None

    def _walk(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._walk(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._walk(item) for item in value]
        if isinstance(value, str):
            return self._spread(value.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
        return self._spread(value) if type(value) is bytes else value

    def _spread(self, text: bytes) -> bytes:
        first, *others = text.split(self._marker)
        filled = [first]
        for part in others:
            length = max(LEAST, len(self._marker) + self._room)
            self._room -= length - len(self._marker)
            filled += [self._marker if length == len(self._marker) else b"*" * length, part]
        return b"".join(filled)
