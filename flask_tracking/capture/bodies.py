"""The tees: what passes is counted and its beginning copied, and passes unchanged.

Nothing is read that the app does not read, nothing is produced that the server does not ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from ..guard import drop_own_frame, report_failure
from ..memo import Memo
from .span import running

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = [
    "BodyCopy",
    "InputTee",
    "OutputTee",
    "output_tee_class",
    "stored_types",
    "tee_input",
]


class BodyCopy:
    """The beginning of a body, and its size."""

    __slots__ = ("chunks", "kept", "note", "room", "size")

    def __init__(self, room: int, note: str | None = None) -> None:
        """Copy at most `room` bytes; `note` says why none are, when `room` is 0 for a reason."""
        self.chunks: list[bytes] = []
        self.room = room
        self.size = 0
        self.kept = 0
        self.note = note

    def add(self, chunk: bytes) -> None:
        """Count `chunk`, and copy it as far as there is room."""
        length, room = len(chunk), self.room
        self.size += length
        if room and length:
            if length > room:
                chunk, length = chunk[:room], room
            # bytes() of bytes is the same object: a whole chunk is kept without a copy.
            self.chunks.append(bytes(chunk))
            self.room = room - length
            self.kept += length

    def exclude(self) -> None:
        """Throw away what was copied, and copy no more."""
        self.chunks = []
        self.room = self.kept = 0
        self.note = "excluded"


def stored_types(patterns: tuple[str, ...]) -> Memo[str, bool]:
    """Tell by ``Content-Type`` whether bodies are stored; without a type they are.

    Args:
        patterns: the media types, like ``text/*``.
    """

    def is_stored(content_type: str) -> bool:
        media_type = content_type.partition(";")[0].strip().lower()
        return not media_type or any(fnmatchcase(media_type, one) for one in patterns)

    return Memo(is_stored)


class InputTee:
    """``wsgi.input`` that copies what the app reads.

    It has the methods that the server's object has, no more, and each returns exactly what that one
    returns. Made by `tee_input`.
    """

    def __init__(self, stream: Any, copy: BodyCopy) -> None:
        self._stream = stream
        self._lines = stream
        self._copy = copy
        self.reached_end = False

    def __getattr__(self, name: str) -> Any:
        try:
            attribute = getattr(self._stream, name)
        except BaseException:
            drop_own_frame()
            raise
        # A stream that finds its methods itself has readers that its class does not show.
        return partial(_READERS[name], self) if name in _READERS else attribute

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
        except BaseException:
            drop_own_frame()
            raise
        self._note(line, (1,))
        return line

    def _note(self, data: Any, size: tuple[Any, ...]) -> None:
        try:
            self._copy.add(data)
            # Without a size everything was read; nothing, where something was asked for, is the end.
            if not size or size[0] is None or size[0] < 0 or (size[0] and not len(data)):
                self.reached_end = True
        except Exception as error:
            report_failure("copying a request body", error)


def _make_reader(name: str) -> Callable[..., Any]:
    """Make the tee's method for a reader that returns bytes."""

    def reader(self: InputTee, *args: Any, **kwargs: Any) -> Any:
        try:
            data = getattr(self._stream, name)(*args, **kwargs)
        except BaseException:
            drop_own_frame()
            raise
        self._note(data, args or tuple(kwargs.values()))
        return data

    return reader


def _readlines(self: InputTee, *args: Any, **kwargs: Any) -> Any:
    try:
        lines = self._stream.readlines(*args, **kwargs)
    except BaseException:
        drop_own_frame()
        raise
    self._note(b"".join(lines), args)
    return lines


def _readinto(self: InputTee, buffer: Any) -> Any:
    try:
        count = self._stream.readinto(buffer)
    except BaseException:
        drop_own_frame()
        raise
    self._note(memoryview(buffer)[: count or 0], (len(buffer),))
    return count


_READERS: dict[str, Callable[..., Any]] = {
    **{name: _make_reader(name) for name in ("read", "read1", "readline")},
    "readlines": _readlines,
    "readinto": _readinto,
}


@lru_cache(maxsize=32)
def _input_tee_class(stream_class: Hashable) -> type[InputTee]:
    """Return the class of tees for streams of a class: with those readers that it has."""
    readers = {name: reader for name, reader in _READERS.items() if hasattr(stream_class, name)}
    return type("InputTee", (InputTee,), readers)


def tee_input(stream: Any, copy: BodyCopy) -> InputTee:
    """Return what stands in for the server's ``wsgi.input`` and tells `copy` what is read."""
    return _input_tee_class(type(stream))(stream, copy)  # type: ignore[arg-type] # a class has a hash


class OutputTee:
    """The response iterable that tells an `Exchange` what passes. Its class is `output_tee_class`.

    The span is the current one while the app's iterable runs, so that a bare generator finds it.
    """

    __slots__ = ("__weakref__", "_exchange", "_iterable", "_iterator")

    def __init__(self, iterable: Iterable[bytes], exchange: Exchange) -> None:
        self._iterable = iterable
        self._exchange = exchange
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        # A generator: a stream of many chunks resumes it in a third of the time of a method.
        try:
            produce = iter(self._iterable).__next__
        except BaseException as error:
            drop_own_frame()
            self._exchange.fail(error)
            raise
        return self._pass_on(produce)

    def __next__(self) -> bytes:
        # For who takes the iterable of PEP 3333 for an iterator, which Werkzeug's is.
        __traceback_hide__ = True
        try:
            if self._iterator is None:
                self._iterator = iter(self)
            return next(self._iterator)
        except BaseException:
            drop_own_frame()
            raise

    def _pass_on(self, produce: Callable[[], bytes]) -> Iterator[bytes]:
        __traceback_hide__ = True
        exchange = self._exchange
        span, copy = exchange.span, exchange.response
        is_only_counted: bool | None = False
        while True:
            token = running.set(span)
            try:
                chunk = produce()
            except StopIteration:
                break
            except BaseException as error:
                drop_own_frame()
                exchange.fail(error)
                raise
            finally:
                running.reset(token)
            if is_only_counted and type(chunk) is bytes:
                copy.size += len(chunk)
            elif not exchange.has_ended:
                is_only_counted = exchange.note_chunk(chunk)
            yield chunk
        if not exchange.has_ended:
            exchange.end("ok")

    def close(self) -> None:
        __traceback_hide__ = True
        exchange = self._exchange
        close = getattr(self._iterable, "close", None)
        token = running.set(exchange.span)
        try:
            if close is not None:
                close()
        except BaseException as error:
            drop_own_frame()
            exchange.fail(error)
            raise
        finally:
            running.reset(token)
            if not exchange.has_ended:
                exchange.end("disconnected")

    def __del__(self) -> None:
        # A test client that neither read nor closed a stream: no server does that.
        if not self._exchange.has_ended:
            self._exchange.end("unread")


class SizedOutputTee(OutputTee):
    """For iterables that know their length: some servers make a ``Content-Length`` of it."""

    __slots__ = ()

    def __len__(self) -> int:
        try:
            return len(self._iterable)  # type: ignore[arg-type]
        except BaseException:
            drop_own_frame()
            raise


@lru_cache(maxsize=32)
def output_tee_class(iterable_class: Hashable) -> type[OutputTee] | None:
    """Return the class of tees for iterables of a class: with a length where they have one.

    Returns:
        None for a class that is not iterable: the server recognises such an object, or refuses it.
    """
    if not (hasattr(iterable_class, "__iter__") or hasattr(iterable_class, "__getitem__")):
        return None
    return SizedOutputTee if hasattr(iterable_class, "__len__") else OutputTee
