"""Checks for shapes that are made of digits or words, where an outline alone finds too much.

Each takes a text and where in it a match is, and returns the secrets in it and to where it has looked:
what is no card itself may have one behind it, like a date and a card in one line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

IBAN_LENGTHS = dict(
    re.findall(
        r"([A-Z]{2})([0-9]{2})",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18"
        "FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27"
        "MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27"
        "SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30",
    )
)
NEAR = 60
"""How many bytes before and behind a number a word is looked for."""
_CARD_WORD = re.compile(
    rb"card|(?<![a-z])(?:cc|pan|visa|amex|maestro|credit|debit|payment|karte)|mastercard|american express",
    re.I,
)
_GROUPS = re.compile(rb"[0-9]+")
_CARD_GROUPS = re.compile(
    rb"[0-9]{12,19}|(?:[0-9]{4}[ -]){3}[0-9]{1,7}(?:[ -][0-9]{1,3})?|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}"
)
_CARD_START = re.compile(
    rb"[2-6](?:[0-9]{11,18}(?![0-9])|[0-9]{3}([ -])(?:[0-9]{4}\1[0-9]{4}\1|[0-9]{6}\1)[0-9])"
)
_CARD_RUN = re.compile(rb"[2-6](?:[ -]?[0-9]){11,18}")
_NEXT_CARD = re.compile(rb" (?=[2-6][0-9]{3})")
_DIGITS = re.compile(rb"[0-9 -]*")
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")
_IBAN_START = re.compile(rb"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?=[ -]?[0-9A-Z])")
_CAPITALS = re.compile(rb"[0-9A-Z -]*")
_IBAN_DIGITS = {letter: str(letter - 55) for letter in range(65, 91)}
FREE_TRIES, BYTES_OF_TRY = 2000, 12
"""A text may have so many candidates, and one more for so many bytes: rows of ids have less."""

Span = tuple[int, int]


class TooLongError(Exception):
    """It takes more work to read than it is worth. Its text quotes nothing."""


class Tries:
    """Bounds how many candidates of one text are checked."""

    def __init__(self, size: int) -> None:
        """Allow the checks of a text of `size` bytes."""
        self._left = FREE_TRIES + size // BYTES_OF_TRY

    def count(self) -> None:
        """Count one.

        Raises:
            TooLongError: nothing is left.
        """
        self._left -= 1
        if self._left < 0:
            raise TooLongError


Check = Callable[[bytes, int, int, Tries], tuple[list[Span], int]]


def has_digit(data: bytes, start: int, end: int, tries: Tries) -> tuple[list[Span], int]:
    """Tell words from tokens: a token has a digit."""
    return [(start, end)] if _GROUPS.search(data, start, end) else [], end


def card(data: bytes, start: int, end: int, tries: Tries) -> tuple[list[Span], int]:
    """Find cards by issuer, length, Luhn's checksum and the way they are printed."""
    end = _DIGITS.match(data, end).end()  # type: ignore[union-attr] # it matches nothing, too
    found, at = [], start
    while True:
        tries.count()
        length = _measure_card(data, at) if _CARD_START.match(data, at, end) else 0
        if length:
            found.append((at, at + length))
        following = _NEXT_CARD.search(data, at + length, end)
        if following is None:
            return found, end
        at = following.end()


def _measure_card(data: bytes, at: int) -> int:
    run = _CARD_RUN.match(data, at)
    found = run[0] if run else b""
    ends = {match.end() for match in _GROUPS.finditer(found)}
    for length in sorted(ends, reverse=True):
        text = found[:length]
        digits = text.translate(None, b" -")
        separators = set(text.translate(None, b"0123456789"))
        is_printed = len(separators) <= 1 and _CARD_GROUPS.fullmatch(text)
        if is_printed and _is_issued(digits.decode()) and _passes_luhn(digits):
            return length
    return 0


def strict_card(data: bytes, start: int, end: int, tries: Tries) -> tuple[list[Span], int]:
    """Find cards as `card` does, and only where a word near one says that it is one."""
    found, end = card(data, start, end, tries)
    return [
        one
        for one in found
        if _CARD_WORD.search(data, max(0, one[0] - NEAR), min(len(data), one[1] + NEAR))
    ], end


def _is_issued(digits: str) -> bool:
    length, four, two = len(digits), int(digits[:4]), int(digits[:2])
    if digits[0] == "4":
        return length in (13, 16, 19)
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


def iban(data: bytes, start: int, end: int, tries: Tries) -> tuple[list[Span], int]:
    """Find IBANs by their country's length and their checksum."""
    end = _CAPITALS.match(data, end).end()  # type: ignore[union-attr] # it matches nothing, too
    found, at = [], start
    while True:
        tries.count()
        length = _measure_iban(data, at)
        if length:
            found.append((at, at + length))
        following = _IBAN_START.search(data, at + max(length, 1), end)
        if following is None:
            return found, end
        at = following.start()


def _measure_iban(data: bytes, at: int) -> int:
    wanted = IBAN_LENGTHS.get(data[at : at + 2].decode())
    run = _characters(int(wanted)).match(data, at) if wanted else None
    if run is None:
        return 0
    text = run[0].translate(None, b" -").decode()
    is_right = int((text[4:] + text[:4]).translate(_IBAN_DIGITS)) % 97 == 1
    return len(run[0]) if is_right else 0


@cache
def _characters(count: int) -> re.Pattern[bytes]:
    return re.compile(rb"[0-9A-Z](?:[ -]?[0-9A-Z]){%d}" % (count - 1))


CHECKS: dict[str, Check] = {
    "has_digit": has_digit,
    "card": card,
    "iban": iban,
}
