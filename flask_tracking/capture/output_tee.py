"""The tee of the response: every chunk is counted and passed on unchanged.

It produces a chunk only when the server asks for one. `input_tee` has the tee of the request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from ..runtime.cache import ClassCache
from ..runtime.guard import drop_own_frame
from ..runtime.lifecycle import call_apart
from .bodies import BodyCopy
from .span import Span, reset_running, restore_running, set_running

__all__ = ["OutputTee", "output_tee_classes"]


class Observer(Protocol):
    """The part of an `Exchange` to which a tee reports."""

    span: Span
    response: BodyCopy
    """The copy of the body."""
    has_ended: bool

    def note_chunk(self, chunk: bytes) -> bool:
        """Count and copy a chunk; return True when only the size of later chunks matters."""

    def fail(self, error: BaseException) -> None:
        """End with an exception that is escaping."""

    def end(self, outcome: str) -> None:
        """End; ending twice is harmless."""


class OutputTee:
    """The response iterable that reports each chunk to an `Exchange`. See `output_tee_classes`.

    The span is the current one while the app's iterable runs, so that a bare generator finds it.
    """

    __slots__ = ("__weakref__", "_exchange", "_iterable", "_iterator")

    def __init__(self, iterable: Iterable[bytes], exchange: Observer) -> None:
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
            token = set_running(span)
            try:
                chunk = produce()
            except StopIteration:
                break
            except BaseException as error:
                drop_own_frame()
                exchange.fail(error)
                raise
            else:  # while the span is the current one: the end may run code of the app
                if is_only_counted and type(chunk) is bytes:
                    copy.size += len(chunk)
                elif not exchange.has_ended:
                    is_only_counted = exchange.note_chunk(chunk)
            finally:
                try:
                    reset_running(token)
                except LookupError:
                    restore_running(token)
            yield chunk
        if not exchange.has_ended:
            exchange.end("ok")

    def close(self) -> None:
        __traceback_hide__ = True
        exchange = self._exchange
        close = getattr(self._iterable, "close", None)
        token = set_running(exchange.span)
        try:
            if close is not None:
                close()
        except BaseException as error:
            drop_own_frame()
            exchange.fail(error)
            raise
        finally:
            try:
                reset_running(token)
            except LookupError:
                restore_running(token)
            if not exchange.has_ended:
                exchange.end("disconnected")

    def __del__(self) -> None:
        # A test client neither read nor closed the stream. Servers always do.
        if not self._exchange.has_ended:
            call_apart(self._exchange.end, "unread")


class SizedOutputTee(OutputTee):
    """A tee for iterables with a length, from which some servers derive a ``Content-Length``."""

    __slots__ = ()

    def __len__(self) -> int:
        try:
            return len(self._iterable)  # type: ignore[arg-type]
        except BaseException:
            drop_own_frame()
            raise


def _find_class(iterable_class: type) -> type[OutputTee] | None:
    if not (hasattr(iterable_class, "__iter__") or hasattr(iterable_class, "__getitem__")):
        return None
    return SizedOutputTee if hasattr(iterable_class, "__len__") else OutputTee


output_tee_classes = ClassCache(_find_class)
"""The class of tees for iterables of a class: with a length if they have one.

None for a class that is not iterable: the server recognises such an object, or rejects it.
"""
