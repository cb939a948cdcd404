"""What is there as long as somebody holds it, whoever goes through it meanwhile."""

from __future__ import annotations

import gc

from flask_tracking.runtime.weak_registry import Living


class Thing:
    """Something that can be held."""


def test_those_that_live() -> None:
    """They are there in their order, each once, until nobody holds them."""
    living: Living[Thing] = Living()
    first, second = Thing(), Thing()
    for one in (first, second, first):
        living.add(one)
    assert list(living) == [first, second]
    assert (len(living), first in living, Thing() in living) == (2, True, False)

    del first, one
    gc.collect()
    assert list(living) == [second]
    living.add(second)
    assert len(living._references) == 1


def test_one_is_added_while_they_are_gone_through() -> None:
    """Who goes through them sees those of the beginning, and stumbles over nothing."""
    living: Living[Thing] = Living()
    held = [Thing(), Thing(), Thing()]
    for one in held:
        living.add(one)
    seen = []
    for one in living:
        seen.append(one)
        living.add(Thing())
        held.append(Thing())
        living.add(held[-1])
    assert seen == held[:3]
    assert list(living) == held
