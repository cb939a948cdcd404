"""The words of flask-tracking 1 for browsers and systems, like ``chrome`` and ``macos``.

They are those of Werkzeug before 2.1, which identified a user agent by the first of these marks that it
contains. New documents use the same words, so that old queries still find them.
"""

from __future__ import annotations

import re

_BETWEEN_WORDS = re.compile(r"[^0-9a-z]+")

PLATFORMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("chromeos", (" cros ",)),
    ("iphone", (" iphone", " ios ", "crios", "fxios", "edgios")),
    ("ipad", (" ipad",)),
    ("macos", (" darwin", " mac ", " os x", " osx")),
    ("windows", (" win",)),
    ("android", ("android",)),
    ("netbsd", ("netbsd",)),
    ("openbsd", ("openbsd",)),
    ("freebsd", ("freebsd",)),
    ("dragonflybsd", ("dragonfly",)),
    ("solaris", ("sunos", "i86os")),
    ("linux", (" x11 ", "linux")),
    ("wii", ("nintendo wii",)),
    ("irix", (" irix",)),
    ("hpux", (" hp ux", " hpux")),
    ("aix", (" aix ",)),
    ("sco", (" sco ", " unix sv")),
    ("bsd", ("bsd ",)),
    ("amiga", (" amiga",)),
    ("blackberry", ("blackberry", "playbook")),
    ("symbian", ("symbian",)),
)
"""Words with their marks. Marks are lower case, with one blank for each run of other characters."""

BROWSERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("google", ("googlebot",)),
    ("msn", ("msnbot",)),
    ("yahoo", (" yahoo",)),
    ("ask", ("ask jeeves",)),
    ("aol", (" aol", "america online browser")),
    ("opera", (" opera", " opr ")),
    ("edge", (" edg",)),
    ("chrome", ("chrome", "crios")),
    ("seamonkey", ("seamonkey",)),
    ("firefox", ("firefox", "firebird", "phoenix", "iceweasel")),
    ("galeon", ("galeon",)),
    ("safari", ("safari",)),
    ("camino", ("camino",)),
    ("webkit", ("webkit",)),
    ("konqueror", ("konqueror",)),
    ("kmeleon", ("k meleon",)),
    ("netscape", ("netscape",)),
    ("msie", (" msie", "internet explorer", " trident ")),
    ("lynx", (" lynx",)),
    ("links", (" links ",)),
    ("baidu", ("baiduspider",)),
    ("bing", ("bingbot",)),
    ("mozilla", (" mozilla ",)),
)


def find_words(string: str) -> tuple[str | None, str | None]:
    """Return the words for the browser and the system; None if there is no word."""
    text = f" {_BETWEEN_WORDS.sub(' ', string.lower())} "
    return _find_word(BROWSERS, text), _find_word(PLATFORMS, text)


def _find_word(table: tuple[tuple[str, tuple[str, ...]], ...], text: str) -> str | None:
    for word, marks in table:
        for mark in marks:
            if mark in text:
                return word
    return None
