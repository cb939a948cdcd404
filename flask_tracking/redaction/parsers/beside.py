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

_PARTS = {
    "NAME": r"(?P<name>[\w.$\[\]-]{1,200})",
    "WORDS": r"(?<![\w-])(?P<name>(?:[\w-]+[ \t]){0,2}[\w-]+)[ \t]+",
    "LINE": r"(?P<value>[^\r\n]{1,1000}?)",
    "QUOTE": r"""\\*['"`]""",
    "STRING": r"(?<=[^\\]')(?:[^'\\\n]|\\.){0,1000}|(?<=[^\\]\")(?:[^\"\\\n]|\\.){0,1000}|"
    r"(?<=')[^'\n]{0,1000}|(?<=\")[^\"\n]{0,1000}",
    "MIXED": r"(?=[^\s'\"`\\]*[0-9])(?=[^\s'\"`\\]*[A-Za-z])",
}
"""Parts of several phrases. A string stands behind its quote: with escapes in it, or within another string
whose escapes the quotes are."""


class Phrase(NamedTuple):
    """A pattern with the groups ``value`` and ``name``; without a name it says enough itself."""

    pattern: re.Pattern[bytes]
    mark: bytes
    """A part of every match, in lower case, a tab as a blank: most texts lack it."""
    most: Strength
    """A stronger name counts as this one."""
    least: Strength
    """A name that says less tells nothing here."""


def _phrase(
    mark: str, pattern: str, *, most: Strength = Strength.TOKEN, least: Strength = Strength.VAGUE
) -> Phrase:
    pattern = re.sub("<([A-Z]+)>", lambda part: _PARTS[part[1]], pattern)
    return Phrase(re.compile(pattern.encode(), re.I), mark.encode(), most, least)


PHRASES = (
    # Duplicate entry 'X' for key 'users.api_token'
    _phrase("duplicate entry", r"Duplicate entry \\*'<LINE>\\*' for key \\*'<NAME>\\*'"),
    # Violation of UNIQUE KEY constraint 'UQ_token'. … The duplicate key value is (X).
    _phrase("key value is (", r"(?:constraint|index) '<NAME>'[^\r\n]{1,400}?key value is \(<LINE>\)"),
    # users.0.password, and on the next line: String should … [type=…, input_value='X', input_type=str]
    _phrase(
        "input_value=",
        r"(?:\A|[\r\n]|\\n)<NAME>(?:\r?\n|\\n)[ \t]+[^\r\n]{1,300}?\[type=\w{1,60}, "
        r"input_value=(?![{\[])'?<LINE>'?, input_type=\w",
    ),
    # "password" with value "X" fails to match
    _phrase(
        "with value", "<QUOTE><NAME><QUOTE> with value <QUOTE>(?P<value><STRING>)", most=Strength.STRONG
    ),
    # Invalid value 'X' for field 'password'
    _phrase(
        " ",
        r"(?<!\\)\\*['\"](?P<value>[^'\"\r\n]{1,300}?)\\{0,9}['\"] (?:for|in|of) (?:the )?"
        r"(?:column|field|parameter|attribute|argument|property)[: ]{1,2}\\*['\"]?<NAME>",
        least=Strength.TOKEN,
    ),
    # mysql --password X; ['mysql', '--password', 'X']
    _phrase(
        "--",
        r"(?<![\w-])--(?P<name>[a-z][\w.-]{1,60})(?:<QUOTE>,\s*[bu]?|[ \t+]+)(?=[^\s+-])"
        r"(?:<QUOTE>)?(?P<value><STRING>|[^\s\"'`&]+)",
    ),
    # ('password', 'X'); s:8:"password";s:1:"X" of PHP
    _phrase(
        "",
        r"(?:[(\[]\s*b?|\bs:[0-9]{1,9}:)\\*['\"](?P<name>[^\"'()\n]{1,200}?)\\*['\"]"
        r"(?:\s*,\s*b?|;s:[0-9]{1,9}:)\\*['\"](?P<value><STRING>)",
    ),
    # - name: DB_PASSWORD, and on the next line: value: X; {'name': 'password', 'value': 'X'}
    _phrase(
        "value",
        r"(?:name|key|field)(?:<QUOTE>)?[ \t]*[:=][ \t]*(?:<QUOTE>)?(?P<name>[\w .$\[\]\-]{1,100}?)(?:<QUOTE>)?\s*"
        r"[,;\n]\s*(?:<QUOTE>)?value(?:<QUOTE>)?[ \t]*[:=][ \t]*\\*['\"]?"
        r"(?P<value><STRING>|[^\s'\",;}]+)",
    ),
    # Your one-time code is 367591; not: The token is invalid
    _phrase(
        " ",
        r"(?<![\w\x80-\xff-])(?P<name>(?:(?!for )[\w\x80-\xff-]+[ \t]){0,3}[\w\x80-\xff-]+)[ \t]+"
        r"(?:for[ ](?:[\w@.,-]{1,60}[ ]){1,6}?)?(?:is|est|es|ist|lautet|er|jest)[ \t]+(?:<\w{1,6}>)?"
        r"(?P<value>[0-9]{3}[ -][0-9]{3}\b|[^\s.,;:!?\"'<>]{4,200})",
    ),
    # 367591 is your login code; 367591 to sign in; Use 367591 to verify
    _phrase(
        " ",
        r"(?<![\w.])(?:[A-Z]-)?(?P<value>[0-9]{4,8})[ \t]+(?:(?<!\b(?:19|20)\d\d )to (?:sign|log) in\b|"
        r"(?:(?<=\buse \d{4} )|(?<=\buse \d{6} )|(?<=\buse \d{8} ))to (?:verify|confirm)\b|"
        r"(?:is|as)[ \t]+(?P<name>(?:your|the)[ \t]+(?:[\w-]+[ \t]+){0,3}(?:code|otp|pin|password|passcode))\b)",
        most=Strength.CODE,
    ),
    # Path `password` (`X`) is shorter than the minimum
    _phrase("path `", r"\bPath `<NAME>` \(`(?P<value>[^`\r\n]{1,1000})`\)", most=Strength.STRONG),
    # user: ada, pass: X
    _phrase(
        "pass",
        r"\b(?:user(?:name)?|login)[ ]?[:=][ ]?[^\s,;&]{1,100}[,;]?[ ]pass(?P<name>)[ ]?[:=][ ]?(?:<QUOTE>)?"
        r"(?P<value>[^\s,;&\"'<>]{4,200})",
    ),
    # log in with password x7Kq2m; not: with password authentication
    _phrase(
        " ",
        r"\b(?:with|using|tried|and)[ \t]+(?P<name>(?:[\w-]+[ \t]){0,2}?(?:pass(?:word|code|phrase)|secret))[ \t]+"
        r"(?P<value>[^\s.,;:!?\"'<>]{6,200})",
        least=Strength.STRONG,
    ),
    # set the password of ada to x7Kq2m
    _phrase(
        " to ",
        r"\b(?P<name>pass(?:word|code|phrase)|secret)(?:[ \t][\w@.'-]{1,60}){0,4}[ \t]to[ \t]+"
        r"(?:<QUOTE>)?<MIXED>(?P<value>[^\s\"'`<>\\]{6,200})",
    ),
    # invalid password 'x7Kq2m'; not: invalid token 'export'
    _phrase(" ", r"<WORDS><QUOTE><MIXED>(?P<value>[^\s'\"`\\]{4,200})<QUOTE>", least=Strength.TOKEN),
    # Incorrect API key x7Kq2mW9pLz4Tb8vNc3R
    _phrase(" ", r"<WORDS><MIXED>(?P<value>[\w-]{20,200})", most=Strength.WEAK, least=Strength.WEAK),
)


def find_beside(data: bytes, context: Context) -> Iterable[Finding]:
    """Find the values of sensitive names in these phrases."""
    lowered = data.lower().replace(b"\t", b" ")
    for pattern, mark, most, least in PHRASES:
        for match in pattern.finditer(data) if mark in lowered else ():
            context.budget.count()
            name = match["name"]
            strength = context.strength_of_ending(name.replace(b".", b" ")) if name else most
            if strength >= least and is_secret(min(strength, most), match["value"]):
                yield Finding(*match.span("value"), "name")
