"""Temporary rules: settings that are changed at run time, for every process, until they expire.

They are stored beside the records. Which there may be is one table, `NAMES`: those settings by which
the worker judges records, so that none is looked at while a request runs.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from ..errors import ConfigError
from ..runtime.guard import warn_rarely
from .settings import Settings, check_setting

__all__ = ["NAMES", "TemporaryRule"]

NAMES = {
    "sample_rate": "TRACKING_SAMPLE_RATE",
    "slow_ms": "TRACKING_SLOW_MS",
    "exclude_methods": "TRACKING_EXCLUDE_METHODS",
    "exclude_status_codes": "TRACKING_EXCLUDE_STATUS_CODES",
    "min_execution_time": "TRACKING_MIN_EXECUTION_TIME",
}
"""Which settings can be changed, by the names that they have as rules."""

MAX_LIFETIME = timedelta(days=30)
"""What is to hold for longer belongs into the settings."""
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_FIELDS = {field.metadata["key"]: field.name for field in dataclasses.fields(Settings)}


class TemporaryRule(NamedTuple):
    """A setting's value for a while.

    .. versionadded:: 2.0
    """

    name: str
    """One of `NAMES`."""
    value: Any
    """A number, or a list of texts or numbers: as a store holds it."""
    set_at: datetime
    """UTC, whole milliseconds."""
    expires_at: datetime
    """UTC, whole milliseconds: from then on it does not hold."""


def utc_now() -> datetime:
    """Return the time by this machine's clock, in the milliseconds that every store holds."""
    now = datetime.now(timezone.utc)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def parse_rules(terms: Iterable[str], lifetime: str | None) -> list[TemporaryRule]:
    """Read rules as people write them.

    Args:
        terms: like ``slow_ms=200`` or ``exclude_status_codes=304,404``; an empty list is written as
            nothing.
        lifetime: how long they hold, like ``10m``.

    Raises:
        ConfigError: a name, a value or the duration is wrong, or a name is given twice.
    """
    values: dict[str, Any] = {}
    for term in terms:
        name, equals, text = term.partition("=")
        if not equals:
            raise ConfigError(f"{term!r} sets nothing. Write name=value, like slow_ms=200.")
        if name in values:
            raise ConfigError(f"{name} is given twice. Every rule may be set once.")
        checked = check_value(name, _parse_value(check_name(name), text))
        values[name] = sorted(checked) if isinstance(checked, frozenset) else checked
    now = utc_now()
    expires_at = now + parse_lifetime(lifetime)
    return [TemporaryRule(name, value, now, expires_at) for name, value in values.items()]


def check_name(name: str) -> str:
    """Return `name` if there is such a rule.

    Raises:
        ConfigError: there is none.
    """
    if name not in NAMES:
        raise ConfigError(
            f"{name!r} is nothing that can be changed at run time. That can be: {', '.join(NAMES)}."
        )
    return name


def check_value(name: str, value: Any) -> Any:
    """Return the setting that `value` makes.

    Raises:
        ConfigError: it is wrong; the setting's own check says why.
    """
    return check_setting(NAMES[name], value, shown_as=name)


def parse_lifetime(text: str | None) -> timedelta:
    """Read how long rules hold: ``30s``, ``10m``, ``2h`` or ``1d``.

    Raises:
        ConfigError: it is missing, nothing of the kind, or more than 30 days.
    """
    if not text:
        raise ConfigError("For how long? Add --for with 30s, 10m, 2h or 1d.")
    match = re.fullmatch(r"([0-9]{1,7})([smhd])", text)
    lifetime = timedelta(seconds=int(match[1]) * _UNITS_S[match[2]]) if match else timedelta()
    if not lifetime:
        raise ConfigError(f"{text!r} is no duration. Write 30s, 10m, 2h or 1d.")
    if lifetime > MAX_LIFETIME:
        raise ConfigError(
            f"{text} is longer than 30d, the longest that a rule may hold. "
            "For what holds longer there are the settings."
        )
    return lifetime


def change_settings(settings: Settings, rules: Iterable[TemporaryRule]) -> Settings:
    """Return `settings` as `rules` change them; a rule whose value is wrong is left out, and said."""
    changes = {}
    for rule in rules:
        if rule.name not in NAMES:  # a newer version may know it
            continue
        try:
            changes[setting_of(rule.name)] = check_value(rule.name, rule.value)
        except ConfigError as error:
            warn_rarely(f"temporary rule {rule.name}", "A temporary rule is left out: %s", error)
    return dataclasses.replace(settings, **changes) if changes else settings


def setting_of(name: str) -> str:
    """Return the field of `Settings` that a rule changes."""
    return _FIELDS[NAMES[name]]


def alive(rules: Sequence[TemporaryRule], now: datetime) -> list[TemporaryRule]:
    """Return those of `rules` that have not expired."""
    return [rule for rule in rules if rule.expires_at > now]


def _parse_value(name: str, text: str) -> Any:
    """Return what `text` stands for, or the text itself, so that the setting's check can refuse it."""
    if name.startswith("exclude_"):
        items = [item.strip() for item in text.split(",")] if text.strip() else []
        return [int(item) if item.isdecimal() and item.isascii() else item for item in items]
    try:
        return float(text)
    except ValueError:
        return text
