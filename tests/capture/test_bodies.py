"""Copies of bodies: bounded, and small in memory."""

from __future__ import annotations

import tracemalloc

import pytest

from flask_tracking.capture.bodies import BodyCopy, stored_types


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


@pytest.mark.repeats
@pytest.mark.parametrize("size", [1, 2, 100, 5000])
def test_many_chunks_take_little_memory(size: int) -> None:
    """Small chunks are put together while they come; large ones and the first are kept as they are."""
    copy, first = BodyCopy(60_000), b"a" * size
    tracemalloc.start()
    try:
        copy.add(first)
        for at in range(60_000 // size):
            copy.add(bytes([at % 256]) * size)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    body = (first + b"".join(bytes([at % 256]) * size for at in range(60_000 // size)))[:60_000]
    assert held < 1.3 * len(body)  # what measures coverage holds some, too
    assert copy.kept == len(body)
    chunks = copy.take_chunks()
    assert chunks[0] is first
    assert b"".join(chunks) == body
    assert {type(chunk) for chunk in chunks} == {bytes}


def test_small_chunks_among_large_ones() -> None:
    """Whatever comes after what, the body is whole and in order."""
    copy = BodyCopy(1_000_000)
    sent = [bytes([at % 251]) * (5000 if at % 7 == 0 else at % 5) for at in range(400)]
    for chunk in sent:
        copy.add(chunk)
    chunks = copy.take_chunks()
    assert b"".join(chunks) == b"".join(sent)
    assert len(chunks) < 16 + 2 * 400 / 7
