"""What is there as long as somebody holds it, whoever goes through it meanwhile."""

from __future__ import annotations

import gc

from flask_tracking.runtime.weak_registry import WeakRegistry


class Thing:
    """Something that can be held."""


def test_those_that_live() -> None:
    """They are there in their order, each once, until nobody holds them."""
    registry: WeakRegistry[Thing] = WeakRegistry()
    first, second = Thing(), Thing()
    for one in (first, second, first):
        registry.add(one)
    assert list(registry) == [first, second]
    assert (len(registry), first in registry, Thing() in registry) == (2, True, False)

    del first, one
    gc.collect()
    assert list(registry) == [second]
    registry.add(second)
    assert len(registry._references) == 1


def test_one_is_added_while_they_are_gone_through() -> None:
    """Who goes through them sees those of the beginning, and stumbles over nothing."""
    registry: WeakRegistry[Thing] = WeakRegistry()
    held = [Thing(), Thing(), Thing()]
    for one in held:
        registry.add(one)
    seen = []
    for one in registry:
        seen.append(one)
        registry.add(Thing())
        held.append(Thing())
        registry.add(held[-1])
    assert seen == held[:3]
    assert list(registry) == held
