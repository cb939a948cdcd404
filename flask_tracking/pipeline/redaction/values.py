"""Find secrets by what they look like: the rules, compiled for one engine."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from itertools import islice
from typing import NamedTuple
from urllib.parse import quote

from .checks import CHECKS, Tries, strict_card
from .engine import Engine, Look, Pattern, Span
from .looks import ANY_ESCAPE, AUTH_END, ESCAPED, NAME_END
from .names import Names, trigger_patterns
from .patterns import without_anchors
from .rules import OWN, RULES, Rule
from .scans import MAX_SPANS, limit_spans

MARKER = "[redacted]"
"""What stands where a secret was; always the same, so that it tells nothing."""
MARKER_BYTES = MARKER.encode()
MARKS = re.compile(
    rb"\[redacted (?:#[0-9a-f]{8}|\.\.\.[0-9A-Za-z]{0,4})\]|"
    rb"\[(?:redacted|filtered|removed|scrubbed|hidden|masked|secret)\]|<(?:redacted|filtered|masked)>|\*{3,}",
    re.I,
)
"""Our marker and those of other tools: they are no secrets."""


SPACED = frozenset(
    {
        "bearer",
        "card",
        "iban",
        "password-hash",
        "private-key",
        "shell-credentials",
        "sql-password",
        "url-credentials",
    }
)
"""Rules of what is no single run of token characters."""


class Finding(NamedTuple):
    """Where a secret is, and why it is taken for one."""

    start: int
    end: int
    rule: str
    instead: bytes | None = None
    """What to put there; None is the marker."""


class Finder:
    """Finds secrets in bytes, with one engine."""

    def __init__(
        self,
        engine: Engine,
        names: Names,
        own: Iterable[Rule] = (),
        off: Iterable[str] = (),
        *,
        cards: str = "checked",
    ) -> None:
        """Compile the rules that are not `off`.

        Args:
            engine: compiles and runs them.
            names: the sensitive names.
            own: more rules than ours.
            off: the ids of rules that are left out.
            cards: ``checked`` or ``strict``.
        """
        self.engine = engine
        self.names = names
        self._checks = CHECKS if cards == "checked" else {**CHECKS, "card": strict_card}
        own, switched_off = tuple(own), frozenset(off)
        rules = [rule for rule in (*RULES, *own) if rule.id not in switched_off]
        self._rules = [_compile(rule, engine) for rule in rules]
        looks = [_make_look(rule) for rule in rules]
        self._choose = engine.make_choice(looks)
        in_names = [
            Look(pattern, (hint,), tail=AUTH_END if hint == "auth" else NAME_END, any_case=True)
            for hint, pattern in trigger_patterns(names)
        ]
        escaped = [*ESCAPED, ANY_ESCAPE] if own or not names.are_ascii else ESCAPED
        self._scan = engine.make_scan([*looks, *in_names, *escaped])
        self.finds_short = bool(own)
        """Whether it may find what is shorter than any token: patterns of the app's own may."""
        self._literals: tuple[bytes, ...] = ()

    def knowing(self, literals: Iterable[str]) -> Finder:
        """Return a finder that finds these secrets, too, by the same compiled rules."""
        other = copy(self)
        other._literals = tuple(dict.fromkeys(way for one in literals for way in _ways_to_write(one)))
        return other

    def scan(self, data: bytes) -> list[Span]:
        """Find where there may be a secret: nothing outside these spans is one."""
        # Literals are no part of what is compiled: they change, and `bytes` finds them no slower.
        spans = self._scan(data)
        for literal in self._literals:
            spans += limit_spans(list(islice(_find_all(literal, data), MAX_SPANS)), len(data))
        return spans

    def find(self, data: bytes) -> list[Finding]:
        """Find the secrets that look like one, from left to right and none within another.

        Raises:
            TooLongError: there are too many candidates.
        """
        tries = Tries(len(data))
        found = [
            Finding(*span, "literal") for literal in self._literals for span in _find_all(literal, data)
        ]
        for at in self._choose(data):
            found += self._find_rule(*self._rules[at], data, tries)
        return merge(found)

    def _find_rule(
        self, rule: Rule, pattern: Pattern, group: int, data: bytes, tries: Tries
    ) -> Iterable[Finding]:
        check, done = self._checks.get(rule.check), 0
        for match in pattern.finditer(data):
            start, end = match.span(group)
            tries.count()
            if end <= done:
                continue
            if check is not None:
                spans, done = check(data, start, end, tries)
            else:
                # An escape in the middle of a token ends the match, and not the token.
                done = end = _ESCAPES.match(data, end).end()  # type: ignore[union-attr]
                spans = [(start, end)]
            for start, end in spans:
                if end > start and not MARKS.fullmatch(data, start, end):
                    yield Finding(start, end, rule.id)


def merge(found: Iterable[Finding]) -> list[Finding]:
    """Join findings that overlap; the first names the rule."""
    merged: list[Finding] = []
    for one in sorted(found, key=lambda one: one[:2]):
        if merged and one.start < merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(one.end, merged[-1].end), instead=None)
        elif one.end > one.start:
            merged.append(one)
    return merged


class Spans:
    """Tells quickly whether a part of a text touches one of the spans of its scan."""

    def __init__(self, spans: Sequence[Span]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        self._ends: list[int] = []
        furthest = 0
        for _, end in ordered:
            furthest = max(furthest, end)
            self._ends.append(furthest)

    def touch(self, start: int, end: int) -> bool:
        """Tell whether ``[start, end)`` and a span have something in common."""
        at = bisect_right(self._starts, end)
        return at > 0 and self._ends[at - 1] >= start


_ESCAPES = re.compile(rb"(?:(?:%[0-9A-Fa-f]{2}|\\/)[0-9A-Za-z+/=_-]*)*")


def _make_look(rule: Rule) -> Look:
    is_token = rule.id not in SPACED and rule.sources != OWN
    pattern = without_anchors(rule.pattern) if rule.sources == OWN else rule.pattern
    return Look(_without_group(pattern), rule.hints, _without_group(rule.before), is_token=is_token)


def _without_group(pattern: str) -> str:
    return pattern.replace("(?P<s>", "(?:")


def _compile(rule: Rule, engine: Engine) -> tuple[Rule, Pattern, int]:
    """Return a rule, its pattern, and the number of the group that is the secret."""
    pattern = rule.before + (rule.pattern if "(?P<s>" in rule.pattern else f"(?P<s>{rule.pattern})")
    compiled = engine.compile(pattern)
    return rule, compiled, compiled.groupindex["s"]


def _find_all(literal: bytes, data: bytes) -> Iterator[Span]:
    at = data.find(literal)
    while at >= 0:
        end = at + len(literal)
        yield at, end
        at = data.find(literal, end)


def _ways_to_write(literal: str) -> Iterable[bytes]:
    import json

    yield literal.encode("utf-8", "surrogatepass")
    yield json.dumps(literal)[1:-1].encode()
    yield json.dumps(literal, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")
    yield quote(literal, safe="").encode()
