"""What a forked child must do before anything else, where there are forks."""

from __future__ import annotations

import os
from collections.abc import Callable


def after_fork_in_child(begin_anew: Callable[[], object]) -> None:
    """Call `begin_anew` in every child of this process, right after the fork.

    Threads do not survive a fork, locks may be found taken for ever, and connections belong to the
    parent. Registered for the life of the process, so hold what comes and goes weakly.
    """
    if hasattr(os, "register_at_fork"):  # Windows knows no fork
        os.register_at_fork(after_in_child=begin_anew)
