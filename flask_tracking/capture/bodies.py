"""Copies of bodies, and the tee of the response: every chunk is counted and passed on unchanged.

The tee produces a chunk only when the server asks for one. `input_tee` has the tee of the request.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

from ..runtime.cache import BoundedCache
from ..runtime.guard import drop_own_frame
from .span import running

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = [
    "BodyCopy",
    "OutputTee",
    "output_tee_class",
    "stored_types",
]


FEW = 16
"""The number of chunks of a body that are stored separately; after these, only large ones are."""
LARGE = 1024
"""Bytes of a chunk that is large compared with Python's overhead for an object."""
CHUNK_SIZE = 41
"""Bytes of memory for a chunk in addition to its data: an object, and a place in a tuple."""


class BodyCopy:
    """The beginning of a body, and the size of the whole."""

    __slots__ = ("chunks", "kept", "note", "room", "size")

    def __init__(self, room: int, note: str | None = None) -> None:
        """Copy at most `room` bytes; `note` says why, if `room` is 0 for a reason."""
        self.chunks: list[bytes | bytearray] = []
        self.room = room
        self.size = 0
        self.kept = 0
        self.note = note

    def add(self, chunk: bytes | memoryview) -> None:
        """Count `chunk`, and copy as much of it as there is room for."""
        length, room = len(chunk), self.room
        self.size += length
        if room and length:
            if length > room:
                chunk, length = chunk[:room], room
            chunks = self.chunks
            if len(chunks) < FEW or length >= LARGE:
                chunks.append(chunk if type(chunk) is bytes else bytes(chunk))
            elif type(last := chunks[-1]) is bytearray:
                last += chunk
            else:
                chunks.append(bytearray(chunk))
            self.room = room - length
            self.kept += length

    def take_chunks(self) -> tuple[bytes, ...]:
        """Return the copied chunks."""
        chunks = self.chunks
        return tuple(map(bytes, chunks)) if len(chunks) > FEW else tuple(chunks)  # type: ignore[arg-type]

    def exclude(self) -> None:
        """Discard the copy, and copy nothing more."""
        self.chunks = []
        self.room = self.kept = 0
        self.note = "excluded"


def stored_types(patterns: tuple[str, ...]) -> BoundedCache[str, bool]:
    """Return a cached test by ``Content-Type`` of whether a body is stored; without a type it is.

    Args:
        patterns: the media types, like ``text/*``.
    """

    def is_stored(content_type: str) -> bool:
        media_type = content_type.partition(";")[0].strip().lower()
        return not media_type or any(fnmatchcase(media_type, one) for one in patterns)

    return BoundedCache(is_stored)


class OutputTee:
    """The response iterable that reports each chunk to an `Exchange`. See `output_tee_class`.

    The span is the current one while the app's iterable runs, so that a bare generator finds it.
    """

    __slots__ = ("__weakref__", "_exchange", "_iterable", "_iterator")

    def __init__(self, iterable: Iterable[bytes], exchange: Exchange) -> None:
        self._iterable = iterable
        self._exchange = exchange
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        # A generator: for a stream of many chunks, resuming it takes a third of a method call.
        try:
            produce = iter(self._iterable).__next__
        except BaseException as error:
            drop_own_frame()
            self._exchange.fail(error)
            raise
        return self._pass_on(produce)

    def __next__(self) -> bytes:
        # For callers that use the iterable of PEP 3333 as an iterator, which Werkzeug's is.
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
            else:  # while the span is the current one, which its end requires
                if is_only_counted and type(chunk) is bytes:
                    copy.size += len(chunk)
                elif not exchange.has_ended:
                    is_only_counted = exchange.note_chunk(chunk)
            finally:
                running.reset(token)
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
        # A test client neither read nor closed the stream. Servers always do.
        if not self._exchange.has_ended:
            self._exchange.end("unread")


class SizedOutputTee(OutputTee):
    """A tee for iterables with a length, from which some servers derive a ``Content-Length``."""

    __slots__ = ()

    def __len__(self) -> int:
        try:
            return len(self._iterable)  # type: ignore[arg-type]
        except BaseException:
            drop_own_frame()
            raise


@lru_cache(maxsize=32)
def output_tee_class(iterable_class: Hashable) -> type[OutputTee] | None:
    """Return the class of tees for iterables of a class: with a length if they have one.

    Returns:
        None for a class that is not iterable: the server recognises such an object, or rejects it.
    """
    if not (hasattr(iterable_class, "__iter__") or hasattr(iterable_class, "__getitem__")):
        return None
    return SizedOutputTee if hasattr(iterable_class, "__len__") else OutputTee
