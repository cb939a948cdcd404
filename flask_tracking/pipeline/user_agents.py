"""Parse user agents: browser, system and preferred language.

Loading the parser's tables takes a tenth of a second, mostly with the GIL held, so `load_tables` is
called during setup.

Parsed agents are cached, because they repeat. New ones are parsed only while a time budget lasts, to
which each new agent adds some time, and each request a little.
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
"""The number of characters that are parsed: hardly any browser's agent is longer."""
MAX_REMEMBERED = 1024
"""Maximum number of agents in the cache, from which the least recently used are evicted."""
CREDIT_NS = 5_000
"""The time that each request adds to the budget."""
NEW_CREDIT_NS = 75_000
"""The time that a new agent adds. A client that varies its agent costs no more than both."""
MAX_KNOWN = 256
"""Maximum number of clients whose headers are cached; beyond it the cache is cleared."""
MAX_KNOWN_LENGTH = 1000
"""Maximum length of the headers of one client in that cache."""
MAX_SAVED_NS = 20_000_000
"""The maximum budget, available to the first requests of a process."""
RE2_NS, RE2_CHARACTER_NS = 20_000, 500
"""The cost of an agent with RE2, and of each of its characters: RE2 takes linear time."""
MAX_COST_NS = 10_000_000
"""The maximum cost of an agent without RE2. A longer measurement was a garbage collection or so."""
NOT_PARSED = "user agent not parsed: too many new ones"
"""The note of a record whose agent was not parsed because the budget was spent."""


class Names(NamedTuple):
    """The result of parsing an agent."""

    browser: str | None = None
    version: str | None = None
    platform: str | None = None
    browser_name: str | None = None
    platform_name: str | None = None


UNKNOWN = Names()


class SpentError(Exception):
    """The budget for new agents is spent."""


class UserAgentParser:
    """Parses agents, with a cache.

    Unlike the caches of ``ua_parser`` it has no lock that could stay taken after a fork. At worst,
    concurrent threads parse an agent twice or lose some of the budget.
    """

    def __init__(self, clock: Callable[[], int] = time.thread_time_ns) -> None:
        """Measure time by `clock`, in ns. The default is the thread's CPU time."""
        self._clock = clock
        self._saved_ns = MAX_SAVED_NS
        self._resolver: Resolver | None = None
        self._is_linear = False
        self._generation = -1
        self.known: dict[tuple[str, str], UserAgent] = {}
        """The results by the headers of up to `MAX_KNOWN` clients, most of which send many requests."""
        self._remembered = lru_cache(maxsize=MAX_REMEMBERED)(self._parse_new)

    def load(self) -> None:
        """Load the tables, unless they are loaded."""
        with lock:
            self._get_resolver()

    def parse(self, string: str) -> Names | None:
        """Return the names of an agent; None if the budget is spent."""
        self.earn()
        try:
            return self._remembered(string[:MAX_LENGTH])
        except SpentError:
            return None

    def earn(self) -> None:
        """Add a request's share to the budget."""
        if self._saved_ns < MAX_SAVED_NS:
            self._save(CREDIT_NS)

    def _save(self, credit_ns: int) -> None:
        self._saved_ns = min(self._saved_ns + credit_ns, MAX_SAVED_NS)

    def _parse_new(self, string: str) -> Names:
        self._save(NEW_CREDIT_NS)
        if self._saved_ns < 0:
            raise SpentError
        self.load()  # not part of the measured cost
        began_ns = self._clock()
        try:
            return self._read(string)
        finally:
            self._saved_ns -= self._count_cost(string, self._clock() - began_ns)

    def _count_cost(self, string: str, took_ns: int) -> int:
        if self._is_linear:  # calculated, so that it is the same each time
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
        """Return the resolver, to be used while the lock is held."""
        if self._resolver is None or self._generation != lock.generation:
            self._resolver, self._is_linear = _load_resolver()
            self._generation = lock.generation
        return self._resolver


def _load_resolver() -> tuple[Resolver, bool]:
    """Return the resolver, and whether it takes linear time."""
    # Imported here: commands that show records do not need it, and it is slow to import.
    from ua_parser.loaders import load_builtins, load_lazy_builtins

    try:
        from ua_parser.re2 import Resolver as Re2Resolver
    except ImportError:
        from ua_parser.basic import Resolver as BasicResolver

        browsers, systems, _ = load_builtins()
        return BasicResolver((browsers, systems, [])), False
    # The table of devices, by far the largest of the three, is not used.
    browsers, systems, _ = load_lazy_builtins()
    return Re2Resolver((browsers, systems, [])), True


_parser = UserAgentParser()
"""Shared by all apps of a process."""


def load_tables() -> None:
    """Load the parser's tables, so that the first request need not wait for them."""
    _parser.load()


def parse_user_agent(
    string: str | None, accept_language: str | None = None
) -> tuple[UserAgent | None, str | None]:
    """Parse a ``User-Agent`` header, and the preferred language of ``Accept-Language``.

    Returns:
        The agent, or None without the header; and a note if it was not parsed.
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
