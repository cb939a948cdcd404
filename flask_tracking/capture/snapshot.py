"""Copy objects of the app to plain values, on the thread that owns them.

An object may change after it was passed to us, so it is copied immediately, within limits, into values
that MongoDB can hold. If the text of an object would send a query, it comes from a copy that cannot.
"""

from __future__ import annotations

import datetime as dt
import decimal
import itertools
import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping, Set, Sized
from sys import getsizeof
from typing import Any, NamedTuple

from bson import Decimal128, ObjectId
from werkzeug.local import LocalProxy

from ..record import ExceptionInfo
from ..runtime.guard import call_foreign
from ..runtime.text import LONGEST_WORD, clean_text, cut, trim
from .detached import ask, detach
from .logins import resolve
from .orm import name_object

MAX_DEPTH = 32
MAX_NODES = 1000
MAX_BYTES = 65_536
MAX_REPR = 1000
"""Maximum characters of a foreign ``repr`` or ``str``."""

_INT64 = range(-(2**63), 2**63)
_SHARED_INTEGERS = range(-5, 257)
"""Python has a single object for each of these."""
_INNER_BYTES = 48
"""Bytes of memory of the bytes object inside a BSON object."""
_UNREADABLE = "<unreadable>"
_FAILED = object()
_BUILTIN_CONTAINERS = (dict, list, tuple, set, frozenset)
"""Iterating over these, but not over classes derived from them, runs no foreign code."""


class Snapshot(NamedTuple):
    """A plain copy of a value."""

    value: Any
    size: int
    """Approximate number of bytes."""
    notes: tuple[str, ...]
    """Names of values that were truncated or replaced, without duplicates."""
    is_plain: bool
    """False if foreign code was called, so that a second copy may differ."""


def snapshot(value: object) -> Snapshot:
    """Copy `value` within `MAX_DEPTH`, `MAX_NODES` and `MAX_BYTES`.

    Containers become dicts with str keys and lists; values that BSON cannot hold become their ``repr``.
    """
    size = plain_size(value)
    if size is not None:
        return Snapshot(value, size, (), True)
    copier = _Copier()
    copied = copier.copy(value, 0)
    return Snapshot(copied, copier.size, tuple(copier.notes), copier.is_plain)


def plain_size(value: Any) -> int | None:
    """Return the bytes that `value` holds if it is its own snapshot; None if it must be copied."""
    kind = type(value)
    if kind is str:
        return len(value) if len(value) < 1000 and value.isascii() else None
    if kind is int:
        return 8 if value in _INT64 else None
    return 8 if kind is float or kind is bool or value is None else None


def held_bytes(value: Any) -> int:
    """Return the approximate memory of a plain value, in bytes: a snapshot or a part of one."""
    kind = type(value)
    if kind is str or kind is float or kind is bytes:
        return getsizeof(value)
    if kind is int:
        return 0 if value in _SHARED_INTEGERS else getsizeof(value)
    if value is None or kind is bool:
        return 0
    size = getsizeof(value)
    if kind is dict:
        return size + sum(map(getsizeof, value)) + sum(map(held_bytes, value.values()))
    if isinstance(value, (list, tuple)):
        return size + sum(map(held_bytes, value))
    return size + (_INNER_BYTES if kind is ObjectId or kind is Decimal128 else 0)


class _Copier:
    """Copies one value."""

    def __init__(self) -> None:
        self.size = 0
        self.nodes = 0
        self.notes: dict[str, None] = {}
        self.is_plain = True
        self._open: set[int] = set()

    def copy(self, value: object, depth: int) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            return self._cut("custom data has too many values: the rest was cut", "<cut>")
        if value is None or value is True or value is False:
            return value
        # Even inspecting it may run foreign code: a __len__, an items(), a conversion.
        copied = call_foreign("copying custom data", self._copy_value, value, depth, default=_FAILED)
        if copied is _FAILED:
            self.is_plain = False
            return self._cut("values that cannot be read were replaced", _UNREADABLE)
        return copied

    def _copy_value(self, value: Any, depth: int) -> Any:
        # type() instead of isinstance(): a proxy or a mock can pretend to be a str.
        kind = type(value)
        if issubclass(kind, LocalProxy):
            self.is_plain = False
            behind = resolve(value)
            is_constant = behind is None or behind is True or behind is False
            return behind if is_constant else self._copy_value(behind, depth)
        if issubclass(kind, str):
            return self._text(str.__str__(value))
        if issubclass(kind, int):
            return self._integer(int(value))
        if issubclass(kind, float):
            self.size += 8
            return float(value)
        if issubclass(kind, (bytes, bytearray)):
            return self._bytes(bytes(value[: MAX_BYTES + 1]))
        if issubclass(kind, _BUILTIN_CONTAINERS):
            return self._container(value, depth)
        # Counting the items of a foreign container may load them.
        if issubclass(kind, (Mapping, Set)) and detach(value) is value:
            return self._container(value, depth)
        return self._leaf(value)

    def _cut(self, note: str, instead: Any) -> Any:
        self.notes[note] = None
        return instead

    def _room(self) -> int:
        return max(0, MAX_BYTES - self.size)

    def _text(self, text: str) -> str:
        room = self._room()
        if len(text) > room:
            text = self._cut("custom data is too large: a text was cut", trim(text[:room]))
        if text.isascii():
            self.size += len(text)
            return text
        cleaned = clean_text(text)
        if cleaned != text:
            self.notes["lone surrogates in custom data were escaped"] = None
        encoded = cleaned.encode()
        if len(encoded) > room:
            cut_off = encoded[:room].decode("utf-8", "ignore")
            cleaned = self._cut("custom data is too large: a text was cut", trim(cut_off))
            encoded = cleaned.encode()
        self.size += len(encoded)
        return cleaned

    def _bytes(self, data: bytes) -> bytes:
        room = self._room()
        if len(data) > room:
            rest = trim(data[:room].decode("latin-1")).encode("latin-1")
            data = self._cut("custom data is too large: bytes were cut", rest)
        self.size += len(data)
        return data

    def _integer(self, number: int) -> int | str:
        self.size += 8
        if number in _INT64:
            return number
        # A number of a million digits takes seconds to print, and Python refuses beyond 4,300.
        if number.bit_length() > 4096:
            return str(self._cut("an integer past 4096 bits was cut", "<an integer past 4096 bits>"))
        self.notes["integers past 64 bits were stored as text"] = None
        return self._text(str(number))

    def _container(self, value: Any, depth: int) -> Any:
        if depth >= MAX_DEPTH:
            return self._cut(f"custom data deeper than {MAX_DEPTH} was cut", "<too deep>")
        if id(value) in self._open:
            return self._cut("a cycle in custom data was cut", "<cycle>")
        if type(value) not in _BUILTIN_CONTAINERS:
            self.is_plain = False
        self._open.add(id(value))
        try:
            if isinstance(value, Mapping):
                return self._copy_mapping(value, depth)
            items = self._taken(value, value)
            return [self.copy(item, depth + 1) for item in items]
        finally:
            self._open.discard(id(value))

    def _copy_mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        items = self._taken(value, value.items())
        return {self._key(key): self.copy(item, depth + 1) for key, item in items}

    def _taken(self, container: Sized, items: Iterable[Any]) -> list[Any]:
        # Copied into a list immediately, because another thread may be changing the container.
        room = max(0, MAX_NODES - self.nodes)
        taken = list(itertools.islice(items, room))
        if len(container) > len(taken):
            self.notes["custom data has too many values: the rest was cut"] = None
        return taken

    def _key(self, key: object) -> str:
        if isinstance(key, str):
            text = self._text(str.__str__(key))
        elif type(key) is int:
            text = str(self._integer(key))
        elif key is None or isinstance(key, (bool, float)):
            text = str(key)
        else:
            text = self._leaf_text(key)
        if "\0" in text:
            text = text.replace("\0", "\\x00")
            self.notes["NUL in keys of custom data was escaped"] = None
        return text

    def _leaf(self, value: Any) -> Any:
        self.size += 16
        kind = type(value)
        if issubclass(kind, dt.datetime):
            return _plain_time(value)
        if issubclass(kind, ObjectId):
            return ObjectId(value.binary)
        if kind is Decimal128:
            return value
        if issubclass(kind, (dt.date, dt.time)):
            return value.isoformat()
        if issubclass(kind, uuid.UUID):
            return str(value)
        if issubclass(kind, decimal.Decimal):
            return self._decimal(value)
        self.notes["objects in custom data were stored as their repr"] = None
        return self._leaf_text(value)

    def _decimal(self, value: decimal.Decimal) -> Decimal128 | str:
        try:
            return Decimal128(value)
        except decimal.DecimalException:
            self.notes["decimals past 34 digits were stored as text"] = None
            return self._text(str(value))

    def _leaf_text(self, value: object) -> str:
        self.is_plain = False
        return self._text(foreign_text(repr, value))


def _plain_time(value: dt.datetime) -> dt.datetime:
    zone = None
    if value.tzinfo is not None:
        value, zone = value.astimezone(dt.timezone.utc), dt.timezone.utc
    day, time = (value.year, value.month, value.day), (value.hour, value.minute, value.second)
    return dt.datetime(*day, *time, value.microsecond, zone)


def foreign_text(convert: Callable[[Any], Any], value: object) -> str:
    """Call ``repr`` or ``str``; cut at `MAX_REPR`, never raises, never queries a database.

    Returns:
        The text; for an ORM object ``<User 17>`` if its own text would need a query;
        ``<unreadable NameOfTheClass>`` if the conversion raised or returned no text.
    """
    copy = detach(value)
    return own_text(convert, value) if copy is value else _detached_text(convert, value, copy)


def own_text(convert: Callable[[Any], Any], value: object) -> str:
    """Call ``repr`` or ``str`` of an object that is known to query no database."""
    name = getattr(convert, "__name__", "a conversion")
    text = call_foreign(f"{name}() of a user's object", convert, value, default=None)
    if not isinstance(text, str):
        return f"<unreadable {type(value).__name__}>"
    return clean_text(cut(text, MAX_REPR))


def _detached_text(convert: Callable[[Any], Any], value: object, copy: Any) -> str:
    text = ask(convert, copy) if has_own_text(type(value)) else None
    return clean_text(cut(text if isinstance(text, str) else name_object(value), MAX_REPR))


def has_own_text(kind: Any) -> bool:
    """Tell whether a class defines more text than ``<User object at 0x7f…>``."""
    return kind.__str__ is not object.__str__ or kind.__repr__ is not object.__repr__


def describe_exception(error: BaseException) -> ExceptionInfo:
    """Format an exception and its causes as text; the oldest frames of the traceback are cut first."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    text = _format_error(error)
    if len(text) > MAX_BYTES:
        # The rest of the first line may be the end of a secret whose beginning was cut off.
        rest = text[-MAX_BYTES:]
        text = "…\n" + (rest.partition("\n")[2] or rest[LONGEST_WORD:])
    return ExceptionInfo(name, foreign_text(str, error), clean_text(text))


def _format_error(error: BaseException) -> str:
    # The traceback ends with the text of the exception, as do those of its causes.
    copy = detach(error)
    if copy is error:
        return call_foreign("formatting a traceback", _format_traceback, error, default=_UNREADABLE)
    text: str | None = ask(_format_traceback, copy)
    return _format_frames(error) if text is None else text


def _format_frames(error: BaseException) -> str:
    frames = traceback.format_tb(error.__traceback__, limit=-64)
    return "".join(["Traceback (most recent call last):\n", *frames, name_object(error)])


def _format_traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-64))
