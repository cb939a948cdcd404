"""What stands where a secret was: the marker, or as the settings and the app's own callback say."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping

from ...guard import call_foreign
from ..callback import Redact
from .values import MARKER, MARKER_BYTES, Finding

REMOVE, TAIL, HASH = "remove", "tail", "hash"
TAIL_CHARACTERS, MIN_FOR_TAIL = 4, 12
HASH_CHARACTERS = 8
QUOTED_MARKER = b'"' + MARKER_BYTES + b'"'
"""For JSON's numbers and containers."""
_UNSAFE = re.compile(r"[^\w .:/@#*\[\]()-]", re.A)


class Actions:
    """How the secrets of one app are taken out."""

    def __init__(
        self, by_rule: Mapping[str, str], hash_key: str | None, callback: Redact | None = None
    ) -> None:
        """Take what is configured.

        Args:
            by_rule: ``remove``, ``tail`` or ``hash`` by the id of a rule; ``*`` stands for the others.
            hash_key: the key of this installation; without it nothing is hashed, but removed.
            callback: asked for each value; what it returns is stored.
        """
        self._by_rule = by_rule
        self._default = by_rule.get("*", REMOVE)
        self._hash_key = None if hash_key is None else hash_key.encode("utf-8", "surrogatepass")
        self._callback = callback
        self.are_plain = callback is None and set(by_rule.values()) <= {REMOVE}
        """Whether the marker is all that is ever put in the place of a secret."""

    def mark(self, rule: str, value: bytes) -> str:
        """Return what the settings put in the place of `value`."""
        action = self._by_rule.get(rule, self._default)
        if action == TAIL and len(value) >= MIN_FOR_TAIL:
            tail = re.sub(r"[^0-9A-Za-z]", "", value[-TAIL_CHARACTERS:].decode("latin-1"))
            return f"[redacted ...{tail}]"
        if action == HASH and self._hash_key is not None:
            digest = hmac.new(self._hash_key, value, hashlib.sha256).hexdigest()
            return f"[redacted #{digest[:HASH_CHARACTERS]}]"
        return MARKER

    def settle(self, path: str, data: bytes, found: Iterable[Finding]) -> list[Finding]:
        """Say of each finding what is put in its place; what the callback lets stand is left out."""
        settled = []
        for one in found:
            if one.instead not in (None, QUOTED_MARKER):
                settled.append(one)
                continue
            value = data[one.start : one.end]
            instead = self._choose(path, one.rule, value)
            if instead != value:
                is_quoted = one.instead is not None
                settled.append(one._replace(instead=b'"%b"' % instead if is_quoted else instead))
        return settled

    def _choose(self, path: str, rule: str, value: bytes) -> bytes:
        if self._callback is not None:
            text = value.decode("utf-8", "surrogateescape")
            chosen = call_foreign("calling redact", self._callback, path, text, rule, default=None)
            if isinstance(chosen, str):
                # As it is where it is what stood there; else it must fit into any grammar.
                return value if chosen == text else _UNSAFE.sub("_", chosen).encode()
        return self.mark(rule, value).encode()
