"""Undo percent-escapes, JSON's escapes and base64, and map findings back to the raw bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from itertools import compress
from urllib.parse import unquote_to_bytes

from ..detection.long_runs import decode_base64
from ..detection.scan_patterns import BASE64_JSON, BASE64_TEXT
from ..findings import Finding, Mapped
from .context import Context, Find

PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
_JSON_ESCAPE = re.compile(
    rb"\\(?:(u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})|(.))", re.S
)
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_RUN = re.compile(rb"""[^\s"'<>&;,]+""")
_BASE64_RUN = re.compile(rb"[0-9A-Za-z+/_-]{16,}={0,2}")
_BASE64_TEXT = re.compile(f"{BASE64_TEXT}|{BASE64_JSON}".encode())


class Decoded(Mapped):
    """A text with its escapes undone."""

    def __init__(
        self,
        raw: bytes,
        escape: re.Pattern[bytes],
        undo: Callable[[re.Match[bytes]], bytes],
        protect: Callable[[bytes], bytes],
    ) -> None:
        """Replace each match of `escape` by `undo` of it; `protect` escapes a replacement."""
        super().__init__(raw, ((*match.span(), undo(match)) for match in escape.finditer(raw)))
        self._protect = protect

    def lift(self, one: Finding) -> Finding:
        """Return a finding in `text` as one in the text as it came."""
        start, end = self.raw_range(one.start, one.end)
        value = self.text[one.start : one.end] if one.value is None else one.value
        instead = None if one.instead is None else self._protect(one.instead)
        return Finding(start, end, one.rule, self._protect(one.quote), value, instead)


def decode_percent(raw: bytes) -> Decoded:
    """Undo percent-escapes, and the plus signs of forms."""
    return Decoded(raw.replace(b"+", b" "), PERCENT, lambda match: unquote_to_bytes(match[0]), _quote)


def _quote(text: bytes) -> bytes:
    return text.replace(b'"', b"%22").replace(b"\\", b"%5C").replace(b" ", b"%20")


def decode_json_string(raw: bytes) -> Decoded:
    """Undo the escapes of a JSON string; wrong ones stand for the character behind the backslash."""
    return Decoded(raw, _JSON_ESCAPE, _undo_json, _escape)


def _undo_json(escape: re.Match[bytes]) -> bytes:
    if escape[1]:
        return str(json.loads(b'"' + escape[0] + b'"')).encode("utf-8", "surrogatepass")
    return _LETTERS.get(escape[2], escape[2])


def _escape(text: bytes) -> bytes:
    return text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def find_escaped(data: bytes, find: Find, context: Context) -> Iterable[Finding]:
    """Look into percent-escapes within a text."""
    if b"%" not in data:
        return
    runs = [_decode_run(run) for run in _RUN.finditer(data) if PERCENT.search(run[0])]
    seen = context.may_hold_secrets([decoded.text for _, decoded in runs])
    for start, decoded in compress(runs, seen):
        yield from (decoded.lift(one).moved(start) for one in find(decoded.text, context.inside()))


def _decode_run(run: re.Match[bytes]) -> tuple[int, Decoded]:
    """Undo the escapes of a run; a name before a ``=`` that has none is left out."""
    name, equals, value = run[0].partition(b"=")
    if equals and PERCENT.search(value) and not PERCENT.search(name):
        return run.start() + len(name) + 1, decode_percent(value)
    return run.start(), decode_percent(run[0])


def find_base64(data: bytes, find: Find, context: Context) -> Iterable[Finding]:
    """Look into base64 of text; a run that holds a secret is redacted whole."""
    pairs = [(run, _BASE64_TEXT.search(run[0])) for run in _BASE64_RUN.finditer(data)]
    runs = [(run.span(), decode_base64(run[0][text.start() % 4 :])) for run, text in pairs if text]
    seen = context.may_hold_secrets([decoded for _, decoded in runs])
    for span, decoded in compress(runs, seen):
        if find(decoded, context.inside()):
            yield Finding(*span, "base64")
