"""Overrides: settings changed at run time for every process, until they expire.

They are stored beside the records. Only the settings in `NAMES` can be overridden: those that the
worker reads when a request has ended, so that no running request looks up an override.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from ..errors import ConfigError
from ..runtime.durations import UNITS_MS, parse_duration
from ..runtime.guard import warn_rarely
from .settings import Settings, check_setting

__all__ = ["NAMES", "Override"]

NAMES = {
    "sample_rate": "TRACKING_SAMPLE_RATE",
    "slow_ms": "TRACKING_SLOW_MS",
    "exclude_methods": "TRACKING_EXCLUDE_METHODS",
    "exclude_status_codes": "TRACKING_EXCLUDE_STATUS_CODES",
    "min_execution_time": "TRACKING_MIN_EXECUTION_TIME",
    "drop": "TRACKING_DROP",
    "keep": "TRACKING_KEEP",
}
"""The settings that can be overridden, by the names of their overrides."""

MAX_LIFETIME_MS = 30 * UNITS_MS["d"]
"""For a longer time, change the settings."""
_FIELDS = {field.metadata["key"]: field.name for field in dataclasses.fields(Settings)}


class Override(NamedTuple):
    """A temporary value of a setting.

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


def parse_overrides(terms: Iterable[str], lifetime: str | None) -> list[Override]:
    """Parse overrides written as text.

    Args:
        terms: like ``slow_ms=200`` or ``exclude_status_codes=304,404``; an empty list is written as
            nothing.
        lifetime: how long they last, like ``10m``.

    Raises:
        ConfigError: a name, a value or the duration is wrong, or a name is given twice.
    """
    values: dict[str, Any] = {}
    for term in terms:
        name, equals, text = term.partition("=")
        if not equals:
            raise ConfigError(f"Invalid override {term!r}: expected name=value, like slow_ms=200.")
        if name in values:
            raise ConfigError(f"{name} is given twice. Give each override once.")
        checked = check_value(name, _parse_value(check_name(name), text))
        values[name] = _make_storable(checked)
    now = utc_now()
    expires_at = now + parse_lifetime(lifetime)
    return [Override(name, value, now, expires_at) for name, value in values.items()]


def check_name(name: str) -> str:
    """Return `name` if that setting can be overridden.

    Raises:
        ConfigError: it cannot.
    """
    if name not in NAMES:
        raise ConfigError(f"{name!r} cannot be overridden. These settings can: {', '.join(NAMES)}.")
    return name


def check_value(name: str, value: Any) -> Any:
    """Return the setting that `value` makes.

    Raises:
        ConfigError: it is wrong; the setting's own check says why.
    """
    return check_setting(NAMES[name], value, shown_as=name)


def parse_lifetime(text: str | None) -> timedelta:
    """Parse how long overrides last: ``30s``, ``10m``, ``2h`` or ``1d``.

    Raises:
        ConfigError: it is missing, nothing of the kind, or more than 30 days.
    """
    if not text:
        raise ConfigError("--for is missing: expected a duration like 30s, 10m, 2h or 1d.")
    lifetime_ms = parse_duration(text)
    if not lifetime_ms:
        raise ConfigError(f"Invalid duration {text!r}: expected one like 30s, 10m, 2h or 1d.")
    if lifetime_ms > MAX_LIFETIME_MS:
        raise ConfigError(
            f"{text} is longer than 30d, the longest duration of an override. "
            "Change the settings instead."
        )
    return timedelta(milliseconds=lifetime_ms)


def change_settings(settings: Settings, overrides: Iterable[Override]) -> Settings:
    """Return `settings` with `overrides` applied; one with a wrong value is ignored and logged."""
    changes = {}
    for override in overrides:
        if override.name not in NAMES:  # a newer version may know it
            continue
        try:
            changes[setting_of(override.name)] = check_value(override.name, override.value)
        except ConfigError as error:
            warn_rarely(f"override {override.name}", "An override is ignored: %s", error)
    return dataclasses.replace(settings, **changes) if changes else settings


def setting_of(name: str) -> str:
    """Return the field of `Settings` that an override changes."""
    return _FIELDS[NAMES[name]]


def alive(overrides: Sequence[Override], now: datetime) -> list[Override]:
    """Return the overrides that have not expired."""
    return [one for one in overrides if one.expires_at > now]


def _make_storable(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return list(map(str, value)) if isinstance(value, tuple) else value


def _parse_value(name: str, text: str) -> Any:
    """Return what `text` stands for, or the text itself, so that the setting's check can refuse it."""
    if name.startswith("exclude_"):
        items = [item.strip() for item in text.split(",")] if text.strip() else []
        return [int(item) if item.isdecimal() and item.isascii() else item for item in items]
    if name in ("drop", "keep"):
        return [text] if text.strip() else []
    try:
        return float(text)
    except ValueError:
        return text
