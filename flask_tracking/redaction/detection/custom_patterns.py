"""Custom patterns: syntax that both `re` and RE2 know, and that neither is slow at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ...errors import ConfigError
from .format_type import ANYWHERE, OWN, Format
from .formats import FORMATS

MAX_REPEAT = 1000
"""RE2 counts no further, and multiplies the counts of repeats within repeats."""
EDGES = (b"", b"a --", b"-a")
"""Texts in which ``^``, ``\\b`` and ``\\B`` match, with an empty match."""
NAMED_RULES = frozenset({"*", "name", "header", "literal"})
"""Ids that actions may have, beside those of formats."""
TAKEN = frozenset({rule.id for rule in FORMATS} | NAMED_RULES | {"base64", "file", "unreadable"})
"""Ids that remarks may have: custom patterns need others."""
ANY_CHARACTERS = (b"a", b"Z", b"7")
"""Texts of which a pattern for a secret matches not all."""
_TOKEN = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])*\])|"
    r"(?P<open>\((?:\?(?:P<\w+>|[ims]*:|[ims]+\)|.))?)|(?P<close>\))|(?P<anchor>[\^$])|"
    r"(?P<half>\{,[0-9]*\})|"
    r"(?P<repeat>[*+?]|\{(?P<least>[0-9]+)(?P<comma>,)?(?P<most>[0-9]*)\})(?P<more>[+?])?|.",
    re.S,
)
_NEITHER_LETTER_NOR_DIGIT = r"\0-/:-@\[-`{-\x7f"
_KNOWN_ESCAPES = re.compile(rf"\\[dDwWsSbBnrtfvaAx{_NEITHER_LETTER_NOR_DIGIT}]")
_KNOWN_IN_SETS = re.compile(rf"\\[dDwWsSnrtfvax{_NEITHER_LETTER_NOR_DIGIT}]")
_KNOWN_GROUPS = re.compile(r"\((?:\?(?:P<\w+>|[ims]*:))?")
_AMBIGUOUS = re.compile(r"^\^?\[|\[[:.=]|--|&&|\|\||~~")
_GLOBAL_FLAGS = re.compile(r"\(\?[ims]+\)")


class _Wrong(ValueError):
    """A pattern is wrong; the message says why."""


def own_rules(patterns: Mapping[str, str]) -> tuple[Format, ...]:
    """Return the formats of ``TRACKING_REDACT_PATTERNS``.

    Raises:
        ConfigError: a pattern is outside the common subset of both engines, matches an empty text or
            may take very long; or an id is taken.
    """
    rules = []
    for rule_id, pattern in patterns.items():
        if rule_id in TAKEN:
            raise ConfigError(
                f"TRACKING_REDACT_PATTERNS[{rule_id!r}] has the id of a rule of ours. Give it another."
            )
        try:
            _check(pattern)
        except _Wrong as wrong:
            raise ConfigError(f"TRACKING_REDACT_PATTERNS[{rule_id!r}] {wrong}.") from None
        rules.append(Format(rule_id, pattern, (), OWN, ANYWHERE))
    return tuple(rules)


def without_anchors(pattern: str) -> str:
    """Return a pattern that finds wherever `pattern` does, also with other text around it.

    The prefilter scans many texts joined, with their JSON escapes: nothing begins or ends there.
    """
    return "".join(
        "" if token["anchor"] or token[0] in (r"\A", r"\b", r"\B") else token[0]
        for token in _TOKEN.finditer(pattern)
    )


def _check(pattern: str) -> None:
    _check_syntax(pattern)
    try:
        compiled = re.compile(pattern.encode())
    except (re.error, OverflowError) as error:
        raise _Wrong(f"does not compile: {error}") from None
    except UnicodeEncodeError:
        raise _Wrong("has a lone surrogate, which no text has") from None
    if not all(match[0] for text in EDGES for match in compiled.finditer(text)):
        raise _Wrong("matches an empty text, and so would remove everything or nothing")
    if all(compiled.search(one) for one in ANY_CHARACTERS):
        raise _Wrong("matches any single character, and so would remove everything")
    if "(?P<s>)" in pattern:
        raise _Wrong("has an empty group `s`, and so would remove nothing")


class _Repeats(NamedTuple):
    """The repeats in a part of a pattern."""

    is_open: bool = False
    times: int = 1
    """By counts, within each other multiplied."""

    def beside(self, other: _Repeats) -> _Repeats:
        return _Repeats(self.is_open or other.is_open, max(self.times, other.times))


def _check_syntax(pattern: str) -> None:
    """Refuse syntax that RE2 does not know, and repeats that can make `re` run forever."""
    groups = [_Repeats()]  # open groups, the whole pattern first
    last = _Repeats()  # the part that a repeat would repeat
    for token in _TOKEN.finditer(pattern):
        _check_token(token)
        if token["repeat"]:
            groups[-1] = groups[-1].beside(_repeat(last, token))
        last = _Repeats()
        if token["open"]:
            groups.append(_Repeats())
        elif token["close"] and len(groups) > 1:
            last = groups.pop()
            groups[-1] = groups[-1].beside(last)


def _check_token(token: re.Match[str]) -> None:
    if _GLOBAL_FLAGS.match(token[0]):
        raise _Wrong(f"has {token[0]!r}: write {token[0][:-1]}:...) around what it is for")
    if token["open"] and not _KNOWN_GROUPS.fullmatch(token[0]):
        raise _Wrong(f"has {token[0]!r}: RE2 knows no look-around, back reference or condition")
    if token["half"]:
        raise _Wrong(f"has {token[0]!r}, which not every engine knows: write {{0,{token[0][2:]}")
    known = _KNOWN_IN_SETS if token["set"] else _KNOWN_ESCAPES
    for escape in re.findall(r"\\.", token["set"] or token["escape"] or "", re.S):
        if not known.fullmatch(escape):
            instead = ": write `$`" if escape in (r"\Z", r"\z") else ""
            raise _Wrong(f"has {escape!r}, which not every engine knows{instead}")
    members = re.sub(r"\\.", "x", token["set"] or "", flags=re.S)[1:-1]
    ambiguous = _AMBIGUOUS.search(members)
    if ambiguous:
        raise _Wrong(f"has {ambiguous[0]!r} in a set, which engines read differently")


def _is_open(token: re.Match[str]) -> bool:
    return token["repeat"] in ("*", "+") or bool(token["comma"] and not token["most"])


def _repeat(what: _Repeats, token: re.Match[str]) -> _Repeats:
    if token["more"] == "+":
        raise _Wrong(f"has {token[0]!r}: RE2 knows no possessive repeat")
    times = max(int(token["least"] or 0), int(token["most"] or 0))
    if what.is_open and (_is_open(token) or times > 1):
        raise _Wrong("has an open repeat inside a repeat, which can make `re` run forever")
    if times * what.times > MAX_REPEAT:
        raise _Wrong(f"has {token[0]!r}: RE2 counts to {MAX_REPEAT}, within other counts multiplied")
    return _Repeats(what.is_open or _is_open(token), max(times, 1) * what.times)
