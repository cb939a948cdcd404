"""Decide on the replacement of a secret, and write it: no other module of redaction changes a text."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping

from ..record import Remark
from ..runtime.guard import call_foreign
from .findings import Finding
from .markers import MARKER

REMOVE, TAIL, HASH = "remove", "tail", "hash"
TAIL_CHARACTERS, MIN_FOR_TAIL = 4, 12
HASH_CHARACTERS = 8
_UNSAFE = re.compile(r"[^\w .:/@#*\[\]()-]", re.A)

Redact = Callable[[str, str, str], str | None]
"""``redact(path, value, rule)``: returns the text to store, None for the marker."""


class Actions:
    """How one app replaces its secrets."""

    def __init__(
        self, by_rule: Mapping[str, str], hash_key: str | None, callback: Redact | None = None
    ) -> None:
        """Take the configuration.

        Args:
            by_rule: ``remove``, ``tail`` or ``hash`` by the id of a rule; ``*`` stands for the others.
            hash_key: the key of this installation; without it ``hash`` removes.
            callback: asked exactly once for each value; returns the text to store.
        """
        self._by_rule = by_rule
        self._default = by_rule.get("*", REMOVE)
        self._hash_key = None if hash_key is None else hash_key.encode("utf-8", "surrogatepass")
        self.ask = callback
        """The callback: without it equal values have equal replacements."""
        is_plain = callback is None and all(action == REMOVE for action in by_rule.values())
        self._always = MARKER.encode() if is_plain else None

    def decide(self, path: str, rule: str, value: bytes) -> bytes | None:
        """Return the replacement of `value`, the secret at `path`; None to let it stand."""
        if self._always is not None:
            return self._always
        if self.ask is not None:
            text = value.decode("utf-8", "surrogateescape")
            chosen = call_foreign("calling redact", self.ask, path, text, rule, default=None)
            if isinstance(chosen, str):
                # A replacement has to fit into any grammar.
                return None if chosen == text else _UNSAFE.sub("_", chosen).encode()
        return self._mark(rule, value).encode()

    def _mark(self, rule: str, value: bytes) -> str:
        action = self._by_rule.get(rule, self._default)
        if action == TAIL and len(value) >= MIN_FOR_TAIL:
            tail = re.sub(r"[^0-9A-Za-z]", "", value[-TAIL_CHARACTERS:].decode("latin-1"))
            return f"[redacted ...{tail}]"
        if action == HASH and self._hash_key is not None:
            digest = hmac.new(self._hash_key, value, hashlib.sha256).hexdigest()
            return f"[redacted #{digest[:HASH_CHARACTERS]}]"
        return MARKER


def apply(
    data: bytes, found: Iterable[Finding], path: str, actions: Actions, remarks: list[Remark]
) -> bytes:
    """Replace the findings in a text, and return it as it may be stored.

    Args:
        data: the text.
        found: from left to right, none within another.
        path: the field of the record that the text stands in.
        actions: decide about each of them, once.
        remarks: gets one more for each secret that was really removed.
    """
    parts: list[bytes] = []
    at = stored = 0
    for start, end, rule, quote, value, instead in found:
        if instead is None:
            decided = actions.decide(path, rule, data[start:end] if value is None else value)
            if decided is None:
                continue
            instead = quote + decided + quote
        parts += [data[at:start], instead]
        stored += start - at
        remarks.append(Remark(path, rule, start, end - start, stored, len(instead)))
        stored += len(instead)
        at = end
    return b"".join([*parts, data[at:]])
