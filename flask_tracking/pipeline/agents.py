"""What a user agent is: its browser, its system, and the language that it prefers.

The parser's tables take a fifth of a second to load, most of it without giving the interpreter away:
`load_tables` is called while the app is set up, not while it serves.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from ..guard import call_foreign
from ..record import UserAgent

if TYPE_CHECKING:
    from ua_parser import Parser

MAX_LENGTH = 1000
"""Characters that are parsed: no browser's agent is longer, and parsing is not free."""


@cache
def load_tables() -> Parser:
    """Load the parser, once: the native one where the extra ``fast`` is installed."""
    # Imported here: a command that shows records does without it, and it is not light.
    from ua_parser import BestAvailableResolver, Parser, Re2Resolver, RegexResolver
    from ua_parser.loaders import load_builtins, load_lazy_builtins

    # Not ua_parser's own parser and cache: they have locks, which a fork may find taken for ever.
    is_native = RegexResolver is not None or Re2Resolver is not None
    return Parser(BestAvailableResolver(load_lazy_builtins() if is_native else load_builtins()))


def parse_agent(string: str | None, accept_language: str | None = None) -> UserAgent | None:
    """Read a ``User-Agent`` header, and the preferred language of ``Accept-Language``."""
    if string is None:
        return None
    browser, version, platform = call_foreign(
        "parsing a user agent", _parse_browser, string[:MAX_LENGTH], default=(None, None, None)
    )
    language = _parse_language(accept_language[:MAX_LENGTH]) if accept_language else None
    return UserAgent(browser, version, platform, language, string)


@lru_cache(maxsize=1024)
def _parse_browser(string: str) -> tuple[str | None, str | None, str | None]:
    parser = load_tables()
    browser, system = parser.parse_user_agent(string), parser.parse_os(string)
    platform = system.family if system else None
    if browser is None:
        return None, None, platform
    parts = (browser.major, browser.minor, browser.patch)
    return browser.family, ".".join(part for part in parts if part) or None, platform


@lru_cache(maxsize=1024)
def _parse_language(accept_language: str) -> str | None:
    best = parse_accept_header(accept_language, LanguageAccept).best
    return None if best == "*" else best
