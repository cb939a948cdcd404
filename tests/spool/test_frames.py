"""The content of a file: what is damaged costs itself and nothing else."""

from __future__ import annotations

import random

import pytest

from flask_tracking.spool.frames import HEADER, MARK, join_frames, split_frames

ENTRIES = [b"first", b"", b"third " * 50, MARK + b" within", b"\0" * 7]


def test_round_trip() -> None:
    """What is written is read, whatever it contains."""
    assert split_frames(join_frames(ENTRIES)) == (ENTRIES, True)


@pytest.mark.repeats
@pytest.mark.parametrize("cut", range(len(join_frames(ENTRIES))))
def test_truncated(cut: int) -> None:
    """Of a file that is cut what stands before the cut is read, and it is told from a whole one."""
    contents = split_frames(join_frames(ENTRIES)[:cut])
    assert contents.entries == ENTRIES[: len(contents.entries)]
    wholes = {len(join_frames(ENTRIES[:count])) for count in range(len(ENTRIES) + 1)}
    assert contents.is_whole is (cut in wholes)


def test_every_bit() -> None:
    """A bit that is flipped anywhere costs at most the entry in which it is."""
    whole = join_frames(ENTRIES)
    for at in range(len(whole)):
        data = bytearray(whole)
        data[at] ^= 1 << at % 8
        contents = split_frames(bytes(data))
        assert not contents.is_whole
        assert len(contents.entries) >= len(ENTRIES) - 1
        assert all(entry in ENTRIES for entry in contents.entries)


def test_something_else() -> None:
    """In what is no file of the spool nothing is found."""
    noise = random.Random(15).randbytes(5000)
    assert split_frames(b"") == ([], False)
    assert split_frames(noise) == ([], False)
    assert split_frames(HEADER) == ([], True)
    assert split_frames(noise + join_frames(ENTRIES)) == (ENTRIES, False)
