"""Find values that stand beside their name with no separator between: a table of phrases.

Errors of databases and validators quote them, messages say them in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ..detection.names import Strength
from ..detection.values import is_secret
from ..findings import Finding
from .context import Context

_MIXED = r"(?=[^\s'\"`\\]*[0-9])(?=[^\s'\"`\\]*[A-Za-z])"
_QUOTE = r"""\\*['"`]"""
_IN_QUOTES = (
    r"(?<=[^\\]')(?:[^'\\\n]|\\.){0,1000}|(?<=[^\\]\")(?:[^\"\\\n]|\\.){0,1000}|"
    r"(?<=')[^'\n]{0,1000}|(?<=\")[^\"\n]{0,1000}"
)
"""A string behind its quote: with escapes in it, or within another string whose escapes the quotes are."""


class Phrase(NamedTuple):
    """A pattern with the groups ``value`` and ``name``; without a name it says enough itself."""

    pattern: re.Pattern[bytes]
    mark: bytes
    """A part of every match, in lower case, a tab as a blank: most texts lack it."""
    most: Strength = Strength.TOKEN
    """A stronger name counts as this one."""
    least: Strength = Strength.VAGUE
    """A name that says less tells nothing here."""


def _phrase(pattern: str, mark: str, *strengths: Strength) -> Phrase:
    return Phrase(re.compile(pattern.encode(), re.I), mark.encode(), *strengths)


PHRASES = (
    # Duplicate entry 'X' for key 'users.api_token'
    _phrase(
        r"Duplicate entry \\*'(?P<value>[^\r\n]{1,1000}?)\\*' for key \\*'(?P<name>[\w.$-]{1,200})\\*'",
        "duplicate entry",
    ),
    # Violation of UNIQUE KEY constraint 'UQ_token'. … The duplicate key value is (X).
    _phrase(
        r"(?:constraint|index) '(?P<name>[\w.$-]{1,200})'[^\r\n]{1,400}?key value is \((?P<value>[^\r\n]{1,1000}?)\)",
        "key value is (",
    ),
    # users.0.password, and on the next line: String should … [type=…, input_value='X', input_type=str]
    _phrase(
        r"(?:\A|[\r\n]|\\n)(?P<name>[\w.\[\]-]{1,100})(?:\r?\n|\\n)[ \t]+[^\r\n]{1,300}?\[type=\w{1,60}, "
        r"input_value=(?![{\[])'?(?P<value>[^\r\n]{1,1000}?)'?, input_type=\w",
        "input_value=",
    ),
    # "password" with value "X" fails to match
    _phrase(
        rf"{_QUOTE}(?P<name>[\w.\[\]-]{{1,100}}){_QUOTE} with value {_QUOTE}(?P<value>{_IN_QUOTES})",
        "with value",
        Strength.STRONG,
    ),
    # Invalid value 'X' for field 'password'
    _phrase(
        r"(?<!\\)\\*['\"](?P<value>[^'\"\r\n]{1,300}?)\\{0,9}['\"] (?:for|in|of) (?:the )?"
        r"(?:column|field|parameter|attribute|argument|property)[: ]{1,2}\\*['\"]?(?P<name>[\w.\[\]-]{1,100})",
        " ",
        Strength.TOKEN,
        Strength.TOKEN,
    ),
    # mysql --password X; ['mysql', '--password', 'X']
    _phrase(
        rf"(?<![\w-])--(?P<name>[a-z][\w.-]{{1,60}})(?:{_QUOTE},\s*[bu]?|[ \t+]+)(?=[^\s+-])"
        rf"(?:{_QUOTE})?(?P<value>{_IN_QUOTES}|[^\s\"'`&]+)",
        "--",
    ),
    # ('password', 'X'); s:8:"password";s:1:"X" of PHP
    _phrase(
        r"(?:[(\[]\s*b?|\bs:[0-9]{1,9}:)\\*['\"](?P<name>[^\"'()\n]{1,200}?)\\*['\"]"
        rf"(?:\s*,\s*b?|;s:[0-9]{{1,9}}:)\\*['\"](?P<value>{_IN_QUOTES})",
        "",
    ),
    # - name: DB_PASSWORD, and on the next line: value: X; {'name': 'password', 'value': 'X'}
    _phrase(
        rf"(?:name|key|field)(?:{_QUOTE})?[ \t]*[:=][ \t]*(?:{_QUOTE})?(?P<name>[\w .$\[\]\-]{{1,100}}?)"
        rf"(?:{_QUOTE})?\s*[,;\n]\s*(?:{_QUOTE})?value(?:{_QUOTE})?[ \t]*[:=][ \t]*"
        rf"""\\*['"]?(?P<value>{_IN_QUOTES}|[^\s'",;}}]+)""",
        "value",
    ),
    # Your one-time code is 367591; not: The token is invalid
    _phrase(
        r"(?<![\w\x80-\xff-])(?P<name>(?:(?!for )[\w\x80-\xff-]+[ \t]){0,3}[\w\x80-\xff-]+)[ \t]+"
        r"(?:for[ ][\w@.-]{1,60}[ ])?(?:is|est|es|ist|lautet|er|jest)[ \t]+(?:<\w{1,6}>)?"
        r"(?P<value>[0-9]{3}[ -][0-9]{3}\b|[^\s.,;:!?\"'<>]{4,200})",
        " ",
    ),
    # 367591 is your login code; 367591 to sign in; Use 367591 to verify
    _phrase(
        r"(?<![\w.])(?:[A-Z]-)?(?P<value>[0-9]{4,8})[ \t]+(?:(?<!\b(?:19|20)\d\d )to (?:sign|log) in\b|"
        r"(?:(?<=\buse \d{4} )|(?<=\buse \d{6} )|(?<=\buse \d{8} ))to (?:verify|confirm)\b|"
        r"(?:is|as)[ \t]+(?P<name>(?:your|the)[ \t]+(?:[\w-]+[ \t]+){0,3}(?:code|otp|pin|password|passcode))\b)",
        " ",
        Strength.CODE,
    ),
    # Path `password` (`X`) is shorter than the minimum
    _phrase(
        r"\bPath `(?P<name>[\w.]{1,100})` \(`(?P<value>[^`\r\n]{1,1000})`\)",
        "path `",
        Strength.STRONG,
    ),
    # user: ada, pass: X
    _phrase(
        r"\b(?:user(?:name)?|login)[ ]?[:=][ ]?[^\s,;&]{1,100}[,;]?[ ]pass(?P<name>)[ ]?[:=][ ]?"
        rf"(?:{_QUOTE})?(?P<value>[^\s,;&\"'<>]{{4,200}})",
        "pass",
    ),
    # log in with password x7Kq2m; not: with password authentication
    _phrase(
        r"\b(?:with|using|tried|and)[ \t]+(?P<name>(?:[\w-]+[ \t]){0,2}?(?:pass(?:word|code|phrase)|secret))[ \t]+"
        r"(?P<value>[^\s.,;:!?\"'<>]{6,200})",
        " ",
        Strength.TOKEN,
        Strength.STRONG,
    ),
    # set the password of ada to x7Kq2m
    _phrase(
        r"\b(?P<name>pass(?:word|code|phrase)|secret)(?:[ \t][\w@.'-]{1,60}){0,4}[ \t]to[ \t]+"
        rf"(?:{_QUOTE})?{_MIXED}(?P<value>[^\s\"'`<>\\]{{6,200}})",
        " to ",
    ),
    # invalid password 'x7Kq2m'; not: invalid token 'export'
    _phrase(
        rf"(?<![\w-])(?P<name>(?:[\w-]+[ \t]){{0,2}}[\w-]+)[ \t]+{_QUOTE}{_MIXED}"
        rf"(?P<value>[^\s'\"`\\]{{4,200}}){_QUOTE}",
        " ",
        Strength.TOKEN,
        Strength.TOKEN,
    ),
    # Incorrect API key x7Kq2mW9pLz4Tb8vNc3R
    _phrase(
        rf"(?<![\w-])(?P<name>(?:[\w-]+[ \t]){{0,2}}[\w-]+)[ \t]+{_MIXED}(?P<value>[\w-]{{20,200}})",
        " ",
        Strength.WEAK,
        Strength.WEAK,
    ),
)


def find_beside(data: bytes, context: Context) -> Iterable[Finding]:
    """Find the values of sensitive names in these phrases."""
    lowered = data.lower().replace(b"\t", b" ")
    for pattern, mark, most, least in PHRASES:
        for match in pattern.finditer(data) if mark in lowered else ():
            context.budget.count()
            strength = _weigh_words(match["name"], context) if match["name"] else most
            if strength >= least and is_secret(min(strength, most), match["value"]):
                yield Finding(*match.span("value"), "name")


def _weigh_words(name: bytes, context: Context) -> Strength:
    """Return the strength of a name, or of the words with which a part of a sentence ends."""
    words = name.decode("utf-8", "replace").split()
    last = context.strength(words[-1].rpartition(".")[2].encode()) if words else Strength.NONE
    return max(last, context.detector.names.strength_of_ending(words))
