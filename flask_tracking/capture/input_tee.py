"""The tee of a request's body: it counts the bytes that the app reads, and copies their beginning.

It reads only what the app reads. Each read method signals the end in its own way, and an app may seek
back and read again: the tee follows both to know what was read, and whether it was everything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from ..runtime.cache import ClassCache
from ..runtime.guard import call_foreign, drop_own_frame, report_failure
from .bodies import BodyCopy, IsEnd

__all__ = ["InputTee", "tee_input"]


class InputTee:
    """``wsgi.input`` that copies what the app reads.

    It has exactly the methods of the server's object, and each returns exactly what that one returns.
    Made by `tee_input`. Reading its own attributes is slow because of `__getattr__`, so the state is
    that of the copy.
    """

    _lines: Any = None
    """The iterator over the lines of the stream; without a call of ``iter`` the stream itself."""

    def __init__(self, stream: Any, copy: BodyCopy) -> None:
        self._stream = stream
        self._copy = copy

    def __getattr__(self, name: str) -> Any:
        try:
            attribute = getattr(self._stream, name)
        except BaseException:
            drop_own_frame()
            raise
        # A stream that implements __getattr__ has read methods that its class does not show.
        return partial(_METHODS[name], self) if name in _METHODS else attribute

    def __iter__(self) -> InputTee:
        try:
            self._lines = iter(self._stream)
        except BaseException:
            drop_own_frame()
            raise
        return self

    def __next__(self) -> Any:
        try:
            line = next(self._stream if self._lines is None else self._lines)
        except StopIteration:
            drop_own_frame()
            self._copy.note_read(b"", None, _is_end_of_read)
            raise
        except BaseException:
            drop_own_frame()
            raise
        self._copy.note_read(line)
        return line


def _is_end_of_read(data: Any, size: int) -> bool:
    return size < 0 or not len(data)


def _is_end_of_read1(data: Any, size: int) -> bool:
    # A single system call: without a size it returns the available data, not everything.
    return not len(data)


def _is_end_of_line(data: Any, size: int) -> bool:
    return data[-1:] != b"\n" and (size < 0 or len(data) < size)


def _make_reader(name: str, is_end: IsEnd) -> Callable[..., Any]:
    """Make the tee's method for a reader that returns bytes."""

    def reader(self: InputTee, *args: Any, **kwargs: Any) -> Any:
        try:
            data = getattr(self._stream, name)(*args, **kwargs)
        except BaseException:
            drop_own_frame()
            raise
        self._copy.note_read(data, args[0] if args else _first(kwargs), is_end)
        return data

    return reader


def _make_buffer_reader(name: str) -> Callable[..., Any]:
    """Make the tee's method for a reader that fills the caller's buffer."""

    def reader(self: InputTee, buffer: Any) -> Any:
        try:
            count = getattr(self._stream, name)(buffer)
        except BaseException:
            drop_own_frame()
            raise
        try:
            if type(buffer) is bytearray and count == len(buffer):  # views cost more than the rest
                self._copy.note_read(buffer, count, _is_end_of_read1)
            elif count is not None:  # a non-blocking socket without data returns None
                view = memoryview(buffer)
                if view.itemsize != 1:
                    view = view.cast("B")
                self._copy.note_read(view[:count], len(view), _is_end_of_read1)
        except Exception as error:
            report_failure("copying a request body", error)
        return count

    return reader


def _readlines(self: InputTee, *args: Any, **kwargs: Any) -> Any:
    try:
        lines = self._stream.readlines(*args, **kwargs)
    except BaseException:
        drop_own_frame()
        raise
    try:
        _note_lines(self._copy, lines, args[0] if args else _first(kwargs))
    except Exception as error:
        report_failure("copying a request body", error)
    return lines


def _note_lines(copy: BodyCopy, lines: list[bytes], hint: int | None) -> None:
    begin = copy.position
    for at in range(0, len(lines), _LINES):  # in parts, to avoid a second copy of a large upload
        copy.note_read(b"".join(lines[at : at + _LINES]))
    has_room = not hint or hint < 0 or copy.position - begin < hint
    if has_room or lines[-1][-1:] != b"\n":
        copy.note_read(b"", None, _is_end_of_read)


def _seek(self: InputTee, *args: Any, **kwargs: Any) -> Any:
    before = _tell(self._stream)
    try:
        position = self._stream.seek(*args, **kwargs)
    except BaseException:
        drop_own_frame()
        raise
    after = _tell(self._stream)
    if before is None or after is None:
        self._copy.position = _UNKNOWN
    else:
        self._copy.position += after - before
    return position


def _enter(self: InputTee) -> Any:
    try:
        entered = self._stream.__enter__()
    except BaseException:
        drop_own_frame()
        raise
    return self if entered is self._stream else entered


def _exit(self: InputTee, *args: Any) -> Any:
    try:
        return self._stream.__exit__(*args)
    except BaseException:
        drop_own_frame()
        raise


def _first(kwargs: dict[str, Any]) -> Any:
    return next(iter(kwargs.values()), None)


def _tell(stream: Any) -> int | None:
    return call_foreign("asking a request's body for its position", _call_tell, stream, default=None)


def _call_tell(stream: Any) -> int | None:
    try:
        return int(stream.tell())
    except (AttributeError, OSError, ValueError):
        return None


_LINES = 256
"""Number of lines joined at once."""
_UNKNOWN = sys.maxsize
"""The position of a stream that cannot tell it: after everything."""
_METHODS: dict[str, Callable[..., Any]] = {
    "read": _make_reader("read", _is_end_of_read),
    "read1": _make_reader("read1", _is_end_of_read1),
    "readall": _make_reader("readall", _is_end_of_read),
    "readline": _make_reader("readline", _is_end_of_line),
    "readlines": _readlines,
    "readinto": _make_buffer_reader("readinto"),
    "readinto1": _make_buffer_reader("readinto1"),
    "seek": _seek,
    "__enter__": _enter,
    "__exit__": _exit,
}


def _make_class(stream_class: type) -> type[InputTee]:
    """Return the class of tees for streams of a class: with the methods that it has."""
    methods = {name: method for name, method in _METHODS.items() if hasattr(stream_class, name)}
    return type("InputTee", (InputTee,), methods)


_classes = ClassCache(_make_class)


def tee_input(stream: Any, copy: BodyCopy) -> InputTee:
    """Return a replacement for the server's ``wsgi.input`` that passes all data read to `copy`."""
    return _classes[type(stream)](stream, copy)
