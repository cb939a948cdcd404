"""The detector: formats, names and known secrets, compiled for one engine."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from copy import copy
from itertools import islice
from urllib.parse import quote

from ..budget import Budget
from ..engines.base import (
    CAPITALS,
    DIGITS,
    LONG_TOKEN,
    MAX_HITS,
    TOKEN,
    Engine,
    Pattern,
    Range,
    ScanPattern,
    limit_hits,
)
from ..findings import Finding, merge
from ..markers import MARKS
from .custom_patterns import without_anchors
from .format_type import OWN, Format
from .formats import FORMATS
from .long_runs import WithoutRuns, set_aside
from .names import Names, trigger_patterns
from .scan_patterns import ANY_ESCAPE, ESCAPED
from .validators import CHECKS, is_likely_card

SPACED = frozenset(
    """
    bearer card iban jdbc link password-hash private-key putty query-password shell-credentials
    sql-password url-credentials wifi
    """.split()
)
"""Formats with blanks and the like within, or a short beginning: not one run of token characters."""
FREE_TRIES, BYTES_OF_TRY = 2000, 12
"""A text may have so many candidates, and one more for so many bytes: rows of ids have less."""
_HEAD = re.compile(r"\[(?:0-9a-f|0-9A-Za-z\S*?)\](?:\+|\{[0-9]+,?\})")
"""A beginning that any word may have."""


class Detector:
    """Finds secrets in bytes, with one engine."""

    def __init__(
        self,
        engine: Engine,
        names: Names,
        own: Iterable[Format] = (),
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
        self._is_strict = cards == "strict"
        own, switched_off = tuple(own), frozenset(off)
        rules = [rule for rule in (*FORMATS, *own) if rule.id not in switched_off]
        # Each is compiled when it is first in a text: of most there will never be one.
        self._get_rule = functools.cache(lambda at: _compile(rules[at], engine))
        patterns = [_make_scan_pattern(rule) for rule in rules]
        self._choose = engine.make_choice(patterns)
        in_names = trigger_patterns(names.more)
        escaped = [*ESCAPED, ANY_ESCAPE] if own or not names.are_ascii else ESCAPED
        self._scan = engine.make_scan([*sorted(patterns, key=_in_groups), *in_names, *escaped])
        self.finds_short = bool(own)
        """Whether it may find values shorter than any token: custom patterns may."""
        self._literals: tuple[bytes, ...] = ()
        self._get_glued = functools.cache(lambda: _compile_glued(rules))

    def knowing(self, literals: Iterable[str]) -> Detector:
        """Return a detector that finds these secrets, too, by the same compiled rules."""
        other = copy(self)
        other._literals = tuple(dict.fromkeys(way for one in literals for way in _ways_to_write(one)))
        return other

    def scan(self, data: bytes) -> list[Range]:
        """Find where there may be a secret: nothing outside these hits is one."""
        return self.scan_apart(data)[0]

    def scan_apart(self, data: bytes) -> tuple[list[Range], bool]:
        """Find the same, and tell whether the text has long runs of base64."""
        apart = set_aside(data, self._has_token)
        if apart is None:
            return self._scan_all(data), False
        hits = [apart.raw_range(*hit) for hit in self._scan_all(apart.text)]
        hits += [run[:2] for run in apart.runs if run.text and self._scan_all(run.text)]
        return sorted(hits), True

    def set_aside(self, data: bytes) -> WithoutRuns | None:
        """Return a text without its long runs of base64; None where it has none."""
        return set_aside(data, self._has_token)

    def _has_token(self, run: bytes) -> bool:
        patterns = self._get_glued()
        return any(one in run for one in self._literals) or any(one.search(run) for one in patterns)

    def _scan_all(self, data: bytes) -> list[Range]:
        # Literals are not compiled: they change, and `bytes.find` is as fast.
        hits = self._scan(data)
        for literal in self._literals:
            hits += limit_hits(list(islice(_find_all(literal, data), MAX_HITS)), len(data))
        return hits

    def find(self, data: bytes, around: bytes = b"") -> list[Finding]:
        """Find the secrets that look like one, from left to right and none within another.

        Args:
            data: a text.
            around: the bytes around it: a word there may tell the kind of a number.

        Raises:
            TooLongError: there are too many candidates.
        """
        tries = Budget(len(data), FREE_TRIES + len(data) // BYTES_OF_TRY)
        found = [
            Finding(*span, "literal") for literal in self._literals for span in _find_all(literal, data)
        ]
        for at in self._choose(data):
            for one in self._find_rule(*self._get_rule(at), data, tries):
                if one.rule != "card" or is_likely_card(
                    data, one.start, one.end, around, is_strict=self._is_strict
                ):
                    found.append(one)
        return merge(found)

    def _find_rule(
        self, rule: Format, pattern: Pattern, group: int, data: bytes, tries: Budget
    ) -> Iterable[Finding]:
        check, done = CHECKS[rule.check], 0
        for match in pattern.finditer(data):
            start, end = match.span(group)
            tries.count()
            if end <= done:
                continue
            hits, done = check(data, start, end, tries)
            for start, end in hits:
                if end > start and not MARKS.fullmatch(data, start, end):
                    yield Finding(start, end, rule.id)


def _make_scan_pattern(rule: Format) -> ScanPattern:
    pattern, before = rule.pattern, rule.before
    if rule.sources == OWN:
        pattern = without_anchors(pattern)
    elif pattern.endswith("*)"):
        # An empty secret tells nothing, and RE2 would look for its head from a hit back to the last.
        pattern = pattern.rpartition("(?P<s>")[0]
    elif head := _HEAD.match(pattern):
        # Tried from every place in every word, and counted in it; the rest is in the same run.
        pattern, before = pattern[head.end() :], ""
    pattern, before = map(_without_group, (pattern, before))
    return ScanPattern(pattern, rule.hints, before, rule.any_case, _needs(rule))


def _needs(rule: Format) -> str:
    if rule.sources == OWN or rule.id in SPACED:
        return {"card": DIGITS, "iban": CAPITALS}.get(rule.id, "")
    return LONG_TOKEN if rule.id in ("itsdangerous", "signed") else TOKEN


def _in_groups(pattern: ScanPattern) -> tuple[str, str, bool]:
    """Sort by beginning and end: RE2 compiles each once for all patterns that share it."""
    return pattern.after, pattern.before, pattern.any_case


def _compile_glued(rules: Iterable[Format]) -> list[re.Pattern[bytes]]:
    """Return patterns of tokens in a run of base64: at its head, or behind a sign."""
    own = [rule.pattern for rule in rules if rule.sources == OWN]
    # No run has a point, or a character of the spaced formats.
    ours = [rule for rule in rules if rule.sources != OWN and rule.id not in SPACED]
    tokens = "|".join(_without_group(rule.pattern) for rule in ours if r"\." not in rule.pattern)
    return [re.compile(pattern.encode()) for pattern in (rf"(?:\A|[+/_-])(?:{tokens})", *own)]


def _without_group(pattern: str) -> str:
    return pattern.replace("(?P<s>", "(?:")


def _compile(rule: Format, engine: Engine) -> tuple[Format, Pattern, int]:
    """Return a rule, its pattern, and the number of the group that is the secret."""
    pattern = rule.before + (rule.pattern if "(?P<s>" in rule.pattern else f"(?P<s>{rule.pattern})")
    compiled = engine.compile(pattern)
    return rule, compiled, compiled.groupindex["s"]


def _find_all(literal: bytes, data: bytes) -> Iterator[Range]:
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
