"""Settings and an exporter for every app that is set up meanwhile: for tests and tools."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, NamedTuple

from ..errors import ConfigError
from .settings import Settings, check_setting

__all__ = ["overridden"]


class _Override(NamedTuple):
    exporter: Any = None
    """None leaves the app its own. An `Exporter`, which is unknown here."""
    config: Mapping[str, Any] = MappingProxyType({})
    """By ``TRACKING_*`` keys."""


_NOTHING = _Override()
_override: ContextVar[_Override] = ContextVar("flask_tracking.overridden", default=_NOTHING)


@contextlib.contextmanager
def overridden(*, exporter: Any = None, **settings: Any) -> Iterator[None]:
    """Override what apps say of themselves that are tracked in this block.

    ::

        with overridden(exporter=MemoryExporter(), worker="sync"):
            app = create_app()

    An app keeps what it got here, and finds the settings in its config. Blocks may be nested: the inner
    one wins, and what it leaves out holds as the outer one says. Other threads are not affected.

    Args:
        exporter: where records go; None leaves each app its own.
        **settings: by the names of `Settings`, like ``worker`` or ``sample_rate``; values as in the
            app's config.

    Raises:
        ConfigError: there is no such setting, or its value is wrong.

    .. versionadded:: 2.0
    """
    outer = _override.get()
    config = {_check(name, value): value for name, value in settings.items()}
    token = _override.set(
        _Override(outer.exporter if exporter is None else exporter, {**outer.config, **config})
    )
    try:
        yield
    finally:
        _override.reset(token)


def override(config: MutableMapping[str, Any], exporter: Any) -> Any:
    """Change the config of an app as it is overridden now, and return its exporter."""
    over = _override.get()
    config.update(over.config)
    return exporter if over.exporter is None else over.exporter


def _check(name: str, value: Any) -> str:
    """Return the key of a setting whose value is right."""
    keys: dict[str, str] = {field.name: field.metadata["key"] for field in dataclasses.fields(Settings)}
    if name not in keys:
        raise ConfigError(f"Settings has no {name!r}. There are: {', '.join(keys)}.")
    check_setting(keys[name], value, shown_as=name)
    return keys[name]
