"""The tee of a request's body: every method, with the exact return values, and what was read."""

from __future__ import annotations

import array
import gc
import io
import os
import tempfile
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wsgi import LimitedStream

from flask_tracking.capture.bodies import BodyCopy
from flask_tracking.capture.input_tee import tee_input
from flask_tracking.runtime import guard

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
    assert copy.reached_end is False
    assert tee.readinto(buffer) == 0
    assert copy.reached_end is True
    assert copy.chunks == [b"abc"]


@pytest.mark.parametrize(
    ("read", "reached_end"),
    [
        (lambda tee: tee.read(), True),
        (lambda tee: tee.read(-1), True),
        (lambda tee: tee.read(None), True),
        (lambda tee: tee.read(3), False),
        (lambda tee: tee.read(0), False),
        (lambda tee: tee.read(len(BODY)), False),
        (lambda tee: (tee.read(len(BODY)), tee.read(1)), True),
        (lambda tee: tee.read1(3), False),
        (lambda tee: (tee.read1(100), tee.read1(0)), False),
        (lambda tee: (tee.read1(), tee.read1()), True),
        (lambda tee: tee.readline(), False),
        (lambda tee: tee.readline(5), False),
        (lambda tee: tee.readline(0), False),
        (lambda tee: [tee.readline() for _ in range(2)], False),
        (lambda tee: [tee.readline() for _ in range(3)], True),
        (lambda tee: [tee.readline(None) for _ in range(3)], True),
        (lambda tee: (tee.readlines(20), tee.readline(5)), False),
        (lambda tee: (tee.readlines(20), tee.readline(6)), True),
        (lambda tee: tee.readlines(), True),
        (lambda tee: tee.readlines(0), True),
        (lambda tee: tee.readlines(None), True),
        (lambda tee: tee.readlines(1), False),
        (lambda tee: tee.readlines(12), False),
        (lambda tee: tee.readlines(1000), True),
        (lambda tee: tee.readinto(bytearray(5)), False),
        (lambda tee: (tee.read(len(BODY)), tee.readinto(bytearray(0))), False),
        (lambda tee: (tee.read(len(BODY)), tee.readinto(bytearray(1))), True),
        (lambda tee: next(tee), False),
        (lambda tee: [next(tee) for _ in range(3)], False),
        (lambda tee: list(tee), True),
    ],
)
def test_end_is_noticed(read: Callable[[Any], Any], reached_end: bool) -> None:
    """Each way to read tells in its own way that all was read, and none says so before."""
    tee = tee_input(io.BytesIO(BODY), copy := BodyCopy(1000))
    read(tee)
    assert copy.reached_end is reached_end


def test_all_lines_that_a_hint_allows() -> None:
    """Lines that end before the hint was reached are all, though the last one ends like the others."""
    tee = tee_input(io.BytesIO(b"one\ntwo\n"), copy := BodyCopy(1000))
    assert tee.readlines(8) == [b"one\n", b"two\n"]
    assert copy.reached_end is False
    tee = tee_input(io.BytesIO(b"one\ntwo\n"), copy := BodyCopy(1000))
    assert tee.readlines(9) == [b"one\n", b"two\n"]
    assert copy.reached_end is True


def test_read1_of_a_socket() -> None:
    """Without a size read1 returns what has arrived, which is not all."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb") as sender:
        tee = tee_input(stream, copy := BodyCopy(100))
        sender.write(b"some")
        sender.flush()
        assert tee.read1() == b"some"
        assert copy.reached_end is False
        sender.write(b" more")
        sender.close()
        assert (tee.read1(), tee.read1()) == (b" more", b"")
        assert copy.reached_end is True
    assert copy.take_chunks() == (b"some", b" more")


class Raw(io.RawIOBase):
    """A stream of Python's own base class, as servers make them: it finds most of its readers there."""

    def __init__(self, body: bytes) -> None:
        self._body = io.BytesIO(body)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._body.readinto(buffer)


def test_raw_stream() -> None:
    """readall is read too; a with statement and a buffer of numbers work as without the tee."""
    tee: Any = tee_input(Raw(BODY), copy := BodyCopy(1000))
    with tee as entered:
        assert entered is tee
        numbers = array.array("H", [0, 0])
        assert tee.readinto(numbers) == 4
        assert numbers.tobytes() == BODY[:4]
        assert copy.reached_end is False
        assert tee.readall() == BODY[4:]
        assert copy.reached_end is True
    assert tee.closed
    assert (b"".join(copy.take_chunks()), copy.size) == (BODY, len(BODY))


def test_nothing_yet() -> None:
    """A stream that has nothing yet, and says so by None, has not ended."""

    class Waiting(io.RawIOBase):
        def readinto(self, buffer: Any) -> Any:
            return None

    tee = tee_input(Waiting(), copy := BodyCopy(10))
    assert tee.readinto(bytearray(3)) is None
    assert copy.reached_end is False
    assert guard.failures == {}


def test_body_that_is_read_twice() -> None:
    """What is read again after rewinding is not copied again; what is new is."""
    tee = tee_input(io.BytesIO(BODY), copy := BodyCopy(1000))
    assert tee.read(10) == BODY[:10]
    assert tee.seek(5) == 5
    assert tee.read(10) == BODY[5:15]
    assert (tee.seek(0), tee.tell()) == (0, 0)
    assert tee.read() == BODY
    assert tee.seek(0, os.SEEK_END) == len(BODY)
    assert (tee.seek(-5, os.SEEK_CUR), tee.read()) == (len(BODY) - 5, b"third")
    assert (b"".join(copy.take_chunks()), copy.size) == (BODY, len(BODY))
    assert copy.reached_end is True


def test_part_that_is_skipped() -> None:
    """What stands behind a gap is not taken for what stands in it, and the end does not count."""
    tee = tee_input(io.BytesIO(BODY), copy := BodyCopy(1000))
    assert tee.read(3) == BODY[:3]
    tee.seek(20)
    assert tee.read() == BODY[20:]
    assert (copy.chunks, copy.size, copy.reached_end) == ([BODY[:3]], 3, False)
    tee.seek(2)
    assert tee.read() == BODY[2:]
    assert (b"".join(copy.take_chunks()), copy.size, copy.reached_end) == (BODY, len(BODY), True)


def test_stream_that_begins_in_its_middle() -> None:
    """Where something else has read before, the body begins where the app found it."""
    stream = io.BytesIO(b"head" + BODY)
    stream.seek(4)
    tee = tee_input(stream, copy := BodyCopy(1000))
    assert (tee.read(5), tee.seek(4), tee.read()) == (BODY[:5], 4, BODY)
    assert b"".join(copy.take_chunks()) == BODY


class Mute:
    """A stream that goes back, and does not say where it is."""

    def __init__(self) -> None:
        self._body = io.BytesIO(BODY)
        self.read = self._body.read

    def seek(self, position: int) -> None:
        self._body.seek(position)


def test_stream_that_does_not_tell_its_position() -> None:
    """Where it cannot be known what is read again, nothing more is copied, and nothing said."""
    tee = tee_input(Mute(), copy := BodyCopy(1000))
    assert tee.read(3) == BODY[:3]
    tee.seek(0)
    assert tee.read() == BODY
    assert (copy.chunks, copy.size, copy.reached_end) == ([BODY[:3]], 3, False)
    assert guard.failures == {}


def test_stream_that_cannot_be_rewound() -> None:
    """A stream that refuses to seek refuses it as ever, and reading goes on."""
    tee = tee_input(Raw(BODY), copy := BodyCopy(1000))
    assert tee.read(3) == BODY[:3]
    for _ in range(2):
        with pytest.raises(io.UnsupportedOperation):
            tee.seek(0)
    assert tee.readall() == BODY[3:]
    assert (b"".join(copy.take_chunks()), copy.reached_end) == (BODY, True)
    assert guard.failures == {}


STREAMS: dict[str, Callable[[], Any]] = {
    "BytesIO": lambda: io.BytesIO(BODY),
    "TemporaryFile": lambda: fill(tempfile.TemporaryFile),
    "NamedTemporaryFile": lambda: fill(tempfile.NamedTemporaryFile),
    "SpooledTemporaryFile": lambda: fill(tempfile.SpooledTemporaryFile),
    "BufferedReader": lambda: io.BufferedReader(io.BytesIO(BODY)),
    "LimitedStream": lambda: LimitedStream(io.BytesIO(BODY + b"the next request"), len(BODY)),
}


def fill(make: Callable[[], Any]) -> Any:
    file = make()
    file.write(BODY)
    file.seek(0)
    return file


SIZES = st.one_of(st.none(), st.integers(-1, 40))
STEPS = st.one_of(
    st.tuples(st.sampled_from(["read", "readline", "readlines"]), st.tuples(SIZES)),
    st.tuples(st.sampled_from(["read", "readline", "readlines", "tell", "next"]), st.just(())),
    st.tuples(st.just("seek"), st.tuples(st.integers(0, 35))),
    st.tuples(st.just("seek"), st.tuples(st.integers(-10, 0), st.just(os.SEEK_END))),
    st.tuples(st.sampled_from(["read1", "readinto"]), st.tuples(st.integers(0, 40))),
)


def do(stream: Any, name: str, args: tuple[Any, ...]) -> Any:
    """Do one step, and return all that its caller can see of it."""
    try:
        if name == "next":
            return next(iter(stream), None)
        if name == "readinto":
            buffer = bytearray(*args)
            return stream.readinto(buffer), buffer
        return getattr(stream, name)(*args)
    except (AttributeError, OSError, TypeError, ClientDisconnected) as error:
        return type(error)


@pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS.keys())
@given(steps=st.lists(STEPS, max_size=12), room=st.sampled_from([0, 7, 1000]))
def test_any_way_to_read(make: Callable[[], Any], steps: list[Any], room: int) -> None:
    """An app sees of its input what it saw without us, and what it read from the beginning is known.

    The model asks a second stream for its position before and after each step.
    """
    plain, teed = make(), make()
    tee = tee_input(teed, copy := BodyCopy(room))
    known = 0
    for name, args in steps:
        before = plain.tell()
        assert do(tee, name, args) == do(plain, name, args)
        after = plain.tell()
        assert teed.tell() == after
        if name not in ("seek", "tell") and before <= known:
            known = max(known, after)
    assert (copy.size, b"".join(copy.chunks)) == (known, BODY[: min(known, room)])
    assert known == len(BODY) or not copy.reached_end
    for stream in (plain, teed):
        stream.close()
    assert guard.failures == {}


def test_tee_has_what_the_stream_has() -> None:
    """The tee has the methods of the server's object, no more and no less."""

    class Bare:
        special = 17

        def read(self, size: int = -1) -> bytes:
            return b"x"

    tee = tee_input(Bare(), BodyCopy(10))
    assert tee.special == 17
    assert tee.read(size=1) == b"x"
    for missing in ("readline", "readinto", "read1", "seek", "tell", "readall", "__enter__"):
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

        readline = readlines = read
        readinto = staticmethod(len)

    for name, *args in (("read",), ("readline",), ("readlines",), ("readinto", "text")):
        guard.failures.clear()
        assert getattr(tee_input(Odd(), BodyCopy(10)), name)(*args) == getattr(Odd(), name)(*args)
        assert guard.failures == {"copying a request body": 1}
