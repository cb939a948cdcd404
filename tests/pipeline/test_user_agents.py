"""User agents: what is known of them, and what they may cost."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from flask_tracking.pipeline import user_agents
from flask_tracking.pipeline.user_agents import (
    CREDIT_NS,
    MAX_COST_NS,
    MAX_LENGTH,
    MAX_REMEMBERED,
    MAX_SAVED_NS,
    NEW_CREDIT_NS,
    NOT_PARSED,
    RE2_CHARACTER_NS,
    RE2_NS,
    Names,
    UserAgentParser,
    parse_user_agent,
)
from flask_tracking.redaction.engines.lock import lock as gate

from .test_user_agent_words import OLD_WORDS

ANDROID = (
    "Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "
    "SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36"
)
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 Firefox/128.0"
MOST_NS = 100_000
"""What a stranger who sends a new agent with each request may cost, on average."""


class Clock:
    """CPU time that goes on by `step_ns` each time that somebody looks, and by nothing else."""

    def __init__(self, step_ns: int) -> None:
        self.step_ns = step_ns
        self.now_ns = 0

    def __call__(self) -> int:
        self.now_ns += self.step_ns
        return self.now_ns


def make_parser(costs_ns: int) -> UserAgentParser:
    """Make a parser by whose clock every new agent costs as much."""
    return UserAgentParser(Clock(costs_ns))


@pytest.fixture
def without_re2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do as if the extra ``fast`` was not installed."""
    monkeypatch.setitem(sys.modules, "re2", None)
    monkeypatch.delitem(sys.modules, "ua_parser.re2", raising=False)


@pytest.mark.parametrize(
    ("string", "names"),
    [
        (MAC, Names("firefox", "128.0", "macos", "Firefox", "Mac OS X")),
        (ANDROID, Names("chrome", "23.0", "android", "Samsung Internet", "Android")),
        ("curl/8.5.0", Names("curl", "8.5.0", None, "curl", None)),
        ("something of one's own", Names()),
    ],
)
def test_names(string: str, names: Names) -> None:
    """An agent has the old words where there are some, and the parser's own names beside them."""
    assert UserAgentParser().parse(string) == names


def test_both_resolvers_say_the_same(without_re2: None) -> None:
    """With the extra ``fast`` and without it the same is known of an agent."""
    slow = make_parser(0)
    slow.load()
    assert type(slow._resolver).__module__ == "ua_parser.basic"
    sys.modules.pop("re2")
    pytest.importorskip("re2")
    fast = make_parser(0)
    fast.load()
    assert type(fast._resolver).__module__ == "ua_parser.re2"
    for string, _, _ in OLD_WORDS:
        fast._saved_ns = MAX_SAVED_NS
        assert slow.parse(string) == fast.parse(string) is not None


@pytest.mark.repeats
@pytest.mark.parametrize("costs_ns", [20_000, 300_000, 3_000_000, 300_000_000])
def test_new_agents_cost_no_more_than_they_may(without_re2: None, costs_ns: int) -> None:
    """Whoever sends a new agent with each request costs at most 100 µs each on average."""
    parser, count = make_parser(costs_ns), 2_000
    parsed = sum(parser.parse(f"curl/{number}.0") is not None for number in range(count))
    spent_ns = parsed * min(costs_ns, MAX_COST_NS)
    assert spent_ns <= count * MOST_NS + costs_ns
    assert spent_ns >= min(count * costs_ns, count * NEW_CREDIT_NS // 2)


@pytest.mark.parametrize(("length", "least"), [(120, 2_000), (MAX_LENGTH, 600), (10_000, 600)])
def test_cost_with_re2_depends_on_the_length_alone(length: int, least: int) -> None:
    """With RE2 all ordinary agents are parsed, and of endless ones as many as may cost so much."""
    pytest.importorskip("re2")
    parser, count = make_parser(10**12), 2_000
    strings = [f"curl/{number}.0 ".ljust(length, "x") for number in range(count)]
    parsed = sum(parser.parse(string) is not None for string in strings)
    assert parsed >= least
    assert parsed * (RE2_NS + RE2_CHARACTER_NS * min(length, MAX_LENGTH)) <= count * MOST_NS


def test_remembered_agents_are_known_all_the_same() -> None:
    """What is remembered is known when all is spent, and what is new is not remembered as unknown."""
    parser = make_parser(0)
    known = parser.parse("curl/8.5.0")
    assert known is not None and known.browser == "curl"
    parser._saved_ns = -MAX_SAVED_NS
    assert parser.parse("Wget/1.21.4") is None
    while parser._saved_ns < 0:
        assert parser.parse("curl/8.5.0") == known
    again = parser.parse("Wget/1.21.4")
    assert again is not None and again.browser == "Wget"


def test_no_more_is_saved_than_may_be_spent_at_once() -> None:
    """However many requests came before, the first new ones cost no more than at the beginning."""
    parser = make_parser(0)
    for _ in range(3 * MAX_SAVED_NS // CREDIT_NS):
        parser.parse("curl/8.5.0")
    assert parser._saved_ns == MAX_SAVED_NS


def test_memory_is_bounded() -> None:
    """However many agents come, so many are remembered, and none whole that is endless."""
    parser = make_parser(0)
    for number in range(MAX_REMEMBERED + 10):
        parser._saved_ns = MAX_SAVED_NS
        parser.parse(f"curl/{number}.0 {'x' * 10_000}")
    assert parser._remembered.cache_info().currsize == MAX_REMEMBERED


def test_agent_that_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """When all is spent the string and the language are kept, and a note says what is missing."""
    monkeypatch.setattr(user_agents, "_parser", parser := make_parser(0))
    parser._saved_ns = -MAX_SAVED_NS
    agent, note = parse_user_agent("curl/8.5.0", "de")
    assert note == NOT_PARSED
    assert agent == (None, None, None, "de", "curl/8.5.0", None, None)


@pytest.fixture
def inside_re2() -> Iterator[None]:
    """Let another thread be inside RE2."""
    entered, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with gate:
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=stay)
    thread.start()
    assert entered.wait(60)
    yield
    leave.set()
    thread.join(60)


@pytest.mark.integration
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_child_parses_whatever_its_parent_did(inside_re2: None) -> None:
    """A child that was forked while a thread was inside RE2 parses with tables of its own."""
    parser = UserAgentParser(Clock(0))
    thread = threading.Thread(target=parser.load)
    thread.start()
    child = os.fork()
    if child == 0:
        names = parser.parse("curl/8.5.0")
        os._exit(17 if names is not None and names.browser == "curl" else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 17


def test_known_clients_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that come again are remembered; who varies the headers fills no memory."""
    parser = user_agents.UserAgentParser()
    monkeypatch.setattr(user_agents, "_parser", parser)
    first, _ = user_agents.parse_user_agent("curl/8.5.0", "de")
    assert user_agents.parse_user_agent("curl/8.5.0", "de") == (first, None)
    assert user_agents.parse_user_agent("curl/8.5.0", "en") != (first, None)
    assert user_agents.parse_user_agent("curl/8.5.0") != (first, None)
    for number in range(user_agents.MAX_KNOWN * 2):
        user_agents.parse_user_agent("curl/8.5.0", f"x{number}")
        assert len(parser.known) <= user_agents.MAX_KNOWN
    user_agents.parse_user_agent("curl/8.5.0", "y" * user_agents.MAX_KNOWN_LENGTH)
    assert max(len(one) for key in parser.known for one in key) < user_agents.MAX_KNOWN_LENGTH
