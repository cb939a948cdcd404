"""What is there as long as somebody holds it, whoever goes through it meanwhile."""

from __future__ import annotations

import gc
import weakref

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


def test_garbage_is_collected_while_they_are_gone_through() -> None:
    """What the collector runs may add, too, at any step."""
    registry: WeakRegistry[Thing] = WeakRegistry()
    held = [Thing() for _ in range(100)]
    for one in held:
        registry.add(one)

    def add(phase: str, info: dict[str, int]) -> None:
        held.append(Thing())
        reference = weakref.ref(held[-1])
        registry._references[id(reference)] = reference

    threshold = gc.get_threshold()
    gc.callbacks.append(add)
    gc.set_threshold(1)
    try:
        counts = [len(registry) for _ in range(50)]
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(add)
    assert counts[0] >= 100 and counts == sorted(counts)
