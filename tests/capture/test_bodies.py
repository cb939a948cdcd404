"""The tees: every method of an input, with the exact return values."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from flask_tracking import guard
from flask_tracking.capture.bodies import BodyCopy, stored_types, tee_input

BODY = b"first line\nsecond line\nthird"

READERS: dict[str, Callable[[Any], Any]] = {
    "read()": lambda stream: stream.read(),
    "read(-1)": lambda stream: stream.read(-1),
    "read(None)": lambda stream: stream.read(None),
    "read(size)": lambda stream: [stream.read(5), stream.read(100), stream.read(1)],
    "read1()": lambda stream: stream.read1(),
    "read1(size)": lambda stream: [stream.read1(4), stream.read1(100)],
    "readline()": lambda stream: [stream.readline(), stream.readline(), stream.readline()],
    "readline(size)": lambda stream: [stream.readline(3), stream.readline(100), stream.read()],
    "readlines()": lambda stream: stream.readlines(),
    "readlines(hint)": lambda stream: [stream.readlines(1), stream.readlines()],
    "iteration": lambda stream: list(stream),
    "next": lambda stream: [next(stream), next(stream), next(stream)],
    "iter is itself": lambda stream: iter(stream) is stream and stream.read(),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
def test_every_reader_returns_what_the_stream_does(read: Callable[[Any], Any]) -> None:
    """Each way to read gives the same values with the tee, and all that was read is copied."""
    copy = BodyCopy(1000)
    assert read(tee_input(io.BytesIO(BODY), copy)) == read(io.BytesIO(BODY))
    assert b"".join(copy.chunks) == BODY
    assert copy.size == len(BODY)


def test_readinto() -> None:
    """readinto fills the caller's buffer and copies only what was read."""
    copy = BodyCopy(1000)
    tee = tee_input(io.BytesIO(b"abc"), copy)
    buffer = bytearray(b"-----")
    assert tee.readinto(buffer) == 3
    assert buffer == b"abc--"
    assert tee.reached_end is False
    assert tee.readinto(buffer) == 0
    assert tee.reached_end is True
    assert copy.chunks == [b"abc"]


@pytest.mark.parametrize(
    ("read", "reached_end"),
    [
        (lambda tee: tee.read(), True),
        (lambda tee: tee.read(3), False),
        (lambda tee: tee.read(0), False),
        (lambda tee: (tee.read(len(BODY)), tee.read(1)), True),
        (lambda tee: tee.readlines(), True),
        (lambda tee: next(tee), False),
    ],
)
def test_end_is_noticed(read: Callable[[Any], Any], reached_end: bool) -> None:
    """Reading without a size, or reading nothing where something was asked for, is the end."""
    tee = tee_input(io.BytesIO(BODY), BodyCopy(1000))
    read(tee)
    assert tee.reached_end is reached_end


def test_tee_has_what_the_stream_has() -> None:
    """The tee has the methods of the server's object, no more and no less."""

    class Bare:
        special = 17

        def read(self, size: int = -1) -> bytes:
            return b"x"

    tee = tee_input(Bare(), BodyCopy(10))
    assert tee.special == 17
    assert tee.read(size=1) == b"x"
    for missing in ("readline", "readinto", "read1", "seek"):
        assert not hasattr(tee, missing)
    with pytest.raises(TypeError):
        iter(tee)


def test_tee_waits_for_no_collector() -> None:
    """A tee that was read from is gone with its last reference, and the body with it."""
    gc.disable()
    try:
        tee = tee_input(io.BytesIO(BODY), BodyCopy(1000))
        tee.read()
        gone = weakref.ref(tee)
        del tee
        assert gone() is None
    finally:
        gc.enable()


def test_stream_that_fails() -> None:
    """What the server's stream raises reaches the reader as it is."""

    class Broken:
        def read(self, *_: Any) -> bytes:
            raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        tee_input(Broken(), BodyCopy(10)).read()


def test_stream_that_returns_nonsense() -> None:
    """A stream that returns no bytes is passed on, and what cannot be copied is counted."""

    class Odd:
        def read(self, *_: Any) -> Any:
            return None

    assert tee_input(Odd(), BodyCopy(10)).read() is None
    assert guard.failures == {"copying a request body": 1}


def test_copy_is_bounded_and_copies_whole_chunks_by_reference() -> None:
    """A chunk that fits is kept as the same object; past the room nothing is kept, all is counted."""
    copy = BodyCopy(5)
    whole = b"abc"
    copy.add(whole)
    copy.add(b"defg")
    copy.add(b"h")
    assert copy.chunks == [b"abc", b"de"]
    assert copy.chunks[0] is whole
    assert (copy.size, copy.kept, copy.room) == (8, 5, 0)


@pytest.mark.parametrize(
    ("content_type", "stored"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/problem+json", True),
        ("text/html", True),
        ("", True),
        (" ; charset=utf-8", True),
        ("image/png", False),
        ("application/octet-stream", False),
    ],
)
def test_stored_types(content_type: str, stored: bool) -> None:
    """Media types are matched whatever their case and parameters; no type counts as text."""
    is_stored = stored_types(("text/*", "application/json", "application/*+json"))
    for _ in range(2):
        assert is_stored[content_type] is stored
