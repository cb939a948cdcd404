"""The tee of a request's body: what the app reads is counted and its beginning copied.

Nothing is read that the app does not read. Each reader tells in its own way that there is no more, and
an app may go back and read again: by both is known what was read, and whether it was all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from functools import lru_cache, partial
from typing import Any

from ..runtime.guard import call_foreign, drop_own_frame, report_failure
from .bodies import BodyCopy

__all__ = ["InputTee", "tee_input"]

IsEnd = Callable[[Any, int], bool]
"""Tells by what was read, and by how much was asked for, that a stream has no more."""


class InputTee:
    """``wsgi.input`` that copies what the app reads.

    It has the methods that the server's object has, no more, and each returns exactly what that one
    returns. What is read a second time, after `seek`, is not copied a second time; what is skipped is
    not taken for read, nor is anything behind it. Made by `tee_input`.
    """

    def __init__(self, stream: Any, copy: BodyCopy) -> None:
        self._stream = stream
        self._lines = stream
        self._copy = copy
        self._position = 0
        self.reached_end = False
        """True once all that there is was read."""

    def __getattr__(self, name: str) -> Any:
        try:
            attribute = getattr(self._stream, name)
        except BaseException:
            drop_own_frame()
            raise
        # A stream that finds its methods itself has readers that its class does not show.
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
            line = next(self._lines)
        except StopIteration:
            drop_own_frame()
            self._note(b"", None, _is_end_of_read)
            raise
        except BaseException:
            drop_own_frame()
            raise
        self._note(line)
        return line

    def _note(self, data: Any, size: int | None = None, is_end: IsEnd | None = None) -> None:
        """Copy what was read, but for what was read before.

        Args:
            data: what was read.
            size: how many bytes were asked for; None and negative numbers are without a limit.
            is_end: tells by both whether there are no more; None where that cannot be told.
        """
        try:
            copy, start, length = self._copy, self._position, len(data)
            self._position = end = start + length
            if start == copy.size:
                copy.add(data)
            elif start < copy.size < end:
                copy.add(data[copy.size - start :])
            if is_end is not None and length != size and end == copy.size:
                self.reached_end = self.reached_end or is_end(data, -1 if size is None else size)
        except Exception as error:
            report_failure("copying a request body", error)


def _is_end_of_read(data: Any, size: int) -> bool:
    return size < 0 or not len(data)


def _is_end_of_read1(data: Any, size: int) -> bool:
    # One call of the system below: without a size it returns what is there, not all.
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
        self._note(data, args[0] if args else _first(kwargs), is_end)
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
            if count is not None:  # as of a socket that has nothing yet
                view = memoryview(buffer)
                if view.format != "B":
                    view = view.cast("B")
                self._note(view[:count], len(view), _is_end_of_read1)
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
        _note_lines(self, lines, args[0] if args else _first(kwargs))
    except Exception as error:
        report_failure("copying a request body", error)
    return lines


def _note_lines(self: InputTee, lines: list[bytes], hint: int | None) -> None:
    begin = self._position
    for at in range(0, len(lines), _LINES):  # of a large upload there is no second copy
        self._note(b"".join(lines[at : at + _LINES]))
    has_room = not hint or hint < 0 or self._position - begin < hint
    if has_room or lines[-1][-1:] != b"\n":
        self._note(b"", None, _is_end_of_read)


def _seek(self: InputTee, *args: Any, **kwargs: Any) -> Any:
    before = _tell(self._stream)
    try:
        position = self._stream.seek(*args, **kwargs)
    except BaseException:
        drop_own_frame()
        raise
    after = _tell(self._stream)
    if before is None or after is None:
        self._position = _UNKNOWN
    else:
        self._position += after - before
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
"""So many lines are looked at together."""
_UNKNOWN = sys.maxsize
"""The position of a stream that does not tell it: behind everything."""
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


@lru_cache(maxsize=32)
def _input_tee_class(stream_class: Hashable) -> type[InputTee]:
    """Return the class of tees for streams of a class: with those methods that it has."""
    methods = {name: method for name, method in _METHODS.items() if hasattr(stream_class, name)}
    return type("InputTee", (InputTee,), methods)


def tee_input(stream: Any, copy: BodyCopy) -> InputTee:
    """Return what stands in for the server's ``wsgi.input`` and tells `copy` what is read."""
    return _input_tee_class(type(stream))(stream, copy)  # type: ignore[arg-type] # a class has a hash
