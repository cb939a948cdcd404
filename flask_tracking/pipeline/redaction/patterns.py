"""Patterns of the app's own: only what `re` and RE2 both know, and what neither is slow at."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...errors import ConfigError
from .rules import ANYWHERE, OWN, RULES, Rule

MAX_REPEAT = 1000
"""RE2 counts no further."""
_TOKEN = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])*\])|"
    r"(?P<open>\((?:\?(?:P<\w+>|[ims]*:|[ims]+\)|.))?)|(?P<close>\))|"
    r"(?P<repeat>[*+?]|\{(?P<least>[0-9]+)(?P<comma>,)?(?P<most>[0-9]*)\})(?P<more>[+?])?|.",
    re.S,
)
_KNOWN_ESCAPES = re.compile(r"\\(?:[dDwWsSbBnrtfvaAx]|[^0-9A-Za-z])", re.S)
_KNOWN_GROUPS = re.compile(r"\((?:\?(?:P<\w+>|[ims]*:|[ims]+\)))?")


class _Wrong(ValueError):
    """What is wrong with a pattern."""


def own_rules(patterns: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return the rules of ``TRACKING_REDACT_PATTERNS``.

    Raises:
        ConfigError: a pattern is not in the common subset of both engines, matches nothing at all or
            may take very long; or an id is taken.
    """
    taken = {rule.id for rule in RULES}
    rules = []
    for rule_id, pattern in patterns.items():
        where = f"TRACKING_REDACT_PATTERNS[{rule_id!r}]"
        if rule_id in taken:
            raise ConfigError(f"{where} has the id of a rule of ours. Give it another.")
        try:
            _check(pattern)
        except _Wrong as wrong:
            raise ConfigError(f"{where} {wrong}.") from None
        rules.append(Rule(rule_id, pattern, (), OWN, ANYWHERE))
    return tuple(rules)


def _check(pattern: str) -> None:
    _check_syntax(pattern)
    try:
        compiled = re.compile(pattern.encode("utf-8", "surrogatepass"))
    except (re.error, OverflowError) as error:
        raise _Wrong(f"does not compile: {error}") from None
    if compiled.search(b"") is not None:
        raise _Wrong("matches an empty text, and so would remove everything or nothing")


def _check_syntax(pattern: str) -> None:
    """Check what Python would take, and RE2 would not, or what takes `re` for ever."""
    has_open_repeat = [False]  # for each group that is open
    closed = False  # whether the group that was just closed has an open repeat in it
    for token in _TOKEN.finditer(pattern):
        if token["escape"] and not _KNOWN_ESCAPES.fullmatch(token[0]):
            raise _Wrong(f"has {token[0]!r}, which not every engine knows")
        if token["open"]:
            if not _KNOWN_GROUPS.fullmatch(token[0]):
                raise _Wrong(f"has {token[0]!r}: RE2 knows no look-around, back reference or condition")
            if not token[0].endswith(")"):
                has_open_repeat.append(False)
        elif token["repeat"]:
            _check_repeat(token, within=closed)
            has_open_repeat[-1] |= _is_open(token)
        closed = False
        if token["close"] and len(has_open_repeat) > 1:
            closed = has_open_repeat.pop()
            has_open_repeat[-1] |= closed


def _is_open(token: re.Match[str]) -> bool:
    return token["repeat"] in ("*", "+") or bool(token["comma"] and not token["most"])


def _check_repeat(token: re.Match[str], *, within: bool) -> None:
    if token["more"] == "+":
        raise _Wrong(f"has {token[0]!r}: RE2 knows no possessive repeat")
    if max(int(token["least"] or 0), int(token["most"] or 0)) > MAX_REPEAT:
        raise _Wrong(f"has {token[0]!r}: RE2 counts to {MAX_REPEAT}")
    if within and (_is_open(token) or int(token["most"] or token["least"] or 0) > 1):
        raise _Wrong("has an open repeat inside a repeat, which may take `re` for ever")
