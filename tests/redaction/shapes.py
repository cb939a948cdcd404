"""The outlines of tokens that vendors hand out, as published detectors document them.

No line here looks like a secret to a scanner: a prefix is written with bars, which go at run time, and
what follows it is drawn from a seed.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import NamedTuple

BASE62 = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
BASE64 = BASE62 + "+/"
URL64 = BASE62 + "_-"
HEX = "0123456789abcdef"
DIGITS = string.digits
ALPHABETS = {
    "a": BASE62, "l": LOWER, "u": UPPER, "b": BASE64, "w": URL64, "h": HEX, "d": DIGITS,
    "L": string.ascii_letters, "C": string.ascii_uppercase, "2": string.ascii_uppercase + "234567",
    "_": BASE62 + "_", "o": string.ascii_lowercase,
}  # fmt: skip
"""The letters that an outline uses for an alphabet."""


class Shape(NamedTuple):
    """One outline of a token."""

    name: str
    source: str
    """The published detector or page that documents it."""
    prefix: str
    """What is public of it, with bars to be taken out."""
    outline: str
    """What is secret: ``{a36}`` stands for 36 characters of the alphabet ``a``."""


class Secret(NamedTuple):
    """One made-up token."""

    shape: str
    text: str
    secret: str
    """Its part behind the public prefix: no six characters of it may be stored."""


def draw(outline: str, random_: random.Random) -> str:
    """Fill in `outline`."""
    parts = []
    for piece in outline.split("{"):
        head, brace, tail = piece.partition("}")
        if brace:
            letters = ALPHABETS[head[0]]
            parts.append("".join(random_.choice(letters) for _ in range(int(head[1:]))))
            parts.append(tail)
        else:
            parts.append(piece)
    return "".join(parts).replace("|", "")


def make_secret(shape: Shape, random_: random.Random) -> Secret:
    """Make one token of `shape`."""
    secret = draw(shape.outline, random_)
    return Secret(shape.name, shape.prefix.replace("|", "") + secret, secret)


def read_table(table: str) -> tuple[Shape, ...]:
    """Read lines of name, prefix, outline and source."""
    rows = [line.split(maxsplit=3) for line in table.strip().splitlines()]
    return tuple(
        Shape(name, source, "" if prefix == "-" else prefix, outline)
        for name, prefix, outline, source in rows
    )


Maker = Callable[[random.Random], str]
