"""Checks for shapes that are made of digits or words, where an outline alone finds too much.

Each takes a text and where in it the match is, and returns how many bytes of it are the secret; 0 when
none are.
"""

from __future__ import annotations

import re
from collections.abc import Callable

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


def has_digit(data: bytes, start: int, end: int) -> int:
    """Tell words from tokens: a token has a digit."""
    found = data[start:end]
    return len(found) if any(48 <= byte <= 57 for byte in found) else 0


def card(data: bytes, start: int, end: int) -> int:
    """Tell a card by issuer, length, Luhn's checksum and the way it is printed."""
    found = data[start:end]
    ends = {match.end() for match in _GROUPS.finditer(found)}
    for length in sorted(ends, reverse=True):
        text = found[:length]
        digits = text.translate(None, b" -")
        separators = set(text.translate(None, b"0123456789"))
        is_printed = len(separators) <= 1 and _CARD_GROUPS.fullmatch(text)
        if is_printed and _is_issued(digits.decode()) and _passes_luhn(digits):
            return length
    return 0


def strict_card(data: bytes, start: int, end: int) -> int:
    """Tell a card as `card` does, and only where a word near it says that it is one."""
    is_named = _CARD_WORD.search(data, max(0, start - NEAR), min(len(data), end + NEAR))
    return card(data, start, end) if is_named else 0


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
    total = 0
    for at, byte in enumerate(reversed(digits)):
        digit = (byte - 48) * (1 + at % 2)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


def iban(data: bytes, start: int, end: int) -> int:
    """Tell an IBAN by its country's length and its checksum."""
    found = data[start:end]
    length = IBAN_LENGTHS.get(found[:2].decode())
    if length is None:
        return 0
    taken = size = 0
    for at, byte in enumerate(found, 1):
        size = at
        taken += byte not in b" -"
        if taken == int(length):
            break
    text = found[:size].translate(None, b" -").decode()
    if len(text) != int(length):
        return 0
    return size if int("".join(str(int(one, 36)) for one in text[4:] + text[:4])) % 97 == 1 else 0


CHECKS: dict[str, Callable[[bytes, int, int], int]] = {
    "has_digit": has_digit,
    "card": card,
    "iban": iban,
}
