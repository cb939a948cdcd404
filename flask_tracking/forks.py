"""What a forked child must do before anything else, where there are forks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol

from bson import ObjectId

from .living import Living

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


_owners: Living[Forkable] = Living()


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
