"""The apps, each with the requests that go to it."""

from __future__ import annotations

from ..exchange import Scene
from . import connections, errors, extensions, files, inputs, output, raw, streams, structures
from ._base import Factory

__all__ = ["FACTORIES", "SCENES", "Factory"]

# Errors come last, for some of them end workers.
_MODULES = (output, streams, files, inputs, connections, structures, extensions, raw, errors)

FACTORIES: dict[str, Factory] = {
    name: factory for module in _MODULES for name, factory in module.FACTORIES.items()
}
"""What makes each app."""

SCENES: tuple[Scene, ...] = tuple(scene for module in _MODULES for scene in module.SCENES)
"""The rows of the table."""
