"""The tees: what passes is counted and its beginning copied, and passes unchanged.

Nothing is read that the app does not read, nothing is produced that the server does not ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ..guard import harmless
from .span import running

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = ["BodyCopy", "InputTee", "OutputTee", "SizedOutputTee", "StoredTypes"]


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
        length = len(chunk)
        self.size += length
        if self.room and length:
            kept = chunk if length <= self.room else chunk[: self.room]
            # bytes() of bytes is the same object: a whole chunk is kept without a copy.
            self.chunks.append(bytes(kept))
            self.room -= len(kept)
            self.kept += len(kept)


class StoredTypes(dict[str, bool]):
    """Tells by ``Content-Type`` whether bodies are stored, and remembers; without a type they are."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        """Store bodies whose media type is like one of `patterns`."""
        super().__init__()
        self._patterns = patterns

    def __missing__(self, content_type: str) -> bool:
        media_type = content_type.partition(";")[0].strip().lower()
        is_stored = not media_type or any(fnmatchcase(media_type, one) for one in self._patterns)
        if len(self) < 1000:  # strangers choose the type of a request
            self[content_type] = is_stored
        return is_stored


class InputTee:
    """``wsgi.input`` that copies what the app reads.

    It has the methods that the server's object has, no more, and each returns exactly what that one
    returns.
    """

    def __init__(self, stream: Any, copy: BodyCopy) -> None:
        self._stream = stream
        self._lines = stream
        self._copy = copy
        self.reached_end = False

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._stream, name)
        # Not kept for the next time: a tee that holds itself, and the body, waits for the collector.
        if name in ("read", "read1", "readline"):
            return self._tee_reader(attribute)
        if name == "readlines":
            return self._tee_readlines(attribute)
        if name == "readinto":
            return self._tee_readinto(attribute)
        return attribute

    def __iter__(self) -> InputTee:
        self._lines = iter(self._stream)
        return self

    def __next__(self) -> Any:
        line = next(self._lines)
        self._note(line, (1,))
        return line

    def _tee_reader(self, read: Callable[..., Any]) -> Callable[..., Any]:
        def reader(*args: Any, **kwargs: Any) -> Any:
            data = read(*args, **kwargs)
            self._note(data, args or tuple(kwargs.values()))
            return data

        return reader

    def _tee_readlines(self, readlines: Callable[..., Any]) -> Callable[..., Any]:
        def reader(*args: Any, **kwargs: Any) -> Any:
            lines = readlines(*args, **kwargs)
            self._note(b"".join(lines), args)
            return lines

        return reader

    def _tee_readinto(self, readinto: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def reader(buffer: Any) -> Any:
            count = readinto(buffer)
            self._note(memoryview(buffer)[: count or 0], (len(buffer),))
            return count

        return reader

    @harmless("copying a request body")
    def _note(self, data: Any, size: tuple[Any, ...]) -> None:
        self._copy.add(data)
        # Without a size everything was read; nothing, where something was asked for, is the end.
        if not size or size[0] is None or size[0] < 0 or (size[0] and not len(data)):
            self.reached_end = True


class OutputTee:
    """The response iterable that tells an `Exchange` what passes.

    The span is the current one while the app's iterable runs, so that a bare generator finds it.
    """

    __slots__ = ("__weakref__", "_exchange", "_iterable", "_next")

    def __init__(self, iterable: Iterable[bytes], exchange: Exchange) -> None:
        self._iterable = iterable
        self._exchange = exchange
        # An iterable that is no iterator is first asked for one when the server asks.
        self._next: Callable[[], bytes] | None = getattr(iterable, "__next__", None)

    def __iter__(self) -> OutputTee:
        self._next = iter(self._iterable).__next__
        return self

    def __next__(self) -> bytes:
        __traceback_hide__ = True
        exchange = self._exchange
        token = running.set(exchange.span)
        try:
            chunk = (self._next or self._first_next)()
        except StopIteration:
            if not exchange.has_ended:
                exchange.end("ok")
            raise
        except BaseException as error:
            exchange.fail(error)
            raise
        finally:
            running.reset(token)
        if not exchange.has_ended:
            exchange.note_chunk(chunk)
        return chunk

    def _first_next(self) -> bytes:
        return next(iter(self))

    def close(self) -> None:
        __traceback_hide__ = True
        exchange = self._exchange
        close = getattr(self._iterable, "close", None)
        token = running.set(exchange.span)
        try:
            if close is not None:
                close()
        except BaseException as error:
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
        return len(self._iterable)  # type: ignore[arg-type]
