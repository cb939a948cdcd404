"""Text for the terminal that a command writes to: its width, and lines that end between words."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from io import TextIOWrapper
from typing import Any, TextIO

import click

__all__ = [
    "ask",
    "bar_width",
    "cell_width",
    "character_width",
    "cut_excerpt",
    "cut_to_height",
    "discard_output",
    "echo_pages",
    "help_width",
    "replace_closed_streams",
    "is_terminal",
    "replace_unknown_characters",
    "say",
    "stylize",
    "terminal_width",
    "wrap",
]

ASCII = "flask_tracking_ascii"
DEFAULT_ERRORS = ("strict", "surrogateescape")
"""How Python writes unknown characters unless told otherwise; the second in the locales C and POSIX."""
BAR_WIDTH = 36
"""Click's own width of a progress bar."""
WIDE = 80
"""From this width on there is room for the bar, its label and the time."""
LEAST_HELP = 52
"""Click wraps help for terminals of this width or more."""
_WORD = re.compile(r"\s*\S+")
_INDENT = re.compile(r" *")


def replace_closed_streams() -> None:
    """Read nothing and write nowhere where a stream is closed at the start, as by ``>&-``."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # as long as the process


def replace_unknown_characters(stream: TextIO) -> None:
    """Let a stream print ``?`` for what its encoding lacks: records hold any Unicode."""
    if not isinstance(stream, TextIOWrapper):
        return
    errors = "replace" if stream.errors in DEFAULT_ERRORS else stream.errors
    if codecs.lookup(stream.encoding).name == "ascii":
        codecs.register(_find_ascii)
        stream.reconfigure(encoding=ASCII, errors=errors)
    else:
        stream.reconfigure(errors=errors)


def _find_ascii(name: str) -> codecs.CodecInfo | None:
    """Return ASCII by a name of our own: Click takes its real name for a mistake, and writes UTF-8."""
    if name != ASCII:
        return None
    found = codecs.lookup("ascii")
    return codecs.CodecInfo(
        found.encode,
        found.decode,
        incrementalencoder=found.incrementalencoder,
        incrementaldecoder=found.incrementaldecoder,
        name=ASCII,
    )


def terminal_width(*, err: bool = False) -> int | None:
    """Return the width of the terminal in cells; None if the output is not a terminal.

    Output to a pipe or a file is never cut and never wrapped.

    Args:
        err: ask for standard error instead of standard output.
    """
    stream = sys.stderr if err else sys.stdout
    return shutil.get_terminal_size().columns if is_terminal(stream) else None


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream of the process is a terminal; it is None if it was closed at the start."""
    return stream is not None and stream.isatty()


def bar_width(*, err: bool = False) -> int:
    """Return the width of a progress bar: Click's own, or 0, which takes what a narrow terminal has."""
    width = terminal_width(err=err)
    return 0 if width is not None and width < WIDE else BAR_WIDTH


def help_width() -> int | None:
    """Return the width of help texts in a terminal that is too narrow for Click's own; else None."""
    width = terminal_width()
    return width if width is not None and width < LEAST_HELP else None


def say(text: str, *, err: bool = False, **style: Any) -> None:
    """Print sentences. In a terminal no line ends within a word.

    Args:
        text: one or more lines; the rest of a line that is too long has the indent of the line.
        err: print to standard error instead of standard output.
        style: arguments of `click.style`.
    """
    width = terminal_width(err=err)
    lines = [line for one in text.split("\n") for line in wrap(one, width)]
    click.echo(stylize("\n".join(lines), **style), err=err)


def discard_output() -> None:
    """Send standard output nowhere: Python would try to write what is left of it when it ends."""
    with contextlib.suppress(OSError):  # also where it is not a file
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)


def stylize(text: str, **style: Any) -> str:
    """Return a text in a style, like `click.style`; as it is without one, where Click resets."""
    return click.style(text, **style) if style else text


def ask(question: str) -> None:
    """Ask for a yes; anything else ends the command, whose option ``--yes`` answers.

    Raises:
        ClickException: nobody can answer, because the input is at its end.
    """
    try:
        click.confirm("\n".join(wrap(question, terminal_width())), abort=True)
    except click.Abort:
        if is_terminal(sys.stdin):
            raise
        click.echo(err=True)
        raise click.ClickException(
            "Nothing was changed, because nobody said yes. To say it beforehand add --yes."
        ) from None


def echo_pages(text: str) -> None:
    """Print a text, with the user's pager if it is longer than the terminal.

    A pipe and a file get it as it is.
    """
    if is_terminal(sys.stdout) and text.count("\n") >= shutil.get_terminal_size().lines:
        click.echo_via_pager(text)
    else:
        click.echo(text)


def cut_to_height(text: str) -> str:
    """Return the lines that fit into the terminal; all of them if the output is not a terminal."""
    if not is_terminal(sys.stdout):
        return text
    room = shutil.get_terminal_size().lines - 1  # the cursor stands on the last line
    lines = text.split("\n")
    if len(lines) <= room:
        return text
    return "\n".join([*lines[: room - 1], f"… {len(lines) - room + 1} more lines"])


def wrap(text: str, width: int | None, indent: int | None = None) -> list[str]:
    """Return the lines of a text, which end between words.

    A word that is wider than a line stays whole: a URL can be copied then.

    Args:
        text: one line, without escape sequences.
        width: the width of the terminal in cells; None for one line.
        indent: the number of blanks in front of all lines but the first; None for those of the text.
    """
    if width is None or cell_width(text) <= width:
        return [text]
    blanks = _INDENT.match(text)[0] if indent is None else " " * indent  # type: ignore[index] # matches always
    return list(_fill(text, width, blanks))


def _fill(text: str, width: int, blanks: str) -> Iterator[str]:
    line, taken = "", 0
    for word in _WORD.findall(text):
        cells = cell_width(word)
        if line and taken + cells > width:
            yield line
            word = blanks + word.lstrip()
            line, taken = word, cell_width(word)
        else:
            line, taken = line + word, taken + cells
    yield line


def cut_excerpt(lines: list[str], width: int | None) -> list[str]:
    """Return a text and the marks below it, so that the first mark is to be seen.

    Args:
        lines: both, or none.
        width: the width of the terminal in cells; None for no limit.
    """
    if not lines or width is None or cell_width(lines[0]) <= width:
        return lines
    text, marks = lines
    at = len(marks) - len(marks.lstrip(" "))
    begin = max(0, at - width // 2)
    text = f"…{text[begin + 1 :]}" if begin else text
    marks = marks[begin:]
    return [text if cell_width(text) <= width else f"{text[: width - 1]}…", marks[:width]]


def cell_width(text: str) -> int:
    """Return the number of terminal cells that `text` takes."""
    if text.isascii():
        return len(text)
    return sum(map(character_width, text))


def character_width(character: str) -> int:
    """Return the number of terminal cells that a character takes: 0, 1 or 2."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
