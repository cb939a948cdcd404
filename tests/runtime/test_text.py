"""What strangers wrote is shown, never obeyed."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from flask_tracking.runtime.text import _RUN, count_of, read_number, suggest, visible


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET /orders/17?a=1&b=%20",
        "back\\slash 'quoted' \"twice\"",
        "Ünïcödé",
        "日本語",
        "👩🚀",
        "e\u0301",
    ],
)
def test_printable_text_is_as_it_was(text: str) -> None:
    """Text that can be printed is not touched."""
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("\x9b31m", r"\x9b31m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("two\nlines", r"two\nlines"),
        ("back\rto the start", r"back\rto the start"),
        ("a\tb", r"a\tb"),
        ("nul\0", r"nul\x00"),
        ("\x08\x7f", r"\x08\x7f"),
        ("line\u2028paragraph\u2029", r"line\u2028paragraph\u2029"),
        ("next\x85line", r"next\x85line"),
        ("abc\u202edcba", r"abc\u202edcba"),
        ("\u2066isolated\u2069", r"\u2066isolated\u2069"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("no\xa0break", r"no\xa0break"),
        ("half a pair: \ud83d", r"half a pair: \ud83d"),
        ("tag \U000e0041", r"tag \U000e0041"),
        ("ü\x1b", "ü" + r"\x1b"),
    ],
)
def test_what_a_terminal_obeys_is_escaped(text: str, shown: str) -> None:
    """Control, escape, line end, reordering and invisible characters become escapes."""
    assert visible(text) == shown


def test_run() -> None:
    """What stands alone as a word or a number is of ASCII, without blanks, brackets and separators."""
    others = set(" \t\r\n\"'<>&;,(){}[]")
    for number in [*range(0x3000), 0xFFFF, 0x10000, 0x10FFFF]:
        character = chr(number)
        assert bool(_RUN.fullmatch(character)) == (number < 128 and character not in others)


@pytest.mark.repeats
def test_no_character_slips_through() -> None:
    """Of all of Unicode nothing gets through that cannot be printed on one line and encoded."""
    everything = "".join(map(chr, range(sys.maxunicode + 1)))

    shown = visible(everything)

    assert shown.isprintable()
    assert shown.isascii() is False
    assert len(shown.splitlines()) == 1
    assert shown.encode().decode() == shown


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("080", 80),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("9" * 5000, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("0x10", None),
        (" 1", None),
        ("²", None),
    ],
)
def test_numbers(text: str, number: int | None) -> None:
    """A whole number is read where a store can hold it."""
    assert read_number(text) == number


def test_run_of_a_word_or_number() -> None:
    """What stands in one word is ASCII, but no blank, quote or bracket, and nothing between values."""
    others = " \t\r\n\"'<>&;,(){}[]"
    for number in [*range(0x3000), 0xFFFF, 0x10000, 0x10FFFF]:
        character = chr(number)
        assert bool(_RUN.fullmatch(character)) == (number < 128 and character not in others)


@pytest.mark.parametrize(
    ("word", "known", "question"),
    [
        ("rout", ["route", "user"], " Did you mean route?"),
        ("ROUT", ["route", "user"], " Did you mean route?"),
        ("Heade", {"header": "header.NAME"}, " Did you mean header.NAME?"),
        ("colour", ["route"], ""),
        ("x", [], ""),
    ],
)
def test_suggest(word: str, known: Any, question: str) -> None:
    """What is spelled alike is asked for, in any case."""
    assert suggest(word, known) == question


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 records"), (1, "1 record"), (2, "2 records"), (1200, "1,200 records")]
)
def test_count(number: int, text: str) -> None:
    """One of a kind is singular."""
    assert count_of(number, "record") == text
