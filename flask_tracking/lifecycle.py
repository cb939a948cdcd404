"""The end of the process, in stages: what a stage needs is there until it is over."""

from __future__ import annotations

import atexit
import enum
from collections.abc import Callable


class Stage(enum.IntEnum):
    """The stages, in their order."""

    WORKERS = 0
    """Queued captures are redacted and exported."""
    ENGINES = 1
    """Nothing is scanned for secrets any more."""


_ends: dict[Stage, Callable[[], object]] = {}


def at_exit(stage: Stage, end: Callable[[], object]) -> None:
    """Call `end` in its stage when the process ends; each stage has one such function."""
    _ends[stage] = end
    come_first()


def come_first() -> None:
    """Run the stages before what others have registered so far.

    The last registered comes first: a worker that is made after a client of PyMongo ends before
    PyMongo ends what its last export needs.
    """
    atexit.unregister(_run)
    atexit.register(_run)


def _run() -> None:
    for stage in sorted(_ends):
        _ends[stage]()
