"""Codings are undone within bounds, whatever a sender claims."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import tracemalloc
import types
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import brotli
import pytest
import zstandard

import flask_tracking
from flask_tracking.pipeline.decoding import MAX_WINDOW, PIECE, decode_body
from flask_tracking.runtime import guard

ROOT = Path(flask_tracking.__file__).parents[1]
LIMIT = 65_536
TEXT = b'{"id": 17, "name": "Ada"}' * 40
BOMB_SIZE = 300_000_000
KIB = 1024
MIB = 1024 * KIB

Compress = Callable[[bytes], bytes]


def deflate_raw(data: bytes) -> bytes:
    """Compress without zlib's two bytes, as some senders do."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


COMPRESS: dict[str, Compress] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": partial(brotli.compress, quality=5),
    "zstd": zstandard.compress,
}


def noise(size: int) -> bytes:
    """Return bytes that no coding makes shorter."""
    return random.Random(size).randbytes(size)


def in_pieces(data: bytes, size: int = 7) -> list[bytes]:
    """Cut `data` into chunks."""
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("coding", ["", "identity", " Identity , ", ",", "  "])
def test_body_without_a_coding(coding: str) -> None:
    """A body without a coding is joined and is as it was."""
    assert decode_body([b"one", b"", b"two"], coding, LIMIT) == (b"onetwo", None)


def test_body_without_a_coding_is_cut() -> None:
    """A body that is longer than the limit is cut there, and the note says so."""
    assert decode_body([b"12345", b"67890"], "", 7) == (b"1234567", "truncated")
    assert decode_body([b"12345"], "", 5) == (b"12345", None)


@pytest.mark.parametrize("coding", ["", "gzip", "br", "zstd", "unknown"])
def test_no_body(coding: str) -> None:
    """No body is no body, whatever coding it claims: a HEAD or a 304 has none to show."""
    assert decode_body([], coding, LIMIT) == (b"", None)
    assert decode_body([b"", b""], coding, LIMIT) == (b"", None)


@pytest.mark.parametrize("coding", COMPRESS)
def test_coding_is_undone(coding: str) -> None:
    """A body of each coding is stored as what it stands for, in however many chunks it came."""
    encoded = COMPRESS[coding](TEXT)

    assert decode_body([encoded], coding, LIMIT) == (TEXT, None)
    assert decode_body(in_pieces(encoded), coding.upper(), LIMIT) == (TEXT, None)


def test_deflate_without_zlib_is_undone() -> None:
    """Senders that leave zlib's two bytes out of "deflate" are understood."""
    assert decode_body([deflate_raw(TEXT)], "deflate", LIMIT) == (TEXT, None)
    assert decode_body([deflate_raw(b"")], "deflate", LIMIT) == (b"", None)


@pytest.mark.parametrize("coding", COMPRESS)
def test_empty_text_is_undone(coding: str) -> None:
    """A coded body that stands for nothing is nothing."""
    assert decode_body([COMPRESS[coding](b"")], coding, LIMIT) == (b"", None)


@pytest.mark.parametrize("coding", COMPRESS)
@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, LIMIT - 1, LIMIT])
@pytest.mark.parametrize("make", [bytes, noise], ids=["zeros", "noise"])
def test_sizes_at_the_bounds(coding: str, size: int, make: Callable[[int], bytes]) -> None:
    """A body of any size up to the limit is whole."""
    data = make(size)

    assert decode_body([COMPRESS[coding](data)], coding, LIMIT) == (data, None)


@pytest.mark.parametrize("coding", COMPRESS)
@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + PIECE, 5 * LIMIT])
@pytest.mark.parametrize("make", [bytes, noise], ids=["zeros", "noise"])
def test_decoded_body_is_cut(coding: str, size: int, make: Callable[[int], bytes]) -> None:
    """A body that is longer than the limit when it is decoded is cut there, and the note says so."""
    data = make(size)

    assert decode_body([COMPRESS[coding](data)], coding, LIMIT) == (data[:LIMIT], "truncated")


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, deflate_raw])
def test_end_of_a_stream_is_not_lost(compress: Compress) -> None:
    """The last bytes are there though they came out of the decoder after all input had gone in."""
    coding = "gzip" if compress is gzip.compress else "deflate"
    lost = {
        size: size - len(body)
        for size in range(PIECE - 100, PIECE + 600)
        if (body := decode_body([compress(bytes(size))], coding, LIMIT)[0]) != bytes(size)
    }

    assert lost == {}


def test_several_gzip_members_are_one_body() -> None:
    """Members of gzip, one after the other, are one body, empty ones among them."""
    body = gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"two")

    assert decode_body([body], "gzip", LIMIT) == (b"onetwo", None)


def test_several_zstd_frames_are_one_body() -> None:
    """Frames of zstd, one after the other, are one body; what a frame says to skip is skipped."""
    skipped = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    body = zstandard.compress(b"one") + skipped + zstandard.compress(b"two")

    assert decode_body([body], "zstd", LIMIT) == (b"onetwo", None)


@pytest.mark.parametrize("garbage", [b"\0" * 100, b"garbage", b"\x1f", b"\x1fgarbage"])
def test_garbage_behind_a_stream_is_ignored(garbage: bytes) -> None:
    """What stands behind the end of a gzip or zlib stream is ignored: padding is common."""
    assert decode_body([gzip.compress(TEXT) + garbage], "gzip", LIMIT) == (TEXT, None)
    assert decode_body([zlib.compress(TEXT) + garbage], "deflate", LIMIT) == (TEXT, None)
    assert decode_body([deflate_raw(TEXT) + garbage], "deflate", LIMIT) == (TEXT, None)


@pytest.mark.parametrize("coding", COMPRESS)
def test_garbage_that_looks_like_a_member(coding: str) -> None:
    """A body with garbage behind its end ends in a finite time, as text or as the bytes that came."""
    encoded = COMPRESS[coding](TEXT) + b"\x1f\x8bgarbage"

    assert decode_body([encoded], coding, LIMIT) in (
        (TEXT, None),
        (encoded, "undecodable"),
    )


@pytest.mark.parametrize(
    ("header", "codings"),
    [
        ("gzip, br", ["gzip", "br"]),
        ("br,gzip", ["br", "gzip"]),
        ("deflate , zstd", ["deflate", "zstd"]),
        ("gzip, gzip, gzip", ["gzip", "gzip", "gzip"]),
        ("identity, gzip, identity", ["gzip"]),
        ("gzip,", ["gzip"]),
    ],
)
def test_stacked_codings_are_undone(header: str, codings: list[str]) -> None:
    """Codings one upon the other are undone from the last to the first."""
    encoded = TEXT
    for coding in codings:
        encoded = COMPRESS[coding](encoded)

    assert decode_body([encoded], header, LIMIT) == (TEXT, None)


@pytest.mark.parametrize("limit", [PIECE - 10, PIECE, LIMIT - 1, LIMIT, 5 * PIECE - 1, 5 * PIECE])
def test_stacked_codings_are_cut(limit: int) -> None:
    """A body that is longer than the limit says so through several codings as well."""
    data = noise(5 * LIMIT)
    encoded = gzip.compress(gzip.compress(data))

    body, note = decode_body([encoded], "gzip, gzip", limit)

    assert note == "truncated"
    assert data.startswith(body)
    assert limit - 100 <= len(body) <= limit


def test_too_many_codings_are_not_undone() -> None:
    """More than three codings are nobody's honest intention: the bytes are kept as they came."""
    encoded = TEXT
    for _ in range(4):
        encoded = gzip.compress(encoded)

    assert decode_body([encoded], "gzip, gzip, gzip, gzip", LIMIT) == (encoded, "undecodable")


@pytest.mark.parametrize("coding", ["compress", "exi", "gzip;q=1", "aes128gcm", "gzip, unknown", "ü"])
def test_unknown_coding(coding: str, caplog: pytest.LogCaptureFixture) -> None:
    """A body of a coding that nobody here knows is kept as it came; that is no failure."""
    assert decode_body([b"\x01\x02\x03"], coding, LIMIT) == (b"\x01\x02\x03", "undecodable")
    assert not caplog.records


@pytest.mark.parametrize("coding", COMPRESS)
@pytest.mark.parametrize("body", [b"plain text, not coded at all", b"\xff" * 100, TEXT * 100])
def test_body_that_is_not_what_it_claims(
    coding: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A body that claims a coding and is not of it is kept as it came; that is no failure of ours."""
    assert decode_body([body], coding, LIMIT) == (body[:LIMIT], "undecodable")
    assert not caplog.records
    assert not guard.failures


def test_undecodable_body_is_cut() -> None:
    """A body that cannot be decoded is cut at the limit like any other."""
    assert decode_body([b"1234567890"], "gzip", 5) == (b"12345", "undecodable")
    assert decode_body([b"1234567890"], "unknown", 5) == (b"12345", "undecodable")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_broken_stream_is_kept_as_it_came(coding: str) -> None:
    """A stream that is broken in its middle, or whose checksum is wrong, is kept as it came."""
    encoded = bytearray(COMPRESS[coding](noise(1000)))
    encoded[-1] ^= 0xFF

    assert decode_body([bytes(encoded)], coding, LIMIT) == (bytes(encoded), "undecodable")


@pytest.mark.parametrize("coding", COMPRESS)
def test_cut_stream_gives_its_beginning(coding: str) -> None:
    """A stream that was cut, as the copy of a long body is, gives what it holds, however short."""
    data = noise(3000) + bytes(3000)
    encoded = COMPRESS[coding](data)

    for end in range(0, len(encoded), 37):
        body, note = decode_body([encoded[:end]], coding, LIMIT)
        assert data.startswith(body)
        assert note is None


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_cut_stream_gives_most_of_what_it_holds(coding: str) -> None:
    """A cut stream gives all that its bytes stand for, but for a block that is not complete."""
    data = noise(60_000)
    encoded = COMPRESS[coding](data)

    body, _ = decode_body([encoded[:50_000]], coding, LIMIT)

    assert len(body) > 30_000


def hide(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """Let `library` be not installed."""
    monkeypatch.setitem(sys.modules, library, None)


@pytest.mark.parametrize(("coding", "library"), [("br", "brotli"), ("zstd", "zstandard")])
def test_missing_library(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, coding: str, library: str
) -> None:
    """Without the library of a coding its bodies are kept as they came; that is no failure."""
    hide(monkeypatch, library)
    encoded = COMPRESS[coding](TEXT)

    assert decode_body([encoded], coding, LIMIT) == (encoded, "undecodable")
    assert decode_body([gzip.compress(TEXT)], "gzip", LIMIT) == (TEXT, None)
    assert not caplog.records


def test_brotli_without_a_bound_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A brotli before 1.2, whose output has no bound, is not called at all."""

    class Decompressor:
        def process(self, data: bytes) -> bytes:
            raise AssertionError("unbounded")

    old = types.ModuleType("brotli")
    monkeypatch.setattr(old, "Decompressor", Decompressor, raising=False)
    monkeypatch.setitem(sys.modules, "brotli", old)
    encoded = brotli.compress(TEXT)

    assert decode_body([encoded], "br", LIMIT) == (encoded, "undecodable")
    assert not guard.failures


# Bombs


def make_bomb(coding: str) -> bytes:
    """Compress 300 MB of zeros to a body that a client sends in one packet or a few."""
    piece, count = bytes(MIB), BOMB_SIZE // MIB
    if coding == "br":
        # The largest window that the format has.
        brotlis: Any = brotli.Compressor(quality=5, lgwin=24)
        return bytes(b"".join([*(brotlis.process(piece) for _ in range(count)), brotlis.finish()]))
    if coding == "zstd":
        parameters = zstandard.ZstdCompressionParameters(window_log=23)
        zstds = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        return b"".join([zstds.compress(piece) for _ in range(count)]) + zstds.flush()
    wbits = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS, "raw": -zlib.MAX_WBITS}[coding]
    zlibs = zlib.compressobj(9, wbits=wbits)
    # After a full flush the same bytes mean the same again. Nobody comes as far as the checksum.
    first, again = (zlibs.compress(piece) + zlibs.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * (count - 1) + zlibs.flush()


BOMBS = {"gzip": "gzip", "deflate": "deflate", "raw": "deflate", "br": "br", "zstd": "zstd"}
"""What the bomb is made with, and what it says it is."""

WINDOWS = {
    "gzip": 64 * KIB,
    "deflate": 64 * KIB,
    "raw": 64 * KIB,
    "br": 16 * MIB,
    "zstd": MAX_WINDOW,
}
"""What the decoder itself may hold: its window, which is not ours to choose but for zstd's."""


@pytest.fixture(scope="module", params=BOMBS)
def bomb(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    """The name of a coding, and 300 MB in it."""
    return request.param, make_bomb(request.param)


def test_bomb_is_cut(bomb: tuple[str, bytes]) -> None:
    """Of a bomb the limit is stored, and the note says that there was more."""
    name, encoded = bomb

    assert len(encoded) < BOMB_SIZE / 900
    assert decode_body([encoded], BOMBS[name], LIMIT) == (bytes(LIMIT), "truncated")


@pytest.mark.parametrize("limit", [LIMIT, MIB])
def test_bomb_costs_no_more_python_memory_than_the_limit(bomb: tuple[str, bytes], limit: int) -> None:
    """Python's memory for a bomb is the limit, a chunk and zlib's window: nothing is held twice."""
    name, encoded = bomb
    chunks = [encoded[:LIMIT]]  # no more than that is copied of what was on the wire
    decode_body(chunks, BOMBS[name], limit)  # what is loaded once is loaded

    tracemalloc.start()
    try:
        body, note = decode_body(chunks, BOMBS[name], limit)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (len(body), note) == (limit, "truncated")
    # A buffer grows by more than it needs at once: a quarter of the limit is for that.
    assert peak <= 1.25 * limit + 128 * KIB


MEASURE = """
import json, sys
from functools import partial
from pathlib import Path
from flask_tracking.pipeline.decoding import decode_body

def high_water():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024

bomb, warm_up = (Path(path).read_bytes() for path in sys.argv[2:4])
decode_body([warm_up], sys.argv[1], 65536)
before = high_water()
body, note = decode_body([bomb], sys.argv[1], 65536)
print(json.dumps([high_water() - before, len(body), note]))
"""


@pytest.mark.integration
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the high water mark")
def test_bomb_costs_the_process_no_more_than_limit_and_window(
    bomb: tuple[str, bytes], tmp_path: Path
) -> None:
    """The process grows by no more than the limit, one chunk and the decoder's window for a bomb."""
    name, encoded = bomb
    (tmp_path / "bomb").write_bytes(encoded)
    (tmp_path / "text").write_bytes(COMPRESS[BOMBS[name]](TEXT))
    files = [str(tmp_path / "bomb"), str(tmp_path / "text")]

    finished = subprocess.run(
        [sys.executable, "-c", MEASURE, BOMBS[name], *files],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip

    grown, stored, note = json.loads(finished.stdout)
    assert (stored, note) == (LIMIT, "truncated")
    # Allocators take memory from the system by the page and the arena.
    assert grown <= LIMIT + PIECE + WINDOWS[name] + 2 * MIB


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_bomb_in_a_bomb_is_cut(coding: str) -> None:
    """A bomb that is coded once more is bounded at each coding."""
    inner = COMPRESS[coding](bytes(40 * MIB))
    encoded = COMPRESS[coding](inner)

    body, note = decode_body([encoded], f"{coding}, {coding}", LIMIT)

    assert (body, note) == (bytes(LIMIT), "truncated")


@pytest.mark.parametrize(("window_log", "note"), [(23, None), (24, "undecodable"), (27, "undecodable")])
def test_zstd_window_is_bounded(window_log: int, note: str | None) -> None:
    """A zstd frame that wants a larger window than 8 MiB is refused and kept as it came."""
    parameters = zstandard.ZstdCompressionParameters(window_log=window_log)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    encoded = compressor.compress(TEXT) + compressor.flush()

    stored = TEXT if note is None else encoded
    assert decode_body([encoded], "zstd", LIMIT) == (stored, note)


def test_many_small_members_are_read_to_their_end() -> None:
    """Thousands of members that stand for nothing cost time, but are neither a failure nor a loop."""
    body = gzip.compress(b"") * 3000 + gzip.compress(b"end")

    assert decode_body([body], "gzip", LIMIT) == (b"end", None)


def test_library_that_is_foreign_code_is_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that raises what nobody expects costs the decoding and not the body."""

    class Decompressor:
        def can_accept_more_data(self) -> bool:
            return True

        def process(self, data: bytes, output_buffer_limit: int) -> Any:
            raise RuntimeError

    broken = types.ModuleType("brotli")
    monkeypatch.setattr(broken, "Decompressor", Decompressor, raising=False)
    monkeypatch.setitem(sys.modules, "brotli", broken)

    assert decode_body([b"body"], "br", LIMIT) == (b"body", "undecodable")
