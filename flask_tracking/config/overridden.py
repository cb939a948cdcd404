"""Override settings and the exporter of every app that is set up in a block: for tests and tools."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

from ..errors import ConfigError
from .settings import Settings, check_setting

__all__ = ["overridden"]


@dataclasses.dataclass(slots=True)
class _Block:
    """The overrides of a block and of the blocks around it."""

    outer: _Block | None = None
    exporter: Any = None
    """None leaves the app its own. An `Exporter`, which is unknown here."""
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """By ``TRACKING_*`` keys."""
    is_left: bool = False
    """Then it holds no longer, also in contexts that were copied in it, and wherever it was left."""


_NOTHING = _Block()
_entered: ContextVar[_Block] = ContextVar("flask_tracking.overridden", default=_NOTHING)


def _current() -> _Block:
    block = _entered.get()
    while block.is_left and block.outer is not None:
        block = block.outer
    return block


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
        ConfigError: a setting does not exist, or its value is invalid.

    .. versionadded:: 2.0
    """
    outer = _current()
    config = {_check(name, value): value for name, value in settings.items()}
    block = _Block(outer, outer.exporter if exporter is None else exporter, {**outer.config, **config})
    _entered.set(block)
    try:
        yield
    finally:
        block.is_left = True
        _entered.set(_current())


def override(config: MutableMapping[str, Any], exporter: Any) -> Any:
    """Change the config of an app as it is overridden now, and return its exporter."""
    over = _current()
    config.update(over.config)
    return exporter if over.exporter is None else over.exporter


def check_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checked values of settings, both by the names of `Settings`.

    Raises:
        ConfigError: a setting does not exist, or its value is invalid.
    """
    return {
        name: check_setting(_find_key(name), value, shown_as=name) for name, value in settings.items()
    }


def _check(name: str, value: Any) -> str:
    """Return the key of a setting whose value is right."""
    key = _find_key(name)
    check_setting(key, value, shown_as=name)
    return key


def _find_key(name: str) -> str:
    if name not in _KEYS:
        raise ConfigError(f"Settings has no {name!r}. There are: {', '.join(_KEYS)}.")
    return _KEYS[name]


_KEYS: dict[str, str] = {field.name: field.metadata["key"] for field in dataclasses.fields(Settings)}
