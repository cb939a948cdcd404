"""Sizes in bytes, as people write them."""

from __future__ import annotations

import re

from ..errors import ConfigError

UNITS: dict[str, int] = {
    "": 1,
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}IB": 1024**power for power, letter in enumerate("KMGT", 1)},
}
SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,6})?)\s*([A-Za-z]{0,3})")


def parse_size(text: str) -> int:
    """Return the bytes of a size like ``500MB``, ``1.5GiB`` or ``104857600``.

    Raises:
        ConfigError: it is none.
    """
    match = SIZE.fullmatch(text.strip())
    unit = UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise ConfigError(f"Invalid size {text!r}: expected bytes, or one like 500MB, 512MiB or 2GB.")
    return round(float(match[1]) * unit)
