"""Parsing of stored tracebacks into frames of the app and folded frames of libraries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

_FRAME = re.compile(
    r'  File "(?P<file>.{1,1000}?)", line (?P<line>\d{1,9})(?:, in (?P<function>.{1,500}))?'
)
"""An example is ``  File "shop/pay.py", line 88, in charge``; a line of source is a near miss."""
_LIBRARY = re.compile(r"[/\\](?:site-packages|dist-packages|lib[/\\]python\d[.\d]*)[/\\]|^<frozen ")
"""An example is ``/usr/lib/python3.12/json/decoder.py``; ``/srv/lib/shop.py`` is a near miss."""
_PACKAGE = re.compile(r"[/\\](?:site-packages|dist-packages)[/\\]([^/\\]+)")
"""An example is ``/x/site-packages/flask/app.py``, whose package is flask."""


class Frame(NamedTuple):
    """A frame of a traceback."""

    file: str
    line: str
    function: str
    source: tuple[str, ...]
    """Its lines of source, if the traceback has them."""

    @property
    def is_library(self) -> bool:
        """Whether its file belongs to an installed package or to Python, not to the app."""
        return _LIBRARY.search(self.file) is not None

    @property
    def package(self) -> str:
        """The name of its installed package, or ``Python``."""
        found = _PACKAGE.search(self.file)
        return found[1].removesuffix(".py") if found else "Python"

    @property
    def place(self) -> str:
        """The last two parts of the path, and the line number."""
        parts = re.split(r"[/\\]", self.file)
        return f"{'/'.join(parts[-2:])}:{self.line}"


class Block(NamedTuple):
    """A part of a traceback: text, frames of the app, or folded frames of libraries."""

    text: str = ""
    frames: tuple[Frame, ...] = ()
    packages: tuple[str, ...] = ()
    """The packages of folded frames; empty for frames of the app."""


def split_traceback(text: str) -> list[Block]:
    """Return the blocks of a traceback, in their order."""
    blocks: list[Block] = []
    for kind, group in groupby(_pieces(text), key=_kind):
        pieces = list(group)
        frames = tuple(piece for piece in pieces if isinstance(piece, Frame))
        if kind == "text":
            blocks.append(Block(text="\n".join(str(piece) for piece in pieces)))
        elif kind == "library":
            packages = dict.fromkeys(frame.package for frame in frames)
            blocks.append(Block(frames=frames, packages=tuple(packages)))
        else:
            blocks.append(Block(frames=frames))
    return [block for block in blocks if block.frames or block.text.strip()]


def list_frames(text: str) -> list[Frame]:
    """Return all frames of a traceback, in their order."""
    return [piece for piece in _pieces(text) if isinstance(piece, Frame)]


def _kind(piece: Frame | str) -> str:
    if isinstance(piece, str):
        return "text"
    return "library" if piece.is_library else "app"


def _pieces(text: str) -> Iterator[Frame | str]:
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        found = _FRAME.fullmatch(lines[at])
        at += 1
        if found is None:
            yield lines[at - 1]
            continue
        source = []
        while at < len(lines) and lines[at].startswith("    "):
            source.append(lines[at][4:])
            at += 1
        yield Frame(found["file"], found["line"], found["function"] or "", tuple(source))
