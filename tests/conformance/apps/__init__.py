"""The apps, each with the requests that go to it."""

from __future__ import annotations

from ..exchange import Scene
from . import (
    asgi,
    connections,
    errors,
    extensions,
    files,
    inputs,
    output,
    raw,
    rest,
    socketio,
    sql,
    streams,
    structures,
)
from ._base import Factory

__all__ = ["FACTORIES", "NEEDS", "SCENES", "Factory"]

# Errors come last, for some of them end workers.
_MODULES = (
    *(output, streams, files, inputs, connections, structures, extensions, raw),
    *(sql, rest, socketio, asgi, errors),
)

FACTORIES: dict[str, Factory] = {
    name: factory for module in _MODULES for name, factory in module.FACTORIES.items()
}
"""What makes each app."""

NEEDS: dict[str, tuple[str, ...]] = {
    name: needs for module in (sql, rest, socketio, asgi) for name, needs in module.NEEDS.items()
}
"""Packages of the extra ``servers`` without which an app cannot be made; imported when it is."""

SCENES: tuple[Scene, ...] = tuple(scene for module in _MODULES for scene in module.SCENES)
"""The rows of the table."""
