"""The life of the process: forks, finalizers, and its exit in stages."""

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
    """An object with state that a child process must not share with its parent."""

    def after_fork_in_child(self) -> None:
        """Release the parent's state; only this thread exists."""


def after_fork_in_child(begin_anew: Callable[[], object]) -> None:
    """Call `begin_anew` in every child of this process, right after the fork.

    Threads do not survive a fork, locks may stay taken for ever, and connections belong to the parent.
    The registration lasts as long as the process. For objects with a shorter life use `watch_forks`.
    """
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=begin_anew)


def watch_forks(owner: Forkable) -> None:
    """Call `owner.after_fork_in_child` in every child, as long as `owner` is alive."""
    _owners.add(owner)


_owners: WeakRegistry[Forkable] = WeakRegistry()


def _after_fork_in_child() -> None:
    global generation
    generation += 1
    # PyMongo does not reset the lock of ObjectId after a fork: if another thread held it, the child's
    # first request would wait for ever.
    if hasattr(ObjectId, "_inc_lock"):
        ObjectId._inc_lock = threading.Lock()
    for owner in _owners:
        owner.after_fork_in_child()


after_fork_in_child(_after_fork_in_child)


# Objects


def call_apart(function: Callable[..., object], *args: object) -> None:
    """Call `function` in a new context. Finalizers must run all their code this way.

    Garbage may be collected while a context variable is being set. If the same context changes
    meanwhile, CPython crashes, or raises a LookupError in the code that sets the variable.
    """
    Context().run(function, *args)


# The end


class Stage(enum.IntEnum):
    """The stages of the exit, in their order. Each stage may use the resources of later ones."""

    WORKERS = 0
    """Queued captures are redacted and exported."""
    ENGINES = 1
    """Scans for secrets stop."""
    CLIENTS = 2
    """Connections and their threads are released, so that they do not delay the exit."""


_ends: dict[Stage, Callable[[], object]] = {}


def at_exit(stage: Stage, end: Callable[[], object]) -> None:
    """Call `end` in its stage when the process exits; each stage has one function."""
    _ends[stage] = end
    come_first()


def come_first() -> None:
    """Run the stages before all functions that others have registered so far.

    `atexit` runs the latest registration first: so a worker that is created after a PyMongo client
    stops before PyMongo closes the connections that its last export needs.
    """
    atexit.unregister(_run)
    atexit.register(_run)


def _run() -> None:
    with contextlib.ExitStack() as stack:  # Ctrl-C interrupts one stage, not the following ones
        for stage in sorted(_ends, reverse=True):
            stack.callback(_ends[stage])
