"""What a user agent is: its browser, its system, and the language that it prefers.

The parser's tables take a tenth of a second to load, most of it without giving the interpreter away:
`load_tables` is called while the app is set up, not while it serves.

Agents repeat, and what was parsed is remembered. New ones are parsed as long as there is time to spend,
to which each of them adds some, and each request a little.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from ..record import UserAgent
from ..redaction.engines.lock import lock
from ..runtime.guard import call_foreign
from .user_agent_words import find_words

if TYPE_CHECKING:
    from ua_parser import Resolver

MAX_LENGTH = 512
"""Characters that are parsed: hardly a browser's agent is longer, and parsing is not free."""
MAX_REMEMBERED = 1024
"""Agents whose names are remembered; those that were not asked for longest make room."""
CREDIT_NS = 5_000
"""What each request adds to what may be spent on parsing."""
NEW_CREDIT_NS = 75_000
"""What an agent that is not remembered adds. Who sends a new one each time costs no more than both."""
MAX_KNOWN = 256
"""Clients whose headers are remembered as they came; cleared when there are more."""
MAX_KNOWN_LENGTH = 1000
"""Characters of the headers of one client that are worth remembering."""
MAX_SAVED_NS = 20_000_000
"""What may be spent at once, as by the first requests of a process."""
RE2_NS, RE2_CHARACTER_NS = 20_000, 500
"""What an agent costs with RE2, and each character of it: RE2 is linear, whatever the text."""
MAX_COST_NS = 10_000_000
"""No agent takes longer without RE2. What does was something else, like a garbage collection."""
NOT_PARSED = "user agent not parsed: too many new ones"
"""The note of a record whose agent came when all was spent."""


class Names(NamedTuple):
    """What is known of an agent."""

    browser: str | None = None
    version: str | None = None
    platform: str | None = None
    browser_name: str | None = None
    platform_name: str | None = None


UNKNOWN = Names()


class SpentError(Exception):
    """Nothing may be spent on a new agent now."""


class UserAgentParser:
    """Parses agents, and remembers them.

    It has no locks that a fork may find taken for ever, as the caches of ``ua_parser`` have. Where
    threads meet in it, some agent is parsed twice, or some credit is lost.
    """

    def __init__(self, clock: Callable[[], int] = time.thread_time_ns) -> None:
        """Spend time by `clock`, in ns: by default that of this thread's CPU alone."""
        self._clock = clock
        self._saved_ns = MAX_SAVED_NS
        self._resolver: Resolver | None = None
        self._is_linear = False
        self._generation = -1
        self.known: dict[tuple[str, str], UserAgent] = {}
        """What was made of the headers of up to `MAX_KNOWN` clients: most send many requests."""
        self._remembered = lru_cache(maxsize=MAX_REMEMBERED)(self._parse_new)

    def load(self) -> None:
        """Load the tables, if that was not done yet."""
        with lock:
            self._get_resolver()

    def parse(self, string: str) -> Names | None:
        """Return what is known of an agent; None where that would take more than may be spent."""
        self.earn()
        try:
            return self._remembered(string[:MAX_LENGTH])
        except SpentError:
            return None

    def earn(self) -> None:
        """Give what each request gives to be spent on new agents."""
        if self._saved_ns < MAX_SAVED_NS:
            self._save(CREDIT_NS)

    def _save(self, credit_ns: int) -> None:
        self._saved_ns = min(self._saved_ns + credit_ns, MAX_SAVED_NS)

    def _parse_new(self, string: str) -> Names:
        self._save(NEW_CREDIT_NS)
        if self._saved_ns < 0:
            raise SpentError
        self.load()  # before the clock runs: whoever comes first does not pay for all
        began_ns = self._clock()
        try:
            return self._read(string)
        finally:
            self._saved_ns -= self._count_cost(string, self._clock() - began_ns)

    def _count_cost(self, string: str, took_ns: int) -> int:
        if self._is_linear:  # then it need not be measured, and is the same each time
            return RE2_NS + RE2_CHARACTER_NS * len(string)
        return min(took_ns, MAX_COST_NS)

    def _read(self, string: str) -> Names:
        from ua_parser import Domain

        with lock:
            found = self._get_resolver()(string, Domain.USER_AGENT | Domain.OS)
        browser, system = found.user_agent, found.os
        browser_word, platform_word = find_words(string)
        browser_name = browser.family if browser else None
        platform_name = system.family if system else None
        parts = (browser.major, browser.minor, browser.patch) if browser else ()
        return Names(
            browser_word or browser_name,
            ".".join(part for part in parts if part) or None,
            platform_word or platform_name,
            browser_name,
            platform_name,
        )

    def _get_resolver(self) -> Resolver:
        """Return it, for as long as who asks holds the lock."""
        if self._resolver is None or self._generation != lock.generation:
            self._resolver, self._is_linear = _load_resolver()
            self._generation = lock.generation
        return self._resolver


def _load_resolver() -> tuple[Resolver, bool]:
    """Return the resolver, and whether it takes time in proportion to an agent's length."""
    # Imported here: a command that shows records does without it, and it is not light.
    from ua_parser.loaders import load_builtins, load_lazy_builtins

    try:
        from ua_parser.re2 import Resolver as Re2Resolver
    except ImportError:
        from ua_parser.basic import Resolver as BasicResolver

        browsers, systems, _ = load_builtins()
        return BasicResolver((browsers, systems, [])), False
    # Of three tables the one of devices is by far the largest, and not asked.
    browsers, systems, _ = load_lazy_builtins()
    return Re2Resolver((browsers, systems, [])), True


_parser = UserAgentParser()
"""One for all apps of a process: agents are the same everywhere."""


def load_tables() -> None:
    """Load what parsing needs: the first request would wait for it."""
    _parser.load()


def parse_user_agent(
    string: str | None, accept_language: str | None = None
) -> tuple[UserAgent | None, str | None]:
    """Read a ``User-Agent`` header, and the preferred language of ``Accept-Language``.

    Returns:
        The agent, None where there is no such header; and a note where it was not parsed.
    """
    if string is None:
        return None, None
    key = (string, accept_language or "")
    remembered = _parser.known
    known = remembered.get(key)
    if known is not None:
        _parser.earn()
        return known, None
    names = call_foreign("parsing a user agent", _parser.parse, string, default=UNKNOWN)
    language = _parse_language(accept_language[:MAX_LENGTH]) if accept_language else None
    if names is None:
        return UserAgent(None, None, None, language, string), NOT_PARSED
    browser, version, platform, browser_name, platform_name = names
    agent = UserAgent(browser, version, platform, language, string, browser_name, platform_name)
    if names is not UNKNOWN and len(string) + len(key[1]) <= MAX_KNOWN_LENGTH:
        if len(remembered) >= MAX_KNOWN:
            remembered.clear()
        remembered[key] = agent
    return agent, None


@lru_cache(maxsize=1024)
def _parse_language(accept_language: str) -> str | None:
    best = parse_accept_header(accept_language, LanguageAccept).best
    return None if best == "*" else best
