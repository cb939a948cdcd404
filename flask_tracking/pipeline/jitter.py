"""Random lengths of pauses, so that processes that failed together do not retry together."""

from __future__ import annotations

import random

__all__ = ["spread"]

LEAST = 0.5
"""The minimum share of a pause."""

_random = random.SystemRandom()  # a seeded generator would give all forks the same pauses


def spread(pause_s: float, least: float = LEAST) -> float:
    """Return a random part of a pause in seconds: at least the share `least` of it, at most all."""
    return pause_s * _random.uniform(least, 1.0)
