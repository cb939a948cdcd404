"""Undo percent-escapes and base64 within a text, one level: what is found in a run takes all of it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from .looks import BASE64_TEXT
from .values import Finder, Finding, Spans

Count = Callable[[], None]
FindInner = Callable[[bytes], Sequence[Finding]]
_ESCAPED = re.compile(rb"%[0-9A-Fa-f]{2}")
_RUN = re.compile(rb"""[^\s"'<>&;,]+""")
_BASE64_RUN = re.compile(rb"[0-9A-Za-z+/_-]{16,}={0,2}")
_BASE64_TEXT = re.compile(BASE64_TEXT.encode())
_STANDARD = bytes.maketrans(b"-_", b"+/")


class _Run(NamedTuple):
    start: int
    end: int
    decoded: bytes


def find_escaped(data: bytes, finder: Finder, find: FindInner, count: Count) -> Iterable[Finding]:
    """Look into percent-escapes."""
    runs = [_decode_run(run) for run in _RUN.finditer(data) if _ESCAPED.search(run[0])]
    return _find_in_runs(runs, finder, find, count, None)


def find_base64(data: bytes, finder: Finder, find: FindInner, count: Count) -> Iterable[Finding]:
    """Look into base64 of text."""
    if not _BASE64_TEXT.search(data):
        return ()
    runs = []
    for run in _BASE64_RUN.finditer(data):
        text = _BASE64_TEXT.search(run[0])
        if text is not None:
            runs.append(_Run(run.start(), run.end(), decode_base64(run[0][text.start() % 4 :])))
    return _find_in_runs(runs, finder, find, count, "base64")


def _find_in_runs(
    runs: Sequence[_Run], finder: Finder, find: FindInner, count: Count, rule: str | None
) -> Iterable[Finding]:
    if not runs:
        return
    spans = Spans(finder.scan(b"\n".join([run.decoded for run in runs])))
    at = 0
    for start, end, decoded in runs:
        count()
        if spans.touch(at, at + len(decoded)):
            inner = find(decoded)
            if inner:
                yield Finding(start, end, rule or inner[0].rule)
        at += len(decoded) + 1


def _decode_run(run: re.Match[bytes]) -> _Run:
    start = run.start()
    name, equals, value = run[0].partition(b"=")
    if equals and _ESCAPED.search(value) and not _ESCAPED.search(name):
        start += len(name) + 1
        return _Run(start, run.end(), unquote_to_bytes(value.replace(b"+", b" ")))
    return _Run(start, run.end(), unquote_to_bytes(run[0].replace(b"+", b" ")))


def decode_base64(data: bytes) -> bytes:
    """Decode base64 of either alphabet, as much of it as there is; nothing where it is none."""
    text = data.rstrip(b"=").translate(_STANDARD)
    text = text[: len(text) - (len(text) % 4 == 1)]
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
