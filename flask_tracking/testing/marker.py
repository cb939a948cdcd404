"""The settings of ``@pytest.mark.tracking``."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ..config.overridden import check_settings
from ..config.settings import PREFIX, Settings
from ..errors import ConfigError

__all__ = ["read_settings"]


class Marker(Protocol):
    """The part of `pytest.Mark` that is read."""

    @property
    def args(self) -> tuple[Any, ...]:
        """Positional arguments."""

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """Keyword arguments."""


def read_settings(markers: Iterable[Marker]) -> dict[str, Any]:
    """Return the settings of a test by the names of `Settings`; the marker closest to the test wins.

    Args:
        markers: the closest first. A setting is named like its key, ``sample_rate`` or
            ``TRACKING_SAMPLE_RATE``, or like the field of `Settings`.

    Raises:
        ConfigError: a setting does not exist, or its value is invalid.
    """
    settings: dict[str, Any] = {}
    for marker in markers:
        if marker.args:
            raise ConfigError(
                "@pytest.mark.tracking takes only settings by name, like sample_rate=0.5."
            )
        for name, value in marker.kwargs.items():
            settings.setdefault(_find_field(name), value)
    check_settings(settings)
    return settings


def _find_field(name: str) -> str:
    keys = {field.metadata["key"].removeprefix(PREFIX).lower(): field.name for field in _FIELDS}
    names = {**keys, **{field.name: field.name for field in _FIELDS}}
    wanted = name.removeprefix(PREFIX).lower()
    if wanted not in names:
        nearest = difflib.get_close_matches(wanted, names, n=1)
        hint = f"Did you mean {nearest[0]}?" if nearest else f"There are: {', '.join(keys)}."
        raise ConfigError(f"Unknown setting {name!r} in @pytest.mark.tracking. {hint}")
    return names[wanted]


_FIELDS = dataclasses.fields(Settings)
