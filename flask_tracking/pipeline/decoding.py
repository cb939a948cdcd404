"""Decode a body's ``Content-Encoding``, never holding more than the limit plus one chunk.

A bomb of a few hundred bytes may inflate to gigabytes, so every decoder produces a bounded piece of
output at a time. The window of a decoder is 32 KiB for gzip and deflate and at most 16 MiB for brotli;
zstd data with a window beyond `MAX_WINDOW` is refused.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO

from ..runtime.guard import try_foreign

PIECE = 16_384
"""Maximum number of bytes that a decoder produces at a time."""
MAX_WINDOW = 8 * 1024 * 1024
"""The largest window of zstd that is accepted: the minimum for HTTP clients (RFC 9659)."""
GZIP_MAGIC = b"\x1f\x8b"
MAX_CODINGS = 3
"""Maximum number of nested codings that are decoded."""

Decoder = Callable[[bytes], Iterator[bytes]]


def preload() -> None:
    """Import the decoders that are installed, before a fork can come in the middle of an import."""
    for coding in ("br", "zstd"):
        try_foreign(_find_decoder, coding, default=None)


def decode_body(chunks: Sequence[bytes], content_encoding: str, limit: int) -> tuple[bytes, str | None]:
    """Join `chunks`, decode them and cut at `limit`.

    Args:
        chunks: the beginning of the body as it was on the wire.
        content_encoding: the header's value.
        limit: maximum number of bytes to return.

    Returns:
        The body and a note: ``truncated`` if the decoded body is longer than `limit`, ``undecodable``
        with the original bytes if they cannot be decoded, else None.
    """
    body = b"".join(chunks)
    if not content_encoding:
        return body[:limit], "truncated" if len(body) > limit else None
    codings = [coding.strip().lower() for coding in content_encoding.split(",")]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    if not codings or not body:
        return body[:limit], "truncated" if len(body) > limit else None
    # A client may send anything, so errors become a note and not a line in the log.
    decoded = try_foreign(_decode, body, codings, limit, default=None)
    if decoded is None:
        return body[:limit], "undecodable"
    body, was_cut = decoded
    return body, "truncated" if was_cut else None


def _decode(body: bytes, codings: Sequence[str], limit: int) -> tuple[bytes, bool] | None:
    if len(codings) > MAX_CODINGS:
        return None
    was_cut = False
    for coding in reversed(codings):
        decoder = _find_decoder(coding)
        if decoder is None:
            return None
        body, is_longer = _take(decoder(body), limit)
        was_cut = was_cut or is_longer
    return body, was_cut


def _take(pieces: Iterator[bytes], limit: int) -> tuple[bytes, bool]:
    """Join pieces up to `limit` bytes; return also whether there were more."""
    taken = BytesIO()  # `getvalue` returns its buffer without a copy: the body is in memory once
    for piece in pieces:
        room = limit - taken.tell()
        taken.write(piece[:room])
        if len(piece) > room:
            return taken.getvalue(), True
    return taken.getvalue(), False


def _find_decoder(coding: str) -> Decoder | None:
    if coding in ("gzip", "x-gzip"):
        return _gunzip
    if coding == "deflate":
        return _inflate
    if coding == "br":
        return _find_brotli()
    if coding == "zstd":
        return _find_zstd()
    return None


def _gunzip(body: bytes) -> Iterator[bytes]:
    return _inflate_with(body, zlib.MAX_WBITS | 16)


def _inflate(body: bytes) -> Iterator[bytes]:
    # "deflate" means zlib (RFC 9110), but some senders omit the two bytes of zlib's header.
    is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _inflate_with(body, zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)


def _inflate_with(body: bytes, wbits: int) -> Iterator[bytes]:
    may_go_on = wbits > zlib.MAX_WBITS  # gzip allows several consecutive members
    decoder = zlib.decompressobj(wbits)
    given, position = b"", 0
    while True:
        if len(given) < len(GZIP_MAGIC):  # in slices, because zlib copies unconsumed input
            given += body[position : position + PIECE]
            position += PIECE
        piece = decoder.decompress(given, PIECE)
        if piece:
            yield piece
        if decoder.eof:
            given = decoder.unused_data
            if len(given) < len(GZIP_MAGIC):
                given += body[position : position + PIECE]
                position += PIECE
            if not may_go_on or not given.startswith(GZIP_MAGIC):
                return  # other bytes after the end are ignored
            decoder = zlib.decompressobj(wbits)
            continue
        given = decoder.unconsumed_tail
        if not piece and not given and position >= len(body):
            return  # the copy is cut in the middle of the stream


def _find_brotli() -> Decoder | None:
    try:
        import brotli
    except ImportError:
        return None
    if not hasattr(brotli.Decompressor, "can_accept_more_data"):
        return None  # before 1.2 its output was unbounded

    def decode(body: bytes) -> Iterator[bytes]:
        decoder = brotli.Decompressor()
        piece = decoder.process(body, output_buffer_limit=PIECE)
        # `can_accept_more_data` does not say whether all output was produced; an empty piece does.
        while piece:
            yield piece
            piece = b"" if decoder.is_finished() else decoder.process(b"", output_buffer_limit=PIECE)

    return decode


def _find_zstd() -> Decoder | None:
    try:
        import zstandard
    except ImportError:
        return None

    def decode(body: bytes) -> Iterator[bytes]:
        decoder = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        with decoder.stream_reader(BytesIO(body), read_across_frames=True) as reader:
            while piece := reader.read(PIECE):
                yield piece

    return decode
