"""What happens to the process: its forks, the end of objects, and its own end in stages."""

from __future__ import annotations

import atexit
import contextlib
import enum
import os
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Protocol

from bson import ObjectId

from .weak_registry import WeakRegistry

# Forks

generation = 0
"""The number of forks between the process that imported this module and this one."""


class Forkable(Protocol):
    """What has something that a child must not share with its parent."""

    def after_fork_in_child(self) -> None:
        """Let go of what is the parent's; no thread but this one is there."""


def after_fork_in_child(begin_anew: Callable[[], object]) -> None:
    """Call `begin_anew` in every child of this process, right after the fork.

    Threads do not survive a fork, locks may be found taken for ever, and connections belong to the
    parent. Registered for the life of the process: what comes and goes is for `watch_forks`.
    """
    if hasattr(os, "register_at_fork"):  # Windows knows no fork
        os.register_at_fork(after_in_child=begin_anew)


def watch_forks(owner: Forkable) -> None:
    """Call `owner.after_fork_in_child` in every child, as long as somebody holds `owner`."""
    _owners.add(owner)


_owners: WeakRegistry[Forkable] = WeakRegistry()


def _after_fork_in_child() -> None:
    global generation
    generation += 1
    # Of all its locks PyMongo forgets the one that every new ObjectId takes: with another thread in
    # it at the time of the fork, the child's first request would wait for ever.
    if hasattr(ObjectId, "_inc_lock"):
        ObjectId._inc_lock = threading.Lock()
    for owner in _owners:
        owner.after_fork_in_child()


after_fork_in_child(_after_fork_in_child)


# Objects


def call_apart(function: Callable[..., object], *args: object) -> None:
    """Call `function` in a context of its own, as everything that a finalizer does must be called.

    Garbage may be collected while a context variable is being set. If the same context changes
    meanwhile, CPython crashes or raises a LookupError in the code that sets it, which may be anybody's.
    """
    Context().run(function, *args)


# The end


class Stage(enum.IntEnum):
    """The stages of the end, in their order: what a stage needs is there until it is over."""

    WORKERS = 0
    """Queued captures are redacted and exported."""
    ENGINES = 1
    """Nothing is scanned for secrets any more."""
    CLIENTS = 2
    """Connections and their threads are let go of, for nothing to hold up the exit."""


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
    with contextlib.ExitStack() as stack:  # Ctrl-C breaks off a stage, and not those after it
        for stage in sorted(_ends, reverse=True):
            stack.callback(_ends[stage])
