"""Checks for formats made of digits or words, where a pattern alone finds too much.

A check of a text takes it and the range of a match, and returns the secrets in it and how far it has
looked: a card may follow a number that is not one, like a date on the same line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from ..budget import Budget
from ..engines.base import Range

IBAN_LENGTHS = dict(
    re.findall(
        r"([A-Z]{2})([0-9]{2})",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18"
        "FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27"
        "MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27"
        "SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30",
    )
)
_ESCAPED_REST = re.compile(rb"(?:(?:%[0-9A-Fa-f]{2}|\\/)[0-9A-Za-z+/=_-]*)*")
"""Behind a match: an escape in the middle of a token ends the match, and not the token."""
DINERS = 14
"""Digits of Diners' cards, and of many a shop's ids: where they stand in one run a word has to be near."""
NEAR = 60
"""How many bytes before and behind a number, or the string with it, a word is looked for."""
_CARD_WORD = re.compile(
    rb"card|(?<![a-z])(?:cc|pan|visa|amex|maestro|credit|debit|payment|karte|cv[cvn]|exp_?(?:month|year))|"
    rb"american express",
    re.I,
)
_GROUPS = re.compile(rb"[0-9]+")
_RUN = re.compile(rb"[0-9A-Za-z]{10,}")  # not gsk_some_name
MAX_WORD = 15
"""Letters of the longest word in an identifier."""
_CLUSTERS = re.compile(rb"[b-df-hj-np-tv-xz]{6}|[B-DF-HJ-NP-TV-XZ]{6}")  # qkxzvt; not lengths
_LETTER, _SMALL, _CAPITAL = re.compile(rb"[A-Za-z]"), re.compile(rb"[a-z]"), re.compile(rb"[A-Z]")
_SIGNATURE = re.compile(rb"[0-9A-Za-z_-]+")
_NAMED = re.compile(rb"sha[0-9]{1,3}[:-]\Z|\b(?:arn|urn):\S*\Z", re.I)
"""Before the digest of a file, and within the name of a resource."""
DIGESTS = (27, 43, 64, 86)
"""Characters of a digest in base64: SHA-1, SHA-256, SHA-384, SHA-512."""
_CARD_GROUPS = re.compile(
    rb"[0-9]{12,19}|[0-9]{4}([ +-])(?:[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}(?:\1[0-9]{1,3})?|[0-9]{6}\1[0-9]{4,5})"
)
_CARD_START = re.compile(
    rb"[2-6](?:[0-9]{11,18}(?![0-9])|[0-9]{3}([ +-])(?:[0-9]{4}\1[0-9]{4}\1|[0-9]{6}\1)[0-9])"
)
_TRACK = re.compile(rb"(?:(?:=|D|%3D)[0-9]{7,})?")  # behind the number on a magnetic stripe
_CARD_RUN = re.compile(rb"[2-6](?:[ +-]?[0-9]){11,18}")
_NEXT_CARD = re.compile(rb"(?<=[ +])[2-6][0-9]{3}")  # of two on a line
_DIGITS = re.compile(rb"[0-9 +-]*")
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")
_IBAN_START = re.compile(rb"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?=[ +-]?[0-9A-Z])")
_CAPITALS = re.compile(rb"[0-9A-Z +-]*")
_IBAN_DIGITS = {letter: str(letter - 55) for letter in range(65, 91)}
Check = Callable[[bytes, int, int, Budget], tuple[list[Range], int]]


def has_digit(token: bytes) -> bool:
    """Tell words from tokens: a token has a digit, or as many capitals as small letters."""
    return bool(_GROUPS.search(token)) or _is_digest(token)


def mixed_run(token: bytes) -> bool:
    """Tell identifiers from tokens: a token has a run of letters and digits mixed."""
    runs = () if token.startswith(b"0x") else _RUN.findall(token)  # not an address on a chain
    return any(_GROUPS.search(run) and _LETTER.search(run) for run in runs)


def random_run(token: bytes) -> bool:
    """Tell identifiers from tokens as `mixed_run` does; a token may be of random letters, too."""
    runs = [run for run in _RUN.findall(token) if len(run) > MAX_WORD and run.isalpha()]
    return any(map(_is_random, runs)) or mixed_run(token)


def user(token: bytes) -> bool:
    """Tell the name of a user in a URL from a password or a token behind it."""
    return b":" in token or mixed_run(token)


def _is_random(letters: bytes) -> bool:
    """Tell random letters from words: many in both cases, or with clusters nobody can pronounce."""
    share = len(_CAPITAL.findall(letters)) / len(letters)
    return 0.3 < share < 0.7 or _CLUSTERS.search(letters) is not None


def signature(data: bytes, start: int, end: int, tries: Budget) -> tuple[list[Range], int]:
    """Tell dotted names from signed values, which end with a digest of a known length."""
    end = _SIGNATURE.match(data, start).end()  # type: ignore[union-attr] # the format says so
    is_signed = end - start in DIGESTS and _is_digest(data[start:end])
    is_signed = is_signed and _NAMED.search(data, max(0, start - 200), start) is None
    return [(start, end)] if is_signed else [], end


def session(token: bytes) -> bool:
    """Tell dotted names from itsdangerous tokens, which end with a digest."""
    return _is_digest(token.rpartition(b".")[2])


def _is_digest(text: bytes) -> bool:
    """Tell base64 of random bytes from words: it has digits, or as many capitals as small letters."""
    capitals, small = len(_CAPITAL.findall(text)), len(_SMALL.findall(text))
    is_mixed = bool(_GROUPS.search(text)) or capitals * 3 >= capitals + small
    return capitals > 0 and small > 0 and is_mixed


def _in_row(
    measure: Callable[[bytes, int], int], more: re.Pattern[bytes], following: re.Pattern[bytes]
) -> Check:
    """Return the check of numbers in a row, of which `more` matches the rest, and `following` the next.

    `measure` returns the length of the number that begins at a place, or 0.
    """

    def check(data: bytes, start: int, end: int, tries: Budget) -> tuple[list[Range], int]:
        end = more.match(data, end).end()  # type: ignore[union-attr] # it matches nothing, too
        found, at = [], start
        while True:
            tries.count()
            length = measure(data, at)
            if length:
                found.append((at, at + length))
            another = following.search(data, at + max(length, 1), end)
            if another is None:
                return found, end
            at = another.start()

    return check


def _measure_card(data: bytes, at: int) -> int:
    """Measure a card by issuer, length, Luhn's checksum and the way it is printed."""
    run = _CARD_RUN.match(data, at) if _CARD_START.match(data, at) else None
    found = run[0] if run else b""
    ends = {match.end() for match in _GROUPS.finditer(found)}
    for length in sorted(ends, reverse=True):
        text = found[:length]
        digits = text.translate(None, b" +-")
        if _CARD_GROUPS.fullmatch(text) and _is_issued(digits.decode()) and _passes_luhn(digits):
            return _TRACK.match(data, at + length).end() - at  # type: ignore[union-attr] # it matches nothing, too
    return 0


def is_likely_card(data: bytes, start: int, end: int, around: bytes, *, is_strict: bool) -> bool:
    """Tell whether a number that could be a card is taken for one: a word near it may be wanted.

    `around` are the bytes around the text, like the key of a JSON string.
    """
    is_doubtful = is_strict or data[start:end].isdigit() and end - start == DINERS
    near = max(0, start - NEAR), min(len(data), end + NEAR)
    return not is_doubtful or bool(_CARD_WORD.search(data, *near) or _CARD_WORD.search(around))


def _is_issued(digits: str) -> bool:
    length, four, two = len(digits), int(digits[:4]), int(digits[:2])
    if digits[0] == "4":
        return length in (16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return length == 16
    if two in (34, 37):
        return length == 15
    if 3000 <= four <= 3059 or two in (36, 38, 39):
        return length == 14
    if four == 6011 or two == 65 or 6440 <= four <= 6499 or two == 62 or 3528 <= four <= 3589:
        return 16 <= length <= 19
    return False


def _passes_luhn(digits: bytes) -> bool:
    doubled = digits[-2::-2].translate(_DOUBLED)
    return (sum(digits[-1::-2]) + sum(doubled) - 48 * len(digits)) % 10 == 0


def _measure_iban(data: bytes, at: int) -> int:
    """Measure an IBAN by its country's length and its checksum."""
    wanted = IBAN_LENGTHS.get(data[at : at + 2].decode())
    run = _characters(int(wanted)).match(data, at) if wanted else None
    if run is None:
        return 0
    text = run[0].translate(None, b" +-").decode()
    is_right = int((text[4:] + text[:4]).translate(_IBAN_DIGITS)) % 97 == 1
    return len(run[0]) if is_right else 0


@cache
def _characters(count: int) -> re.Pattern[bytes]:
    return re.compile(rb"[0-9A-Z](?:[ +-]?[0-9A-Z]){%d}" % (count - 1))


def _whole(is_token: Callable[[bytes], bool], *, may_be_escaped: bool = False) -> Check:
    """Return the check of a match that is a secret as a whole, or not at all."""

    def check(data: bytes, start: int, end: int, tries: Budget) -> tuple[list[Range], int]:
        if may_be_escaped:
            end = _ESCAPED_REST.match(data, end).end()  # type: ignore[union-attr] # it matches nothing, too
        return [(start, end)] if is_token(data[start:end]) else [], end

    return check


CHECKS: dict[str, Check] = {
    "": _whole(bool, may_be_escaped=True),
    "has_digit": _whole(has_digit),
    "mixed_run": _whole(mixed_run),
    "random_run": _whole(random_run),
    "user": _whole(user),
    "signature": signature,
    "session": _whole(session, may_be_escaped=True),
    "card": _in_row(_measure_card, _DIGITS, _NEXT_CARD),
    "iban": _in_row(_measure_iban, _CAPITALS, _IBAN_START),
}
