"""Redact bodies by what they are: JSON, forms, multipart, text. What cannot be read is not stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ...text import trim
from .actions import Actions
from .checks import TooLongError
from .engine import Span
from .jsons import JsonReader, MalformedError
from .markup import is_sensitive_field
from .multipart import split_multipart
from .text import find_in_text, replace
from .values import MARKS, Finder, Finding, Spans, merge
from .wrapped import decode_base64

WHOLE = "redacted whole"
"""The note of a body that was dropped because it could not be read."""
_BASE64 = re.compile(rb"[0-9A-Za-z+/_-]{12,}={0,2}")
_FILE_MARK = re.compile(rb"\[file, [0-9]+ bytes\]")
_HAS_ESCAPED_NAME = re.compile(rb"[^=]*[%;]")
WORK_FOR_BYTE, MIN_WORK = 16, 1 << 21
"""Work is counted in bytes that are read,"""
MAX_PLACES = 250_000
"""and in places where there may be a secret: a record of 64 KiB has room for a tenth of it."""
_JSON_START = (b"{", b"[")


class Budget:
    """Bounds the work on one record: so much for each byte of it, whatever is in it."""

    def __init__(self, size: int) -> None:
        """Allow the work on a record of `size` bytes."""
        self._left = MIN_WORK + WORK_FOR_BYTE * size
        self._places = MAX_PLACES

    def spend(self, data: bytes) -> None:
        """Count one reading of `data`.

        Raises:
            TooLongError: nothing is left.
        """
        self._left -= len(data)
        self.count()

    def count(self) -> None:
        """Count one place.

        Raises:
            TooLongError: nothing is left.
        """
        self._places -= 1
        if self._places < 0 or self._left < 0:
            raise TooLongError


class Redacted(NamedTuple):
    """What may be stored of a body, and what was removed."""

    body: bytes
    found: list[Finding]
    note: str | None


class Readers:
    """Reads bodies and texts with one finder and one set of names."""

    def __init__(self, finder: Finder, actions: Actions, budget: Budget) -> None:
        self.finder = finder
        self.names = finder.names
        self._actions = actions
        self.are_plain = actions.are_plain
        self._budget = budget
        self.path = ""
        """Of what is read at the moment, for the actions."""

    def settle(self, data: bytes, found: list[Finding]) -> list[Finding]:
        """Say of each finding what is put in its place."""
        if self._actions.are_plain or not found:
            return found
        return self._actions.settle(self.path, data, found)

    def fill(self, data: bytes, found: Iterable[Finding]) -> bytes:
        """Put the marker, or what the actions say, where the findings are."""
        return replace(data, self.settle(data, list(found)))

    def find_text(
        self, data: bytes, spans: Sequence[Span] | None = None, *, is_inner: bool = False
    ) -> list[Finding]:
        """Find the secrets in a text; it may itself be JSON, or base64 of a text."""
        self._budget.spend(data)
        spans = self.finder.scan(data) if spans is None else spans
        if b"\0" in data and self.finder.scan(data.replace(b"\0", b"")):
            return [Finding(0, len(data), "unreadable")]
        if not spans:
            return []
        if not is_inner:
            inner = self._find_wrapped(data, spans)
            if inner is not None:
                return inner
        return find_in_text(data, self.finder, self.names, spans, self._budget.count)

    def _find_wrapped(self, data: bytes, spans: Sequence[Span]) -> list[Finding] | None:
        """Undo JSON or base64 in a string, one level; None when it is neither."""
        if data.lstrip()[:1] in _JSON_START:
            try:
                return self.find_json(data, spans, is_inner=True)
            except MalformedError:
                return None
        if _BASE64.fullmatch(data):
            found = self.finder.find(data)
            decoded = decode_base64(data)
            if found or not decoded or b"\0" in decoded:
                return found or None
            return [Finding(0, len(data), "base64")] if self.find_text_in(decoded) else []
        return None

    def find_text_in(self, decoded: bytes) -> bool:
        """Tell whether a decoded text holds a secret."""
        if decoded.lstrip()[:1] in _JSON_START:
            try:
                return bool(self.find_json(decoded, None, is_inner=True))
            except MalformedError:
                pass
        return bool(self.find_text(decoded, is_inner=True))

    def find_json(
        self, data: bytes, spans: Sequence[Span] | None, *, is_inner: bool = False
    ) -> list[Finding]:
        """Find the secrets in JSON.

        Raises:
            MalformedError: it is none.
        """

        def find(text: bytes) -> list[Finding]:
            return self.find_text(text, is_inner=is_inner)

        if spans is None:
            spans = self.finder.scan(data)
        return JsonReader(
            data,
            spans,
            self.names,
            find,
            self.fill,
            self._budget.count,
            finds_short=self.finder.finds_short,
        ).find()

    def find_form(self, data: bytes) -> list[Finding]:
        """Find the secrets in ``name=value&name=value``, percent-encoded or not; it may be no form."""
        found: list[Finding] = []
        at, decoded_at = 0, 0
        parts = data.split(b"&")
        decoded = [_decode_field(part) for part in parts]
        spans = Spans(self.finder.scan(b"\n".join(decoded)))
        for part, text in zip(parts, decoded, strict=True):
            is_touched = spans.touch(decoded_at, decoded_at + len(text))
            if is_touched or _HAS_ESCAPED_NAME.match(part):
                found += self._find_field(part, at)
            at += len(part) + 1
            decoded_at += len(text) + 1
        return merge([*found, *self.find_text(data)])

    def _find_field(self, part: bytes, at: int) -> Iterable[Finding]:
        # Some read ";" as "&": a name behind one is a name.
        start = 0
        for piece in part.split(b";"):
            self._budget.spend(piece)
            name, equals, value = piece.partition(b"=")
            decoded = _decode_field(name).decode("utf-8", "replace")
            begin = start + len(name) + 1
            if equals and value and self.names.is_sensitive(decoded):
                if not MARKS.fullmatch(part, begin):
                    yield Finding(at + begin, at + len(part), "name")
                part = part[: max(start - 1, 0)]
                break
            start += len(piece) + 1
        name, equals, value = part.partition(b"=")
        yield from self._find_encoded(name, at)
        yield from self._find_encoded(value, at + len(name) + 1)

    def _find_encoded(self, value: bytes, at: int) -> Iterable[Finding]:
        decoded = _decode_field(value)
        if decoded == value:
            return []  # it is read with the whole
        found = self.find_text(decoded)
        return [Finding(at, at + len(value), found[0].rule)] if found else []

    def redact_body(
        self, data: bytes, content_type: str, is_cut: bool, spans: Sequence[Span] | None = None
    ) -> Redacted:
        """Redact a body.

        Args:
            data: what was captured of it, decoded.
            content_type: the header's value.
            is_cut: whether it went on: then what may be the beginning of a secret is removed, too.
            spans: what the scan of `data` saw; None scans it.
        """
        try:
            return self._redact_body(data, content_type, is_cut, spans)
        except (MalformedError, TooLongError):
            return Redacted(b"", [Finding(0, len(data), "unreadable")], WHOLE)

    def _redact_body(
        self, data: bytes, content_type: str, is_cut: bool, spans: Sequence[Span] | None
    ) -> Redacted:
        kind = content_type.partition(";")[0].strip().lower()
        if is_cut:
            data, spans = trim_cut(data), None
        is_multipart = kind.startswith("multipart/")
        if spans is None:
            spans = self.finder.scan(data)
        if b"\0" in data and not is_multipart:
            return self._redact_wide(data)
        if not spans and not is_multipart:
            return Redacted(data, [], None)
        found = self.settle(data, self._find_by_kind(data, kind, content_type, spans))
        return Redacted(replace(data, found), found, None)

    def _redact_wide(self, data: bytes) -> Redacted:
        # UTF-16, UTF-32, or no text at all: letters with NULs between them are still letters.
        bare = data.replace(b"\0", b"")
        if not self.finder.scan(bare):
            return Redacted(data, [], None)
        return Redacted(b"", [Finding(0, len(data), "unreadable")], WHOLE)

    def _find_by_kind(
        self, data: bytes, kind: str, content_type: str, spans: Sequence[Span]
    ) -> list[Finding]:
        if kind.startswith("multipart/"):
            return self._find_multipart(data, content_type)
        if "json" in kind:
            return self.find_json(data, spans)
        if kind == "application/x-www-form-urlencoded":
            return self.find_form(data)
        if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in _JSON_START:
            try:
                return self.find_json(data, spans)
            except MalformedError:
                pass
        if not kind and _looks_like_form(data):
            return self.find_form(data)
        return self.find_text(data, spans)

    def _find_multipart(self, data: bytes, content_type: str) -> list[Finding]:
        found: list[Finding] = []
        for part in split_multipart(data, content_type):
            found += self._find_moved(data[part.start : part.begin], part.start)
            content = data[part.begin : part.end]
            if part.is_file:
                size = b"[file, %d bytes]" % len(content)
                if not _FILE_MARK.fullmatch(content):
                    found.append(Finding(part.begin, part.end, "file", size))
            elif is_sensitive_field(data[part.start : part.begin], self.names):
                if content and not MARKS.fullmatch(content):
                    found.append(Finding(part.begin, part.end, "name"))
            else:
                found += self._find_moved(content, part.begin)
        return merge(found)

    def _find_moved(self, part: bytes, at: int) -> list[Finding]:
        return [one._replace(start=at + one.start, end=at + one.end) for one in self.find_text(part)]


def _decode_field(field: bytes) -> bytes:
    return unquote_to_bytes(field.replace(b"+", b" ")) if b"%" in field else field.replace(b"+", b" ")


def trim_cut(data: bytes) -> bytes:
    """Remove what may be the beginning of a secret from the end of a text that was cut."""
    return trim(data.decode("latin-1")).encode("latin-1")


def _looks_like_form(data: bytes) -> bool:
    return b"=" in data[:200] and not re.search(rb"[\s<>]", data[:200])


__all__ = ["WHOLE", "Readers", "Redacted", "trim_cut"]
