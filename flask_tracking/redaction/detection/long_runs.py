"""Long runs of base64, like images and cursors: they are set aside before anything is looked for.

To an automaton each is news: 66 KB of a new image would cost RE2 half a second. A stand-in takes the
place of a run, and findings are moved back. Not set aside, and looked at like any other text, is a run

- below `MIN_RUN` characters, without digits, capitals or small letters, or of both alphabets;
- with a known secret, or a token of a known format at the head of a line, or behind a ``+``, ``/``,
  ``-``, ``_``;
- beside a point, as in a JWT, or before a separator, which makes it a name.

The decoded bytes are read as far as they are text. Lines of one length are one run, as in a mail or in
PEM, also where form or JSON escape the line breaks.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..engines.base import Range
from ..findings import Finding, Mapped

MIN_RUN = 200
STAND_IN = b"0Zq9" * 16
"""Opaque like a run, always the same, and base64 of no text."""
MIN_LINE = 40
"""Characters of a line of a wrapped run; MIME has 76, PEM 64."""
_STRIDE = 8
_CHARACTERS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/_-%\\\r\n"
_MASK = bytes(0x61 if code in _CHARACTERS else 0x20 for code in range(256))
_SAMPLES = b"a" * (MIN_RUN // _STRIDE)
_STRETCH = re.compile(rb"[0-9A-Za-z+/_%\\\r\n-]*")
_RUN = re.compile(
    rb"((?:[0-9A-Za-z+/_-]+|(?:%2[BbFf]|\\/)[0-9A-Za-z+/_-]*)(?:(?:%2[BbFf]|\\/)[0-9A-Za-z+/_-]*)*)|"
    rb"%[0-9A-Fa-f]{2}|\\."
)
"""A run, with ``+`` and ``/`` as forms and PHP's JSON escape them; other escapes are no part of it."""
_BREAK = re.compile(rb"\r?\n|(?:\\r)?\\n|(?:%0[Dd])?%0[Aa]")
_LAST_LINE_END = re.compile(rb"""(?:=|%3[Dd]){0,2}(?:[\r\n"'&]|\\[\\"'nr]|%(?:0[AaDd]|2[27])|\Z)""")
"""Behind the last line; behind ``password`` in the next line of a text is something else."""
_NAME_END = re.compile(
    rb"""(?=((?:=|%3[Dd]){0,2}))\1"""
    rb"""(?:(?:\\*["'])?[0-9A-Za-z]|(?:\\*["']|%2[27])?[ \t]*(?:[:=]|%3[AaDd]))"""
)
"""Behind a run that is a name: ``"AAAA": 1``, ``AAAA=1``; not the ``==`` at the end of base64."""
_KINDS = tuple(map(re.compile, (rb"[0-9]", rb"[A-Z]", rb"[a-z]")))
_BESIDE = tuple(b".:|$~"[at : at + 1] for at in range(5))
"""Beside a part of a token, like those of a JWT."""
_PADDING = re.compile(rb"(?:=|%3[Dd]){0,2}")
_ESCAPED = re.compile(rb"%(?:2[BbFf]|3[Dd]|0[AaDd])|\\[/nr]")
_UNESCAPED = {
    **{b"%2b": b"+", b"%2f": b"/", b"%3d": b"=", b"%0a": b"\n", b"%0d": b"\r"},
    **{rb"\/": b"/", rb"\n": b"\n", rb"\r": b"\r"},
}
_STANDARD = bytes.maketrans(b"-_", b"+/")
_STRINGS = re.compile(rb"[\t\n\r -~]{16,}")
"""Text within other bytes: random ones hardly ever have so many printable ones in a row."""


class Run(NamedTuple):
    """A run that is set aside."""

    start: int
    end: int
    text: bytes
    """The decoded bytes, as far as they are text."""


class WithoutRuns(Mapped):
    """A text with a stand-in for each long run."""

    def __init__(self, raw: bytes, runs: list[Run]) -> None:
        super().__init__(raw, ((run.start, run.end, STAND_IN) for run in runs))
        self._raw = raw
        self.runs = runs

    def lift(self, one: Finding) -> Finding:
        """Return a finding in `text` as one in the text as it came."""
        start, end = self.raw_range(one.start, one.end)
        value = one.value
        for run in self.runs:
            if value is not None and start <= run.start < end:
                value = value.replace(STAND_IN, normalise(self._raw[run.start : run.end]), 1)
        return one._replace(start=start, end=end, value=value)


def set_aside(data: bytes, is_seen: Callable[[bytes], bool]) -> WithoutRuns | None:
    """Return a text without its long runs; None where it has none. A run that `is_seen` has to stay."""
    # Of so many characters in a row every eighth is enough to see them: most texts have none.
    samples = data[::_STRIDE].translate(_MASK)
    if _SAMPLES not in samples:
        return None
    runs = []
    for start, end in _find_runs(data, samples):
        lines = normalise(data[start:end]).split()
        if _is_random(run := b"".join(lines)) and not is_seen(b"/".join(lines)):
            runs.append(Run(start, end, decode_text(run)))
    return WithoutRuns(data, runs) if runs else None


def _find_runs(data: bytes, samples: bytes) -> Iterator[Range]:
    at = 0
    while (at := samples.find(_SAMPLES, at)) >= 0:
        start = at * _STRIDE
        while start and data[start - 1] in _CHARACTERS:
            start -= 1
        end = _STRETCH.match(data, start).end()  # type: ignore[union-attr] # it matches nothing, too
        for first, last in _join_lines(data, start, end) if end - start >= MIN_RUN else ():
            if last - first >= MIN_RUN and _stands_alone(data, first, last):
                yield first, _PADDING.match(data, last).end()  # type: ignore[union-attr]
        at = end // _STRIDE + 1


def _join_lines(data: bytes, start: int, end: int) -> Iterator[Range]:
    """Find the runs within a stretch: lines of one length, and the last one, are one."""
    first = last = width = 0
    for run in _RUN.finditer(data, start, end):
        if not run[1]:
            continue
        size = len(normalise(run[1]))
        is_next = size <= width and _BREAK.fullmatch(data, last, run.start()) is not None
        if is_next and _is_line(run, size == width):
            width = size if size == width else 0
        else:
            if last:
                yield first, last
            is_first_line = size >= MIN_LINE and not size % 4  # lines hold whole groups of bytes
            first, width = run.start(), size if is_first_line else 0
        last = run.end()
    if last:
        yield first, last


def _is_line(run: re.Match[bytes], is_full: bool) -> bool:
    """Tell whether a run is a line of a wrapped one: these have the standard alphabet."""
    is_standard = b"-" not in run[1] and b"_" not in run[1]
    return is_standard and (is_full or _LAST_LINE_END.match(run.string, run.end()) is not None)


def _stands_alone(data: bytes, start: int, end: int) -> bool:
    is_part = data.startswith(_BESIDE, max(start - 1, 0)) or data.startswith(_BESIDE, end)
    return not is_part and not _NAME_END.match(data, end)


def _is_random(run: bytes) -> bool:
    is_mixed = (b"-" in run or b"_" in run) and (b"+" in run or b"/" in run)
    return not is_mixed and all(kind.search(run) for kind in _KINDS)


def normalise(run: bytes) -> bytes:
    """Return a run of the standard alphabet or the other, its escapes undone."""
    if b"%" not in run and b"\\" not in run:
        return run
    return _ESCAPED.sub(lambda escape: _UNESCAPED[escape[0].lower()], run)


def decode_text(run: bytes) -> bytes:
    """Return the text that a run decodes to, line by line where other bytes are between."""
    decoded = decode_base64(run)
    try:
        decoded.decode()
    except UnicodeDecodeError:
        return b"\n".join(_STRINGS.findall(decoded))
    return decoded if b"\0" not in decoded else b"\n".join(_STRINGS.findall(decoded))


def decode_base64(data: bytes) -> bytes:
    """Decode base64 of either alphabet, also a cut one; empty if invalid."""
    text = data.rstrip(b"=").translate(_STANDARD)
    text = text[: len(text) - (len(text) % 4 == 1)]
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
