"""Text that strangers wrote, made fit to be printed."""

from __future__ import annotations


def visible(text: str) -> str:
    """Return `text` on one line, with everything that is not printable shown as an escape.

    Control and escape characters, line ends, and the characters that reorder or hide others would
    reach the terminal or the log as commands.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
