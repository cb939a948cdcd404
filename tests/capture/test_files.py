"""How far a file came that the server sent by itself."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flask_tracking.capture.files import Delivery, SentFile
from flask_tracking.runtime import guard


def describe_after(file: Any, error: BaseException | None, expected_size: int | None) -> Delivery:
    """Describe a file as a server does that closes it while `error` passes."""
    sent = SentFile(file)
    return describe(sent, error, expected_size)


def describe(sent: SentFile, error: BaseException | None, expected_size: int | None) -> Delivery:
    if error is None:
        return sent.describe(expected_size)
    try:
        try:
            raise error
        finally:
            delivery = sent.describe(expected_size)
    except BaseException as raised:
        assert raised is error
    return delivery


def read_after(count: int, error: BaseException | None, expected_size: int | None) -> Delivery:
    file = io.BytesIO(b"0123456789")
    sent = SentFile(file)
    file.read(count)
    return describe(sent, error, expected_size)


@pytest.mark.parametrize(
    ("count", "error", "expected_size", "delivery"),
    [
        (10, None, 10, Delivery(10, True, None)),
        (10, None, None, Delivery(10, True, None)),
        # The position is put back, or was never moved: the system sent it.
        (0, None, 10, Delivery(10, True, None)),
        (4, None, 10, Delivery(4, False, None)),
        (4, BrokenPipeError(), 10, Delivery(4, False, None)),
        (0, ConnectionResetError(), 10, Delivery(0, False, None)),
        # The last byte was produced: as with any other response that is all.
        (10, BrokenPipeError(), 10, Delivery(10, True, None)),
        (4, SystemExit(1), 10, Delivery(4, False, None)),
        (4, BrokenPipeError(), None, Delivery(4, False, None)),
        # More was read than the length that was promised; no server sends it.
        (10, None, 7, Delivery(7, True, None)),
    ],
)
def test_delivery(
    count: int, error: BaseException | None, expected_size: int | None, delivery: Delivery
) -> None:
    """The position of the file tells how much was taken, the passing error why not all."""
    assert read_after(count, error, expected_size) == delivery


@pytest.mark.parametrize("error", [ValueError("closed"), OSError(errno.EIO, "disk")])
def test_file_that_cannot_be_read(error: Exception) -> None:
    """What is wrong with the file is told from a client that left."""
    assert read_after(4, error, 10) == Delivery(4, False, error)


def test_error_that_was_there_before() -> None:
    """A request that is made while an exception is handled does not take that one for its own."""
    file = io.BytesIO(b"0123456789")
    try:
        raise BrokenPipeError
    except BrokenPipeError:
        sent = SentFile(file)
        file.read()
        assert sent.describe(10) == Delivery(10, True, None)
        assert SentFile(io.BytesIO()).describe(10) == Delivery(10, True, None)


def test_file_of_the_system_without_a_length(tmp_path: Path) -> None:
    """Without Content-Length the rest of the file is what was sent."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        file.seek(3)
        assert SentFile(file).describe(None) == Delivery(7, True, None)


def test_file_whose_position_is_part_of_the_way(tmp_path: Path) -> None:
    """A file that was handed over in its middle is counted from there."""
    file = io.BytesIO(b"0123456789")
    file.seek(6)
    sent = SentFile(file)
    file.read(2)
    assert sent.describe(4) == Delivery(2, False, None)


def test_pipe() -> None:
    """What has no position counts as what Content-Length says, without a word in the log."""
    reader, writer = os.pipe()
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        assert describe_after(file, None, 10) == Delivery(10, True, None)
        assert describe_after(file, BrokenPipeError(), 10) == Delivery(0, False, None)
    assert guard.failures == {}


@pytest.mark.parametrize("answer", [lambda: 1 / 0, lambda: None])
def test_file_that_answers_nonsense(answer: Callable[[], Any]) -> None:
    """A file-like object that fails when it is asked is recorded as far as it goes."""

    class Odd:
        tell = fileno = staticmethod(answer)

    assert describe_after(Odd(), None, 10) == Delivery(10, True, None)
    assert describe_after(Odd(), None, None) == Delivery(0, True, None)
    assert guard.failures["asking a file how far it was read"] > 0
